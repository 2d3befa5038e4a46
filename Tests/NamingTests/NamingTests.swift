import Tensors
import Testing

@testable import Naming

/// A checkpoint whose tensors have names and shapes, but all bytes in common.
func checkpoint(_ dicts: [String: [(String, Shape)]]) throws -> Checkpoint {
  let bytes = MemoryBytes([UInt8](repeating: 0, count: 1 << 16), location: Location(path: "t.pth"))
  let stateDicts = try dicts.sorted { $0.key < $1.key }.map { path, entries in
    StateDict(
      path: path.isEmpty ? [] : path.split(separator: ".").map(String.init),
      tensors: try entries.map { name, shape in
        let isCounter = name.hasSuffix("num_batches_tracked") || name == "n_averaged"
        return NamedTensor(
          name, try Tensor(isCounter ? .int64 : .float32, shape: shape, in: bytes, name: name))
      })
  }
  return Checkpoint(
    path: "t.pth", container: "test", family: "test", byteCount: 0, stateDicts: stateDicts)
}

/// One block with all branches, four channels.
func block(_ path: String, _ dialect: Dialect = .official) -> [(String, Shape)] {
  var entries: [(String, Shape)] = []
  for branch in Branch.allCases {
    switch branch {
    case .dense: entries.append((dialect.name(of: .block(path: path, .kernel(.dense))), [4, 4, 3, 3]))
    case .pointwise:
      entries.append((dialect.name(of: .block(path: path, .kernel(.pointwise))), [4, 4, 1, 1]))
    case .identity: break
    }
    for field in BatchNormField.allCases {
      entries.append(
        (
          dialect.name(of: .block(path: path, .batchNorm(branch, field))),
          field == .batchesTracked ? [] : [4]
        ))
    }
  }
  return entries
}

func classifier(_ dialect: Dialect) -> [(String, Shape)] {
  [(dialect.name(of: .classifier(.weight)), [10, 4]), (dialect.name(of: .classifier(.bias)), [10])]
}

func prefixed(_ prefix: String, _ entries: [(String, Shape)]) -> [(String, Shape)] {
  entries.map { (prefix + $0.0, $0.1) }
}

@Suite struct DialectTests {
  @Test(arguments: Dialect.all)
  func `every role has one name, and reading it gives the role back`(dialect: Dialect) throws {
    let suffixes = dialect.blockSuffixes
    #expect(Set(suffixes.map(\.suffix)).count == suffixes.count)
    #expect(Set(suffixes.map(\.role)).count == suffixes.count)
    let entries = block("stage0", dialect) + block("stage1.0", dialect)
      + classifier(dialect)
    let network = try Network(recognising: checkpoint(["": entries]), dialects: [dialect])
    for parameter in network.parameters {
      #expect(dialect.name(of: parameter.role) == parameter.originalName)
      if case .other = parameter.role { Issue.record("\(parameter.originalName) has no role") }
    }
  }

  @Test func `the names are those of the projects`() {
    // From dialects' sources, spelled out so that a slip in a table shows.
    #expect(Dialect.official.name(of: .block(path: "stage1.1", .batchNorm(.identity, .runningVariance))) == "stage1.1.rbr_identity.running_var")
    #expect(Dialect.official.name(of: .block(path: "stage0", .kernel(.pointwise))) == "stage0.rbr_1x1.conv.weight")
    #expect(Dialect.official.name(of: .block(path: "stage0", .fused(.bias))) == "stage0.rbr_reparam.bias")
    #expect(Dialect.official.name(of: .block(path: "stage1.blocks.0", .excite(.afterActivation, .weight))) == "stage1.blocks.0.post_se.up.weight")
    #expect(Dialect.official.name(of: .auxiliary(path: "stage1_aux", .classifier(.bias))) == "stage1_aux.3.bias")
    #expect(Dialect.baseCls.name(of: .classifier(.weight)) == "head.fc.weight")
    #expect(Dialect.baseCls.name(of: .block(path: "stage0", .squeeze(.beforeActivation, .weight))) == "stage0.se.f_ex.0.weight")
    #expect(Dialect.renamedMegEngine.name(of: .block(path: "stage2.3", .batchNorm(.dense, .gamma))) == "stage2.3.dense.bn.weight")
    #expect(Dialect.renamedMegEngine.name(of: .block(path: "stage2.3", .fused(.weight))) == "stage2.3.reparam.weight")
  }

  @Test(arguments: Dialect.all)
  func `a file is read as the dialect that explains most names`(dialect: Dialect) throws {
    let entries = block("stage0", dialect)
      + classifier(dialect)
    #expect(try Network(recognising: checkpoint(["": entries])).dialect == dialect)
  }
}

@Suite struct WrapperTests {
  @Test(arguments: [
    ("module.", "module."), ("_orig_mod.", ""), ("module._orig_mod.", "module."),
    ("_orig_mod.module.", "module."), ("model.backbone.", "model.backbone."),
    ("net.", "net."), ("my.own.wrapper.", "my.own.wrapper."), ("", ""),
  ])
  func `a prefix that all names share comes off`(prefix: String, reported: String) throws {
    let network = try Network(
      recognising: checkpoint(["": prefixed(prefix, block("stage0") + block("stage1.0"))]))
    #expect(network.blocks.map(\.path) == ["stage0", "stage1.0"])
    #expect(network.prefix == reported)
    #expect(network.notes.contains { $0.contains("took") } == !prefix.isEmpty)
  }

  @Test func `module inside a name stays`() throws {
    let network = try Network(
      recognising: checkpoint(["": block("body.module.conv1") + block("body.submodule.conv2")]))
    #expect(network.blocks.map(\.path) == ["body.module.conv1", "body.submodule.conv2"])
  }

  @Test func `a prefix of a larger network stays, unless a parallel wrapper added it`() throws {
    let network = try Network(
      recognising: checkpoint(["": prefixed("module.model.", block("1") + block("2") + [("head.weight", [4, 4] as Shape)])]))
    #expect(network.prefix == "module.")
    #expect(network.blocks.map(\.path) == ["model.1", "model.2"])
  }

  @Test func `compiled parts inside names come off`() throws {
    let entries = prefixed("backbone._orig_mod.", block("stage0")) + [("head.weight", [4, 4] as Shape)]
    let network = try Network(recognising: checkpoint(["": entries]))
    #expect(network.blocks.map(\.path) == ["backbone.stage0"])
  }

  @Test func `the counter of an averaged model is set aside`() throws {
    let network = try Network(
      recognising: checkpoint(["": [("n_averaged", [] as Shape)] + prefixed("module.", block("stage0"))]))
    #expect(network.counters == ["n_averaged"])
    #expect(network.prefix == "module.")
  }

  @Test func `names that collide without their wrapper are an error`() throws {
    let entries = block("stage0") + prefixed("_orig_mod.", block("stage0"))
    #expect(throws: NamingError.collision(
      path: "t.pth", first: "stage0.rbr_dense.conv.weight",
      second: "_orig_mod.stage0.rbr_dense.conv.weight")
    ) { try Network(recognising: checkpoint(["": entries])) }
  }
}

@Suite struct SelectionTests {
  @Test func `of several state dicts the one with most known names is used`() throws {
    let file = try checkpoint([
      "model": block("stage0") + block("stage1.0"), "optimizer": [("momentum", [4])],
      "teacher": block("stage0"),
    ])
    #expect(try Network(recognising: file).stateDict.path == ["model"])
    #expect(try Network(recognising: file, key: "teacher").blocks.count == 1)
  }

  @Test func `equal ones are listed`() throws {
    let file = try checkpoint(["model": block("stage0"), "model_ema": block("stage0")])
    #expect(throws: NamingError.ambiguous(
      path: "t.pth", candidates: ["model (17 tensors)", "model_ema (17 tensors)"])
    ) { try Network(recognising: file) }
    #expect(throws: NamingError.noSuchKey(
      path: "t.pth", key: "ema", candidates: ["model (17 tensors)", "model_ema (17 tensors)"])
    ) { try Network(recognising: file, key: "ema") }
  }

  @Test func `a file without blocks says which names it has`() throws {
    let file = try checkpoint(["": [("conv1.weight", [4, 4, 3, 3]), ("fc.weight", [4, 4])]])
    #expect(throws: NamingError.noBlocks(path: "t.pth", found: ["conv1.weight", "fc.weight"])) {
      try Network(recognising: file)
    }
  }
}

@Suite struct RoleShapeTests {
  func network(_ changes: [String: Shape]) throws -> Network {
    let entries = block("stage0").map { ($0.0, changes[$0.0] ?? $0.1) }
    return try Network(recognising: checkpoint(["": entries]))
  }

  @Test func `BatchNorm and grouped kernels of MegEngine get the shapes of PyTorch`() throws {
    let result = try network([
      "stage0.rbr_dense.bn.weight": [1, 4, 1, 1],
      "stage0.rbr_dense.conv.weight": [2, 2, 2, 3, 3],
    ])
    #expect(result[.block(path: "stage0", .batchNorm(.dense, .gamma))]?.tensor.shape == [4])
    #expect(result[.block(path: "stage0", .kernel(.dense))]?.tensor.shape == [4, 2, 3, 3])
  }

  @Test(arguments: [
    ("stage0.rbr_dense.bn.weight", [2, 2]), ("stage0.rbr_dense.bn.weight", []),
    ("stage0.rbr_dense.bn.weight", [0]), ("stage0.rbr_dense.conv.weight", [4, 4, 3]),
    ("stage0.rbr_1x1.conv.weight", [4, 4]), ("stage0.rbr_dense.conv.weight", [4, 0, 3, 3]),
  ] as [(String, Shape)])
  func `a tensor that cannot be what its name says is an error`(name: String, shape: Shape) {
    #expect { try network([name: shape]) } throws: { error in
      if case .misfit(_, name, _, "float32 \(shape)")? = error as? NamingError { true } else { false }
    }
  }

  @Test func `parameters that no RepVGG block has are reported with the nearest`() throws {
    let entries = block("stage0") + [("stage0.rbr_dense.bn.runing_var", [4] as Shape)]
    let network = try Network(recognising: checkpoint(["": entries]))
    #expect(throws: NamingError.unknownInBlock(
      path: "t.pth", block: "stage0", names: ["stage0.rbr_dense.bn.runing_var"],
      known: ["rbr_dense.bn.running_var", "rbr_dense.bn.running_mean", "rbr_1x1.bn.running_var"])
    ) { try network.requireKnownBlocks() }
  }

  @Test func `parameters come in the official order, blocks by number`() throws {
    let entries = classifier(.official).reversed() + block("stage1.10").reversed() + block("stage1.2") + block("stage0")
    let network = try Network(recognising: checkpoint(["": entries]))
    #expect(network.blocks.map(\.path) == ["stage0", "stage1.2", "stage1.10"])
    let names = network.parameters.map(\.originalName)
    #expect(names.first == "stage0.rbr_identity.weight")
    #expect(names[17] == "stage1.2.rbr_identity.weight")
    #expect(names.suffix(2) == ["linear.weight", "linear.bias"])
  }
}

@Suite struct OrderTests {
  @Test(arguments: [
    ("stage1.2", "stage1.10"), ("stage0", "stage1.0"), ("stage3_first.blocks.11", "stage3_second.blocks.0"),
    ("a", "a.b"), ("2", "a"), ("x09", "x10"), ("", "a"),
  ])
  func `numbers are compared as numbers`(first: String, second: String) {
    #expect(naturallyPrecedes(first, second))
    #expect(!naturallyPrecedes(second, first))
  }

  @Test func `the nearest names come first, and strangers not at all`() {
    #expect(
      nearestNames(to: "RepVGG-A0", in: ["RepVGG-B3", "RepVGG-A1", "ResNet-50", "RepVGG-A0x"], limit: 2)
        == ["RepVGG-A0x", "RepVGG-A1"])
    #expect(nearestNames(to: "abc", in: ["something else"]) == [])
  }
}
