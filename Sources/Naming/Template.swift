/// A pattern of names that works both ways: it takes a name apart, and puts one together.
///
/// Between literal text stand `{s}`, `{b}` and the like, a whole number each; `{s-1}` and `{s+1}`, a
/// number that is one less or more than `{s}`; and `*`, any text but the empty one. The n-th `*` of a
/// pattern corresponds to the n-th of its counterpart.
public struct Template: Equatable, Sendable, CustomStringConvertible {
  private enum Part: Equatable, Sendable {
    case literal(String)
    case number(name: String, offset: Int)
    case text(Int)
  }

  /// What the places of a template stand for in one name.
  struct Binding: Equatable {
    var numbers: [String: Int] = [:]
    var texts: [Int: String] = [:]
  }

  /// Why a text is no pattern.
  public struct Malformed: Error, Equatable, Sendable {
    /// In words.
    public var reason: String
  }

  /// The text it was made from.
  public let description: String
  private let parts: [Part]

  /// Takes a pattern apart.
  public init(_ text: String) throws(Malformed) {
    description = text
    var parts: [Part] = []
    var literal = ""
    var texts = 0
    var rest = Substring(text)
    func flush() {
      if !literal.isEmpty { parts.append(.literal(literal)) }
      literal = ""
    }
    while let character = rest.popFirst() {
      switch character {
      case "*":
        flush()
        parts.append(.text(texts))
        texts += 1
      case "{":
        guard let end = rest.firstIndex(of: "}") else {
          throw Malformed(reason: "'{' without '}' in '\(text)'")
        }
        flush()
        parts.append(try Template.number(rest[..<end], in: text))
        rest = rest[rest.index(after: end)...]
      case "}":
        throw Malformed(reason: "'}' without '{' in '\(text)'")
      default:
        literal.append(character)
      }
    }
    flush()
    guard !parts.isEmpty else { throw Malformed(reason: "an empty pattern") }
    self.parts = parts
  }

  private static func number(_ text: Substring, in whole: String) throws(Malformed) -> Part {
    let name = text.prefix { $0.isLetter }
    let offset = text.dropFirst(name.count)
    guard !name.isEmpty, offset.isEmpty || Int(offset) != nil else {
      throw Malformed(reason: "'{\(text)}' in '\(whole)' is not a number's name, as {s} or {s-1}")
    }
    return .number(name: String(name), offset: Int(offset) ?? 0)
  }

  /// Names of the numbers and count of the texts, which a counterpart must have too.
  var places: (numbers: Set<String>, texts: Int) {
    var (numbers, texts) = (Set<String>(), 0)
    for part in parts {
      switch part {
      case .literal: break
      case .number(let name, _): numbers.insert(name)
      case .text: texts += 1
      }
    }
    return (numbers, texts)
  }

  /// What the places stand for in `name`; nil if it does not match.
  func match(_ name: String) -> Binding? {
    var binding = Binding()
    return Template.match(parts[...], name[...].utf8, &binding) ? binding : nil
  }

  private static func match(
    _ parts: ArraySlice<Part>, _ name: Substring.UTF8View, _ binding: inout Binding
  ) -> Bool {
    guard let part = parts.first else { return name.isEmpty }
    switch part {
    case .literal(let text):
      guard name.starts(with: text.utf8) else { return false }
      return match(parts.dropFirst(), name.dropFirst(text.utf8.count), &binding)
    case .number(let place, let offset):
      let digits = name.prefix { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
      // Without leading zeros, so that the way back gives the same text.
      guard let value = Int(Substring(digits)),
        digits.count == 1 || digits.first != UInt8(ascii: "0")
      else { return false }
      let (number, overflow) = value.subtractingReportingOverflow(offset)
      guard !overflow, binding.numbers[place] ?? number == number else { return false }
      let before = binding
      binding.numbers[place] = number
      if match(parts.dropFirst(), name.dropFirst(digits.count), &binding) { return true }
      binding = before
      return false
    case .text(let index):
      // The shortest text that lets the rest match; the last one takes all that is left.
      if parts.count == 1 {
        binding.texts[index] = String(Substring(name))
        return !name.isEmpty
      }
      var rest = name.dropFirst()
      while true {
        // Between characters only, not between the bytes of one.
        if rest.first.map({ $0 & 0xC0 != 0x80 }) ?? true {
          let before = binding
          binding.texts[index] = String(Substring(name[..<rest.startIndex]))
          if !name.isEmpty, match(parts.dropFirst(), rest, &binding) { return true }
          binding = before
        }
        if rest.popFirst() == nil { return false }
      }
    }
  }

  /// A name that it matches: with 1 for every number, and `text` for every text.
  func example(text: String) -> String {
    parts.reduce(into: "") { name, part in
      switch part {
      case .literal(let literal): name += literal
      case .number(_, let offset): name += String(max(0, 1 + offset))
      case .text: name += text
      }
    }
  }

  /// The name with these places filled; nil if one is missing or a number would be negative.
  func expand(_ binding: Binding) -> String? {
    var name = ""
    for part in parts {
      switch part {
      case .literal(let text): name += text
      case .number(let place, let offset):
        guard let value = binding.numbers[place] else { return nil }
        let (number, overflow) = value.addingReportingOverflow(offset)
        guard !overflow, number >= 0 else { return nil }
        name += String(number)
      case .text(let index):
        guard let text = binding.texts[index] else { return nil }
        name += text
      }
    }
    return name
  }
}

/// Two templates for the same names, as `stage{s}.{b}` and `stages.{s-1}.{b}`.
public struct Correspondence: Equatable, Sendable {
  /// The side that names are matched with on the way to the other.
  public let first: Template
  /// The other side; both have the same places.
  public let second: Template

  /// From `first=second`.
  ///
  /// - Throws: `Template.Malformed` if it is not two templates with the same places.
  public init(_ text: String) throws(Template.Malformed) {
    let sides = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    guard sides.count == 2 else {
      throw Template.Malformed(reason: "'\(text)' has no '=' between two patterns")
    }
    func trimmed(_ text: Substring) -> String {
      var text = text.drop { $0 == " " }
      while text.last == " " { text.removeLast() }
      return String(text)
    }
    first = try Template(trimmed(sides[0]))
    second = try Template(trimmed(sides[1]))
    guard first.places == second.places else {
      throw Template.Malformed(reason: "'\(text)' does not have the same places on both sides")
    }
  }

  func forward(_ name: String) -> String? { first.match(name).flatMap(second.expand) }
  func backward(_ name: String) -> String? { second.match(name).flatMap(first.expand) }
}
