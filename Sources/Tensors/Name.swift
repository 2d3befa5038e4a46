/// What a file calls a tensor, a module, a value of a graph or a function: bytes of UTF-8.
///
/// Two names are the same if their bytes are, and they are in the order of their bytes, as in the formats
/// that have them. Swift's own text is also equal if it looks the same (`é` in one scalar or in two), which
/// files tell apart and which takes long to find out. A name is shown with everything escaped that would
/// do something to a terminal; `text` is what it is.
public struct Name: Sendable {
  /// As it is in the file; not fit to be shown, since anything may be in it.
  public let text: String

  /// The name with the bytes of a text.
  public init(_ text: String) {
    var text = text
    // Bytes that are in one piece can be compared as such.
    text.makeContiguousUTF8()
    self.text = text
  }

  /// The name with the bytes of a part of a text.
  public init(_ text: Substring) { self.init(String(text)) }

  /// The name with these bytes, of which those that are not UTF-8 are replaced by U+FFFD.
  package init(decoding bytes: some Collection<UInt8>) {
    self.init(String(decoding: bytes, as: UTF8.self))
  }

  /// Its bytes.
  public var utf8: String.UTF8View { text.utf8 }

  /// Whether it has no bytes.
  public var isEmpty: Bool { text.isEmpty }
}

extension Name: Hashable, Comparable {
  public static func == (a: Name, b: Name) -> Bool {
    a.utf8.count == b.utf8.count && a.utf8.elementsEqual(b.utf8)
  }

  public func hash(into hasher: inout Hasher) {
    var text = text
    // Safe: the bytes are only read.
    text.withUTF8 { unsafe hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    hasher.combine(utf8.count)
  }

  public static func < (a: Name, b: Name) -> Bool { a.utf8.lexicographicallyPrecedes(b.utf8) }
}

extension Name: CustomStringConvertible {
  /// Fit to be shown: see `printable`.
  public var description: String { printable(text) }
}

extension Name: ExpressibleByStringInterpolation {
  public init(stringLiteral text: String) { self.init(text) }
  public init(stringInterpolation: StringInterpolation) { self.init(stringInterpolation.text) }

  /// Puts names together as they are, where that of a text shows them escaped.
  public struct StringInterpolation: StringInterpolationProtocol, Sendable {
    fileprivate var text = ""

    public init(literalCapacity: Int, interpolationCount: Int) {
      text.reserveCapacity(literalCapacity)
    }

    public mutating func appendLiteral(_ literal: String) { text += literal }
    public mutating func appendInterpolation(_ name: Name) { text += name.text }
    public mutating func appendInterpolation(_ text: some StringProtocol) { self.text += text }
    public mutating func appendInterpolation(_ number: some BinaryInteger) {
      text += String(number)
    }
  }
}

extension Name {
  public static func + (a: Name, b: Name) -> Name { Name(a.text + b.text) }

  /// Whether its first bytes are those of `prefix`.
  public func hasPrefix(_ prefix: Name) -> Bool { utf8.starts(with: prefix.utf8) }

  /// Whether its last bytes are those of `suffix`.
  public func hasSuffix(_ suffix: Name) -> Bool {
    utf8.count >= suffix.utf8.count && utf8.suffix(suffix.utf8.count).elementsEqual(suffix.utf8)
  }

  /// What is behind `prefix`; nil if it does not begin with that.
  public func dropping(prefix: Name) -> Name? {
    hasPrefix(prefix) ? Name(Substring(utf8.dropFirst(prefix.utf8.count))) : nil
  }

  /// What is in front of `suffix`; nil if it does not end with that.
  public func dropping(suffix: Name) -> Name? {
    hasSuffix(suffix) ? Name(Substring(utf8.dropLast(suffix.utf8.count))) : nil
  }

  /// The module that a parameter belongs to: all in front of the last dot; nil if there is no dot.
  public var module: Name? {
    utf8.lastIndex(of: UInt8(ascii: ".")).map { Name(text[..<$0]) }
  }

  /// What is behind the last dot; all if there is none.
  public var lastPart: Name {
    guard let dot = utf8.lastIndex(of: UInt8(ascii: ".")) else { return self }
    return Name(text[utf8.index(after: dot)...])
  }

  /// What is in front of the first dot; all if there is none.
  public var firstPart: Name { Name(Substring(utf8.prefix { $0 != UInt8(ascii: ".") })) }

  /// What is in front of the first place where `text` is; nil if it is nowhere.
  ///
  /// - Parameter shortest: how many bytes that has at least.
  /// - Precondition: `text` is not empty.
  package func prefix(before text: Name, ofAtLeast shortest: Int = 0) -> Name? {
    let (bytes, wanted) = (Array(utf8), Array(text.utf8))
    var start = shortest
    while start <= bytes.count - wanted.count {
      if bytes[start] == wanted[0], bytes[start...].starts(with: wanted) {
        return Name(decoding: bytes[..<start])
      }
      start += 1
    }
    return nil
  }

  /// With another character of one byte wherever the first is.
  package func replacing(_ old: Unicode.Scalar, with new: Unicode.Scalar) -> Name {
    Name(decoding: utf8.map { $0 == UInt8(ascii: old) ? UInt8(ascii: new) : $0 })
  }

  /// What is between the dots, or another separator.
  public func parts(separator: Unicode.Scalar = ".") -> [Name] {
    utf8.split(separator: UInt8(ascii: separator), omittingEmptySubsequences: false).map {
      Name(Substring($0))
    }
  }
}

extension Sequence<Name> {
  /// One after the other, with `separator` between them.
  public func joined(separator: Name) -> Name {
    Name(map(\.text).joined(separator: separator.text))
  }
}

/// A name, fit for a message: as a text with `printable`.
package func printable(_ name: Name) -> String { printable(name.text) }

extension Name {
  /// All of it, fit for a table: with characters that would do something to a terminal as `\u{1b}`.
  package var shown: String { escaped(text, where: isPrintable) }
}

extension DefaultStringInterpolation {
  /// In a text, it has to be said which is meant: long names are shown short.
  @available(*, unavailable, message: "say printable(name) in messages, name.text in files")
  package mutating func appendInterpolation(_ name: Name) {}
}

extension Name: Encodable {
  public func encode(to encoder: any Encoder) throws { try text.encode(to: encoder) }
}
