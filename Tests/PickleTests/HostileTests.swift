import Tensors
import TestSupport
import Testing

@testable import Pickle

/// Streams made to hurt a reader. CPython runs out of memory on some and executes others.
@Suite struct HostileTests {
  /// A stream, and a part of what the error says.
  struct Refused: CustomTestStringConvertible, Sendable {
    var what: String
    var bytes: [UInt8]
    var offset: Int
    var message: String
    var testDescription: String { what }

    init(_ what: String, _ bytes: [UInt8], at offset: Int, _ message: String) {
      self.what = what
      self.bytes = bytes
      self.offset = offset
      self.message = message
    }
  }

  static let refused: [Refused] = [
    .init("nothing at all", [], at: 0, "ends inside a pickle, before its STOP"),
    .init("no STOP", hex("80 02 4e"), at: 3, "ends inside a pickle, before its STOP"),
    .init("STOP on an empty stack", bytes("."), at: 0, "an operand of STOP"),
    .init("STOP on a bare mark", bytes("N(."), at: 2, "an operand of STOP"),
    .init("an unknown opcode", hex("80 02 ff 2e"), at: 2, "found byte 0xff"),
    .init("protocol 6", hex("80 06 4e 2e"), at: 0, "pickle protocol 6"),
    .init("stack underflow in POP", bytes("00."), at: 0, "an operand of POP"),
    .init("DUP of nothing", bytes("2."), at: 0, "an operand of DUP"),
    .init("TUPLE2 of one", hex("4e 86 2e"), at: 1, "an operand of TUPLE2"),
    .init("TUPLE without a mark", bytes("t."), at: 0, "a MARK before TUPLE"),
    .init("APPENDS without a mark", bytes("]Ne."), at: 2, "a MARK before APPENDS"),
    .init("an operand hidden below a mark", bytes("](a."), at: 2, "an operand of APPEND"),
    .init(
      "SETITEMS with an odd count", bytes("}(NNNu."), at: 5, "a value for each key of SETITEMS"),
    .init("DICT with an odd count", bytes("(Nd."), at: 2, "a value for each key of DICT"),
    .init("APPEND to a dict", bytes("}Na."), at: 2, "found dict"),
    .init("SETITEM on a list", bytes("]NNs."), at: 3, "found list"),
    .init("ADDITEMS to a list", hex("5d 28 4e 90 2e"), at: 3, "found list"),
    .init("BUILD on a list", bytes("]Nb."), at: 2, "found list"),
    .init("REDUCE with a list of arguments", bytes("cos\nsystem\n]R."), at: 12, "found list"),
    .init("NEWOBJ without arguments", hex("4e 81 2e"), at: 1, "found None"),
    .init("OBJ without a class", bytes("(o."), at: 1, "a class above the mark"),
    .init("GET of what was never put", bytes("g7\n."), at: 0, "under memo index 7"),
    .init("BINGET of what was never put", bytes("h\u{7}."), at: 0, "under memo index 7"),
    .init("PUT at a negative index", bytes("Np-1\n."), at: 1, "a memo index, found '-1'"),
    .init("PUT of nothing", bytes("p1\n."), at: 0, "an operand of PUT"),
    .init("MEMOIZE of nothing", hex("94 2e"), at: 0, "an operand of MEMOIZE"),
    .init("a negative LONG4", hex("80 02 8b ff ff ff ff 2e"), at: 3, "a length in LONG4, found -1"),
    .init("a negative BINSTRING", hex("54 ff ff ff ff 2e"), at: 1, "found -1"),
    .init(
      "BINBYTES8 of 2^63", hex("80 04 8e 00 00 00 00 00 00 00 80 2e"), at: 11,
      "the data of BINBYTES8: 9223372036854775807 bytes expected, 1 there"),
    .init(
      "BINBYTES8 of 2^40", hex("80 04 8e 00 00 00 00 00 01 00 00 2e"), at: 11,
      "1099511627776 bytes expected, 1 there"),
    .init("BINBYTES of 3.9 GB", hex("42 00 00 80 e8 2e"), at: 5, "3900702720 bytes expected"),
    .init(
      "BYTEARRAY8 of 2^33", hex("96 00 00 00 00 02 00 00 00 2e"), at: 9, "8589934592 bytes expected"
    ),
    .init(
      "BINUNICODE8 of 2^64 - 1", hex("8d ff ff ff ff ff ff ff ff 2e"), at: 9,
      "the data of BINUNICODE8"),
    .init(
      "FRAME beyond the end", hex("80 04 95 10 00 00 00 00 00 00 00 4e 2e"), at: 11, "of FRAME"),
    .init(
      "INT of 200,000 digits", bytes("I" + String(repeating: "1", count: 200_000) + "\n."), at: 1,
      "characters in the line of INT"),
    .init(
      "a global with an endless name", bytes("c" + String(repeating: "a", count: 5000) + "\nb\n."),
      at: 1, "more than the limit of 4300"),
    .init(
      "LONG of 200,000 digits", bytes("L" + String(repeating: "1", count: 200_000) + "L\n."), at: 1,
      "characters in the line of LONG"),
    .init("SETITEMS without a mark", bytes("}NNu."), at: 3, "a MARK before SETITEMS"),
    .init("DICT without a mark", bytes("NNd."), at: 2, "a MARK before DICT"),
    .init("LIST without a mark", bytes("Nl."), at: 1, "a MARK before LIST"),
    .init("POP_MARK without a mark", bytes("N1."), at: 1, "a MARK before POP_MARK"),
    .init(
      "LONG4 beyond the end", hex("80 02 8b ff ff ff 7f 2e"), at: 7, "2147483647 bytes expected"),
    .init("LONG1 beyond the end", hex("80 02 8a 04 01 2e"), at: 4, "4 bytes expected, 2 there"),
    .init(
      "a line that does not end", bytes("I" + String(repeating: "1", count: 100)), at: 101,
      "ends inside the line of INT"),
    .init(
      "STACK_GLOBAL of numbers from the memo",
      hex("80 04 4b 01 94 30 4b 02 94 30 68 00 68 01 93 2e"),
      at: 14, "two strings below STACK_GLOBAL"),
    .init("NEWOBJ_EX of two", hex("80 04 29 7d 92 2e"), at: 4, "an operand of NEWOBJ_EX"),
    .init("BINPERSID of nothing", bytes("Q."), at: 0, "an operand of BINPERSID"),
    .init("INT of a word", bytes("Ione\n."), at: 0, "an integer in the line of INT, found 'one'"),
    .init("FLOAT of a word", bytes("Fone\n."), at: 0, "found 'one'"),
    .init("FLOAT in hexadecimal", bytes("F0x1p3\n."), at: 0, "found '0x1p3'"),
    .init("STRING without quotes", bytes("Sa\n."), at: 0, "a quoted string"),
    .init("STRING with one quote", bytes("S'\n."), at: 0, "a quoted string"),
    .init("STRING with half an escape", bytes("S'\\x4'\n."), at: 0, "a quoted string"),
    .init("STRING that escapes its quote", bytes("S'a\\'\n."), at: 0, "a quoted string"),
    .init("UNICODE with half an escape", bytes("V\\u12\n."), at: 0, "raw-unicode-escape"),
    .init("UNICODE beyond Unicode", bytes("V\\U00110000\n."), at: 0, "raw-unicode-escape"),
    .init(
      "STACK_GLOBAL of numbers", hex("4b 01 4b 02 93 2e"), at: 4, "two strings below STACK_GLOBAL"),
    .init(
      "a global that is not UTF-8", bytes("c\u{ff}\nname\n."), at: 0, "in UTF-8, found '\\xff'"),
    .init("EXT4 with code 0", hex("84 00 00 00 00 2e"), at: 0, "a positive extension code"),
    .init("NEXT_BUFFER", hex("80 05 97 2e"), at: 2, "buffers that were stored outside"),
    .init("READONLY_BUFFER of nothing", hex("80 05 98 2e"), at: 2, "an operand of READONLY_BUFFER"),
    .init(
      "joblib's arrays", bytes("cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\u{81}}b."), at: 42,
      "written by joblib"),
  ]

  @Test(arguments: refused)
  func `a broken stream is refused, with the byte where it breaks`(_ row: Refused) throws {
    let error = #expect(throws: ReadError.self) { try parse(row.bytes) }
    let message = String(describing: try #require(error))
    #expect(message.contains(row.message), "\(message)")
    #expect(message.hasPrefix("test.pkl at byte \(row.offset): "), "\(message)")
  }

  @Test func `errors count from the start of the source, not of the pickle`() {
    let error = #expect(throws: ReadError.self) {
      try Unpickler.parse(memory(bytes("XXXX\u{80}\u{2}t")), at: 4)
    }
    #expect(error?.description.hasPrefix("test.pkl at byte 6: ") == true)
  }

  @Test(arguments: [("lists", "]", "a"), ("tuples", ")", "\u{85}")])
  func `a million nested containers are parsed`(what: String, open: String, wrap: String) throws {
    let count = 1_000_000
    let stream =
      wrap == "a"
      ? [UInt8](repeating: UInt8(ascii: "]"), count: count)
        + [UInt8](repeating: UInt8(ascii: "a"), count: count - 1)
      : bytes(open) + [UInt8](repeating: 0x85, count: count - 1)
    let graph = try parse(stream + bytes("."))
    var (depth, handle) = (1, graph.root)
    while let inner = graph.elements(handle)?.first {
      handle = inner
      depth += 1
    }
    #expect(depth == count)
  }

  @Test func `sixty doublings of a tuple are sixty-one objects`() throws {
    let graph = try parse(
      hex("80 02 29") + (0..<60).flatMap { _ in hex("32 86") } + bytes("."))
    #expect(graph.values.count == 61)
  }

  @Test func `a list of ten times the list before, a hundred times over, stays small`() throws {
    var stream = bytes("]q\u{0}")
    for level in 0..<100 as Range<UInt8> {
      stream += bytes("](") + (0..<10).flatMap { _ in [UInt8(ascii: "h"), level] }
      stream += bytes("eq") + [level + 1]
    }
    let graph = try parse(stream + bytes("."))
    #expect(graph.values.count == 101)
    #expect(graph.elements(graph.root)?.count == 10)
  }

  @Test func `what contains itself is no trouble`() throws {
    let list = try parse(hex("80025d71006800612e"))
    #expect(list.elements(list.root) == [list.root])
    let dictionary = try parse(bytes("}q\u{0}X\u{1}\u{0}\u{0}\u{0}kh\u{0}s."))
    #expect(dictionary.value("k", of: dictionary.root) == dictionary.root)
    let object = try parse(bytes("c__main__\nA\n)\u{81}q\u{0}h\u{0}b."))
    #expect(object.attributes(object.root)?.isEmpty == true)
    #expect(object.entries(object.root) == nil)
  }

  @Test(arguments: [
    "Nr\u{ff}\u{ff}\u{ff}\u{7f}.", "Np1000000000000\n.", "Nr\u{0}\u{0}\u{0}\u{80}.",
  ])
  func `a memo index of any size costs one entry`(stream: String) throws {
    let graph = try parse(bytes(stream))
    #expect(graph.isNone(graph.root))
  }

  @Test func `a key that Python cannot hash is a key`() throws {
    let graph = try parse(bytes("}]Ns."))
    let entry = try #require(graph.entries(graph.root)?.first)
    #expect(graph.elements(entry.key)?.isEmpty == true)
  }

  @Test func `STOP may leave objects on the stack, and bytes may follow it`() throws {
    let graph = try parse(bytes("NNK\u{7}.trailing"))
    #expect(graph.integer(graph.root) == 7)
    #expect(graph.end == 5)
  }

  @Test func `LONG1 of 255 bytes is a big integer`() throws {
    let graph = try parse([0x8A, 0xFF] + [UInt8](repeating: 0x80, count: 255) + bytes("."))
    guard case .bigInteger(let payload) = graph[graph.root] else {
      Issue.record("\(graph[graph.root])")
      return
    }
    #expect(try graph.bytes(of: payload).count == 255)
  }

  private func refusal(
    of stream: [UInt8], _ limit: ReadingLimits.Limit, _ value: Int
  ) -> ReadError? {
    var limits = ReadingLimits()
    limits[limit] = value
    let source = MemoryBytes(stream, location: Location(path: "model.pkl"), limits: limits)
    return #expect(throws: ReadError.self) { try Unpickler.parse(source) }
  }

  @Test func `opcodes are counted`() {
    #expect(
      refusal(of: bytes("N0N0N."), .pickleOpcodes, 4)?.description.contains(
        "byte 4: opcodes in a pickle: 5 or more") == true)
  }

  @Test(arguments: [
    ("values", "N"), ("containers", ")\u{85}"), ("copies on the stack", "2"), ("marks", "("),
    ("memo entries", "\u{94}"), ("calls", "cos\nsystem\n)R"), ("elements", "]Na"),
  ])
  func `whatever takes memory is counted`(what: String, stream: String) {
    let unit = stream.unicodeScalars.map { UInt8($0.value) }
    let stream = bytes("N") + Array(repeatElement(unit, count: 4096).joined())
    guard
      case .limitExceeded(_, _, 1 << 15, _, "pickle-memory")? = refusal(
        of: stream, .pickleMemory, 1 << 15)
    else {
      Issue.record("\(what) are not counted")
      return
    }
  }

  /// Small pickles as PyTorch and NumPy write them.
  static let vectors = [
    // data.pkl of PyTorch: a tensor with a persistent id
    """
    80027d7100580100000077710163746f7263682e5f7574696c730a5f72656275696c645f74656e736f725f76320a
    71022828580700000073746f72616765710363746f7263680a466c6f617453746f726167650a7104580100000030
    7105580300000063707571064b02747107514b004b028571084b018571098963636f6c6c656374696f6e730a4f72
    6465726564446963740a710a2952710b74710c52710d732e
    """,
    // an array, protocol 2
    """
    80027d71005801000000777101636e756d70792e636f72652e6d756c746961727261790a5f7265636f6e73747275
    63740a7102636e756d70790a6e6461727261790a71034b00857104635f636f646563730a656e636f64650a710558
    0100000062710658060000006c6174696e31710786710852710987710a52710b284b014b0285710c636e756d7079
    0a64747970650a710d58020000006634710e898887710f527110284b0358010000003c71114e4e4e4affffffff4a
    ffffffff4b007471126289680558090000000000c2803f000000407113680786711452711574711662732e
    """,
    // an array, protocol 4
    """
    80049597000000000000007d948c0177948c156e756d70792e636f72652e6d756c74696172726179948c0c5f7265
    636f6e7374727563749493948c056e756d7079948c076e6461727261799493944b0085944301629487945294284b
    014b02859468058c0564747970659493948c02663494898887945294284b038c013c944e4e4e4affffffff4affff
    ffff4b007494628943080000803f0000004094749462732e
    """,
    // a read-only array, protocol 5
    """
    8005957b000000000000007d948c0177948c126e756d70792e636f72652e6e756d65726963948c0b5f66726f6d62
    75666665729493942843080000803f00000040948c056e756d7079948c0564747970659493948c02663494898887
    945294284b038c013c944e4e4e4affffffff4affffffff4b007494624b0285948c01439474945294732e
    """,
    // an array of Python 2 and NumPy 1.16, protocol 2
    """
    8002636e756d70792e636f72652e6d756c746961727261790a5f7265636f6e7374727563740a7101636e756d7079
    0a6e6461727261790a71024b008555016287527103284b014b0385636e756d70790a64747970650a710455026634
    4b004b0187527105284b0355013c4e4e4e4affffffff4affffffff4b00746289550c000000000000803f00000040
    74622e
    """,
  ]

  // A truncated or damaged stream may be refused or, if it still makes sense, read; it never traps.

  @Test(arguments: vectors)
  func `every beginning of a pickle is refused`(vector: String) {
    let bytes = hex(vector)
    #expect((try? parse(bytes))?.end == bytes.count)
    let accepted = (0..<bytes.count).filter { (try? parse(Array(bytes[..<$0]))) != nil }
    #expect(accepted == [])
  }

  @Test(arguments: fixtureNames)
  func `many beginnings of a long pickle are refused`(file: String) throws {
    let bytes = try fixture(file)
    let accepted = stride(from: 0, to: bytes.count, by: 61)
      .filter { (try? parse(Array(bytes[..<$0]))) != nil }
    #expect(accepted == [])
  }

  @Test(arguments: fixtureNames)
  func `flipped bits never trap`(file: String) throws {
    let original = try fixture(file)
    let seed: UInt64 = 20_210_111
    var random = SeededGenerator(seed: seed)
    for _ in 0..<100 {
      var damaged = original
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        damaged[Int.random(in: 0..<damaged.count, using: &random)] ^=
          UInt8(1 << Int.random(in: 0..<8, using: &random))
      }
      exercise(damaged)
    }
  }

  @Test func `random opcodes never trap`() {
    var random = SeededGenerator(seed: 7)
    let opcodes = (0...255 as ClosedRange<UInt8>).filter { $0 != 0x2E }
    for _ in 0..<5000 {
      let length = Int.random(in: 1...60, using: &random)
      exercise((0..<length).map { _ in opcodes.randomElement(using: &random)! } + bytes("."))
    }
  }

  /// Parses, and if that succeeds asks every question about every object.
  private func exercise(_ bytes: [UInt8]) {
    guard let graph = try? parse(bytes) else { return }
    for index in graph.values.indices {
      let handle = Handle(index)
      _ = graph.string(handle)
      _ = graph.integer(handle)
      _ = graph.real(handle)
      _ = graph.elements(handle)
      _ = graph.entries(handle)
      _ = graph.repeatedKeys(handle)
      _ = graph.attributes(handle)
      _ = graph.call(handle)
      _ = graph.location(of: handle)
      _ = graph.description(of: handle)
      _ = try? graph.allBytes(handle)
    }
  }
}
