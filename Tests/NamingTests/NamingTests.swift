import Blocks
import Checkpoints
import Tensors
import Testing

@testable import Naming

/// A checkpoint whose tensors have names and shapes, but all bytes in common.
func checkpoint(_ dicts: [Name: [(Name, Shape)]]) throws -> Checkpoint {
  let bytes = MemoryBytes([UInt8](repeating: 0, count: 1 << 16), location: Location(path: "t.pth"))
  let stateDicts = try dicts.sorted { $0.key < $1.key }.map { path, entries in
    StateDict(
      path: path.isEmpty ? [] : path.parts(),
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
func entry(_ role: Role, _ shape: Shape, _ dialect: Dialect) -> [(Name, Shape)] {
  let bytes = MemoryBytes(
    [UInt8](repeating: 0, count: 4 * shape.elementCount), location: Location(path: "t"))
  let tensor = OutputTensor(name: "", try! Tensor(.float32, shape: shape, in: bytes, name: "t"))
  let output = try! dialect.output(tensor, as: role, groups: 1)
  return output.map { [($0.name, $0.shape)] } ?? []
}

/// A parameter of a block.
func role(
  _ path: Name, _ layer: LayerAddress, _ part: Part, _ family: BlockFamily = .repVGG
) -> Role {
  .block(BlockAddress(family, path), ParameterAddress(layer, part))
}

/// A layer, or several with these numbers.
func addresses(of layer: Layer, _ numbers: [Int]) -> [LayerAddress] {
  layer.places.isEmpty
    ? [layer.address]
    : numbers.map { number in LayerAddress(layer.name, numbers: layer.places.map { _ in number }) }
}

/// Where a block can be, as near to a path as its table has it.
func placed(_ path: Name, _ table: BlockTable) -> Name {
  let pattern = table.blocks[0].first.description
  if pattern.contains("*") {
    return Name(
      pattern.replacing("*", with: path.text, maxReplacements: 1).replacing("{i}", with: "0")
        .replacing("{b}", with: "0"))
  }
  guard pattern.hasPrefix("network.") else { return path }
  let numbers = path.text.split { !$0.isNumber }.map(String.init)
  return Name(pattern.replacing("{n}", with: numbers[0]).replacing("{b}", with: numbers.last!))
}

/// The block that takes the image, where a dialect has more families than that of its networks.
func root(_ dialect: Dialect) -> [(Name, Shape)] {
  guard let root = dialect.root, root != "stage0" else { return [] }
  let table = dialect.tables.last { $0.path(ofBlock: root) != nil }!
  return entry(role(root, .fused, .weight, table.family), [4, 4, 3, 3], dialect)
}

/// One block with every layer of the family that a dialect is of, four channels; two of what is counted.
func block(_ path: Name, _ dialect: Dialect = .official) -> [(Name, Shape)] {
  let layers = dialect.family.layers
  return (layers.filter { $0.weightForm != nil } + layers.filter { $0.weightForm == nil }).flatMap {
    layer in
    addresses(of: layer, [0, 1]).flatMap { address in
      layer.parts.filter { $0 != .bias }.flatMap { part in
        let role = role(placed(path, dialect.tables[0]), address, part, dialect.family)
        // Not every project has all that its family can have.
        return dialect.name(of: role) == nil ? [] : entry(role, shape(of: role), dialect)
      }
    }
  }
}

/// The shape that a parameter has inside this program: 4 channels, 2 between squeeze and excite, 10
/// classes.
func shape(of role: Role) -> Shape {
  switch role {
  case .classifier(.bias): return [10]
  case .classifier: return [10, 4]
  case .other: return []
  case .block(let block, let address):
    let name = address.layer.name
    switch (block.family.layer(named: name)!.weightForm, address.part) {
    case (_, .batchesTracked): return []
    case (.matrix, .weight): return [10, 4]
    case (.matrix, _): return [10]
    case (.squeezeExcitation, .weight):
      return name.hasPrefix("squeeze") ? [2, 4, 1, 1] : [4, 2, 1, 1]
    case (.squeezeExcitation, _): return name.hasPrefix("squeeze") ? [2] : [4]
    case (.kernel, .weight):
      if let size = block.family.layer(named: name)!.kernelSize {
        return [4, block.family == .repVGGDepthwise ? 1 : 4, size, size]
      }
      let isSmall = ["pointwise", "scale", "reduce", "residual", "expand"].contains(name)
      return isSmall ? [4, 4, 1, 1] : [4, 4, 3, 3]
    default: return [4]
    }
  }
}

func classifier(_ dialect: Dialect) -> [(Name, Shape)] {
  Part.ofConvolution.flatMap { part in
    dialect.name(of: .classifier(part)) == nil
      ? [] : entry(.classifier(part), shape(of: .classifier(part)), dialect)
  }
}

/// What only files of a dialect have, if there is such a thing.
func marker(_ dialect: Dialect) -> [(Name, Shape)] {
  dialect.markers.first.map { [("a\($0)b", [1])] } ?? []
}

func prefixed(_ prefix: Name, _ entries: [(Name, Shape)]) -> [(Name, Shape)] {
  entries.map { (prefix + $0.0, $0.1) }
}

@Suite struct DialectTests {
  @Test(arguments: Dialect.all.filter { $0.sequence == nil })
  func `every role has one name, and reading it gives the role and the shape back`(
    dialect: Dialect
  ) throws {
    let entries = block("stage0", dialect) + block("stage1.0", dialect) + classifier(dialect)
    #expect(Set(entries.map(\.0)).count == entries.count)
    let network = try Network(
      recognising: checkpoint(["": root(dialect) + entries + marker(dialect)]), dialects: [dialect])
    #expect(
      network.blocks.filter { $0.family == dialect.family }.map(\.path)
        == (["stage0", "stage1.0"] as [Name]).map { placed($0, dialect.tables[0]) })
    let names = Set(entries.map(\.0))
    for parameter in network.parameters where names.contains(parameter.originalName) {
      #expect(dialect.name(of: parameter.role) == parameter.originalName)
      if case .other = parameter.role {
        Issue.record("\(printable(parameter.originalName)) has no role")
      }
      #expect(
        parameter.tensor.shape == shape(of: parameter.role), "\(printable(parameter.originalName))")
    }
  }

  static let blockPaths: [Name] = [
    "stage0", "stage1.0", "stage4.10", "stage1.blocks.3", "stage3_first.blocks.0",
    "stage3_second.blocks.11",
  ]

  /// Everything that networks of a dialect can have.
  static func roles(_ dialect: Dialect) -> [Role] {
    var roles: [Role] = dialect.root == nil ? [] : Part.ofConvolution.map { .classifier($0) }
    if let root = dialect.root, root != "stage0" {
      let table = dialect.tables.last { $0.path(ofBlock: root) != nil }!
      roles += Part.ofConvolution.map { role(root, .fused, $0, table.family) }
    }
    for table in dialect.tables {
      if table.family.isForTrainingOnly && dialect.root == nil { continue }
      // Families that stand beside others have places of their own.
      let place = "\(table.family.name)".lowercased()
      let only = table.blocks.map(\.first.description).filter { !$0.contains { "*{".contains($0) } }
      let paths: [Name] =
        table.family.isForTrainingOnly
        ? ["stage1_aux"]
        : table.family == dialect.family
          ? blockPaths : only.isEmpty ? ["\(place).1", "\(place).2"] : only.map { Name($0) }
      for path in table.family.isForTrainingOnly ? paths : paths.map({ placed($0, table) }) {
        for layer in table.family.allLayers {
          for address in addresses(of: layer, [0, 1, 10]) {
            // In its own place, the deploy convolution has the name of the layer.
            if layer.name == "fused", table.layerInPlace != nil { continue }
            roles += layer.parts.map { role(path, address, $0, table.family) }
          }
        }
      }
    }
    return roles
  }

  /// Projects that have no RepVGGplus, nor names for its blocks.
  static let withoutPlus: Set = [
    "timm", "mmpretrain", "zcls", "objax", "mobileone-timm", "mobileone-mmpretrain",
    "repoptimizers-repvgg", "repoptimizers", "repoptimizers-linear-add",
  ]

  @Test(arguments: Dialect.all.filter { $0.sequence == nil })
  func `whatever a dialect can name goes there and back, in its shapes`(dialect: Dialect) throws {
    var entries: [(Name, Shape)] = []
    var expected: [Name: Role] = [:]
    for role in Self.roles(dialect) {
      let bytes = MemoryBytes([UInt8](repeating: 0, count: 1024), location: Location(path: "t"))
      let tensor = try Tensor(.float32, shape: shape(of: role), in: bytes, name: "t")
      guard dialect.name(of: role) != nil,
        let output = try dialect.output(OutputTensor(name: "", tensor), as: role, groups: 1)
      else { continue }
      #expect(
        expected.updateValue(role, forKey: output.name) == nil, "\(printable(output.name)) twice")
      entries.append((output.name, output.shape))
    }
    entries += marker(dialect)
    let network = try Network(recognising: checkpoint(["": entries]), dialects: [dialect])
    #expect(network.parameters.count == entries.count && network.unknownInBlocks.isEmpty)
    for parameter in network.parameters where expected[parameter.originalName] != nil {
      let role = expected[parameter.originalName]!
      #expect(parameter.role == role, "\(printable(parameter.originalName))")
      #expect(parameter.tensor.shape == shape(of: role), "\(printable(parameter.originalName))")
    }
    let paths =
      Self.withoutPlus.contains(dialect.name) ? Array(Self.blockPaths[..<3]) : Self.blockPaths
    let found = network.blocks.filter { $0.family == dialect.family }
    #expect(Set(found.map(\.path)) == Set(paths.map { placed($0, dialect.tables[0]) }))
    // As many parameters as were given, each in the block it belongs to.
    for block in network.blocks {
      let given = expected.values.count {
        if case .block(block.address, _) = $0 { true } else { false }
      }
      #expect(given > 0 && block.parameters.count == given, "\(block.path)")
    }
    #expect((network[.classifier(.weight)] != nil) == (dialect.classifier != nil))
    #expect(
      (network[role("stage1_aux", "conv", .weight, .auxiliaryHead)] != nil)
        == (dialect.table(of: .auxiliaryHead) != nil && dialect.root != nil))
  }

  /// Names as the projects' code has them, spelled out so that a slip in a table shows: dense kernel
  /// and running variance of the stem, the same of the third block of stage 2, identity's scale there,
  /// deploy kernel, first layer of Squeeze-and-Excitation, classifier.
  static let names: [(String, [Name?])] = [
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
    (
      "yolov6",
      [
        "stage0.rbr_dense.conv.weight", "stage2.2.rbr_1x1.bn.running_var",
        "stage2.2.rbr_identity.weight", "stage2.2.rbr_reparam.weight", "stage2.2.se.down.weight",
        nil,
      ]
    ),
  ]

  /// The same of other families: the first kernel, a statistic, the deploy kernel, of the third block.
  static let namesOfFamilies: [(String, [LayerAddress: Part], [Name])] = [
    (
      "mobileone", ["conv.3": .weight, "skip": .gamma, "scale": .runningVariance, "fused": .bias],
      [
        "stage2.2.rbr_conv.3.conv.weight", "stage2.2.rbr_skip.weight",
        "stage2.2.rbr_scale.bn.running_var", "stage2.2.reparam_conv.bias",
      ]
    ),
    (
      "mobileone-timm",
      ["conv.3": .weight, "skip": .gamma, "scale": .runningVariance, "fused": .bias],
      [
        "stages.1.2.conv_kxk.3.conv.weight", "stages.1.2.identity.weight",
        "stages.1.2.conv_scale.bn.running_var", "stages.1.2.reparam_conv.bias",
      ]
    ),
    (
      "mobileone-mmpretrain",
      ["conv.3": .weight, "skip": .gamma, "scale": .runningVariance, "fused": .bias],
      [
        "backbone.stage2.2.branch_conv_list.3.conv.weight", "backbone.stage2.2.branch_norm.weight",
        "backbone.stage2.2.branch_scale.norm.running_var", "backbone.stage2.2.branch_reparam.bias",
      ]
    ),
    (
      "dbb",
      [
        "origin": .weight, "reduce": .runningMean, "average": .beta, "residual": .weight,
        "inner": .gamma, "outer": .weight, "fused": .weight,
      ],
      [
        "stage2.2.dbb_origin.conv.weight", "stage2.2.dbb_avg.bn.bn.running_mean",
        "stage2.2.dbb_avg.avgbn.bias", "stage2.2.dbb_1x1_kxk.idconv1.weight",
        "stage2.2.dbb_1x1_kxk.bn1.bn.weight", "stage2.2.dbb_1x1_kxk.conv2.weight",
        "stage2.2.dbb_reparam.weight",
      ]
    ),
    ("dbb-hdf5", ["origin": .weight], ["stage2.2.dbb_origin.conv.weight"]),
    (
      "acnet",
      ["square": .weight, "vertical": .runningVariance, "horizontal": .beta, "fused": .bias],
      [
        "stage2.2.square_conv.weight", "stage2.2.ver_bn.running_var", "stage2.2.hor_bn.bias",
        "stage2.2.fused_conv.bias",
      ]
    ),
    (
      "replknet", ["large": .weight, "small": .runningMean, "fused": .weight],
      [
        "stage2.2.lkb_origin.conv.weight", "stage2.2.small_conv.bn.running_mean",
        "stage2.2.lkb_reparam.weight",
      ]
    ),
    (
      "repghost", ["cheap": .weight, "identity": .gamma, "fused": .weight],
      [
        "stage2.2.cheap_operation.0.weight", "stage2.2.fusion_bn.0.weight",
        "stage2.2.cheap_operation.weight",
      ]
    ),
    (
      "repvgg-bn", ["conv": .gamma, "fused": .weight],
      ["stage2.2.rbr_reparam.bn.weight", "stage2.2.rbr_reparam.weight"]
    ),
    (
      "unireplknet",
      [
        "origin": .weight, "dilated.7.2": .weight, "dilated.3.5": .runningVariance, "norm": .gamma,
        "fused": .bias,
      ],
      [
        "stage2.2.dwconv.lk_origin.weight", "stage2.2.dwconv.dil_conv_k7_2.weight",
        "stage2.2.dwconv.dil_bn_k3_5.running_var", "stage2.2.norm.weight",
        "stage2.2.dwconv.lk_origin.bias",
      ]
    ),
    (
      "repvit", ["conv": .weight, "pointwise": .bias, "outer": .gamma, "fused": .weight],
      [
        "stage2.2.token_mixer.0.conv.c.weight", "stage2.2.token_mixer.0.conv1.bias",
        "stage2.2.token_mixer.0.bn.weight", "stage2.2.token_mixer.0.weight",
      ]
    ),
    (
      "repvit-timm", ["conv": .beta, "pointwise": .weight, "outer": .gamma, "fused": .weight],
      [
        "stage2.2.token_mixer.conv.bn.bias", "stage2.2.token_mixer.conv1.weight",
        "stage2.2.token_mixer.bn.weight", "stage2.2.token_mixer.weight",
      ]
    ),
    (
      "repvit-timm-legacy", ["conv": .weight, "pointwise": .gamma, "fused": .weight],
      [
        "stage2.2.token_mixer.conv.c.weight", "stage2.2.token_mixer.conv1.bn.weight",
        "stage2.2.token_mixer.weight",
      ]
    ),
    (
      "yolov7", ["dense": .weight, "pointwise": .beta, "identity": .gamma, "fused": .weight],
      [
        "stage2.2.rbr_dense.0.weight", "stage2.2.rbr_1x1.1.bias", "stage2.2.rbr_identity.weight",
        "stage2.2.rbr_reparam.weight",
      ]
    ),
    (
      "ultralytics", ["dense": .weight, "pointwise": .gamma, "identity": .beta, "fused": .bias],
      [
        "stage2.2.conv1.conv.weight", "stage2.2.conv2.bn.weight", "stage2.2.bn.bias",
        "stage2.2.conv.bias",
      ]
    ),
    (
      "yolov9", ["dense": .gamma, "pointwise": .weight, "fused": .weight],
      ["stage2.2.conv1.bn.weight", "stage2.2.conv2.conv.weight", "stage2.2.conv.weight"]
    ),
    (
      "rtdetr", ["dense": .weight, "pointwise": .runningMean, "fused": .weight],
      [
        "stage2.2.bottlenecks.0.conv1.conv.weight",
        "stage2.2.bottlenecks.0.conv2.norm.running_mean", "stage2.2.bottlenecks.0.conv.weight",
      ]
    ),
    (
      "dfine", ["dense": .gamma, "pointwise": .weight, "fused": .bias],
      [
        "stage2.2.bottlenecks.0.conv1.norm.weight", "stage2.2.bottlenecks.0.conv2.conv.weight",
        "stage2.2.bottlenecks.0.conv.bias",
      ]
    ),
    (
      "fastvit",
      [
        "factor": .value, "norm": .gamma, "conv.0": .weight, "scale": .runningVariance,
        "skip": .beta, "fused": .bias,
      ],
      [
        "stage2.2.token_mixer.layer_scale", "stage2.2.token_mixer.norm.rbr_skip.weight",
        "stage2.2.token_mixer.mixer.rbr_conv.0.conv.weight",
        "stage2.2.token_mixer.mixer.rbr_scale.bn.running_var",
        "stage2.2.token_mixer.mixer.rbr_skip.bias", "stage2.2.token_mixer.reparam_conv.bias",
      ]
    ),
    (
      "fastvit-timm",
      [
        "factor": .value, "norm": .gamma, "conv.0": .weight, "scale": .runningVariance,
        "skip": .beta, "fused": .bias,
      ],
      [
        "stages.2.blocks.2.token_mixer.layer_scale.gamma",
        "stages.2.blocks.2.token_mixer.norm.identity.weight",
        "stages.2.blocks.2.token_mixer.mixer.conv_kxk.0.conv.weight",
        "stages.2.blocks.2.token_mixer.mixer.conv_scale.bn.running_var",
        "stages.2.blocks.2.token_mixer.mixer.identity.bias",
        "stages.2.blocks.2.token_mixer.reparam_conv.bias",
      ]
    ),
    (
      "mobileclip", ["factor": .value, "fused": .weight],
      [
        "image_encoder.model.stage2.2.token_mixer.layer_scale",
        "image_encoder.model.stage2.2.token_mixer.reparam_conv.weight",
      ]
    ),
    (
      "qarepvgg", ["dense": .weight, "pointwise": .weight, "post": .runningMean, "fused": .bias],
      [
        "stage2.2.rbr_dense.conv.weight", "stage2.2.rbr_1x1.weight", "stage2.2.bn.running_mean",
        "stage2.2.rbr_reparam.bias",
      ]
    ),
    (
      "qarepvgg-v1", ["pointwise": .gamma, "identity": .beta, "post": .gamma, "fused": .weight],
      [
        "stage2.2.rbr_1x1.bn.weight", "stage2.2.rbr_identity.bias", "stage2.2.bn.weight",
        "stage2.2.rbr_reparam.weight",
      ]
    ),
    (
      "qarepvgg-first", ["dense": .weight, "pointwise": .weight, "post": .beta],
      ["stage2.2.rbr_dense.weight", "stage2.2.rbr_1x1.weight", "stage2.2.bn.bias"]
    ),
    (
      "yolov6-qarepvgg", ["dense": .gamma, "pointwise": .weight, "post": .gamma, "fused": .weight],
      [
        "stage2.2.rbr_dense.bn.weight", "stage2.2.rbr_1x1.weight", "stage2.2.bn.weight",
        "stage2.2.rbr_reparam.weight",
      ]
    ),
    (
      "super-gradients",
      ["dense": .weight, "pointwise": .gamma, "identity": .runningMean, "fused": .weight],
      [
        "stage2.2.branch_3x3.conv.weight", "stage2.2.branch_1x1.bn.weight",
        "stage2.2.no_conv_branch.running_mean", "stage2.2.rbr_reparam.weight",
      ]
    ),
    (
      "super-gradients-alpha", ["alpha": .value, "dense": .weight, "identity": .gamma],
      ["stage2.2.alpha", "stage2.2.branch_3x3.conv.weight", "stage2.2.no_conv_branch.weight"]
    ),
    (
      "super-gradients-qarepvgg", ["alpha": .value, "pointwise": .bias, "post": .gamma],
      ["stage2.2.alpha", "stage2.2.branch_1x1.bias", "stage2.2.post_bn.weight"]
    ),
    (
      "pp-yoloe",
      ["dense": .weight, "pointwise": .runningVariance, "alpha": .value, "fused": .weight],
      [
        "stage2.2.blocks.0.conv2.conv1.conv.weight", "stage2.2.blocks.0.conv2.conv2.bn._variance",
        "stage2.2.blocks.0.conv2.alpha", "stage2.2.blocks.0.conv2.conv.weight",
      ]
    ),
    (
      "pp-lcnetv3",
      ["conv.3": .weight, "pointwise": .gamma, "identity": .runningMean, "shift": .value],
      [
        "stage2.2.conv_kxk.3.conv.weight", "stage2.2.conv_1x1.bn.weight",
        "stage2.2.identity._mean", "stage2.2.lab.bias",
      ]
    ),
    (
      "repoptimizers-repvgg",
      ["dense": .weight, "pointwise": .gamma, "identity": .beta, "fused": .bias],
      [
        "stage2.2.conv_3x3.weight", "stage2.2.bn_1x1.weight", "stage2.2.bn_identity.bias",
        "stage2.2.conv.bias",
      ]
    ),
    (
      "repoptimizers", ["conv": .runningMean, "fused": .weight],
      ["stage2.2.bn.running_mean", "stage2.2.conv.weight"]
    ),
    (
      "repoptimizers-linear-add",
      [
        "dense factors": .value, "pointwise": .weight, "pointwise factors": .value,
        "identity factors": .value, "post": .gamma,
      ],
      [
        "stage2.2.scale_conv.weight", "stage2.2.conv_1x1.weight", "stage2.2.scale_1x1.weight",
        "stage2.2.scale_identity.weight", "stage2.2.bn.weight",
      ]
    ),
    (
      "yolov6-real-vgg", ["conv": .weight, "fused": .bias],
      ["stage2.2.conv.weight", "stage2.2.conv.bias"]
    ),
    (
      "yolov6-linear-add", ["dense": .weight, "dense factors": .value],
      ["stage2.2.conv.weight", "stage2.2.scale_conv.weight"]
    ),
    (
      "span", ["skip": .weight, "first": .weight, "third": .bias, "fused": .bias],
      [
        "stage2.2.sk.weight", "stage2.2.conv.0.weight", "stage2.2.conv.2.bias",
        "stage2.2.eval_conv.bias",
      ]
    ),
    (
      "ecbsr",
      [
        "conv": .weight, "wide k1": .value, "horizontal scale": .value, "vertical mask": .value,
        "laplacian b0": .value, "activation": .value,
      ],
      [
        "stage2.2.conv3x3.weight", "stage2.2.conv1x1_3x3.k1", "stage2.2.conv1x1_sbx.scale",
        "stage2.2.conv1x1_sby.mask", "stage2.2.conv1x1_lpl.b0", "stage2.2.act.weight",
      ]
    ),
    (
      "orepa",
      [
        "origin": .value, "average conv": .value, "average": .value, "prior conv": .value,
        "prior": .value, "pointwise": .value, "first": .value, "first identity": .value,
        "second": .value, "depthwise": .value, "separable": .value, "vector": .value,
        "norm": .runningVariance, "fused": .weight,
      ],
      [
        "stage2.2.weight_orepa_origin", "stage2.2.weight_orepa_avg_conv",
        "stage2.2.weight_orepa_avg_avg", "stage2.2.weight_orepa_pfir_conv",
        "stage2.2.weight_orepa_prior", "stage2.2.weight_orepa_1x1",
        "stage2.2.weight_orepa_1x1_kxk_idconv1", "stage2.2.id_tensor",
        "stage2.2.weight_orepa_1x1_kxk_conv2", "stage2.2.weight_orepa_gconv_dw",
        "stage2.2.weight_orepa_gconv_pw", "stage2.2.vector", "stage2.2.bn.running_var",
        "stage2.2.orepa_reparam.weight",
      ]
    ),
    (
      "repmlpnet",
      [
        "matrix": .weight, "norm": .gamma, "local.3": .weight, "local.1": .runningMean,
        "expand": .bias,
      ],
      [
        "stage2.2.repmlp_block.fc3.weight", "stage2.2.repmlp_block.fc3_bn.weight",
        "stage2.2.repmlp_block.repconv3.conv.weight",
        "stage2.2.repmlp_block.repconv1.bn.running_mean", "stage2.2.repmlp_block.gp.fc2.bias",
      ]
    ),
    (
      "resrep", ["conv": .runningMean, "compactor": .weight, "mask": .value, "fused": .weight],
      [
        "stage2.2.bn.running_mean", "stage2.2.compactor.pwc.weight", "stage2.2.compactor.mask",
        "stage2.2.conv.weight",
      ]
    ),
    (
      "replknet-deep-bn", ["large": .weight, "fused": .weight],
      ["stage2.2.lkb_origin.conv.weight", "stage2.2.lkb_reparam.weight"]
    ),
  ]

  @Test(arguments: namesOfFamilies)
  func `names of other families are those of the projects`(
    name: String, parts: [LayerAddress: Part], expected: [Name]
  ) throws {
    // Where modules are grouped, only a whole network has names.
    let dialect = try #require(Dialect.named(name))
      .numbered(inRow: (0..<3).map { "network.\($0).0.norm.weight" })
    let path = placed("stage2.2", dialect.tables[0])
    let found = parts.map { dialect.name(of: role(path, $0, $1, dialect.family)) }
    #expect(Set(found) == Set(expected.map(Optional.some)))
  }

  @Test(arguments: names)
  func `the names are those of the projects`(name: String, expected: [Name?]) throws {
    let dialect = try #require(Dialect.named(name))
    let roles: [Role] = [
      role("stage0", "dense", .weight), role("stage2.2", "pointwise", .runningVariance),
      role("stage2.2", "identity", .gamma), role("stage2.2", .fused, .weight),
      role("stage2.2", .squeeze(.beforeActivation), .weight), .classifier(.weight),
    ]
    #expect(roles.map { dialect.name(of: $0) } == expected)
  }

  @Test func `every dialect's names are spelled out above`() {
    let spelled = Self.names.map(\.0) + Self.namesOfFamilies.map(\.0)
    #expect(spelled.sorted() == Dialect.all.map(\.name).sorted())
  }

  /// What FastViT's authors call a tensor in one row of modules, and what timm calls it.
  static let grouped: [(Name, Name)] = [
    ("patch_embed.2.rbr_skip.weight", "stem.2.identity.weight"),
    ("patch_embed.2.rbr_conv.0.conv.weight", "stem.2.conv_kxk.0.conv.weight"),
    (
      "network.0.1.token_mixer.mixer.rbr_conv.0.conv.weight",
      "stages.0.blocks.1.token_mixer.mixer.conv_kxk.0.conv.weight"
    ),
    ("network.0.1.convffn.conv.bn.running_mean", "stages.0.blocks.1.mlp.conv.bn.running_mean"),
    ("network.0.1.layer_scale", "stages.0.blocks.1.layer_scale.gamma"),
    (
      "network.1.proj.0.lkb_origin.conv.weight", "stages.1.downsample.proj.0.large_conv.conv.weight"
    ),
    ("network.1.proj.0.small_conv.bn.bias", "stages.1.downsample.proj.0.small_conv.bn.bias"),
    ("network.1.proj.0.se.fc1.weight", "stages.1.downsample.proj.0.se.fc1.weight"),
    ("network.1.proj.1.rbr_conv.0.bn.weight", "stages.1.downsample.proj.1.conv_kxk.0.bn.weight"),
    ("network.2.0.layer_scale", "stages.1.blocks.0.layer_scale.gamma"),
    ("network.3.0.layer_scale", "stages.2.blocks.0.layer_scale.gamma"),
    ("network.4.pe.weight", "stages.3.pos_emb.pos_enc.weight"),
    ("network.5.0.norm.weight", "stages.3.blocks.0.norm.weight"),
    ("network.5.0.token_mixer.qkv.weight", "stages.3.blocks.0.token_mixer.qkv.weight"),
    ("network.5.0.layer_scale_2", "stages.3.blocks.0.layer_scale_2.gamma"),
    ("network.6.proj.0.lkb_reparam.weight", "stages.4.downsample.proj.0.reparam_conv.weight"),
    ("network.6.proj.1.reparam_conv.weight", "stages.4.downsample.proj.1.reparam_conv.weight"),
    ("network.7.reparam_conv.weight", "stages.4.pos_emb.reparam_conv.weight"),
    ("network.8.0.norm.bias", "stages.4.blocks.0.norm.bias"),
    ("conv_exp.se.reduce.bias", "final_conv.se.fc1.bias"),
    ("conv_exp.rbr_scale.conv.weight", "final_conv.conv_scale.conv.weight"),
  ]

  @Test(arguments: ["", "backbone.", "visual.trunk."])
  func `modules in a row and in groups are the same modules`(prefix: Name) throws {
    // With something beside them, so that the prefix is not that of all.
    let beside = prefix.isEmpty ? [] : [(Name("neck.conv.weight"), Shape([1]))]
    func network(_ names: [Name]) throws -> Network {
      try Network(
        recognising: checkpoint([
          "": prefixed(prefix, names.map { ($0, [4, 1, 1, 1]) }) + beside
        ]))
    }
    let own = try network(Self.grouped.map(\.0))
    let timm = try network(Self.grouped.map(\.1))
    #expect(own.dialect == .fastViT && timm.dialect == .fastViTTimm)
    #expect(Set(own.parameters.map(\.role)) == Set(timm.parameters.map(\.role)))
    for (network, others) in [(own, Dialect.fastViTTimm), (timm, .fastViT)] {
      let names = others.numbered(for: network)
      let expected = Dictionary(
        uniqueKeysWithValues: Self.grouped.map { own, timm in
          others == .fastViT ? (prefix + timm, prefix + own) : (prefix + own, prefix + timm)
        })
      for parameter in network.parameters where parameter.originalName.hasPrefix(prefix) {
        #expect(network.dialect.name(of: parameter.role) == parameter.originalName)
        #expect(names.name(of: parameter.role) == expected[parameter.originalName])
      }
    }
  }

  @Test(arguments: [
    "stages.9223372036854775807.blocks.0.token_mixer.mixer.conv_kxk.0.conv.weight",
    "stages.9223372036854775807.0.conv_kxk.conv.weight",
    "stages.9223372036854775808.0.conv_kxk.conv.weight",
  ])
  func `numbers that are too large are no numbers`(name: Name) throws {
    #expect(throws: NamingError.self) {
      try Network(recognising: checkpoint(["": [(name, [4, 4, 3, 3])]]))
    }
  }

  @Test func `modules with a gap between them get no names in groups`() throws {
    let names: [Name] = ["network.0.0.layer_scale", "network.0.0.token_mixer.layer_scale"]
    let part = names + ["network.2.0.layer_scale", "patch_embed.0.rbr_conv.0.conv.weight"]
    let network = try Network(recognising: checkpoint(["": part.map { ($0, [4, 1, 1, 1]) }]))
    let timm = Dialect.fastViTTimm.numbered(for: network)
    #expect(timm.name(of: .other(name: names[0])) == nil)
    #expect(timm.name(of: .other(name: "other.weight")) == "other.weight")
  }

  @Test(arguments: [
    "network", "network = stages", "network = stages / blocks", "network = stages / / blocks *",
    "network = stages / blocks * / blocks a", "network stages / blocks *",
    "network = stages / blocks * a *",
  ])
  func `a sequence that is none is an error`(text: String) {
    #expect(throws: NamingError.self) {
      try Dialect(
        text: "name: mine\nlike: fastvit\nproject: mine\nsequence: \(text)", place: "mine.dialect")
    }
  }

  @Test func `parts of RepVGGplus have the official names`() {
    #expect(
      Dialect.official.name(of: role("stage1.blocks.0", .excite(.afterActivation), .weight))
        == "stage1.blocks.0.post_se.up.weight")
    #expect(
      Dialect.official.name(of: role("stage1_aux", "classifier", .bias, .auxiliaryHead))
        == "stage1_aux.3.bias")
    #expect(
      Dialect.renamedMegEngine.name(of: role("stage1_aux", "conv", .weight, .auxiliaryHead))
        == "stage1_aux.downsample.conv.weight")
    // timm and mmpretrain have no RepVGGplus: no name is made up that another block could have.
    for dialect in [Dialect.timm, .mmpretrain, .zcls, .objax] {
      #expect(dialect.name(of: role("stage3_first.blocks.0", "dense", .weight)) == nil)
      #expect(dialect.name(of: role("stage3_second.blocks.0", "dense", .weight)) == nil)
    }
  }

  /// Those that are told by more than the names of blocks.
  static let toldByMore: Set = [
    "paddleclas", "yolov6", "dbb-hdf5", "ultralytics", "yolov9", "dfine", "yolov6-qarepvgg",
    "yolov6-real-vgg", "yolov6-linear-add", "pp-lcnetv3",
  ]

  @Test(arguments: Dialect.usual.filter { !toldByMore.contains($0.name) })
  func `a file is read as the dialect that explains most names`(dialect: Dialect) throws {
    let dialect = dialect.numbered(inRow: (0..<2).map { "network.\($0).0.norm.weight" })
    let entries = block("stage0", dialect) + block("stage1.0", dialect) + classifier(dialect)
    #expect(try Network(recognising: checkpoint(["": entries])).dialect == dialect)
  }

  @Test func `deploy files of alike dialects are told apart by their container`() throws {
    let entries =
      entry(role("stage0", .fused, .weight), [4, 3, 3, 3], .paddleClas)
      + entry(role("stage0", .fused, .bias), [4], .paddleClas) + classifier(.paddleClas)
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
    let kernel = role("stage0", "dense", .weight)
    #expect(try Dialect.baseCls.output(tensor, as: kernel, groups: 2)?.shape == [2, 2, 2, 3, 3])
    #expect(try Dialect.baseCls.output(tensor, as: kernel, groups: 1)?.shape == [4, 2, 3, 3])
    #expect(throws: NamingError.self) {
      try Dialect.baseCls.output(tensor, as: kernel, groups: nil)
    }
    #expect(try Dialect.official.output(tensor, as: kernel, groups: nil)?.shape == [4, 2, 3, 3])
    #expect(throws: NamingError.self) {
      try Dialect.objax.output(
        tensor, as: role("stage0", .squeeze(.beforeActivation), .weight), groups: 1)
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
      (
        "epsilon: 1e-5\ncolour: red\n", 5,
        "'colour' is not a key that stands before the first 'family'"
      ),
      ("epsilon: 1e-5\nnonsense\n", 5, "expected 'key: value', found 'nonsense'"),
      (
        "epsilon: 1e-5\nkernel layout: IOHW\n", 5,
        "'kernel layout' is one of OIHW, HWIO, GOIHW, not 'IOHW'"
      ),
      ("epsilon: 1e-5\nlike: nobody\n", 5, "there is no dialect 'nobody' to be like"),
      (
        "epsilon: 1e-5\nblock: a = b\n", 5,
        "'block' is not a key that stands before the first 'family'"
      ),
    ] as [(String, Int?, String)] {
      let broken = text.replacing(
        "epsilon: 1e-5\n", with: change == "epsilon: 1e-5\n" ? "" : change)
      #expect(throws: NamingError.badDialect(place: "mine.dialect", line: line, reason: reason)) {
        try Dialect(text: broken, place: "mine.dialect")
      }
    }
    let line = text.split(separator: "\n").firstIndex(of: "family: RepVGG")! + 1
    for (change, offset, reason) in [
      (
        "family: RepVGG\nblock: a{s} = b\n", 1,
        "'a{s} = b' does not have the same places on both sides"
      ),
      ("family: RepVGG\nblock: a{ = b\n", 1, "'{' without '}' in 'a{'"),
      (
        "family: RepVGG\nconv batchnorm: x\n", 1,
        "'conv batchnorm' is not a key of the part on RepVGG"
      ),
      ("family: RepVGG\nkeeping: a}\n", 1, "'}' without '{' in 'a}'"),
      ("family: RepVGG\ngroups: none\n", 1, "'groups' is a number of at least 1, not 'none'"),
      (
        "family: ResNet\n", 0,
        "'family' is one of \(BlockFamily.all.map(\.name).joined(separator: ", ")), not 'ResNet'"
      ),
    ] {
      let broken = text.replacing("family: RepVGG\n", with: change)
      #expect(
        throws: NamingError.badDialect(place: "mine.dialect", line: line + offset, reason: reason)
      ) { try Dialect(text: broken, place: "mine.dialect") }
    }
  }

  @Test func `a table that differs little from another says only what differs`() throws {
    let text = """
      name: mine
      like: timm
      project: My own
      epsilon: 1e-3
      family: RepVGG
      squeeze before:
      excite before:
      block: stage0 = first
      """
    let mine = try Dialect(text: text, place: "mine.dialect")
    #expect(mine.epsilon == 1e-3 && mine.classifier == Dialect.timm.classifier)
    #expect(mine.name(of: role("stage0", "dense", .gamma)) == "first.conv_kxk.bn.weight")
    // Lines that may stand several times are replaced together.
    #expect(mine.name(of: role("stage1.0", "dense", .gamma)) == nil)
    #expect(mine.name(of: role("stage0", .squeeze(.beforeActivation), .weight)) == nil)
  }
}

@Suite struct TemplateTests {
  @Test(arguments: [
    ("stage{s}.{b} = stages.{s-1}.{b}", "stage3.12", "stages.2.12"),
    ("*.conv = *.convolution", "a.b.conv", "a.b.convolution"),
    ("*.x.* = *-*", "a.x.b.x.c", "a-b.x.c"), ("a = b", "a", "b"),
    ("* = *", "any.thing", "any.thing"),
  ])
  func `names go both ways`(rule: String, first: Name, second: Name) throws {
    let rule = try Correspondence(rule)
    #expect(rule.forward(first) == second)
    #expect(rule.backward(second) == first)
  }

  @Test(arguments: [
    ("stage{s}.{b} = stages.{s-1}.{b}", "stage0.1"), ("stage{s} = x{s}", "stage"),
    ("stage{s} = x{s}", "stage01"), ("stage{s} = x{s}", "stage1a"), ("{a}.{a} = {a}", "1.2"),
    ("*.x = *", ".x"),
  ])
  func `what does not match stays`(rule: String, name: Name) throws {
    #expect(try Correspondence(rule).forward(name) == nil)
  }
}

@Suite struct RenamingTests {
  @Test func `rules change names before anything else`() throws {
    let entries = block("stage0").map {
      ("deep.net." + Name($0.0.text.replacing("rbr_dense", with: "main")), $0.1)
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
  func `a prefix that all names share comes off`(prefix: Name, reported: Name) throws {
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
    #expect(network.wrapperCounters == ["n_averaged"])
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
  func network(_ changes: [Name: Shape]) throws -> Network {
    let entries = block("stage0").map { ($0.0, changes[$0.0] ?? $0.1) }
    return try Network(recognising: checkpoint(["": entries]))
  }

  @Test func `BatchNorm and grouped kernels of MegEngine get the shapes of PyTorch`() throws {
    let result = try network([
      "stage0.rbr_dense.bn.weight": [1, 4, 1, 1],
      "stage0.rbr_dense.conv.weight": [2, 2, 2, 3, 3],
    ])
    #expect(result[role("stage0", "dense", .gamma)]?.tensor.shape == [4])
    #expect(result[role("stage0", "dense", .weight)]?.tensor.shape == [4, 2, 3, 3])
  }

  @Test(
    arguments: [
      ("stage0.rbr_dense.bn.weight", [2, 2]), ("stage0.rbr_dense.bn.weight", []),
      ("stage0.rbr_dense.bn.weight", [0]), ("stage0.rbr_dense.conv.weight", [4, 4, 3]),
      ("stage0.rbr_1x1.conv.weight", [4, 4]), ("stage0.rbr_dense.conv.weight", [4, 0, 3, 3]),
    ] as [(Name, Shape)])
  func `a tensor that cannot be what its name says is an error`(name: Name, shape: Shape) {
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
        path: "t.pth", block: "stage0", family: "RepVGG", names: ["stage0.rbr_dense.bn.runing_var"],
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
  func `numbers are compared as numbers`(first: Name, second: Name) {
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
