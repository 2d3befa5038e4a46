package import Tensors

extension JSONCursor {
  /// Takes a number that is written with digits alone, as `12`, but not `-0`, `1.0`, `1e1` or `01`.
  package mutating func naturalNumber(_ what: String) throws(ReadError) -> Int {
    skipWhiteSpace()
    let start = next
    let token = numberToken()
    guard !token.isEmpty else { throw error(expected: what, found: here) }
    let isPlain =
      token.allSatisfy(isDigit) && (token.count == 1 || token.first != UInt8(ascii: "0"))
    guard isPlain, let number = Int(String(decoding: token, as: UTF8.self)) else {
      throw error(at: start, expected: what, found: quoted(token))
    }
    return number
  }

  /// Takes a number, `null`, `true` or `false`.
  mutating func numberOrWord() throws(ReadError) -> JSONValue {
    if form == .python, take(word: "-Infinity") { return .number(-.infinity) }
    if let byte = nextByte, byte == UInt8(ascii: "-") || isDigit(byte) { return try number() }
    for (word, value) in JSONCursor.words where take(word: word) { return value }
    if form == .python {
      for (word, value) in JSONCursor.wordsOfPython where take(word: word) { return value }
    }
    throw error(expected: "a value", found: here)
  }

  private static let words: [(String, JSONValue)] = [
    ("null", .null), ("true", .bool(true)), ("false", .bool(false)),
  ]

  private static let wordsOfPython: [(String, JSONValue)] = [
    ("NaN", .number(.nan)), ("Infinity", .number(.infinity)),
  ]

  private mutating func number() throws(ReadError) -> JSONValue {
    let start = next
    let token = numberToken()
    guard isNumber(token) else {
      throw error(at: start, expected: "a number", found: quoted(token))
    }
    // No canonical number is longer than -1.2345678901234567e+300; do not convert a million digits.
    guard form != .canonical || token.count <= 32,
      let number = Double(String(decoding: token, as: UTF8.self)),
      number.isFinite || form == .python
    else {
      throw error(
        at: start, expected: "a number that a double can hold", found: quoted(token))
    }
    guard form != .canonical || number.ecmaScript.utf8.elementsEqual(token) else {
      throw error(
        at: start, expected: "the number as '\(number.ecmaScript)'", found: quoted(token))
    }
    if let integer = Int(exactly: number), integer.magnitude <= JSONValue.largestInteger {
      return .integer(integer)
    }
    return .number(number)
  }

  private mutating func numberToken() -> ArraySlice<UInt8> {
    let start = next
    while let byte = nextByte, isDigit(byte) || "+-.eE".utf8.contains(byte) { next += 1 }
    return text[start..<next]
  }

  /// What a token is, for an error.
  private func quoted(_ token: ArraySlice<UInt8>) -> String {
    "'\(String(decoding: token.prefix(32), as: UTF8.self))'"
  }
}

func isDigit(_ byte: UInt8) -> Bool {
  (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
}

/// `-`, digits without a leading zero, `.` and digits, `e` and digits with or without a sign.
private func isNumber(_ token: ArraySlice<UInt8>) -> Bool {
  var rest = token
  func takeDigits() -> Int {
    let digits = rest.prefix(while: isDigit)
    rest = rest[digits.endIndex...]
    return digits.count
  }
  if rest.first == UInt8(ascii: "-") { rest.removeFirst() }
  let leadsWithZero = rest.first == UInt8(ascii: "0")
  let whole = takeDigits()
  guard whole == 1 || whole > 1 && !leadsWithZero else { return false }
  if rest.first == UInt8(ascii: ".") {
    rest.removeFirst()
    guard takeDigits() > 0 else { return false }
  }
  if let first = rest.first, first | 0x20 == UInt8(ascii: "e") {
    rest.removeFirst()
    if let sign = rest.first, "+-".utf8.contains(sign) { rest.removeFirst() }
    guard takeDigits() > 0 else { return false }
  }
  return rest.isEmpty
}
