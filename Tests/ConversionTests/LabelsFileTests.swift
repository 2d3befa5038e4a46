import Conversion
import TestSupport
import Testing

@Suite struct LabelsFileTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  @Test(arguments: [
    ("tench\ngoldfish\n", ["tench", "goldfish"]),
    ("tench\r\ngoldfish", ["tench", "goldfish"]),
    ("\u{FEFF}tench\n white shark, man-eater \n\n\n", ["tench", " white shark, man-eater "]),
    ("crane\ncrane\n", ["crane", "crane"]),
    (#" ["tench", "d\u00f6g"]"#, ["tench", "dög"]),
    (#"{"1": "goldfish", "0": "tench"}"#, ["tench", "goldfish"]),
    (
      #"{"0": ["n01440764", "tench"], "1": ["n01443537", "goldfish"]}"#, ["tench", "goldfish"]
    ),
  ])
  func `names are read one to a line, and from JSON`(text: String, names: [String]) throws {
    let path = try folder.write(Array(text.utf8), to: "labels")
    let file = try LabelsFile(path: path)
    #expect(file.names == names && file.path == path)
    try file.requireOne(forEach: names.count)
  }

  @Test(arguments: [
    ("", ": there is no name in it"), ("\n \n", ": there is no name in it"),
    ("[]", ": there is no name in it"),
    ("a\n\nb\n", " at line 2: the line is empty"),
    ("[\n\"a\",\n2]", ": the name of class 1 is a number, not a string"),
    ("[[]]", ": the name of class 0 is an array, not a string"),
    ("[\"a\",\n\"b\"\n", " at line 3: expected"),
    ("{\"0\": \"a\",\n\"1\" \"b\"}", " at line 2: expected"),
    (
      "{\"0\": \"a\", \"2\": \"b\"}",
      ": '2' is not the number of a class, from 0 to 1, each once"
    ),
    ("{\"0\": \"a\", \"00\": \"b\"}", ": '00' is not the number"),
    ("{\"0\": \"a\", \"0\": \"b\"}", ": '0' is not the number"),
    ("{\"cat\": 0}", ": 'cat' is not the number"),
  ])
  func `what is no list of names is refused, with its line`(text: String, message: String) throws {
    let path = try folder.write(Array(text.utf8), to: "labels")
    let error = #expect(throws: ConversionError.self) { try LabelsFile(path: path) }
    #expect(error?.description.hasPrefix(path + message) == true, "\(error as Any)")
    #expect(error?.description.contains(".\n  Give one name to a line, ") == true)
  }

  @Test func `bytes that are no text have a line, too`() throws {
    let path = try folder.write(Array("a\nb".utf8) + [0xFF, 0x0A], to: "labels")
    #expect(throws: ConversionError.badLabels(path: path, line: 2, reason: "it is not UTF-8 text"))
    {
      try LabelsFile(path: path)
    }
  }

  @Test func `both numbers are told if they differ`() throws {
    let file = try LabelsFile(path: try folder.write(Array("a\nb\n".utf8), to: "labels"))
    let error = #expect(throws: ConversionError.self) { try file.requireOne(forEach: 1000) }
    #expect(
      error?.description
        == "\(file.path): it has 2 labels, the network 1000 classes.\n  Give a name to each class, in their order."
    )
  }
}
