import Foundation
import Tensors
import TestSupport
import Testing

@testable import JSON

/// Canonical text and the value it stands for.
private let canonicalTexts: [(String, JSONValue)] = [
  ("null", .null), ("true", true), ("false", false),
  ("0", 0), ("-1", -1), ("9007199254740991", 9_007_199_254_740_991),
  ("9007199254740992", 9007199254740992.0), ("-9007199254740991", -9_007_199_254_740_991),
  ("0.00001", 0.00001), ("1e+21", 1e21), ("100000000000000000000", 1e20),
  ("5e-324", .number(.leastNonzeroMagnitude)),
  ("[]", []), ("{}", [:]), ("[[],{},[1,2.5]]", [[], [:], [1, 2.5]]),
  (#""""#, ""), (#""a/\u007f""#.replacing("\\u007f", with: "\u{7F}"), "a/\u{7F}"),
  (#""\"\\\b\t\n\f\r\u0000\u001f""#, "\"\\\u{8}\t\n\u{C}\r\u{0}\u{1F}"),
  (#"{"":1,"a":2,"aa":3,"b":4}"#, ["": 1, "a": 2, "aa": 3, "b": 4]),
  // RFC 8785, section 3.2.3: by UTF-16 code units, so the emoji (D83D) precedes U+FB33.
  (
    "{\"\\r\":0,\"1\":1,\"\u{80}\":2,\"\u{F6}\":3,\"\u{20AC}\":4,\"\u{1F600}\":5,\"\u{FB33}\":6}",
    ["\r": 0, "1": 1, "\u{80}": 2, "\u{F6}": 3, "\u{20AC}": 4, "\u{1F600}": 5, "\u{FB33}": 6]
  ),
  // Composed and decomposed characters are two keys, though Swift calls them equal.
  ("{\"e\u{301}\":1,\"\u{E9}\":2}", .object([.init("e\u{301}", 1), .init("\u{E9}", 2)])),
]

private func parse(_ text: some Sequence<UInt8>) throws(ReadError) -> JSONValue {
  try JSONValue(Array(text), .canonical, at: Location(path: "f", offset: 100))
}

/// Canonical JSON, and what is written.
@Suite struct JSONValueTests {
  @Test(arguments: canonicalTexts)
  func `canonical text and value turn into each other`(text: String, value: JSONValue) throws {
    #expect(try String(decoding: value.canonical(), as: UTF8.self) == text)
    #expect(try parse(text.utf8) == value)
  }

  @Test func `numbers are written as an independent program writes them`() throws {
    let path = Fixtures.folder + "/../../formats/vectors/numbers.txt"
    let table = try String(contentsOfFile: path, encoding: .utf8)
    var count = 0
    for line in table.split(separator: "\n") {
      let columns = line.split(separator: " ")
      let value = Double(bitPattern: UInt64(columns[0], radix: 16)!)
      #expect(value.ecmaScript == columns[1])
      let parsed = try parse(columns[1].utf8)
      switch parsed {
      case .integer(let integer): #expect(Double(integer) == value)
      case .number(let number): #expect(number == value)
      default: Issue.record("\(columns[1]) is \(parsed)")
      }
      count += 1
    }
    #expect(count >= 1500)
  }

  /// RFC 8785, appendix B.
  @Test(
    arguments: [
      (0x0000_0000_0000_0000, "0"), (0x8000_0000_0000_0000, "0"),
      (0x0000_0000_0000_0001, "5e-324"), (0x8000_0000_0000_0001, "-5e-324"),
      (0x7FEF_FFFF_FFFF_FFFF, "1.7976931348623157e+308"),
      (0xFFEF_FFFF_FFFF_FFFF, "-1.7976931348623157e+308"),
      (0x4340_0000_0000_0000, "9007199254740992"), (0xC340_0000_0000_0000, "-9007199254740992"),
      (0x4430_0000_0000_0000, "295147905179352830000"),
      (0x44B5_2D02_C7E1_4AF5, "9.999999999999997e+22"), (0x44B5_2D02_C7E1_4AF6, "1e+23"),
      (0x44B5_2D02_C7E1_4AF7, "1.0000000000000001e+23"),
      (0x444B_1AE4_D6E2_EF4E, "999999999999999700000"),
      (0x444B_1AE4_D6E2_EF4F, "999999999999999900000"), (0x444B_1AE4_D6E2_EF50, "1e+21"),
      (0x3EB0_C6F7_A0B5_ED8C, "9.999999999999997e-7"), (0x3EB0_C6F7_A0B5_ED8D, "0.000001"),
      (0x41B3_DE43_5555_5553, "333333333.3333332"), (0x41B3_DE43_5555_5554, "333333333.33333325"),
      (0x41B3_DE43_5555_5555, "333333333.3333333"), (0x41B3_DE43_5555_5556, "333333333.3333334"),
      (0x41B3_DE43_5555_5557, "333333333.33333343"),
      (0xBECB_F647_612F_3696, "-0.0000033333333333333333"),
      (0x4314_3FF3_C1CB_0959, "1424953923781206.2"),
    ] as [(UInt64, String)])
  func `numbers are written as the RFC writes them`(bits: UInt64, text: String) {
    #expect(Double(bitPattern: bits).ecmaScript == text)
  }

  @Test func `random values survive`() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("JSON seed \(seed)")
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<500 {
      let value = randomJSON(depth: 4, &generator)
      let text = try value.canonical()
      let parsed = try parse(text)
      #expect(try parsed.canonical() == text)
      // Members are in order now, and strings have no white space, so indenting is all that differs.
      let indented = try parsed.indented().utf8.filter { $0 != 0x20 && $0 != 0x0A }
      #expect(indented == text, "seed \(seed)")
    }
  }

  @Test(arguments: [
    ("", 0), (" 1", 0), ("1 ", 1), ("[1 ]", 2), ("[1,]", 3), ("[,1]", 1), ("[1", 2), ("{", 1),
    ("{\"a\"}", 4), ("{\"a\":1,}", 7), ("{a:1}", 1), ("{\"b\":1,\"a\":2}", 7),
    ("{\"a\":1,\"a\":2}", 7), ("nul", 0), ("nulls", 4), ("True", 0), ("\"abc", 0), ("\"a\\/\"", 2),
    ("\"\\u0041\"", 1), ("\"\\u000A\"", 1), ("\"\\u001F\"", 1), ("\"\\u0008\"", 1), ("\"\\", 1),
    ("\"\\u00", 1), ("\"a\nb\"", 2), ("1.0", 0), ("1e5", 0), ("1E400", 0), ("-0", 0), ("+1", 0),
    ("01", 0), (".5", 0), ("1.", 0), ("-", 0), ("0x10", 1), ("1e-05", 0), ("0.10", 0),
    ("[123,9007199254740993]", 5), ("NaN", 0), ("-Infinity", 0), ("/**/1", 0), ("\u{FEFF}1", 0),
    ("[" + String(repeating: "9", count: 1000) + "]", 1),
  ])
  func `text that is not canonical is refused at its byte`(text: String, offset: Int) {
    let error = #expect(throws: ReadError.self) { try parse(text.utf8) }
    guard case .malformed(let place, _, _, _)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(place == Location(path: "f", offset: 100 + offset), "\(error!)")
  }

  @Test(
    arguments: [
      [0x80], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xE2, 0x82],
    ] as [[UInt8]])
  func `strings that are not UTF-8 are refused`(bytes: [UInt8]) {
    #expect(throws: ReadError.self) { try parse([0x22] + bytes + [0x22]) }
  }

  @Test func `nesting stops at the limit`() throws {
    func nested(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    func parse(_ depth: Int) throws(ReadError) {
      let place = Location(path: "f", offset: 100)
      _ = try JSONValue(Array(nested(depth).utf8), .canonical, at: place, maximumDepth: 7)
    }
    #expect(throws: Never.self) { try parse(7) }
    for depth in [8, 100_000] {
      #expect(
        throws: ReadError.limitExceeded(
          Location(path: "f", offset: 108), what: "nested arrays and objects", limit: 7,
          found: "8 levels")
      ) { try parse(depth) }
    }
  }

  @Test func `values that JSON cannot hold are refused`() {
    #expect(throws: JSONError.notFinite(.infinity)) { try JSONValue.number(.infinity).canonical() }
    #expect(throws: JSONError.self) { try JSONValue.array([.number(.nan)]).indented() }
    #expect(throws: JSONError.inexactInteger(1 << 53)) {
      try JSONValue.integer(1 << 53).canonical()
    }
    #expect(throws: JSONError.inexactInteger(.min)) { try JSONValue.integer(.min).canonical() }
    #expect(throws: JSONError.duplicateKey("a")) {
      try JSONValue.object([.init("a", 1), .init("b", 2), .init("a", 3)]).indented()
    }
  }

  @Test func `indented text keeps the order and puts shapes on one line`() throws {
    let value: JSONValue = [
      "name": "stage0.weight", "shape": [48, 3, 3, 3], "blocks": [["kind": "RepVGG"], .null],
      "empty": [:], "none": [], "bytes": 5184,
    ]
    #expect(
      try value.indented() == """
        {
          "name": "stage0.weight",
          "shape": [48, 3, 3, 3],
          "blocks": [
            {
              "kind": "RepVGG"
            },
            null
          ],
          "empty": {},
          "none": [],
          "bytes": 5184
        }

        """)
  }
}

private func randomJSON(depth: Int, _ generator: inout SeededGenerator) -> JSONValue {
  func string() -> String {
    String(
      (0..<Int.random(in: 0...4, using: &generator)).map { _ in
        "ab\u{0}\n\"\\/\u{7F}é\u{301}\u{FB33}😀\r".randomElement(using: &generator)!
      })
  }
  switch Int.random(in: 0..<(depth > 0 ? 8 : 6), using: &generator) {
  case 0: return .null
  case 1: return .bool(.random(using: &generator))
  case 2:
    return .integer(
      .random(in: -JSONValue.largestInteger...JSONValue.largestInteger, using: &generator))
  case 3: return .number(Double(Int.random(in: -1000...1000, using: &generator)) / 64)
  case 4: return .number(.random(in: -1e-3...1e-3, using: &generator))
  case 5: return .string(string())
  case 6:
    return .array(
      (0..<Int.random(in: 0...4, using: &generator)).map { _ in
        randomJSON(depth: depth - 1, &generator)
      })
  default:
    var members: [JSONValue.Member] = []
    for _ in 0..<Int.random(in: 0...4, using: &generator) {
      let key = Name(string())
      guard !members.contains(where: { $0.key == key }) else { continue }
      members.append(.init(key, randomJSON(depth: depth - 1, &generator)))
    }
    return .object(members)
  }
}
