import Tensors
import Testing

@testable import JSON

private let place = Location(path: "f", offset: 100)

private func parse(_ text: String, _ form: JSONForm) throws(ReadError) -> JSONValue {
  try JSONValue(Array(text.utf8), form, at: place)
}

/// What the forms of JSON have in common, and where they differ.
@Suite struct JSONFormTests {
  @Test(
    arguments: [
      (" [ 1 , { } ]\n", [1, [:]]), ("\"\\/\\u0041\\u00e9\\ud83d\\ude00\"", "/Aé😀"),
      ("{\"b\":1,\"a\":2}", ["b": 1, "a": 2]), ("1.0", 1), ("1e2", 100), ("-0.5E-1", -0.05),
      ("{\"a\":1,\"a\":2}", .object([.init("a", 1), .init("a", 2)])),
    ] as [(String, JSONValue)])
  func `what people and Python write is read, but not as canonical`(text: String, value: JSONValue)
    throws
  {
    #expect(try parse(text, .standard) == value)
    #expect(try parse(text, .python) == value)
    #expect(throws: ReadError.self) { try parse(text, .canonical) }
  }

  @Test func `only what Python writes has numbers that are none`() throws {
    let text = "[NaN, Infinity, -Infinity, 1e400]"
    let elements = try #require(try parse(text, .python).elements).compactMap(\.number)
    #expect(elements.count == 4 && elements[0].isNaN)
    #expect(elements[1...].elementsEqual([.infinity, -.infinity, .infinity]))
    for (text, expected) in [
      ("NaN", "a value"), ("Infinity", "a value"), ("-Infinity", "a number"),
      ("1e400", "a number that a double can hold"),
    ] {
      let error = #expect(throws: ReadError.self) { try parse(text, .standard) }
      guard case .malformed(place, expected, _, _)? = error else {
        Issue.record("\(text): \(String(describing: error))")
        continue
      }
    }
  }

  @Test func `the last of several members of a key counts`() throws {
    let value = try parse("{\"a\": 1, \"b\": 2, \"a\": 3}", .standard)
    #expect(value["a"] == 3 && value["b"] == 2 && value["c"] == nil)
  }

  @Test func `a value that is skipped is checked as one that is taken`() throws {
    func skip(_ text: String) throws(ReadError) {
      var cursor = JSONCursor(Array(text.utf8), at: place)
      try cursor.skipValue()
      try cursor.end()
    }
    #expect(throws: Never.self) { try skip(" {\"a\": [null, true, -1.5e+7, {\"b\": \"\\n\"}]} ") }
    for text in [
      "", "{", "{\"a\" 1}", "[1,]", "nul", "01", "1.", "1.e5", "\"", "\"\\x41\"", "1 1", "NaN",
    ] {
      let error = try #require(#expect(throws: ReadError.self, "\(text)") { try skip(text) })
      #expect(throws: error, "\(text)") { try parse(text, .standard) }
    }
  }

  @Test func `errors advise what the caller knows`() {
    #expect(
      throws: ReadError.malformed(
        place, expected: "a value", found: "']'", remedy: "Ask the author.")
    ) { try JSONValue(Array("]".utf8), at: place, remedy: "Ask the author.") }
  }
}
