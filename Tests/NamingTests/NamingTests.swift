import Checkpoints
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

/// A parameter as a file of `dialect` has it; none if it has no such parameter.
func entry(_ role: Role, _ shape: Shape, _ dialect: Dialect) -> [(String, Shape)] {
  let bytes = MemoryBytes(
    [UInt8](repeating: 0, count: 4 * shape.elementCount), location: Location(path: "t"))
  let tensor = OutputTensor(name: "", try! Tensor(.float32, shape: shape, in: bytes, name: "t"))
  let output = try! dialect.output(tensor, as: role, groups: 1)
  return output.map { [($0.name, $0.shape)] } ?? []
}

/// One block with all branches, four channels.
func block(_ path: String, _ dialect: Dialect = .official) -> [(String, Shape)] {
  Branch.allCases.flatMap { branch in
    var entries: [(String, Shape)] = []
    switch branch {
    case .dense: entries += entry(.block(path: path, .kernel(.dense)), [4, 4, 3, 3], dialect)
    case .pointwise:
      entries += entry(.block(path: path, .kernel(.pointwise)), [4, 4, 1, 1], dialect)
    case .identity: break
    }
    for field in BatchNormField.allCases {
      entries += entry(
        .block(path: path, .batchNorm(branch, field)), field == .batchesTracked ? [] : [4], dialect)
    }
    return entries
  }
}

func classifier(_ dialect: Dialect) -> [(String, Shape)] {
  entry(.classifier(.weight), [10, 4], dialect) + entry(.classifier(.bias), [10], dialect)
}

func prefixed(_ prefix: String, _ entries: [(String, Shape)]) -> [(String, Shape)] {
  entries.map { (prefix + $0.0, $0.1) }
}

@Suite struct DialectTests {
  @Test(arguments: Dialect.all)
  func `every role has one name, and reading it gives the role and the shape back`(
    dialect: Dialect
  ) throws {
    let entries = block("stage0", dialect) + block("stage1.0", dialect) + classifier(dialect)
    #expect(Set(entries.map(\.0)).count == entries.count)
    let network = try Network(recognising: checkpoint(["": entries]), dialects: [dialect])
    #expect(network.blocks.map(\.path) == ["stage0", "stage1.0"])
    for parameter in network.parameters {
      #expect(dialect.name(of: parameter.role) == parameter.originalName)
      switch parameter.role {
      case .other: Issue.record("\(parameter.originalName) has no role")
      case .block(_, .kernel(.dense)): #expect(parameter.tensor.shape == [4, 4, 3, 3])
      case .block(_, .kernel(.pointwise)): #expect(parameter.tensor.shape == [4, 4, 1, 1])
      case .block(_, .batchNorm(_, .gamma)): #expect(parameter.tensor.shape == [4])
      case .classifier(.weight): #expect(parameter.tensor.shape == [10, 4])
      default: break
      }
    }
  }

  /// The shape that a parameter has inside this program: 4 channels, 2 between squeeze and excite, 10
  /// classes.
  static func shape(of role: Role) -> Shape {
    switch role {
    case .block(_, .kernel(.pointwise)): [4, 4, 1, 1]
    case .block(_, .kernel), .block(_, .fused(.weight)), .auxiliary(_, .kernel): [4, 4, 3, 3]
    case .block(_, .squeeze(_, .weight)): [2, 4, 1, 1]
    case .block(_, .squeeze(_, .bias)): [2]
    case .block(_, .excite(_, .weight)): [4, 2, 1, 1]
    case .block(_, .batchNorm(_, .batchesTracked)), .auxiliary(_, .batchNorm(.batchesTracked)): []
    case .classifier(.weight), .auxiliary(_, .classifier(.weight)): [10, 4]
    case .classifier(.bias), .auxiliary(_, .classifier(.bias)): [10]
    default: [4]
    }
  }

  static let blockPaths = [
    "stage0", "stage1.0", "stage4.10", "stage1.blocks.3", "stage3_first.blocks.0",
    "stage3_second.blocks.11",
  ]

  /// Everything a RepVGG and a RepVGGplus can have.
  static let roles: [Role] = {
    var roles: [Role] = []
    for path in blockPaths {
      for role in BlockRole.all { roles.append(.block(path: path, role)) }
    }
    for role in AuxiliaryRole.all { roles.append(.auxiliary(path: "stage1_aux", role)) }
    for field in LayerField.allCases { roles.append(.classifier(field)) }
    return roles
  }()

  /// Projects that have no RepVGGplus, nor names for its blocks.
  static let withoutPlus: Set = ["timm", "mmpretrain", "zcls", "objax"]

  @Test(arguments: Dialect.all)
  func `whatever a dialect can name goes there and back, in its shapes`(dialect: Dialect) throws {
    var entries: [(String, Shape)] = []
    var expected: [String: Role] = [:]
    for role in Self.roles {
      let bytes = MemoryBytes([UInt8](repeating: 0, count: 1024), location: Location(path: "t"))
      let tensor = try Tensor(.float32, shape: Self.shape(of: role), in: bytes, name: "t")
      guard dialect.name(of: role) != nil,
        let output = try dialect.output(OutputTensor(name: "", tensor), as: role, groups: 1)
      else { continue }
      #expect(expected.updateValue(role, forKey: output.name) == nil, "\(output.name) twice")
      entries.append((output.name, output.shape))
    }
    let network = try Network(recognising: checkpoint(["": entries]), dialects: [dialect])
    #expect(network.parameters.count == entries.count && network.unknownInBlocks.isEmpty)
    for parameter in network.parameters {
      let role = try #require(expected[parameter.originalName])
      #expect(parameter.role == role, "\(parameter.originalName)")
      #expect(parameter.tensor.shape == Self.shape(of: role), "\(parameter.originalName)")
    }
    let paths =
      Self.withoutPlus.contains(dialect.name) ? Array(Self.blockPaths[..<3]) : Self.blockPaths
    #expect(Set(network.blocks.map(\.path)) == Set(paths))
    // Three branches: two kernels and three BatchNorms; a deploy kernel and its bias.
    let fields = dialect.batchNorm.count
    let squeezes = 4 * dialect.squeezeExcitation.count
    for block in network.blocks {
      #expect(block.parameters.count == 2 + 2 + 3 * fields + 2 + squeezes, "\(block.path)")
    }
    #expect(network[.classifier(.weight)] != nil && network[.classifier(.bias)] != nil)
    #expect((network[.auxiliary(path: "stage1_aux", .kernel)] != nil) == (dialect.auxiliary != nil))
  }

  /// Names as the projects' code has them, spelled out so that a slip in a table shows: dense kernel
  /// and running variance of the stem, the same of the third block of stage 2, identity's scale there,
  /// deploy kernel, first layer of Squeeze-and-Excitation, classifier.
  static let names: [(String, [String?])] = [
    (
      "official",
      [
        "stage0.rbr_dense.conv.weight", "stage2.2.rbr_1x1.bn.running_var",
        "stage2.2.rbr_identity.weight", "stage2.2.rbr_reparam.weight", "stage2.2.se.down.weight",
        "linear.weight",
      ]
    ),
    (
      "basecls",
      [
        "stage0.rbr_dense.conv.weight", "stage2.2.rbr_1x1.bn.running_var",
        "stage2.2.rbr_identity.weight", "stage2.2.rbr_reparam.weight", "stage2.2.se.f_ex.0.weight",
        "head.fc.weight",
      ]
    ),
    (
      "repvgg-megengine",
      [
        "stage0.dense.conv.weight", "stage2.2.pointwise.bn.running_var", "stage2.2.identity.weight",
        "stage2.2.reparam.weight", "stage2.2.se.down.weight", "linear.weight",
      ]
    ),
    (
      "timm",
      [
        "stem.conv_kxk.conv.weight", "stages.1.2.conv_1x1.bn.running_var",
        "stages.1.2.identity.weight", "stages.1.2.reparam_conv.weight",
        "stages.1.2.attn.fc1.weight",
        "head.fc.weight",
      ]
    ),
    (
      "mmpretrain",
      [
        "backbone.stem.branch_3x3.conv.weight", "backbone.stage_2.2.branch_1x1.norm.running_var",
        "backbone.stage_2.2.branch_norm.weight", "backbone.stage_2.2.branch_reparam.weight",
        "backbone.stage_2.2.se_layer.conv1.conv.weight", "head.fc.weight",
      ]
    ),
    (
      "paddleclas",
      [
        "stage0.rbr_dense.conv.weight", "stage2.2.rbr_1x1.bn._variance",
        "stage2.2.rbr_identity.weight", "stage2.2.rbr_reparam.weight", "stage2.2.se.down.weight",
        "linear.weight",
      ]
    ),
    (
      "zcls",
      [
        "backbone.stage0.0.rbr_dense.conv.weight", "backbone.stage2.2.0.rbr_1x1.bn.running_var",
        "backbone.stage2.2.0.rbr_identity.weight", "backbone.stage2.2.0.weight",
        "backbone.stage2.2.1.excitation.0.weight", "head.fc.weight",
      ]
    ),
    (
      "objax",
      [
        "(RepVGG).stage0(RepVGGBlock).rbr_dense(Sequential)[0](Conv2D).w",
        "(RepVGG).stage2(Sequential)[2](RepVGGBlock).rbr_1x1(Sequential)[1](BatchNorm2D).running_var",
        "(RepVGG).stage2(Sequential)[2](RepVGGBlock).rbr_identity(BatchNorm2D).gamma",
        "(RepVGG).stage2(Sequential)[2](RepVGGBlock).rbr_reparam(Conv2D).w", nil,
        "(RepVGG).linear(Linear).w",
      ]
    ),
    (
      "keras",
      [
        "stage0_rbr_dense_conv.kernel", "stage2_2_rbr_1x1_bn.moving_variance",
        "stage2_2_rbr_identity.gamma", "stage2_2_rbr_reparam.kernel", "stage2_2_se_down.kernel",
        "linear.kernel",
      ]
    ),
  ]

  @Test(arguments: names)
  func `the names are those of the projects`(name: String, expected: [String?]) throws {
    let dialect = try #require(Dialect.named(name))
    let roles: [Role] = [
      .block(path: "stage0", .kernel(.dense)),
      .block(path: "stage2.2", .batchNorm(.pointwise, .runningVariance)),
      .block(path: "stage2.2", .batchNorm(.identity, .gamma)),
      .block(path: "stage2.2", .fused(.weight)),
      .block(path: "stage2.2", .squeeze(.beforeActivation, .weight)),
      .classifier(.weight),
    ]
    #expect(roles.map { dialect.name(of: $0) } == expected)
  }

  @Test func `every dialect's names are spelled out above`() {
    #expect(Self.names.map(\.0) == Dialect.all.map(\.name))
  }

  @Test func `parts of RepVGGplus have the official names`() {
    #expect(
      Dialect.official.name(of: .block(path: "stage1.blocks.0", .excite(.afterActivation, .weight)))
        == "stage1.blocks.0.post_se.up.weight")
    #expect(
      Dialect.official.name(of: .auxiliary(path: "stage1_aux", .classifier(.bias)))
        == "stage1_aux.3.bias")
    #expect(
      Dialect.renamedMegEngine.name(of: .auxiliary(path: "stage1_aux", .kernel))
        == "stage1_aux.downsample.conv.weight")
    // timm and mmpretrain have no RepVGGplus: no name is made up that another block could have.
    for dialect in [Dialect.timm, .mmpretrain, .zcls, .objax] {
      #expect(dialect.name(of: .block(path: "stage3_first.blocks.0", .kernel(.dense))) == nil)
      #expect(dialect.name(of: .block(path: "stage3_second.blocks.0", .kernel(.dense))) == nil)
    }
  }

  @Test(arguments: Dialect.all.filter { $0.name != "paddleclas" })
  func `a file is read as the dialect that explains most names`(dialect: Dialect) throws {
    let entries = block("stage0", dialect) + block("stage1.0", dialect) + classifier(dialect)
    #expect(try Network(recognising: checkpoint(["": entries])).dialect == dialect)
  }

  @Test func `deploy files of alike dialects are told apart by their container`() throws {
    let entries =
      entry(.block(path: "stage0", .fused(.weight)), [4, 3, 3, 3], .paddleClas)
      + entry(.block(path: "stage0", .fused(.bias)), [4], .paddleClas) + classifier(.paddleClas)
    var file = try checkpoint(["": entries])
    file.family = "paddle"
    let network = try Network(recognising: file)
    #expect(network.dialect == .paddleClas)
    #expect(network[.classifier(.weight)]?.tensor.shape == [10, 4])
    file.family = "pytorch"
    #expect(try Network(recognising: file).dialect == .official)
  }

  @Test func `kernels get five axes where a dialect wants it, if the groups are known`() throws {
    let bytes = MemoryBytes([UInt8](repeating: 0, count: 4 * 72), location: Location(path: "t"))
    let tensor = OutputTensor(
      name: "", try Tensor(.float32, shape: [4, 2, 3, 3], in: bytes, name: "t"))
    let role = Role.block(path: "stage0", .kernel(.dense))
    #expect(try Dialect.baseCls.output(tensor, as: role, groups: 2)?.shape == [2, 2, 2, 3, 3])
    #expect(try Dialect.baseCls.output(tensor, as: role, groups: 1)?.shape == [4, 2, 3, 3])
    #expect(throws: NamingError.self) { try Dialect.baseCls.output(tensor, as: role, groups: nil) }
    #expect(try Dialect.official.output(tensor, as: role, groups: nil)?.shape == [4, 2, 3, 3])
    #expect(throws: NamingError.self) {
      try Dialect.objax.output(
        tensor, as: .block(path: "stage0", .squeeze(.beforeActivation, .weight)), groups: 1)
    }
  }

  @Test func `a user's table is parsed like ours, and mistakes are found by line`() throws {
    let text = Dialect.timm.text.replacing("timm", with: "mine").replacing("stem", with: "entry")
    let mine = try Dialect(text: text, place: "mine.dialect")
    #expect(mine.name == "mine")
    let entries = block("stage0", mine) + block("stage1.0", mine)
    #expect(
      try Network(recognising: checkpoint(["": entries]), dialects: [mine] + Dialect.all).dialect
        == mine)
    for (change, line, reason) in [
      ("epsilon: 1e-5\n", nil, "'epsilon' is missing"),
      ("epsilon: tiny\n", 4, "'epsilon' is a number of at least 0, not 'tiny'"),
      ("epsilon: 1e-5\nepsilon: 1e-5\n", 5, "'epsilon' is there twice"),
      ("epsilon: 1e-5\ncolour: red\n", 5, "'colour' is no key of a dialect"),
      ("epsilon: 1e-5\nnonsense\n", 5, "expected 'key: value', found 'nonsense'"),
      (
        "epsilon: 1e-5\nkernel layout: IOHW\n", 5,
        "'kernel layout' is one of OIHW, HWIO, GOIHW, not 'IOHW'"
      ),
      (
        "epsilon: 1e-5\nblock: a{s} = b\n", 5,
        "'a{s} = b' does not have the same places on both sides"
      ),
      ("epsilon: 1e-5\nblock: a{ = b\n", 5, "'{' without '}' in 'a{'"),
    ] as [(String, Int?, String)] {
      let broken = text.replacing(
        "epsilon: 1e-5\n", with: change == "epsilon: 1e-5\n" ? "" : change)
      #expect(throws: NamingError.badDialect(place: "mine.dialect", line: line, reason: reason)) {
        try Dialect(text: broken, place: "mine.dialect")
      }
    }
  }
}

@Suite struct TemplateTests {
  @Test(arguments: [
    ("stage{s}.{b} = stages.{s-1}.{b}", "stage3.12", "stages.2.12"),
    ("*.conv = *.convolution", "a.b.conv", "a.b.convolution"),
    ("*.x.* = *-*", "a.x.b.x.c", "a-b.x.c"), ("a = b", "a", "b"),
    ("* = *", "any.thing", "any.thing"),
  ])
  func `names go both ways`(rule: String, first: String, second: String) throws {
    let rule = try Correspondence(rule)
    #expect(rule.forward(first) == second)
    #expect(rule.backward(second) == first)
  }

  @Test(arguments: [
    ("stage{s}.{b} = stages.{s-1}.{b}", "stage0.1"), ("stage{s} = x{s}", "stage"),
    ("stage{s} = x{s}", "stage01"), ("stage{s} = x{s}", "stage1a"), ("{a}.{a} = {a}", "1.2"),
    ("*.x = *", ".x"),
  ])
  func `what does not match stays`(rule: String, name: String) throws {
    #expect(try Correspondence(rule).forward(name) == nil)
  }
}

@Suite struct RenamingTests {
  @Test func `rules change names before anything else`() throws {
    let entries = block("stage0").map {
      ("deep.net." + $0.0.replacing("rbr_dense", with: "main"), $0.1)
    }
    let rules = try ["deep.net.*main.*=*rbr_dense.*", "deep.net.*=*"].map(Correspondence.init)
    let network = try Network(recognising: checkpoint(["": entries]), renames: rules)
    #expect(network.blocks.map(\.path) == ["stage0"])
    #expect(network.parameters.count == 17)
    #expect(network.notes.contains("renamed 17 tensors by rule"))
  }

  @Test func `a rule that matches nothing is an error`() throws {
    let rules = try ["nothing.*=*"].map(Correspondence.init)
    #expect {
      try Network(recognising: checkpoint(["": block("stage0")]), renames: rules)
    } throws: {
      String(describing: $0) == """
        the rule 'nothing.*=*': it matches no name, or an earlier rule matches all that it would.
          Rules are as in 'encoder.*=*' or 'layer{s}.{b}.*=stage{s}.{b}.*'.
        """
    }
  }

  @Test func `rules that make two names one are an error`() throws {
    let rules = try ["stage1.*=stage0.*"].map(Correspondence.init)
    #expect {
      try Network(recognising: checkpoint(["": block("stage0") + block("stage1")]), renames: rules)
    } throws: {
      String(describing: $0) == """
        t.pth: by the rules, 'stage0.rbr_dense.conv.weight' and 'stage1.rbr_dense.conv.weight' are both \
        called 'stage0.rbr_dense.conv.weight'.
          Change the rules so that every tensor keeps a name of its own.
        """
    }
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
      recognising: checkpoint([
        "": prefixed("module.model.", block("1") + block("2") + [("head.weight", [4, 4] as Shape)])
      ]))
    #expect(network.prefix == "module.")
    #expect(network.blocks.map(\.path) == ["model.1", "model.2"])
  }

  @Test func `compiled parts inside names come off`() throws {
    let entries =
      prefixed("backbone._orig_mod.", block("stage0")) + [("head.weight", [4, 4] as Shape)]
    let network = try Network(recognising: checkpoint(["": entries]))
    #expect(network.blocks.map(\.path) == ["backbone.stage0"])
  }

  @Test func `the counter of an averaged model is set aside`() throws {
    let network = try Network(
      recognising: checkpoint([
        "": [("n_averaged", [] as Shape)] + prefixed("module.", block("stage0"))
      ]))
    #expect(network.counters == ["n_averaged"])
    #expect(network.prefix == "module.")
  }

  @Test func `names that collide without their wrapper are an error`() throws {
    let entries = block("stage0") + prefixed("_orig_mod.", block("stage0"))
    #expect(
      throws: NamingError.collision(
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
    #expect(
      throws: NamingError.ambiguous(
        path: "t.pth", candidates: ["model (17 tensors)", "model_ema (17 tensors)"])
    ) { try Network(recognising: file) }
    #expect(
      throws: NamingError.noSuchKey(
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

  @Test(
    arguments: [
      ("stage0.rbr_dense.bn.weight", [2, 2]), ("stage0.rbr_dense.bn.weight", []),
      ("stage0.rbr_dense.bn.weight", [0]), ("stage0.rbr_dense.conv.weight", [4, 4, 3]),
      ("stage0.rbr_1x1.conv.weight", [4, 4]), ("stage0.rbr_dense.conv.weight", [4, 0, 3, 3]),
    ] as [(String, Shape)])
  func `a tensor that cannot be what its name says is an error`(name: String, shape: Shape) {
    #expect { try network([name: shape]) } throws: { error in
      if case .misfit(_, name, _, "float32 \(shape)")? = error as? NamingError {
        true
      } else {
        false
      }
    }
  }

  @Test func `parameters that no RepVGG block has are reported with the nearest`() throws {
    let entries = block("stage0") + [("stage0.rbr_dense.bn.runing_var", [4] as Shape)]
    let network = try Network(recognising: checkpoint(["": entries]))
    #expect(
      throws: NamingError.unknownInBlock(
        path: "t.pth", block: "stage0", names: ["stage0.rbr_dense.bn.runing_var"],
        known: ["rbr_dense.bn.running_var", "rbr_dense.bn.running_mean", "rbr_1x1.bn.running_var"])
    ) { try network.requireKnownBlocks() }
  }

  @Test func `parameters come in the official order, blocks by number`() throws {
    let entries =
      classifier(.official).reversed() + block("stage1.10").reversed() + block("stage1.2")
      + block("stage0")
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
    ("stage1.2", "stage1.10"), ("stage0", "stage1.0"),
    ("stage3_first.blocks.11", "stage3_second.blocks.0"),
    ("a", "a.b"), ("2", "a"), ("x09", "x10"), ("", "a"),
  ])
  func `numbers are compared as numbers`(first: String, second: String) {
    #expect(naturallyPrecedes(first, second))
    #expect(!naturallyPrecedes(second, first))
  }

  @Test func `the nearest names come first, and strangers not at all`() {
    #expect(
      nearestNames(
        to: "RepVGG-A0", in: ["RepVGG-B3", "RepVGG-A1", "ResNet-50", "RepVGG-A0x"], limit: 2)
        == ["RepVGG-A0x", "RepVGG-A1"])
    #expect(nearestNames(to: "abc", in: ["something else"]) == [])
  }
}
