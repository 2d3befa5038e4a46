import Checkpoints
import Tensors
import TestSupport
import Testing

@testable import CheckpointFiles

@Suite struct WTSTests {
  private static func read(_ text: String) throws(ReadError) -> Checkpoint {
    try WTSFile.read(MemoryBytes(Array(text.utf8), location: Location(path: "w.wts")))
  }

  @Test func `what gen_wts writes is read`() throws {
    let checkpoint = try readCheckpoint(path: Fixtures.path("WTS/state.wts"))
    #expect(checkpoint.family == "wts" && checkpoint.container == "TensorRT .wts text")
    #expect(
      checkpoint.notes == [
        "The file does not tell the shapes of its tensors; each is read as a vector."
      ])
    try expect(checkpoint.stateDicts[0], holds: Fixtures.table("WTS/state.tsv"))
  }

  @Test func `what is written is what gen_wts writes`() throws {
    let tensors = try readCheckpoint(path: Fixtures.path("WTS/state.npz")).stateDicts[0].tensors
    let written = try TemporaryFile { file in
      try WTSWriter.write(tensors.map { OutputTensor(name: $0.name, $0.tensor) }, to: file)
    }
    let text = String(decoding: try InputFile(path: written.path).allBytes(), as: UTF8.self)
    #expect(text == String(decoding: try Fixtures.bytes("WTS/state.wts"), as: UTF8.self))
  }

  @Test func `elements are found at any offset, in pieces of any length`() throws {
    let words = (0..<40_000).map { (index) -> String in
      let digits = String(UInt32(index) &* 2_654_435_761, radix: 16)
      return String(repeating: "0", count: 8 - digits.count) + digits
    }
    let tensor = try Self.read("1\nw 40000 \(words.joined(separator: " "))").stateDicts[0].tensors[
      0]
    let all = try tensor.tensor.bytes()
    let source = tensor.tensor.source
    for (offset, count) in [
      (0, 1), (1, 2), (3, 6), (5, 4), (39_999 * 4, 4), (0, 160_000), (65_535, 70_003),
    ] {
      #expect(
        try source.bytes(offset..<offset + count, field: "a part")
          == Array(all[offset..<offset + count]))
    }
  }

  @Test(arguments: [
    ("1\nw 2  3f800000 BF800000\n", "upper case"),
    ("1\nw 2 3f800000 bf800000", "no line feed at the end"),
    ("1 \r\nw 2  3f800000 bf800000\r\n", "lines as on Windows"),
    ("1\nw 2  3f800000 bf800000 \n\n \n", "blanks and empty lines at the end"),
    ("1\nw\t2   3f800000 bf800000\n", "other blanks"),
  ])
  func `other spellings are read`(text: String, what: String) throws {
    #expect(WTSFile.matches(Array(text.utf8)), "\(what)")
    let tensor = try Self.read(text).stateDicts[0].tensors[0]
    #expect(tensor.name == "w")
    #expect(try tensor.tensor.bytes() == [0, 0, 0x80, 0x3F, 0, 0, 0x80, 0xBF], "\(what)")
  }

  @Test(arguments: [
    "", "404: Not Found\n", "3\n", "0\n", "3\na text\n", "2\nw\n", "w 2 3f800000 3f800000\n",
    "1\nw 2 3f80\n", "1\n1.0 2 0.5 0.75\n", "10\nC 0 1 0.5\n",
  ])
  func `other text is not taken for it`(text: String) {
    #expect(!WTSFile.matches(Array(text.utf8)))
  }

  /// Those of 2,000 to 4,100 bytes end about where the text does that is read at once.
  @Test(arguments: [1, 2000, 2047, 2048, 2049, 4085, 4095, 4096, 4097, 65_535, 65_536])
  func `a name is as long as the limit of names allows`(count: Int) throws {
    let text = "1\n" + String(repeating: "w", count: count) + " 1 3f800000\n"
    let tensor = try Self.read(text).stateDicts[0].tensors[0]
    #expect(tensor.name.utf8.count == count)
    #expect(try tensor.tensor.bytes() == [0, 0, 0x80, 0x3F])
  }

  @Test(arguments: [65_537, 70_000, 200_000])
  func `a name that is longer is refused`(count: Int) {
    let error = #expect(throws: ReadError.self) {
      try Self.read("1\n" + String(repeating: "w", count: count) + " 1 3f800000\n")
    }
    let line = error.map { String(describing: $0).prefix { $0 != "\n" } }
    #expect(
      line
        == "w.wts at byte 2: bytes in the name of a tensor or a module: 65537 or more, more than the limit of 65536."
    )
  }

  @Test(arguments: [
    ("x", ": expected the number of tensors in a line, found something else."),
    ("1 w 1 3f800000\n", ": expected the number of tensors in a line, found something else."),
    ("1000001\n", ": tensors in a file: 1000001, more than the limit of 1000000."),
    (
      "2\nw 1 3f800000\n",
      " at byte 15: expected 2 tensors, as the first line says, found 1."
    ),
    (
      "1\nw 1 3f800000\nv 1 3f800000\n",
      " at byte 15: expected the end of the file behind 1 tensors, found more."
    ),
    (
      "2\nw 1 3f800000\nw 1 3f800000\n", " at byte 15: expected every name once, found 'w' twice."
    ),
    (
      "1\nw x 3f800000\n",
      " at byte 2: expected the name of a tensor and the number of its elements, found other text."
    ),
    (
      "1\nw -1 3f800000\n",
      " at byte 2: expected the name of a tensor and the number of its elements, found other text."
    ),
    (
      "1\nw 2 3f800000\n",
      " at byte 6: the file ends inside the elements of 'w': 17 bytes expected, 9 there."
    ),
    (
      "1\nw 9223372036854775807 3f800000\n",
      " at byte 24: the file ends inside the elements of 'w': 9223372036854775807 bytes expected, 9 there."
    ),
    (
      "1\nw 1 3f800000 3f800000\n",
      " at byte 14: expected a line that ends behind 1 elements, found more of it."
    ),
    ("", ": expected the number of tensors in a line, found something else."),
    ("-1\n", ": expected the number of tensors in a line, found something else."),
    ("1.0\n", ": expected the number of tensors in a line, found something else."),
    (
      "9223372036854775808\nw 1 3f800000\n",
      ": expected the number of tensors in a line, found something else."
    ),
    (
      "2\nw 1 3f800000\n\nv 1 3f800000\n",
      " at byte 15: expected the name of a tensor and the number of its elements, found other text."
    ),
    (
      "1\nw 9223372036854775808 3f800000\n",
      " at byte 2: expected the name of a tensor and the number of its elements, found other text."
    ),
    (
      "1\nw\n",
      " at byte 2: expected the name of a tensor and the number of its elements, found other text."
    ),
    (
      "1\nw 1 3f8000000\n",
      " at byte 14: expected a line that ends behind 1 elements, found more of it."
    ),
    (
      "1\nw 1 0x3f800000\n",
      " at byte 14: expected a line that ends behind 1 elements, found more of it."
    ),
    (
      "1\nw 2 3f8000000 3f80000\n",
      " at byte 6: expected an element: eight hexadecimal digits and a blank, found '3f8000000'."
    ),
    (
      "1\nw 2 3f800000\t3f800000\n",
      " at byte 6: expected an element: eight hexadecimal digits and a blank, found '3f800000\\u{9}'."
    ),
    (
      "1\nw 2 3f800000\n3f800000\n",
      " at byte 6: expected an element: eight hexadecimal digits and a blank, found '3f800000\\u{a}'."
    ),
    (
      "1\nw 1 3f80000\n\n",
      " at byte 6: expected an element: eight hexadecimal digits and a blank, found '3f80000\\u{a}'."
    ),
    (
      "1\nw 2 3f800000 3f80000g\n",
      " at byte 15: expected an element: eight hexadecimal digits and a blank, found '3f80000g'."
    ),
    (
      "1\nw 2 3f800000,3f800000\n",
      " at byte 6: expected an element: eight hexadecimal digits and a blank, found '3f800000,'."
    ),
  ])
  func `a file that contradicts itself is refused, with the place and what was found`(
    text: String, message: String
  ) throws {
    let error = #expect(throws: ReadError.self) {
      for named in try Self.read(text).stateDicts[0].tensors { _ = try named.tensor.bytes() }
    }
    let line = String(describing: try #require(error)).prefix { $0 != "\n" }
    #expect(line.replacing("w.wts at byte 0:", with: "w.wts:") == "w.wts\(message)")
  }

  @Test(arguments: [
    (
      "a b", ElementType.float32,
      "'a b' is not a valid name in a .wts file, where names end at a space"
    ),
    ("a\n", .float32, "'a\\u{a}' is not a valid name in a .wts file, where names end at a space"),
    ("", .float32, "'' is not a valid name in a .wts file, where names end at a space"),
    ("w", .float32, "two tensors are called 'w'"),
    ("z", .complex64, "'z' is complex64, and .wts holds float32 only"),
    ("z", .float8e4m3fn, "'z' is float8_e4m3fn, and .wts holds float32 only"),
    ("z", .float64, "'z' has values that float32 cannot hold"),
  ])
  func `what the format cannot hold is refused by name`(
    name: String, type: ElementType, message: String
  ) throws {
    // 1.7e308 as float64.
    let bytes = MemoryBytes([0, 0, 0, 0, 0, 0, 0xEF, 0x7F], location: Location(path: ""))
    let outputs = [
      OutputTensor(name: "w", try Tensor(.float32, shape: [], in: bytes, name: "w")),
      OutputTensor(name: name, try Tensor(type, shape: [], in: bytes, name: name)),
    ]
    let error = #expect(throws: WriteError.self) {
      _ = try TemporaryFile { try WTSWriter.write(outputs, to: $0) }
    }
    guard case .cannotExpress(_, let what, _)? = error else { return }
    #expect(what == message)
  }
}
