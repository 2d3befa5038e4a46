import Blocks
import Checkpoints
import Tensors
import TestSupport
import Testing

@testable import Naming

/// A convolution and its BatchNorm, as Ultralytics calls them.
private func convBN(
  _ path: String, _ shape: Shape, norm: String = "bn"
) -> [(Name, Shape)] {
  [("\(path).conv.weight", shape)]
    + ["weight", "bias", "running_mean", "running_var"].map {
      ("\(path).\(norm).\($0)", [shape[0]])
    }
}

/// The branches of a RepConv.
private func repConv(_ path: Name) -> [(Name, Shape)] {
  convBN("\(path).conv1", [4, 4, 3, 3]) + convBN("\(path).conv2", [4, 4, 1, 1])
}

extension Checkpoint {
  /// With classes of modules.
  fileprivate func with(_ classes: [Name: String]) -> Checkpoint {
    var result = self
    for index in result.stateDicts.indices {
      result.stateDicts[index].modules = classes.mapValues { ModuleAttributes(className: $0) }
    }
    return result
  }
}

/// Names that other layers have as well: `conv1` and `conv2` are branches in one project, and one after
/// the other in most.
@Suite struct SharedNamesTests {
  /// What all files here have, so that they are of the project.
  let others = repConv("model.1") + convBN("model.0.cv1", [4, 3, 3, 3])

  func paths(_ file: Checkpoint, _ family: BlockFamily) throws -> [Name] {
    try Network(recognising: file).blocks.filter { $0.family == family }.map(\.path)
  }

  @Test(
    arguments: [
      ("two of 3x3", [4, 4, 3, 3], [4, 4, 3, 3]), ("two of 1x1", [4, 4, 1, 1], [4, 4, 1, 1]),
      ("the other way round", [4, 4, 1, 1], [4, 4, 3, 3]),
      ("other output", [4, 4, 3, 3], [8, 4, 1, 1]), ("other input", [4, 8, 3, 3], [4, 4, 1, 1]),
      ("depthwise after 1x1", [4, 4, 1, 1], [4, 1, 5, 5]),
    ] as [(String, Shape, Shape)])
  func `convolutions in series are no branches, and each is folded`(
    name: String, first: Shape, second: Shape
  ) throws {
    let file = try checkpoint([
      "": others + convBN("model.2.conv1", first) + convBN("model.2.conv2", second)
    ])
    #expect(try paths(file, .repVGG) == ["model.1"])
    #expect(
      try paths(file, .convolutionBatchNorm) == ["model.0.cv1", "model.2.conv1", "model.2.conv2"])
  }

  @Test func `a depthwise 7x7 and 3x3 are a block, and no others`() throws {
    for (large, small, isBlock) in [
      ([4, 1, 7, 7], [4, 1, 3, 3], true), ([4, 4, 7, 7], [4, 4, 3, 3], false),
      ([4, 1, 3, 3], [4, 1, 3, 3], false), ([4, 1, 7, 7], [4, 4, 1, 1], false),
    ] as [(Shape, Shape, Bool)] {
      let file = try checkpoint([
        "": others + convBN("model.2.conv", large) + convBN("model.2.conv1", small)
      ])
      #expect(try paths(file, .repVGGDepthwise) == (isBlock ? ["model.2"] : []))
    }
  }

  @Test func `what a block lacks in part is missing, and no reason to take it for something else`()
    throws
  {
    let whole = repConv("model.2")
    for index in whole.indices {
      var part = whole
      part.remove(at: index)
      let network = try Network(recognising: checkpoint(["": others + part]))
      #expect(network.block(at: "model.2")?.parameters.count == whole.count - 1)
    }
  }

  @Test func `networks of other projects are not taken for one of these`() throws {
    var resNet: [(Name, Shape)] = [("conv1.weight", [4, 3, 7, 7]), ("bn1.weight", [4])]
    var wrapped: [(Name, Shape)] = []
    for block in ["layer1.0", "layer1.1", "layer2.0"] as [Name] {
      resNet += [
        ("\(block).conv1.weight", [4, 4, 3, 3]), ("\(block).bn1.weight", [4]),
        ("\(block).conv2.weight", [4, 4, 1, 1]), ("\(block).bn2.weight", [4]),
      ]
      wrapped += repConv(block)
    }
    // ResNets of torchvision, and ones whose convolutions are modules, in series for all that names tell.
    for entries in [resNet, wrapped] {
      #expect {
        try Network(recognising: checkpoint(["": entries]))
      } throws: {
        if case .noBlocks? = $0 as? NamingError { true } else { false }
      }
    }
    // Other uses of the same words: PP-YOLOE's stem, timm's RepViT.
    let paddle = convBN("stem.conv1", [4, 3, 3, 3]) + convBN("stem.conv2", [4, 4, 3, 3])
    let repViT: [(Name, Shape)] = [
      ("a.token_mixer.conv.c.weight", [4, 1, 3, 3]), ("a.token_mixer.conv1.weight", [4, 1, 1, 1]),
      ("a.token_mixer.conv1.bias", [4]),
    ]
    let file = try checkpoint(["": others + paddle + repViT])
    #expect(try paths(file, .repVGG) == ["model.1"])
    #expect(try paths(file, .repVGGDepthwise) == [])
  }

  @Test func `a module with something beside its convolution and BatchNorm is not folded`() throws {
    let file = try checkpoint([
      "": others + convBN("model.2", [4, 4, 3, 3]) + [("model.2.cv2.weight", [4, 4, 1, 1])]
    ])
    #expect(try paths(file, .convolutionBatchNorm) == ["model.0.cv1"])
  }

  @Test func `a block inside others of the same names gets its own parameters`() throws {
    // As in a ResNet whose convolutions are RepConv, with an identity.
    let norms = ["weight", "bias", "running_mean", "running_var"]
    let inner =
      repConv("model.2.conv1") + norms.map { ("model.2.conv1.bn.\($0)", [4]) }
      + repConv("model.2.conv2")
    let network = try Network(recognising: checkpoint(["": others + inner]))
    #expect(network.block(at: "model.2.conv1")?.hasIdentity == true)
    #expect(network.block(at: "model.2.conv2")?.hasIdentity == false)
    #expect(network.blocks.count == 4 && network.unknownInBlocks.isEmpty)
  }

  @Test func `classes decide where a file says them`() throws {
    let entries = others + repConv("model.2")
    let classes: [Name: String] = [
      "model.1": "ultralytics.nn.modules.conv.RepConv", "model.2": "mine.TwoInSeries",
      "model.0.cv1": "ultralytics.nn.modules.conv.Conv",
      "model.2.conv1": "ultralytics.nn.modules.conv.Conv", "model.2.conv2": "mine.Special",
    ]
    let file = try checkpoint(["": entries]).with(classes)
    #expect(try paths(file, .repVGG) == ["model.1"])
    #expect(try paths(file, .convolutionBatchNorm) == ["model.0.cv1", "model.2.conv1"])
    // Also where parts are missing that names need, the marker among them; below a prefix, too.
    let cut = entries.filter { !$0.0.hasPrefix("model.1.conv2") && !$0.0.contains(".cv1.") }
    let network = try Network(
      recognising: checkpoint(["": prefixed("module.", cut)]).with(
        Dictionary(uniqueKeysWithValues: classes.map { ("module." + $0, $1) })))
    #expect(network.block(at: "model.1")?.parameters.count == 5)
    // Classes of the same names in another project.
    let other = try checkpoint(["": entries]).with(
      classes.mapValues { $0.hasSuffix("RepConv") ? "models.common.RepConvN" : $0 })
    #expect(try Network(recognising: other).dialect == .yolov9)
  }

  @Test func `modules with parts for training only are named`() throws {
    let entries = others + [("model.9.cv4.weight", [4])]
    for (name, expected) in [("DualDDetect", ["DualDDetect"]), ("DDetect", [])] {
      let file = try checkpoint(["": entries]).with([
        "model.1": "models.common.RepConvN", "model.9": "models.yolo.\(name)",
      ])
      #expect(try Network(recognising: file).auxiliaryClasses == expected)
    }
  }

  @Test func `the deploy form is told by the training form`() throws {
    let train = try Network(recognising: checkpoint(["": others + [("model.2.weight", [4])]]))
    var entries: [(Name, Shape)] = []
    for path in ["model.0.cv1", "model.1", "model.2.dfl"] {
      entries += [("\(path).conv.weight", [4, 4, 3, 3]), ("\(path).conv.bias", [4])]
    }
    for prefix in ["", "module.", "net."] as [Name] {
      let file = try checkpoint(["": prefixed(prefix, entries)])
      let deploy = try Network(recognising: file, asFormOf: train)
      let above = prefix == "net." ? prefix : ""
      #expect(
        deploy.blocks.map(\.path) == (["model.0.cv1", "model.1"] as [Name]).map { above + $0 })
      #expect(deploy.blocks.allSatisfy { $0.hasFused && !$0.hasBranches } && deploy.isFused)
    }
    // Saved from below the name that all have.
    let below = try checkpoint(["": entries.map { (Name($0.0.dropFirst(6)), $0.1) }])
    #expect(try Network(recognising: below, asFormOf: train).blocks.map(\.path) == ["0.cv1", "1"])
    #expect(throws: NamingError.self) { try Network(recognising: checkpoint(["": entries])) }
  }
}

/// YOLOv7's heads: layers of one block under several names with its number.
@Suite struct ImplicitDetectTests {
  func head(_ count: Int) -> [(Name, Shape)] {
    (0..<count).flatMap { index in
      [
        ("model.9.m.\(index).weight", [6, 4, 1, 1]), ("model.9.m.\(index).bias", [6]),
        ("model.9.ia.\(index).implicit", [1, 4, 1, 1]),
        ("model.9.im.\(index).implicit", [1, 6, 1, 1]),
      ] as [(Name, Shape)]
    } + [("model.9.anchors", [3, 3, 2])]
  }

  @Test func `each convolution is a block with the numbers of its own`() throws {
    let entries = convBN("model.0", [4, 3, 3, 3]) + head(11)
    let network = try Network(recognising: checkpoint(["": entries]))
    #expect(network.dialect == .yolov7 && network.form == .train)
    let heads = network.blocks.filter { $0.family == .implicitDetect }
    #expect(heads.map(\.path) == (0..<11).map { "model.9.m.\($0)" })
    #expect(heads.allSatisfy { $0.parameters.count == 4 })
    for parameter in network.parameters {
      #expect(network.dialect.name(of: parameter.role) == parameter.originalName)
    }
    #expect(
      network.dialect.name(
        of: role("model.9.m.10", .fused, .bias, .implicitDetect)) == "model.9.m.10.bias")
  }

  @Test func `a head without implicit knowledge is no block, a part of one is`() throws {
    let first = convBN("model.0", [4, 3, 3, 3]) + repSeries
    func heads(_ entries: [(Name, Shape)]) throws -> [Block] {
      try Network(recognising: checkpoint(["": first + entries])).blocks.filter {
        $0.family == .implicitDetect
      }
    }
    #expect(try heads(head(2).filter { !$0.0.contains("implicit") }).isEmpty)
    for part in ["ia.0", "im.0", "m.0.weight"] {
      let found = try heads(head(2).filter { !$0.0.contains(part) })
      #expect(found.count == 2 && found[0].parameters.count == 3, "\(part)")
    }
  }

  @Test func `a head of another class is left as it is`() throws {
    let entries = block("model.1", .yolov7) + head(2)
    for (name, count) in [("IDetect", 2), ("IAuxDetect", 2), ("IKeypoint", 0)] {
      let file = try checkpoint(["": entries]).with(["model.9": "models.yolo.\(name)"])
      #expect(try Network(recognising: file).blocks.count == 1 + count)
    }
  }

  let repSeries: [(Name, Shape)] = block("model.1", .yolov7)

  @Test func `what the project's own fusion leaves behind is not folded again`() throws {
    let convolution: [(Name, Shape)] = [
      ("model.0.conv.weight", [4, 3, 3, 3]), ("model.0.conv.bias", [4]),
      ("model.1.rbr_reparam.weight", [4, 4, 3, 3]), ("model.1.rbr_reparam.bias", [4]),
    ]
    let network = try Network(recognising: checkpoint(["": convolution + head(2)]))
    #expect(network.form == .deploy && network.isFused)
    #expect(network.blocks.filter { $0.family == .implicitDetect }.allSatisfy { $0.hasFused })
  }
}

@Suite struct PreferredStateDictTests {
  @Test func `where a project's own code prefers one, it counts before its equals`() throws {
    let entries = block("model.1", .yolov7)
    for path in ["ema", "ema.module"] as [Name] {
      let file = try checkpoint(["model": entries, path: entries, "optimizer": [("momentum", [4])]])
      let network = try Network(recognising: file)
      #expect(network.stateDict.path == path.parts())
      #expect(network.notes.contains { $0.contains("as the project's own code does") })
      #expect(try Network(recognising: file, key: "model").stateDict.path == ["model"])
    }
    // Also if it is damaged: that is to be seen.
    let cut = try checkpoint(["model": entries, "ema": Array(entries.dropLast(3))])
    #expect(try Network(recognising: cut).stateDict.path == ["ema"])
    let alone = try checkpoint(["ema": entries])
    let notes = try Network(recognising: alone).notes
    #expect(!notes.contains { $0.contains("project's own") })
  }

  @Test func `other projects have no such rule`() throws {
    let file = try checkpoint(["model": block("stage0"), "ema": block("stage0")])
    #expect(
      throws: NamingError.ambiguous(
        path: "t.pth", candidates: ["ema (17 tensors)", "model (17 tensors)"])
    ) { try Network(recognising: file) }
  }
}

@Suite struct SharedNamesTextTests {
  @Test func `mistakes in a table are said`() throws {
    let text = Dialect.yolov7.text.replacing("yolov7", with: "mine")
    #expect(try Dialect(text: text, place: "t").table(of: .implicitDetect)?.isShared == true)
    for (old, new, reason) in [
      ("names: shared", "names: common", "'names' is 'shared' or not there, not 'common'"),
      ("im.{block}.implicit", "im.implicit", "all names of a part have {block}, or none"),
      (
        "fused: rbr_reparam", "fused: rbr_reparam\nbranches: no",
        "'branches' is 'kept' or not there, not 'no'"
      ),
    ] {
      #expect {
        try Dialect(text: text.replacing(old, with: new, maxReplacements: 1), place: "t")
      } throws: {
        guard case .badDialect(_, _, let found)? = $0 as? NamingError else { return false }
        return found == reason
      }
    }
  }
}
