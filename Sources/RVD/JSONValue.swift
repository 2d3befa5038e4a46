/// A JSON value (RFC 8259), as the manifest of an `.rvd` file and the output of `--json` hold it.
///
/// Members of an object keep the order they are given in; `canonical()` sorts them, `indented()`
/// does not.
public enum JSONValue: Equatable, Sendable {
  case null
  case bool(Bool)
  /// A whole number of at most `largestInteger` in magnitude: what a double, and so every JSON
  /// library, holds exactly. The parser yields this case for every such number, however it was made.
  case integer(Int)
  /// Any other finite number.
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([Member])

  public struct Member: Equatable, Sendable {
    public var key: String
    public var value: JSONValue

    public init(_ key: String, _ value: JSONValue) {
      self.key = key
      self.value = value
    }
  }

  /// 2^53 - 1, the largest integer whose neighbours are doubles too (RFC 7493, section 2.2).
  public static let largestInteger = 1 << 53 - 1

  /// An object of those members that are not nil: absent, not null, is how we write what is unknown.
  public static func object(present members: KeyValuePairs<String, JSONValue?>) -> JSONValue {
    .object(members.compactMap { key, value in value.map { Member(key, $0) } })
  }

  /// The member of an object with exactly this key; nil if there is none, or this is no object.
  public subscript(key: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.key.utf8.elementsEqual(key.utf8) }?.value
  }

  /// What kind of value it is, for errors: `a string`.
  var kind: String {
    switch self {
    case .null: "null"
    case .bool: "a boolean"
    case .integer, .number: "a number"
    case .string: "a string"
    case .array: "an array"
    case .object: "an object"
    }
  }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral,
  ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral, ExpressibleByArrayLiteral,
  ExpressibleByDictionaryLiteral
{
  public init(stringLiteral value: String) { self = .string(value) }
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  public init(integerLiteral value: Int) { self = .integer(value) }
  public init(floatLiteral value: Double) { self = .number(value) }
  public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  public init(dictionaryLiteral elements: (String, JSONValue)...) {
    self = .object(elements.map { Member($0.0, $0.1) })
  }
}

/// Why a value cannot be written as JSON.
@nonexhaustive
public enum JSONError: Error, Equatable, Sendable, CustomStringConvertible {
  /// JSON has no infinities and no NaN.
  case notFinite(Double)
  /// Readers that hold numbers as doubles, which is most of them, would read another number.
  case inexactInteger(Int)
  /// Two members of an object have the same key.
  case duplicateKey(String)

  public var description: String {
    switch self {
    case .notFinite(let value): "JSON has no number \(value); write a string or nothing instead"
    case .inexactInteger(let value):
      "the integer \(value) is not exact as a double, which is how JSON is read; write it as a string"
    case .duplicateKey(let key): "an object has the key '\(key)' twice"
    }
  }
}
