import Pickle
import Tensors
import Testing

@Suite struct UnpicklerTests {
  @Test func `names change their spelling up to protocol 2 only`() throws {
    func name(_ stream: String) throws -> Name? {
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
