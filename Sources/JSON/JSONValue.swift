package import Tensors

/// A JSON value (RFC 8259), as headers and manifests of files and the output of `--json` hold it.
///
/// Members of an object keep the order they are given in; `canonical()` sorts them, `indented()`
/// does not.
package enum JSONValue: Equatable, Sendable {
  case null
  case bool(Bool)
  /// A whole number of at most `largestInteger` in magnitude: what a double, and so every JSON
  /// library, holds exactly. The parser yields this case for every such number, however it was made.
  case integer(Int)
  /// Any other number, finite unless Python wrote it.
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([Member])

  package struct Member: Equatable, Sendable {
    package var key: Name
    package var value: JSONValue

    package init(_ key: Name, _ value: JSONValue) {
      self.key = key
      self.value = value
    }

    /// Those that are not nil.
    package static func present(_ members: KeyValuePairs<Name, JSONValue?>) -> [Member] {
      members.compactMap { key, value in value.map { Member(key, $0) } }
    }
  }

  /// 2^53 - 1, the largest integer whose neighbours are doubles too (RFC 7493, section 2.2).
  package static let largestInteger = 1 << 53 - 1

  /// An object of those members that are not nil: absent, not null, is how we write what is unknown.
  package static func object(present members: KeyValuePairs<Name, JSONValue?>) -> JSONValue {
    .object(Member.present(members))
  }

  /// The member of an object with exactly this key, the last if there are several, as most programs
  /// read it; nil if there is none, or this is no object.
  package subscript(key: Name) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.last { $0.key == key }?.value
  }

  /// What kind of value it is, for errors: `a string`.
  package var kind: String {
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

// What a value is if it is of the kind asked for, else nil.
extension JSONValue {
  package var string: String? { if case .string(let value) = self { value } else { nil } }
  package var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  package var integer: Int? { if case .integer(let value) = self { value } else { nil } }
  package var elements: [JSONValue]? { if case .array(let values) = self { values } else { nil } }

  package var number: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral,
  ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral, ExpressibleByArrayLiteral,
  ExpressibleByDictionaryLiteral
{
  package init(stringLiteral value: String) { self = .string(value) }
  package init(booleanLiteral value: Bool) { self = .bool(value) }
  package init(integerLiteral value: Int) { self = .integer(value) }
  package init(floatLiteral value: Double) { self = .number(value) }
  package init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  package init(dictionaryLiteral elements: (Name, JSONValue)...) {
    self = .object(elements.map { Member($0.0, $0.1) })
  }
}

/// Why a value cannot be written as JSON.
@nonexhaustive
package enum JSONError: Error, Equatable, Sendable, CustomStringConvertible {
  /// JSON has no infinities and no NaN.
  case notFinite(Double)
  /// Readers that hold numbers as doubles, which is most of them, would read another number.
  case inexactInteger(Int)
  /// Two members of an object have the same key.
  case duplicateKey(Name)

  package var description: String {
    switch self {
    case .notFinite(let value): "JSON has no number \(value); write a string or nothing instead"
    case .inexactInteger(let value):
      "the integer \(value) is not exact as a double, which is how JSON is read; write it as a string"
    case .duplicateKey(let key): "an object has the key '\(printable(key))' twice"
    }
  }
}
