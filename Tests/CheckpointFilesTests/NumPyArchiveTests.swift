import Checkpoints
import Tensors
import TestSupport
import Testing

@testable import CheckpointFiles

@Suite struct NumPyArchiveTests {
  // What NumPy writes.

  @Test(arguments: ["stored.npz", "deflated.npz", "versions.npz", "objax.npz"])
  func `every array is as NumPy loads it`(file: String) throws {
    let checkpoint = try readCheckpoint(path: Fixtures.path("NumPy/\(file)"))
    #expect(checkpoint.family == "numpy")
    #expect(
      checkpoint.container == (file == "objax.npz" ? "NumPy archive of Objax" : "NumPy archive"))
    #expect(checkpoint.notes == [])
    let rows = try Fixtures.table("NumPy/archives.tsv").filter { $0[0] == file }.map {
      Array($0.dropFirst())
    }
    #expect(checkpoint.stateDicts.count == 1 && checkpoint.stateDicts[0].path == [])
    try expect(checkpoint.stateDicts[0], holds: rows)
    let hasText = ["stored.npz", "deflated.npz"].contains(file)
    #expect(
      checkpoint.stateDicts[0].ignored.map { "\($0.name): \($0.what)" }
        == (hasText ? ["text: an array of strings"] : []))
  }

  @Test func `an array's member is checked while it is read`() throws {
    let checkpoint = try readCheckpoint(path: Fixtures.path("NumPy/stored.npz"))
    let tensor = try #require(checkpoint.stateDicts[0].tensors.first).tensor
    // A damaged copy, with the same directory.
    var bytes = try Fixtures.bytes("NumPy/stored.npz")
    bytes[(tensor.source.location.offset ?? 0) + 200] ^= 1
    let damaged = try TemporaryFile(bytes)
    let read = try readCheckpoint(path: damaged.path).stateDicts[0].tensors[0].tensor
    _ = try read.bytes()
    let error = #expect(throws: ReadError.self) { try read.source.verify() }
    guard case .checksumMismatch(let place, _, _)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(place.member == "f8.npy")
  }

  @Test(arguments: [
    (
      "bfloat16.npz(w.npy)",
      "'w' has the dtype V2: its elements are raw bytes, as NumPy saves bfloat16 and other types "
        + "that are not its own"
    ),
    ("object.npz(w.npy)", "'w' has the dtype object (O): its elements are Python objects"),
    ("structure.npz(w.npy)", "'w' has the dtype of a structure"),
  ])
  func `an array of no plain numbers is refused by name`(place: String, message: String) throws {
    let file = "NumPy/" + place.prefix { $0 != "(" }
    let error = #expect(throws: ReadError.self) { try readCheckpoint(path: Fixtures.path(file)) }
    #expect(
      Fixtures.description(of: try #require(error)) == """
        NumPy/\(place): \(message).
          Save the arrays again with plain numbers, such as float32, in its place.
        """)
  }

  @Test func `a single array has no name`() throws {
    func message(_ file: String) throws -> String {
      Fixtures.description(
        of:
          try #require(
            #expect(throws: ReadError.self) { try readCheckpoint(path: Fixtures.path(file)) }))
    }
    #expect(
      try message("NumPy/single.npy") == """
        NumPy/single.npy: the file holds a single array without a name, of float32 2x3x4.
          Weights need names: numpy.savez("weights.npz", **{name: array, ...}), and convert that.
        """)
    #expect(
      try message("NumPy/dict.npy") == """
        NumPy/dict.npy: the file holds a single array without a name, of dtype object (O): its \
        elements are Python objects.
          Load it with numpy.load(file, allow_pickle=True), save the arrays in it with numpy.savez, \
        and convert that.
        """)
  }

  // Headers.

  private static func array(
    _ text: String, version: UInt8 = 1, data: Int = 0
  ) -> [UInt8] {
    var bytes = [0x93] + Array("NUMPY".utf8) + [version, 0]
    bytes.appendLittleEndian(text.utf8.count, width: version == 1 ? 2 : 4)
    return bytes + Array(text.utf8) + [UInt8](repeating: 0, count: data)
  }

  private static func header(
    descr: String = "'<f4'", order: String = "False", shape: String = "(2,)"
  ) -> String {
    "{'descr': \(descr), 'fortran_order': \(order), 'shape': \(shape), }\n"
  }

  private static func archive(_ members: [(String, [UInt8])]) throws -> TemporaryFile {
    try TemporaryFile { file in
      var archive = StoredZipWriter(file)
      for (name, bytes) in members { archive.add(name, bytes) }
      try archive.finish()
    }
  }

  private static func read(_ members: [(String, [UInt8])]) throws -> Checkpoint {
    let file = try archive(members)
    return try readCheckpoint(path: file.path)
  }

  /// The description of the error that reading throws, without the path.
  private static func refusal(_ members: [(String, [UInt8])]) throws -> String {
    let file = try archive(members)
    let error = #expect(throws: ReadError.self) { try readCheckpoint(path: file.path) }
    return String(describing: try #require(error)).replacing(file.path, with: "")
      .split(separator: "\n")[0].description
  }

  static let refused: [(what: String, bytes: [UInt8], message: String)] = [
    (
      "nothing", [],
      "(w.npy) at byte 0: the file ends inside the header of an array: 10 bytes expected, 0 there."
    ),
    (
      "something else", [UInt8](repeating: 0x80, count: 16),
      "(w.npy): expected an array in NumPy's format, found other bytes."
    ),
    (
      "version 4", array(header(), version: 4, data: 8),
      "(w.npy): the array is in version 4.0 of NumPy's format."
    ),
    (
      "a header that is cut short", Array(array(header()).prefix(60)),
      "(w.npy) at byte 10: the file ends inside the header of an array: 58 bytes expected, 50 there."
    ),
    (
      "a header of 4 GB", [0x93] + Array("NUMPY".utf8) + [2, 0, 0xFF, 0xFF, 0xFF, 0xFF],
      "(w.npy): bytes of an array's header: 4294967295, more than the limit of 10000."
    ),
    (
      "an expression", array("__import__('os').system('true')\n"),
      "(w.npy) at byte 10: expected '{', found '_'."
    ),
    (
      "a call as shape", array(header(shape: "tuple([2])"), data: 8),
      "(w.npy) at byte 60: expected '(', found 't'."
    ),
    (
      "a product as size", array(header(shape: "(2*1,)"), data: 8),
      "(w.npy) at byte 62: expected ')', found '*'."
    ),
    (
      "a negative size", array(header(shape: "(-2,)"), data: 8),
      "(w.npy) at byte 61: expected a size, found '-'."
    ),
    (
      "a size that is too large", array(header(shape: "(9223372036854775808,)"), data: 8),
      "(w.npy) at byte 61: expected a size, found a number that is too large."
    ),
    (
      "a number as shape", array(header(shape: "(2)"), data: 8),
      "(w.npy) at byte 60: expected a shape, found '(2)'."
    ),
    (
      "a shape that overflows", array(header(shape: "(4294967296, 4294967296)"), data: 8),
      "(w.npy) at byte 60: expected a shape, found '(4294967296, 4294967296)'."
    ),
    (
      "bytes that overflow", array(header(shape: "(4611686018427387904,)"), data: 8),
      "(w.npy) at byte 86: expected more than 2^63 bytes for 'w' (float32 4611686018427387904), found 8."
    ),
    (
      "no shape", array("{'descr': '<f4', 'fortran_order': False}\n", data: 8),
      "(w.npy) at byte 10: expected the keys descr, fortran_order and shape, found no shape."
    ),
    (
      "a key twice", array("{'descr': '<f4', 'descr': '<f4'}\n", data: 8),
      "(w.npy) at byte 27: expected the keys descr, fortran_order and shape, each once, found 'descr'."
    ),
    (
      "another key", array("{'descr': '<f4', 'strides': (4,)}\n", data: 8),
      "(w.npy) at byte 27: expected the keys descr, fortran_order and shape, each once, found 'strides'."
    ),
    (
      "a number as order", array(header(order: "0"), data: 8),
      "(w.npy) at byte 44: expected True or False, found '0'."
    ),
    (
      "an escape", array(header(descr: "'<f\\x34'"), data: 8),
      "(w.npy) at byte 20: expected a string without escapes, found one with a backslash."
    ),
    (
      "a string without an end", array("{'descr"),
      "(w.npy) at byte 11: expected a string without escapes, found no end of it."
    ),
    (
      "brackets without an end", array("{'descr': [[('a', '<f4')]"),
      "(w.npy) at byte 35: expected ']', found the end of the header."
    ),
    (
      "something behind it", array(header() + "0", data: 8),
      "(w.npy) at byte 68: expected nothing more, found '0'."
    ),
    (
      "too few elements", array(header(), data: 7),
      "(w.npy) at byte 68: expected 8 bytes for 'w' (float32 2), found 7."
    ),
    ("a type without size", array(header(descr: "'<f'"), data: 8), "(w.npy): 'w' has the dtype f."),
    ("a long double", array(header(descr: "'<f16'"), data: 32), "(w.npy): 'w' has the dtype f16."),
    (
      "bytes", array(header(descr: "'|S5'"), data: 10),
      "(w.npy): 'w' has the dtype S5: its elements are strings."
    ),
    (
      "a type of one byte that is not NumPy's own", array(header(descr: "'|V1'"), data: 2),
      "(w.npy): 'w' has the dtype V1: its elements are raw bytes, as NumPy saves bfloat16 and other types that are not its own."
    ),
    (
      "objects in version 3", array(header(descr: "'|O'"), version: 3, data: 16),
      "(w.npy): 'w' has the dtype object (O): its elements are Python objects."
    ),
    (
      "a structure, with a name in Latin-1",
      [0x93] + Array("NUMPY".utf8) + [1, 0, 66, 0]
        + Array("{'descr': [('".utf8) + [0xFC]
        + Array("', '<f4')], 'fortran_order': False, 'shape': (2,), }".utf8)
        + [0x0A] + [UInt8](repeating: 0, count: 8),
      "(w.npy): 'w' has the dtype of a structure."
    ),
    (
      "a header of version 2 that is cut short", Array(array(header(), version: 2).prefix(11)),
      "(w.npy) at byte 10: the file ends inside the header of an array: 2 bytes expected, 1 there."
    ),
    (
      "version 1.1", [0x93] + Array("NUMPY".utf8) + [1, 1, 0, 0],
      "(w.npy): the array is in version 1.1 of NumPy's format."
    ),
    (
      "no header", array(""), "(w.npy) at byte 10: expected '{', found the end of the header."
    ),
    (
      "an empty header", array("{}"),
      "(w.npy) at byte 10: expected the keys descr, fortran_order and shape, found no descr."
    ),
    (
      "no order", array("{'descr': '<f4', 'shape': (2,)}\n", data: 8),
      "(w.npy) at byte 10: expected the keys descr, fortran_order and shape, found no fortran_order."
    ),
    (
      "a list as shape", array(header(shape: "[2]"), data: 8),
      "(w.npy) at byte 60: expected '(', found '['."
    ),
    (
      "a size with a fraction", array(header(shape: "(2.0,)"), data: 8),
      "(w.npy) at byte 62: expected ')', found '.'."
    ),
    (
      "65 axes", array(header(shape: "(" + String(repeating: "1,", count: 65) + ")"), data: 4),
      "(w.npy) at byte 60: expected a shape, found '(1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1'."
    ),
    (
      "a word that is none", array(header(order: "true"), data: 8),
      "(w.npy) at byte 44: expected True or False, found 't'."
    ),
    (
      "a million brackets", array("{'descr': " + String(repeating: "[", count: 9000)),
      "(w.npy) at byte 9020: expected ']', found the end of the header."
    ),
    (
      "half of an element", array(header(descr: "'>f8'", order: "True"), data: 12),
      "(w.npy) at byte 67: expected 16 bytes for 'w' (float64 2), found 12."
    ),
    (
      "a date", array(header(descr: "'<M8[D]'"), data: 16),
      "(w.npy): 'w' has the dtype M8[D]: its elements are dates or times."
    ),
  ]

  @Test(arguments: refused.indices)
  func `a damaged array is refused, with the place and what was found`(index: Int) throws {
    let (what, bytes, message) = Self.refused[index]
    let refusal = try Self.refusal([("w.npy", bytes)])
    #expect(refusal == message, "\(what)")
  }

  @Test func `big-endian and column-major elements are put in order, with sizes of Python 2`()
    throws
  {
    let text = #"{"shape": (2L, 3L), "fortran_order": True, "descr": ">i2"}"#
    let data: [UInt8] = [0, 1, 0, 4, 0, 2, 0, 5, 0, 3, 0, 6]
    let tensor = try Self.read([("w.npy", Self.array(text) + data)]).stateDicts[0].tensors[0].tensor
    #expect(tensor.elementType == .int16 && tensor.shape == [2, 3])
    #expect(try tensor.bytes() == [1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0])
  }

  @Test func `no elements, and sizes that would overflow, are no bytes`() throws {
    let header = Self.header(shape: "(0, 4294967296, 4294967296)")
    let tensor = try Self.read([("w.npy", Self.array(header))]).stateDicts[0].tensors[0].tensor
    #expect(tensor.byteCount == 0)
  }

  @Test func `members that are no arrays are left alone`() throws {
    let checkpoint = try Self.read([("w.npy", Self.one), ("more.npy", Self.one)])
    #expect(checkpoint.stateDicts[0].tensors.map(\.name) == ["w", "more"])
    #expect(checkpoint.stateDicts[0].ignored.isEmpty)
    // Then it is no archive of arrays.
    let message = try Self.refusal([("w.npy", Self.one), ("readme.txt", [0x41])])
    #expect(
      message
        == ": the file is a zip archive without a checkpoint's data.pkl ('w.npy', 'readme.txt').")
  }

  @Test func `bytes behind an array are noted`() throws {
    let checkpoint = try Self.read([("w.npy", Self.array(Self.header(), data: 9))])
    #expect(
      checkpoint.notes == [
        "Arrays with bytes behind them, which were left alone (1): 1 behind 'w'."
      ])
    #expect(checkpoint.stateDicts[0].tensors[0].tensor.byteCount == 8)
  }

  @Test func `every prefix of an array is refused`() throws {
    let whole = Self.array(Self.header(), data: 8)
    for count in 0..<whole.count { _ = try Self.refusal([("w.npy", Array(whole.prefix(count)))]) }
  }

  @Test func `flipped bits in a header never trap`() throws {
    let original = Self.array(Self.header(shape: "(2, 3, 4)"), data: 96)
    var random = SeededGenerator(seed: 5)
    for _ in 0..<2000 {
      var damaged = original
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        damaged[Int.random(in: 0..<80, using: &random)] ^=
          UInt8(1 << Int.random(in: 0..<8, using: &random))
      }
      _ = try? NPYHeader(of: MemoryBytes(damaged, location: Location(path: "w.npy")))
    }
  }

  // Objax.

  /// A one-dimensional array of strings of 4 characters.
  private static func strings(_ strings: [String]) -> [UInt8] {
    let data = strings.flatMap { (string) -> [UInt8] in
      let points = string.unicodeScalars.map(\.value) + [UInt32](repeating: 0, count: 4)
      return points.prefix(4).flatMap { (point) -> [UInt8] in [UInt8(point), 0, 0, 0] }
    }
    return array(header(descr: "'<U4'", shape: "(\(strings.count),)")) + data
  }

  private static let one = array(header(), data: 8)

  @Test(arguments: [
    (["a"], ["0", "1"], "(names.npy): expected a name for each of the 2 arrays, found 1."),
    (
      ["a", "b", "c"], ["0", "1"], "(names.npy): expected a name for each of the 2 arrays, found 3."
    ),
    (["a", "b"], ["0", "2"], "(names.npy): expected an array '1' for 'b', found none."),
    (["a", "a"], ["0", "1"], "(names.npy): expected every name once, found 'a' twice."),
  ])
  func `names that do not fit the arrays are refused`(
    names: [String], arrays: [String], message: String
  ) throws {
    let members = [("names.npy", Self.strings(names))] + arrays.map { ("\($0).npy", Self.one) }
    #expect(try Self.refusal(members) == message)
  }

  @Test func `an array of names beside others that have names is none of Objax'`() throws {
    let checkpoint = try Self.read([("names.npy", Self.strings(["cat"])), ("w.npy", Self.one)])
    #expect(checkpoint.container == "NumPy archive")
    #expect(checkpoint.stateDicts[0].tensors.map(\.name) == ["w"])
    #expect(checkpoint.stateDicts[0].ignored.map(\.name) == ["names"])
  }

  @Test func `names may be in either byte order`() throws {
    let big: [UInt8] = ["a", "b"].flatMap { (name: UnicodeScalar) -> [UInt8] in
      [0, 0, 0, UInt8(name.value)] + [UInt8](repeating: 0, count: 12)
    }
    let names = Self.array(Self.header(descr: "'>U4'")) + big
    let checkpoint = try Self.read([("names.npy", names), ("0.npy", Self.one), ("1.npy", Self.one)])
    #expect(checkpoint.container == "NumPy archive of Objax")
    #expect(checkpoint.stateDicts[0].tensors.map(\.name) == ["a", "b"])
  }

  @Test func `names that are no text, or no list, are none`() throws {
    let beyond = Self.array(Self.header(descr: "'<U1'", shape: "(1,)")) + [0, 0, 0x11, 0]
    let scalar = Self.array(Self.header(descr: "'<U1'", shape: "()")) + [0x61, 0, 0, 0]
    for names in [beyond, scalar] {
      let checkpoint = try Self.read([("names.npy", names), ("0.npy", Self.one)])
      #expect(checkpoint.container == "NumPy archive")
      #expect(checkpoint.stateDicts[0].tensors.map(\.name) == ["0"])
    }
    let cut = Array(Self.strings(["a", "b"]).dropLast())
    #expect(
      try Self.refusal([("names.npy", cut), ("0.npy", Self.one), ("1.npy", Self.one)])
        == "(names.npy) at byte 68: the file ends inside the names: 32 bytes expected, 31 there.")
  }

  @Test func `an archive of strings alone has no state dict`() throws {
    #expect(try Self.read([("names.npy", Self.strings(["cat"]))]).stateDicts.isEmpty)
  }

  // Writing.

  @Test func `members are NumPy's own, byte for byte, and aligned`() throws {
    let path = Fixtures.path("NumPy/stored.npz")
    let tensors = try readCheckpoint(path: path).stateDicts[0].tensors
    let written = try TemporaryFile { file in
      try NPZWriter.write(tensors.map { OutputTensor(name: $0.name, $0.tensor) }, to: file)
    }
    let ours = try ZipArchive(try InputFile(path: written.path))
    let theirs = try ZipArchive(try InputFile(path: path))
    #expect(ours.members.map(\.name) == theirs.members.map(\.name).filter { $0 != "text.npy" })
    for member in ours.members {
      #expect(member.payloadOffset.isMultiple(of: 64))
      let bytes = try ours.contents(of: member).allBytes()
      let expected = try theirs.contents(of: try #require(theirs.member(member.name))).allBytes()
      // Ours are row-major and little-endian always.
      if member.name.hasPrefix("Fortran") || member.name.hasPrefix("big.") {
        #expect(bytes.count == expected.count)
      } else {
        #expect(bytes == expected, "\(member.name)")
      }
    }
  }

  @Test(arguments: [
    ("a", ElementType.bfloat16, "'a' is bfloat16, which NumPy has no type for"),
    ("a", .float8e5m2, "'a' is float8_e5m2, which NumPy has no type for"),
    ("a/../b", .float32, "'a/../b' is no name for a member of an archive ('..' in it)"),
    ("/a", .float32, "'/a' is no name for a member of an archive (an absolute one)"),
    ("a\\b", .float32, "'a\\b' is no name for a member of an archive (a backslash in it)"),
    (
      "a\n", .float32, "'a\\u{a}' is no name for a member of an archive (a control character in it)"
    ),
    ("b.npy", .float32, "'b.npy' is no name for a member of an archive ('.npy' at its end)"),
    ("B", .float32, "'B' and 'b' differ only in case, which archives do not tell apart"),
    ("b", .float32, "two tensors are called 'b'"),
  ])
  func `what an archive cannot hold is refused by name`(
    name: String, type: ElementType, message: String
  ) throws {
    let bytes = MemoryBytes([UInt8](repeating: 0, count: 16), location: Location(path: ""))
    let outputs = [
      OutputTensor(name: "b", try Tensor(.float32, shape: [], in: bytes, name: "b")),
      OutputTensor(name: name, try Tensor(type, shape: [], in: bytes, name: name)),
    ]
    let error = #expect(throws: WriteError.self) {
      _ = try TemporaryFile { try NPZWriter.write(outputs, to: $0) }
    }
    guard case .cannotExpress(_, let what, _)? = error else { return }
    #expect(what == message)
  }
}
