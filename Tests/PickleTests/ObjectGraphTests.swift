import Pickle
import Tensors
import Testing

@Suite struct ObjectGraphTests {
  @Test func `an object in the memo is the object, whatever happens to it later`() throws {
    // {"model": OrderedDict(), "ema": the same}, filled after it was remembered, as torch.save does.
    let graph = try parse(
      bytes("}(X\u{5}\u{0}\u{0}\u{0}modelccollections\nOrderedDict\n)Rq\u{1}")
        + bytes("(X\u{1}\u{0}\u{0}\u{0}aK\u{1}X\u{1}\u{0}\u{0}\u{0}bK\u{2}u")
        + bytes("X\u{3}\u{0}\u{0}\u{0}emah\u{1}u."))
    let model = try graph.root("model")
    let ema = try graph.root("ema")
    #expect(model == ema)
    #expect(graph.entries(ema)?.count == 2)
  }

  @Test func `BUILD sets attributes, not entries`() throws {
    // What Module.state_dict() returns: an OrderedDict with the attribute _metadata.
    let graph = try parse(
      bytes("ccollections\nOrderedDict\n)R}X\u{9}\u{0}\u{0}\u{0}_metadataNsb."))
    #expect(graph.entries(graph.root)?.isEmpty == true)
    #expect(graph.attributes(graph.root)?.keys.sorted() == ["_metadata"])
  }

  @Test func `Python 2's OrderedDict has its items in the call`() throws {
    let graph = try parse(
      hex(
        """
        800263636f6c6c656374696f6e730a4f726465726564446963740a71015d71025d7103285501614b0165618552
        71042e
        """))
    #expect(graph.integer(try graph.root("a")) == 1)
    #expect(graph.entries(graph.root)?.count == 1)
  }

  @Test func `a repeated key has its last value in its first place`() throws {
    let graph = try parse(bytes("(S'a'\nI1\nS'b'\nI2\nS'a'\nI3\nI4\nI5\nI4\nI6\nd."))
    let entries = try #require(graph.entries(graph.root))
    #expect(entries.map { graph.string($0.key) } == ["a", "b", nil, nil])
    #expect(entries.map { graph.integer($0.value) } == [3, 2, 5, 6])
    #expect(graph.repeatedKeys(graph.root) == ["a"])
    #expect(graph.integer(try graph.root("a")) == 3)
  }

  @Test func `keys that look alike are different keys`() throws {
    // A precomposed e with acute accent, and e with a combining one.
    let graph = try parse(hex("7d 8c02c3a9 4b01 73 8c03 65cc81 4b02 73 2e"))
    #expect(graph.entries(graph.root)?.count == 2)
    #expect(graph.integer(try graph.root("\u{e9}")) == 1)
    #expect(graph.integer(try graph.root("e\u{301}")) == 2)
    #expect(graph.repeatedKeys(graph.root).isEmpty)
  }

  @Test func `an object is a dict only if it has entries or its class is a dict`() throws {
    #expect(try entryCount("ccollections\nOrderedDict\n)R.") == 0)
    #expect(try entryCount("cmy\nConfig\n)\u{81}.") == nil)
    #expect(try entryCount("cmy\nConfig\n)\u{81}NNs.") == 1)
    #expect(try entryCount("ccollections\ndefaultdict\ncbuiltins\nlist\n\u{85}RNNs.") == 1)
    #expect(try entryCount("cbuiltins\ndict\n(}NNstR.") == 1)
    #expect(try entryCount("cbuiltins\ndict\nK\u{1}\u{85}R.") == nil)
    #expect(try entryCount("]}a.") == nil)
  }

  private func entryCount(_ stream: String) throws -> Int? {
    let graph = try parse(bytes(stream))
    return graph.entries(graph.root)?.count
  }

  @Test(arguments: ["latin1", "latin-1"])
  func `bytes stored as text are decoded when they are read`(encoding: String) throws {
    let data = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 7 / 3) }
    let text = Array(String(String.UnicodeScalarView(data.map { UnicodeScalar($0) })).utf8)
    let graph = try parse(
      bytes("c_codecs\nencode\n(X") + littleEndian(UInt32(text.count)) + text
        + bytes("U\(UnicodeScalar(UInt8(encoding.utf8.count)))\(encoding)tR."))
    let (source, offset, count) = try #require(try graph.byteSource(graph.root))
    #expect(count == data.count && offset == 0)
    #expect(try source.bytes(150_000..<150_100, field: "") == Array(data[150_000..<150_100]))
    #expect(try source.bytes(5..<70_005, field: "") == Array(data[5..<70_005]))
    #expect(try source.bytes(0..<count, field: "") == data)
    try source.verify()
    guard case .text(let payload) = graph[try #require(graph.call(graph.root)).object.arguments[0]]
    else { throw ObjectGraph.Missing(key: "text") }
    #expect(!payload.isDecoded, "long text stays in the file")
  }

  @Test(arguments: ["c4 80", "e4 b8 ad", "c3", "80", "80 c3", "c3 41 80"])
  func `text with a character above 255 is no bytes`(text: String) throws {
    let text = hex("41" + text)
    let graph = try parse(
      bytes("c_codecs\nencode\n(X") + littleEndian(UInt32(text.count)) + text
        + bytes("U\u{6}latin1tR."))
    let error = #expect(throws: ReadError.self) {
      guard let (source, offset, count) = try graph.byteSource(graph.root) else { return }
      _ = try source.bytes(offset..<offset + count, field: "")
      try source.verify()
    }
    #expect(error?.description.contains("the characters U+0000 to U+00FF") == true)
  }

  @Test func `another encoding is not taken for Latin-1`() throws {
    let graph = try parse(bytes("c_codecs\nencode\n(X\u{1}\u{0}\u{0}\u{0}aU\u{5}utf-7tR."))
    #expect(try graph.byteSource(graph.root) == nil)
  }

  @Test func `names change their spelling up to protocol 2 only`() throws {
    func name(_ stream: String) throws -> String? {
      let graph = try parse(bytes(stream))
      return graph.globalName(graph.root)
    }
    #expect(try name("c__builtin__\nunicode\n.") == "builtins.str")
    #expect(try name("\u{80}\u{2}c__builtin__\nreduce\n.") == "functools.reduce")
    #expect(try name("\u{80}\u{2}ccopy_reg\n_reconstructor\n.") == "copyreg._reconstructor")
    #expect(try name("\u{80}\u{3}c__builtin__\nunicode\n.") == "__builtin__.unicode")
    // Python strips the line feed and nothing else.
    #expect(try name("cos\r\nsystem\n.") == "os\r.system")
  }

  @Test func `numbers in text may have blanks and underscores`() throws {
    func integer(_ line: String) throws -> Int? {
      let graph = try parse(bytes(line + "\n."))
      return graph.integer(graph.root)
    }
    #expect(try integer("I 42 ") == 42)
    #expect(try integer("I+1_000") == 1000)
    #expect(try integer("L-7L") == -7)
    #expect(try integer("L9223372036854775807L") == .max)
    #expect(try integer("L9223372036854775808L") == nil)
    for wrong in ["I_1", "I1_", "I1__0", "I", "I-", "L1LL", "I0x10"] {
      #expect(throws: ReadError.self, "\(wrong)") { try integer(wrong) }
    }
  }

  @Test func `a large pickle is parsed without reading its payloads`() throws {
    // 400 MB of data that exist only as a count: reading them would be an error.
    let source = SparsePickle(payloads: 400, bytesEach: 1 << 20)
    let graph = try Unpickler.parse(source)
    #expect(graph.elements(graph.root)?.count == 400)
    #expect(graph.end == source.count)
  }
}

/// A list of bytes objects whose contents cannot be read at any length.
private final class SparsePickle: ByteSource {
  let count: Int
  let location = Location(path: "sparse.pkl")
  private let stride: Int
  private let payloads: Int

  init(payloads: Int, bytesEach: Int) {
    self.payloads = payloads
    stride = 5 + bytesEach
    count = 4 + payloads * stride + 2
  }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(ReadError) {
    try check(offset, buffer.count, field: "a read")
    if buffer.count > 4096 && offset > 4096 {
      throw .unsupported(location(at: offset), what: "a read of \(buffer.count) bytes", remedy: "")
    }
    let head: [UInt8] = [0x80, 3, UInt8(ascii: "]"), UInt8(ascii: "(")]
    let record = [UInt8(ascii: "B")] + littleEndian(UInt32(stride - 5))
    for index in 0..<buffer.count {
      let place = offset + index
      let inRecord = (place - 4) % stride
      let byte =
        place < 4
        ? head[place]
        : place >= count - 2
          ? [UInt8(ascii: "e"), UInt8(ascii: ".")][place - count + 2]
          : inRecord < 5 ? record[inRecord] : 0
      // Safe: the index is below the count.
      unsafe buffer[index] = byte
    }
  }
}
