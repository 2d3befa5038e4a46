import Checkpoints
import Tensors
import Testing

@testable import Naming

/// What is done with names takes a time that grows with their length, and goes by their bytes.
///
/// The sizes are such that work that grows with the square takes minutes.
@Suite struct LongNamesTests {
  private func checkpoint(_ names: [Name]) throws -> Checkpoint {
    let tensors = try names.map { name in
      NamedTensor(name, try Tensor(.float32, shape: [1], in: zeros, at: 0, name: name))
    }
    return Checkpoint(
      path: "file", container: "", family: "pytorch", byteCount: 0,
      stateDicts: [StateDict(tensors: tensors)])
  }
  private let zeros = MemoryBytes([0, 0, 0, 0], location: Location(path: "file"))

  @Test(arguments: ["*a*a*a*b", "*a*a*a*a*a*a*a*a*b", "*{s}*{s}*b"])
  func `patterns with many texts do not search again where they have searched`(
    pattern: String
  ) throws {
    let template = try Template(pattern)
    #expect(template.match(Name(String(repeating: "a1", count: 5000))) == nil)
    #expect(template.match(Name(String(repeating: "a1", count: 5000) + "b")) != nil)
  }

  @Test(arguments: [
    ("*.*", "a.b.c", ["a", "b.c"]), ("*a*", "aaa", ["a", "a"]), ("*{s}.*", "x12.3", ["x", "3"]),
    ("*.{s}.*.{s}", "a.1.b.2.c.2", ["a.1.b", "c"]), ("*", "é", ["é"]),
    ("*b*", "b", nil), ("a*", "a", nil),
  ])
  func `texts are the shortest that let the rest match`(
    pattern: String, name: Name, texts: [Name]?
  ) throws {
    let binding = try Template(pattern).match(name)
    #expect(binding.map { match in match.texts.keys.sorted().map { match.texts[$0]! } } == texts)
  }

  @Test func `a name of very many parts`() throws {
    let prefix = Name(String(repeating: "stage0.", count: 5_000))
    let file = try checkpoint([prefix + "rbr_dense.conv.weight", prefix + "rbr_1x1.conv.weight"])
    #expect(throws: NamingError.self) { try Network(recognising: file) }
  }

  @Test func `very many names of many parts`() throws {
    let prefix = String(repeating: "a.", count: 60)
    let names = (0..<300).map { Name("\(prefix)\($0).rbr_dense.conv.weight") }
    #expect(throws: NamingError.self) { try Network(recognising: try checkpoint(names)) }
  }

  @Test func `stages and blocks of any number`() {
    let paths: [Name] =
      ["stages.0.blocks.0.x", "stages.1.blocks.-5.x", "stages.70000.blocks.70000.x"]
      + (0..<5000).map { "stages.\($0).downsample.x\($0)" }
    let pairs = Numbering.repViTStages.pairs(paths, false)
    #expect(pairs.count < 100_000)
  }

  @Test func `names that look alike are two`() throws {
    let (composed, decomposed): (Name, Name) = ("\u{e9}", "e\u{301}")
    #expect(Role.other(name: composed) != .other(name: decomposed))
    #expect(Set([Role.other(name: composed), .other(name: decomposed)]).count == 2)
    let file = try checkpoint([composed, decomposed])
    let rules = [try Correspondence("*=x.*")]
    #expect(
      try rules.renaming(file.stateDicts, path: "file")[0].map { Array($0.utf8) }
        == ["x.\(composed)", "x.\(decomposed)"].map { Array($0.utf8) })
  }

  @Test func `nothing is compared with a name that nobody typed`() {
    let long = String(repeating: "a", count: 1_000_000)
    #expect(nearestNames(to: long, in: [long + "b"]) == [])
    #expect(nearestNames(to: "weight", in: [long, "weigth"]) == ["weigth"])
  }

  @Test func `names are counted by what begins them`() {
    let names = SortedNames(["a.b", "a.b.c", "a.b.d", "a.bc", "b.a.b.x", "c.a.b.x"])
    #expect(names.count(withPrefix: "a.b.") == 2)
    #expect(names.count(withPrefix: "a.b") == 3)
    #expect(names.count(withPrefix: "x") == 0)
    #expect(names.count(withPrefix: "") == 6)
    #expect(names.prefixes(before: ".a.b.", limit: 8) == ["b", "c"])
    #expect(names.prefixes(before: ".a.b.", limit: 1) == ["b"])
  }
}
