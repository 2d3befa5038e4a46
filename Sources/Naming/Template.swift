internal import Tensors

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
    var texts: [Int: Name] = [:]
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
  ///
  /// Takes a time that grows with the length of the name, however many texts there are.
  func match(_ name: Name) -> Binding? {
    if case .literal(let text) = parts[0], !name.utf8.starts(with: text.utf8) { return nil }
    var matcher = Matcher(parts, name)
    return matcher.matches(from: 0, at: 0) ? matcher.binding : nil
  }

  /// Takes one name apart.
  private struct Matcher {
    private let parts: [Part]
    private let name: [UInt8]
    private(set) var binding = Binding()
    /// The first byte from which a text, with all that is behind it, was found not to match. It cannot from any
    /// later one either, which has fewer ends to choose from: so every end is tried once.
    private var failures: [Attempt: Int] = [:]

    private struct Attempt: Hashable {
      var part: Int
      /// What is bound of the numbers that the parts behind it have.
      var numbers: [Int?]
    }

    init(_ parts: [Part], _ name: Name) {
      self.parts = parts
      self.name = Array(name.utf8)
    }

    mutating func matches(from index: Int, at start: Int) -> Bool {
      guard index < parts.count else { return start == name.count }
      switch parts[index] {
      case .literal(let text):
        return name[start...].starts(with: text.utf8)
          && matches(from: index + 1, at: start + text.utf8.count)
      case .number(let place, let offset):
        let digits = name[start...].prefix { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
        // Without leading zeros, so that the way back gives the same text.
        guard let value = Int(String(decoding: digits, as: UTF8.self)),
          digits.count == 1 || digits.first != UInt8(ascii: "0")
        else { return false }
        let (number, overflow) = value.subtractingReportingOverflow(offset)
        let earlier = binding.numbers[place]
        guard !overflow, earlier ?? number == number else { return false }
        binding.numbers[place] = number
        if matches(from: index + 1, at: digits.endIndex) { return true }
        binding.numbers[place] = earlier
        return false
      case .text(let text):
        let attempt = Attempt(part: index, numbers: numbers(from: index + 1))
        if let failure = failures[attempt], failure <= start { return false }
        // The shortest text that lets the rest match; the last one takes all that is left.
        let isLast = index == parts.count - 1
        var end = isLast ? name.count : start + 1
        while start < name.count, end <= name.count {
          // Between characters only, not between the bytes of one.
          if end == name.count || name[end] & 0xC0 != 0x80, matches(from: index + 1, at: end) {
            binding.texts[text] = Name(decoding: name[start..<end])
            return true
          }
          end += 1
        }
        failures[attempt] = start
        return false
      }
    }

    /// What is bound of the numbers in these parts.
    private func numbers(from index: Int) -> [Int?] {
      parts[index...].compactMap { part in
        if case .number(let place, _) = part { .some(binding.numbers[place]) } else { nil }
      }
    }
  }

  /// A name that it matches: with 1 for every number, and `text` for every text.
  func example(text: String) -> Name {
    let pieces = parts.map { part in
      switch part {
      case .literal(let literal): literal
      case .number(_, let offset): String(max(0, 1 + offset))
      case .text: text
      }
    }
    return Name(pieces.joined())
  }

  /// The name with these places filled; nil if one is missing or a number would be negative.
  func expand(_ binding: Binding) -> Name? {
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
        name += text.text
      }
    }
    return Name(name)
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

  func forward(_ name: Name) -> Name? { first.match(name).flatMap(second.expand) }
  func backward(_ name: Name) -> Name? { second.match(name).flatMap(first.expand) }
}
