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
}
