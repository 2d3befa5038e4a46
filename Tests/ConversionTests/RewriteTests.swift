import Blocks
import Checkpoints
import Foundation
import Graphs
import Naming
import RVD
import Tensors
import TestSupport
import Testing

@testable import Conversion

@Suite struct RewriteTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  func digest(_ file: String, _ change: (inout FuseOptions) -> Void = { _ in }) throws -> String? {
    var options = FuseOptions()
    options.writing.replace = true
    change(&options)
    return try fuse(file, to: folder.file("digest.rvd"), options: options).output.contentDigest
  }

  func options(names: Dialect) -> RewriteOptions {
    var options = RewriteOptions()
    options.writing.names = names
    options.writing.replace = true
    return options
  }

  /// Shapes differ between dialects as well: grouped kernels, HWIO, transposed classifiers, vectors.
  @Test(
    arguments: Dialect.all.filter { $0.family == .repVGG && $0.root != nil },
    ["plain", "g2", "g4", "se", "plus"])
  func `a network is the same under the names and shapes of any dialect`(
    dialect: Dialect, model: String
  ) throws {
    let source = Fixtures.path("PyTorch/\(model)-train.pth")
    let placement = ["se": Placement.beforeActivation, "plus": .afterActivation][model]
    let squeeze = placement.map { ParameterAddress(.squeeze($0), .weight) }
    let place: Name = model == "plus" ? "stage1.blocks.0" : "stage0"
    if let squeeze, dialect.name(of: .block(BlockAddress(.repVGG, place), squeeze)) == nil {
      #expect(throws: NamingError.self) {
        try rewrite(source, to: folder.file("x.pth"), options: options(names: dialect))
      }
      return
    }
    let report = try rewrite(source, to: folder.file("x.pth"), options: options(names: dialect))
    #expect(report.mapping.names == dialect.name)
    #expect(try digest(folder.file("x.pth")) { $0.epsilon = 1e-5 } == digest(source))
    // And back, to the bit.
    var back = options(names: .official)
    back.channels = .keep
    _ = try rewrite(source, to: folder.file("a.pth"), options: back)
    _ = try rewrite(folder.file("x.pth"), to: folder.file("b.pth"), options: back)
    let (a, b) = (
      try #require(openCheckpoint(folder.file("a.pth")).stateDicts.first),
      try #require(openCheckpoint(folder.file("b.pth")).stateDicts.first)
    )
    let keptNames = Set(b.tensors.map(\.name))
    #expect(
      a.tensors.filter { !keptNames.contains($0.name) }.allSatisfy {
        dialect.parts[.batchesTracked] == nil && $0.name.hasSuffix("num_batches_tracked")
      })
    for named in b.tensors {
      let original = try #require(a.tensors.first { $0.name == named.name })
      #expect(named.tensor.shape == original.tensor.shape)
      #expect(try named.tensor.bytes() == original.tensor.bytes(), "\(named.name)")
    }
  }

  @Test func `shapes are those of the projects`() throws {
    func shapes(_ dialect: Dialect) throws -> [Name: [Int]] {
      let source = Fixtures.path("PyTorch/g2-train.pth")
      let report = try rewrite(source, to: folder.file("x.pth"), options: options(names: dialect))
      return Dictionary(
        uniqueKeysWithValues: report.mapping.renamings.map { ($0.to, $0.toShape.dimensions) })
    }
    let basecls = try shapes(.baseCls)
    #expect(basecls["stage1.1.rbr_dense.conv.weight"] == [2, 8, 8, 3, 3])
    #expect(basecls["stage1.0.rbr_dense.conv.weight"] == [16, 16, 3, 3])
    let keras = try shapes(.keras)
    #expect(keras["stage1_1_rbr_dense_conv.kernel"] == [3, 3, 8, 16])
    #expect(keras["linear.kernel"] == [64, 10])
    let objax = try shapes(.objax)
    #expect(
      objax["(RepVGG).stage0(RepVGGBlock).rbr_dense(Sequential)[1](BatchNorm2D).gamma"] == [
        1, 16, 1, 1,
      ])
    #expect(try shapes(.paddleClas)["linear.weight"] == [64, 10])
  }

  /// Not of PaddleClas, whose deploy names are the official ones: only Paddle's files tell that the
  /// classifier is transposed.
  @Test(
    arguments: Dialect.all.filter { $0.family == .repVGG && $0.root != nil && $0 != .paddleClas })
  func `fused kernels can be written in any dialect's shapes`(dialect: Dialect) throws {
    let source = Fixtures.path("PyTorch/g4-train.pth")
    var fuseOptions = FuseOptions()
    fuseOptions.writing.names = dialect
    _ = try fuse(source, to: folder.file("deploy.pth"), options: fuseOptions)
    let report = try rewrite(folder.file("deploy.pth"), to: folder.file("deploy.rvd"))
    #expect(report.mapping.dialect == dialect.name)
    #expect(try report.output.contentDigest == digest(source))
  }

  @Test func `deploy files are exported between formats, and keep where they came from`() throws {
    let source = Fixtures.path("PyTorch/plus-train.pth")
    let fused = try fuse(source, to: folder.file("a.rvd"))
    _ = try rewrite(folder.file("a.rvd"), to: folder.file("b.pth"))
    let back = try rewrite(folder.file("b.pth"), to: folder.file("c.rvd"))
    #expect(back.output.contentDigest == fused.output.contentDigest)
    _ = try rewrite(folder.file("a.rvd"), to: folder.file("d.rvd"))
    #expect(try folder.read("a.rvd") == folder.read("d.rvd"))
    let (a, c) = (
      try RVDFile.open(path: folder.file("a.rvd")), try RVDFile.open(path: folder.file("c.rvd"))
    )
    #expect(a.model.graph == c.model.graph && a.model.graph != nil)
  }

  /// No RepVGG, and none of its names is known.
  static let otherNetwork = Fixtures.vectorPath("chain")

  @Test(arguments: OutputFormat.all.filter { $0.isReadable && !$0.isGraph })
  func `a network of unknown names that is described is written in any format`(
    format: OutputFormat
  ) throws {
    let file = folder.file("x" + format.fileExtension)
    let report = try rewrite(Self.otherNetwork, to: file)
    #expect(report.mapping.dialect == nil && report.mapping.renamedCount == 0)
    #expect(report.channelOrder == .rgb && report.source.dialect == nil)
    let original = try openCheckpoint(Self.otherNetwork).stateDicts[0].tensors
    let written = try openCheckpoint(file).stateDicts[0].tensors
    #expect(Set(written.map(\.name)) == Set(original.map(\.name)))
    for named in original {
      let tensor = try #require(written.first { $0.name == named.name }).tensor
      #expect(try tensor.doubles() == named.tensor.doubles())
      if format.fileExtension != ".wts" { #expect(tensor.shape == named.tensor.shape) }
    }
  }

  @Test func `what is said of a network of unknown names goes on to be said`() throws {
    let report = try rewrite(Self.otherNetwork, to: folder.file("a.rvd"))
    let (original, copy) = (
      try RVDFile.open(path: Self.otherNetwork), try RVDFile.open(path: folder.file("a.rvd"))
    )
    #expect(copy.model == original.model && report.output.contentDigest == copy.model.contentSHA256)
    #expect(try folder.read("a.rvd") == Array(Data(contentsOf: URL(filePath: Self.otherNetwork))))

    var options = RewriteOptions()
    options.channels = .bgr
    #expect(throws: ConversionError.self) {
      try rewrite(Self.otherNetwork, to: folder.file("b.rvd"), options: options)
    }
    // Without a description the names say nothing.
    _ = try rewrite(Self.otherNetwork, to: folder.file("x.npz"))
    #expect(throws: NamingError.self) {
      try rewrite(folder.file("x.npz"), to: folder.file("y.h5"))
    }
  }

  /// A RepVGG whose graph is not the usual one: it is kept, whatever the order of the tensors.
  @Test func `the graph of a file is kept as it is`() throws {
    _ = try fuse(Fixtures.path("PyTorch/se-train.pth"), to: folder.file("usual.rvd"))
    var model = try RVDFile.open(path: folder.file("usual.rvd")).deployModel
    let relu = try #require(model.description.graph?.nodes.firstIndex { $0.kind == .relu })
    model.description.graph?.nodes[relu].kind = .silu
    let count = model.tensors.count
    model.tensors.reverse()
    model.description.graph = model.description.graph?.renumbered { count - 1 - $0 }
    let file = try OutputFile(path: folder.file("unusual.rvd"), replace: false)
    let summary = try RVDWriter.write(model, to: file)
    try file.commit()

    let report = try rewrite(folder.file("unusual.rvd"), to: folder.file("again.rvd"))
    #expect(report.output.contentDigest == summary.contentSHA256)
    let again = try RVDFile.open(path: folder.file("again.rvd"))
    #expect(again.model.graph?.nodes[relu].kind == .silu)
    let usual = try RVDFile.open(path: folder.file("usual.rvd"))
    #expect(again.tensors.map(\.name) == usual.tensors.map(\.name))
    #expect(again.model.graph?.nodes.map(\.operands) == usual.model.graph?.nodes.map(\.operands))
  }

  @Test(
    arguments: OutputFormat.all.filter { $0.isReadable && !$0.isGraph },
    ["plain", "g2", "se", "plus"])
  func `a deploy network is the same in every format`(format: OutputFormat, model: String) throws {
    let source = Fixtures.path("PyTorch/\(model)-train.pth")
    let right = try digest(source)
    let file = folder.file("x" + format.fileExtension)
    _ = try fuse(source, to: file)
    #expect(try openCheckpoint(file).family.isEmpty == false)
    var options = RewriteOptions()
    options.writing.replace = true
    #expect(
      try rewrite(file, to: folder.file("back.rvd"), options: options).output.contentDigest == right
    )
    // Exported rather than fused, and over a second format.
    _ = try rewrite(file, to: folder.file("y.safetensors"), options: options)
    _ = try rewrite(folder.file("y.safetensors"), to: file, options: options)
    #expect(
      try rewrite(file, to: folder.file("back.rvd"), options: options).output.contentDigest == right
    )
  }

  @Test(arguments: OutputFormat.all.filter { !$0.isForDeploy }, ["plain", "g4", "se", "plus"])
  func `a training checkpoint is the same in every format`(
    format: OutputFormat, model: String
  ) throws {
    let source = Fixtures.path("PyTorch/\(model)-train.pth")
    let file = folder.file("x" + format.fileExtension)
    let report = try rewrite(source, to: file)
    #expect(report.mapping.names == format.names.name)
    #expect(try digest(file) == digest(source))
  }

  @Test func `a training checkpoint is not exported as a deploy model`() throws {
    #expect(throws: ConversionError.self) {
      try rewrite(Fixtures.path("PyTorch/plain-train.pth"), to: folder.file("a.rvd"))
    }
    #expect(try folder.names() == [])
  }

  /// Of a file, under names, in a format: what is said to get lost.
  @Test(
    arguments: [
      ("PyTorch/plain-train.pth", "official", "a.pth", []),
      ("PyTorch/plain-train.pth", "timm", "a.safetensors", []),
      (
        "PyTorch/plain-train.pth", "keras", "a.h5",
        [
          "BatchNorm's epsilon, 1e-05, cannot be stored in the output, and files with names of keras are taken to have 0.001"
        ]
      ),
      ("HDF5/plain-keras3.keras", "official", "a.pth", []),
      (
        "HDF5/plain-keras3.keras", "keras", "a.h5",
        [
          "BatchNorm's epsilon, 1e-05, cannot be stored in the output, and files with names of keras are taken to have 0.001"
        ]
      ),
      (
        "HDF5/plain-keras3.weights.h5", "official", "a.npz",
        [
          "BatchNorm's epsilon, 0.001, cannot be stored in the output, and files with names of official are taken to have 1e-05"
        ]
      ),
      ("HDF5/plain-keras3.weights.h5", "keras", "a.npz", []),
      ("deploy.rvd", "official", "a.rvd", []),
      (
        "deploy.rvd", "timm", "a.pth",
        ["left out, which PyTorch zip has no place for: graph"]
      ),
      (
        "deploy.rvd", "timm", "a.safetensors",
        ["left out, which safetensors has no place for: graph"]
      ),
      (
        "deploy.rvd", "timm", "a.npz",
        ["left out, which NumPy archive has no place for: graph, input, origin"]
      ),
      (
        "deploy.rvd", "official", "a.wts",
        [
          "left out, which TensorRT .wts text has no place for: graph, input, origin",
          "TensorRT .wts text has no place for shapes and types: every tensor becomes a list of float32",
        ]
      ),
    ] as [(String, String, String, [String])])
  func `what the output cannot carry is said`(
    input: String, names: String, output: String, expected: [String]
  ) throws {
    var source = Fixtures.path(input)
    if input == "deploy.rvd" {
      source = folder.file(input)
      _ = try fuse(Fixtures.path("PyTorch/plain-train.pth"), to: source)
    }
    let report = try rewrite(
      source, to: folder.file(output), options: options(names: try #require(Dialect.named(names))))
    #expect(report.notes.map(\.description) == expected)
  }

  @Test func `epsilons that differ from module to module are not one that can be given`() throws {
    var options = options(names: .keras)
    options.isDryRun = true
    options.reading.renames = try [
      "stem.*=stage0_rbr_dense_conv.*", "stem_norm.*=stage0_rbr_dense_bn.*",
      "backbone.conv.*=stage1_0_rbr_dense_conv.*", "backbone.norm.*=stage1_0_rbr_dense_bn.*",
    ].map(Correspondence.init)
    let path = Fixtures.path("KerasFiles/network.keras")
    let report = try rewrite(path, to: folder.file("a.h5"), options: options)
    #expect(
      report.notes.contains(
        .epsilonLeftOut([2e-05, 0.001], names: "keras", standFor: 0.001)), "\(report.notes)")
  }

  @Test func `a dry run writes nothing`() throws {
    var options = options(names: .timm)
    options.isDryRun = true
    let report = try rewrite(
      Fixtures.path("MegEngine/g2-renamed.pkl"), to: folder.file("a.pth"), options: options)
    #expect(report.output.byteCount == nil)
    #expect(
      report.mapping.renamings.first { $0.from == "stage1.1.dense.conv.weight" }
        == Renaming(
          from: "stage1.1.dense.conv.weight", fromShape: [2, 8, 8, 3, 3],
          to: "stages.0.1.conv_kxk.conv.weight", toShape: [16, 8, 3, 3]))
    #expect(try folder.names() == [])

    var fusing = FuseOptions()
    fusing.isDryRun = true
    let fused = try fuse(
      Fixtures.path("MegEngine/g2-renamed.pkl"), to: folder.file("a.rvd"), options: fusing)
    #expect(fused.mapping.renamings.count == 18 && fused.output.byteCount == nil)
    #expect(fused.mapping.renamings[0].from == "stage0.dense.conv.weight")
    #expect(fused.mapping.renamings[0].to == "stage0.rbr_reparam.weight")
    #expect(try folder.names() == [])
  }

  @Test(arguments: [1, 2, 7])
  func `the same bytes are written by any number of threads`(threads: Int) throws {
    for output in ["x.rvd", "x.pth"] {
      var options = FuseOptions()
      _ = try fuse(
        Fixtures.path("PyTorch/plus-train.pth"), to: folder.file("all-\(output)"), options: options)
      options.writing.threads = Threads(threads)
      _ = try fuse(
        Fixtures.path("PyTorch/plus-train.pth"), to: folder.file("some-\(output)"), options: options
      )
      #expect(try folder.read("all-\(output)") == folder.read("some-\(output)"))
    }
  }
}
