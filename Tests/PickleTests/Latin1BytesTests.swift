import Pickle
import Tensors
import Testing

/// Bytes that Python 3 saved under protocols up to 2, as text.
@Suite struct Latin1BytesTests {
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
}
