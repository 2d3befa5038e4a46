import Checkpoints
import Pickle
import Tensors
import TestSupport
import Testing

@testable import CheckpointFiles

/// Pickles written by hand, searched as MegEngine's.
@Suite struct PickledStateDictTests {
  /// One float32.
  static let array = PickledArrayTests.frombuffer("C\u{4}\u{0}\u{0}\u{80}?", "(I1\nt")

  /// A parameter of a module.
  static let tensor = "cmegengine.tensor\nParameter\n(\(array)t\u{81}"

  private func search(_ stream: String) throws -> PickledStateDicts<MegEngineObjects> {
    var limits = ReadingLimits()
    limits[.moduleAttributes] = 10_000
    var objects = MegEngineObjects(try parse((stream + ".").latin1, limits: limits))
    return try PickledStateDicts(in: objects.graph, as: &objects)
  }

  /// A dict with these entries, values as streams.
  private func dict(_ entries: KeyValuePairs<String, String>) -> String {
    "(" + entries.map { "S'\($0.key)'\n\($0.value)" }.joined() + "d"
  }

  /// A module with these attributes.
  private func module(_ attributes: KeyValuePairs<String, String>) -> String {
    let common = "S'training'\nI01\nS'_forward_hooks'\n}S'_modules'\n]"
    return "cmy\nNet\n)\u{81}(\(common)" + attributes.map { "S'\($0.key)'\n\($0.value)" }.joined()
      + "db"
  }

  private func names(_ stateDict: StateDict) -> [Name] { stateDict.tensors.map(\.name) }

  @Test func `every dict of tensors is found, with the keys that lead to it`() throws {
    let weights = dict(["w": Self.array])
    let found = try search(
      dict([
        "model": weights, "ema": dict(["shadow": weights, "decay": "F0.9\n"]), "epoch": "I3\n",
      ]))
    #expect(found.stateDicts.map(\.path) == [["model"], ["ema", "shadow"]])
    #expect(found.stateDicts.map(names) == [["w"], ["w"]])
  }

  @Test func `a dict that is reachable twice is listed twice`() throws {
    let found = try search("(S'model'\n" + dict(["w": Self.array]) + "p9\nS'ema'\ng9\nd")
    #expect(found.stateDicts.map(\.path) == [["model"], ["ema"]])
  }

  @Test(arguments: [
    "TorchArchives/sound-module.pth", "TorchArchives/sound-modules-in-a-dict.pth",
    "Cases/two-networks.pth", "MegEngine/plain-whole-module.pkl", "Paddle/state-2.pdparams",
  ])
  func `no more tensors are taken than a limit`(file: String) throws {
    let path = Fixtures.path(file)
    var limits = ReadingLimits()
    limits[.tensors] = try readCheckpoint(path: path).stateDicts.map(\.tensors.count).reduce(0, +)
    _ = try readCheckpoint(path: path, limits: limits)
    limits[.tensors] -= 1
    let error = #expect(throws: ReadError.self) {
      _ = try readCheckpoint(path: path, limits: limits)
    }
    guard case .limitExceeded(_, "tensors in a file", _, _, "tensors")? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test func `tensors of a dict that is reachable twice count twice`() throws {
    let stream = "(S'model'\n" + dict(["w": Self.array]) + "p9\nS'ema'\ng9\nd."
    var limits = ReadingLimits()
    limits[.tensors] = 1
    let place = Location(path: "test.pkl")
    let source = MemoryBytes(stream.latin1, location: place, limits: limits)
    var objects = MegEngineObjects(try Unpickler.parse(source))
    #expect(throws: ReadError.self) { try PickledStateDicts(in: objects.graph, as: &objects) }
  }

  @Test func `dicts made of one list are not all searched`() throws {
    let pairs = String(repeating: "(I1\nNta", count: 5000)
    let dicts = (0..<5000).map { "S'\($0)'\nccollections\nOrderedDict\n(g1\ntR" }.joined()
    let error = #expect(throws: ReadError.self) { try search("(S'l'\n]p1\n\(pairs)\(dicts)d") }
    guard case .limitExceeded(_, _, _, _, "name-bytes")? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test func `what is no tensor is named`() throws {
    let found = try search(
      "(S'w'\n\(Self.array)S'step'\nI3\nS'args'\ncargparse\nNamespace\n)\u{81}S'inner'\n"
        + dict(["x": "N"]) + "I7\n\(Self.array)"
        + "S'ordered'\nccollections\nOrderedDict\n)RS'acc1'\n"
        + "cnumpy.core.multiarray\nscalar\n(\(PickledArrayTests.dtype)C\u{4}1234tRd")
    #expect(found.stateDicts.count == 1)
    let ignored = found.stateDicts[0].ignored.map { "\($0.name): \($0.what)" }
    #expect(
      ignored == [
        "step: int", "args: opaque object argparse.Namespace", "inner: dict",
        "7: opaque object numpy.core.numeric._frombuffer, under a key that is not a string",
        "ordered: OrderedDict", "acc1: float32 scalar of NumPy",
      ])
  }

  @Test func `a name that is set twice is noted`() throws {
    let found = try search("(S'w'\n\(Self.array)S'w'\n\(Self.array)d")
    #expect(names(found.stateDicts[0]) == ["w"])
    #expect(
      found.notes == [
        "the file's root names 1 of its entries twice; the later ones count, as in Python: w"
      ])
  }

  @Test func `an unreadable array fails beside others, and is noted apart from them`() throws {
    let object = Self.array.replacing("S'f4'", with: "S'O8'")
    let weights = dict(["w": Self.array])
    let error = #expect(throws: ReadError.self) {
      try search(dict(["w": Self.array, "x": object]))
    }
    #expect(error?.description.contains("'x' has the dtype object") == true)
    #expect(throws: ReadError.self) { try search(dict(["model": dict(["x": object])])) }
    let found = try search(dict(["meta": dict(["x": object]), "model": weights]))
    #expect(found.stateDicts.map(\.path) == [["model"]])
    #expect(found.notes.count == 1 && found.notes[0].contains("'meta.x' has the dtype object"))
  }

  @Test func `a dict in itself is searched once`() throws {
    let found = try search("}p0\nS'self'\ng0\nsS'w'\n\(Self.array)s")
    #expect(found.stateDicts.map(names) == [["w"]])
  }

  @Test func `dicts that hold the dict before twice are searched once each`() throws {
    var stream = dict(["w": Self.array]) + "p0\n"
    for level in 1...60 { stream += "(S'a'\ng\(level - 1)\nS'b'\ng\(level - 1)\ndp\(level)\n" }
    let found = try search(stream)
    // Both ways to the dict of tensors, from the one dict that holds it.
    #expect(found.stateDicts.map { $0.path.last } == ["a", "b"])
    #expect(found.stateDicts.allSatisfy { $0.path.count == 60 })
  }

  @Test func `dicts nested beyond any checkpoint are refused`() {
    let stream =
      String(repeating: "(S'a'\n", count: 2000) + "N" + String(repeating: "d", count: 2000)
    let error = #expect(throws: ReadError.self) { try search(stream) }
    #expect(error?.description.contains("dicts nested in each other") == true)
  }

  // Modules.

  @Test func `a module's names are sorted, tensors first, containers expanded`() throws {
    // What megengine.module.Module.state_dict() returns for the same attributes.
    let inner = module(["weight": Self.tensor])
    let found = try search(
      module([
        "b": inner, "weight": Self.tensor, "a10": inner, "a2": inner, "bias": Self.tensor,
        "lst": "(\(Self.tensor)\(inner)N(\(Self.tensor)tl",
        "dct": dict(["k": inner, "A": Self.tensor]),
        "numbers": "(I1\nI2\nt", "Z": Self.tensor,
      ]))
    #expect(
      found.stateDicts.map(names) == [
        [
          "Z", "bias", "dct.A", "lst.0", "lst.3.0", "weight", "a10.weight", "a2.weight", "b.weight",
          "dct.k.weight", "lst.1.weight",
        ]
      ])
  }

  @Test func `within a module a shared object has its first name, in two modules it has two`()
    throws
  {
    let tied = module(["weight": Self.tensor + "p5\n", "again": "g5\n"])
    let found = try search(module(["x": tied, "y": module(["weight": "g5\n"])]))
    #expect(names(found.stateDicts[0]) == ["x.again", "y.weight"])
  }

  @Test func `a module that holds itself is walked once`() throws {
    let found = try search(
      "cmy\nNet\n)\u{81}p0\n(S'training'\nI01\nS'_forward_hooks'\n}S'child'\n"
        + module(["parent": "g0\n", "w": Self.tensor]) + "db")
    #expect(found.stateDicts.map(names) == [["child.w"]])
  }

  @Test func `modules that share their children in many ways are refused`() {
    var stream = module(["w": Self.tensor]) + "p0\n"
    for level in 1...40 {
      stream += module([
        "a": module(["c": "g\(level - 1)\n"]), "b": module(["c": "g\(level - 1)\n"]),
      ])
      stream += "p\(level)\n"
    }
    let error = #expect(throws: ReadError.self) { try search(stream) }
    #expect(error?.description.contains("attributes of MegEngine's modules") == true)
  }

  @Test func `plain arrays in a module are none of its state`() throws {
    #expect(try search(module(["w": Self.array])).stateDicts.isEmpty)
  }

  @Test func `modules in a dict are state dicts beside the others`() throws {
    let found = try search(
      dict(["model": module(["w": Self.tensor]), "ema": dict(["w": Self.array])]))
    #expect(found.stateDicts.map(\.path) == [["model"], ["ema"]])
    #expect(found.stateDicts[0].modules.keys.sorted() == [""])
  }

  // Tensors.

  @Test(arguments: ["megengine.tensor\nParameter", "megengine.core.tensor\nTensor"])
  func `a tensor's array is its first argument or, in old files, in its state`(name: String) throws
  {
    let modern = "c\(name)\n(\(Self.array)\(PickledArrayTests.dtype)S'xpux:0'\nt\u{81}}b"
    let old = "c\(name)\n)\u{81}" + dict(["data": Self.array, "dtype": "N"]) + "b"
    let found = try search(dict(["modern": modern, "old": old]))
    #expect(names(found.stateDicts[0]) == ["modern", "old"])
  }

  @Test func `a tensor without an array is malformed`() {
    let error = #expect(throws: ReadError.self) {
      try search(dict(["w": "cmegengine.tensor\nParameter\n)\u{81}"]))
    }
    #expect(error?.description.contains("the array of 'w', a megengine.tensor.Parameter") == true)
  }

  @Test func `a tensor of a quantised type is refused`() {
    let quantised =
      "cnumpy\ndtype\n(S'i1'\nI0\nI1\ntR(I4\nS'|'\nNNNI-1\nI-1\nI0\n"
      + dict(["mgb_dtype": dict(["name": "S'Quantized8Asymm'\n"])]) + "tb"
    let error = #expect(throws: ReadError.self) {
      try search(
        dict(["w": "cmegengine.tensor\nParameter\n(\(Self.array)\(quantised)S'x'\nt\u{81}"]))
    }
    #expect(error?.description.contains("'w' has the dtype Quantized8Asymm") == true)
  }

  @Test(arguments: ["N", "]", "I1\n", "cos\nsystem\n(S'echo'\ntR", "(S'a'\nI1\nd"])
  func `a pickle without tensors has no state dicts`(stream: String) throws {
    #expect(try search(stream).stateDicts.isEmpty)
  }

  @Test(arguments: (0..<6).map { "NumPy/arrays-\($0).pkl" } + ["MegEngine/g2-whole-module.pkl"])
  func `flipped bits never trap`(file: String) throws {
    let original = try Fixtures.bytes(file)
    var random = SeededGenerator(seed: 12)
    for _ in 0..<(original.count > 100_000 ? 10 : 100) {
      var damaged = original
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        damaged[Int.random(in: 0..<damaged.count, using: &random)] ^=
          UInt8(1 << Int.random(in: 0..<8, using: &random))
      }
      guard let graph = try? parse(damaged) else { continue }
      var objects = MegEngineObjects(graph)
      guard let found = try? PickledStateDicts(in: graph, as: &objects) else { continue }
      for named in found.stateDicts.flatMap(\.tensors) { _ = try? named.tensor.bytes() }
    }
  }
}
