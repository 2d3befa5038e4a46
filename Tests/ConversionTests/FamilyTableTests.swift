import Blocks
import CheckpointFiles
import Checkpoints
import Conversion
import Foundation
import Inference
import Naming
import Reparameterization
import Tensors
import TestSupport
import Testing

/// Every case under names and in containers that its project does not use, and the table of what was
/// compared.
@Suite struct FamilyTableTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  /// What fusing a file of a case gave, against its project's answer.
  struct Comparison {
    var values = 0
    /// Those that are not the float32 nearest to the answer.
    var unequal = 0
    /// In the answer, and not in the file, or the other way round.
    var strayNames: [String] = []

    init(_ network: FamilyCase, of fused: String, less prefix: String = "") throws {
      let expected = try readNPZ(Fixtures.path("Families/\(network.folder)/fused.npz"))
      let found = try #require(openCheckpoint(fused).stateDicts.first).tensors
      func isCompared(_ name: String) -> Bool {
        (network.only.isEmpty || name.contains(network.only))
          && !(network.unused.map(name.contains) ?? false)
      }
      var missing = Set(expected.keys.filter(isCompared))
      for named in found {
        let isPrefixed = !prefix.isEmpty && named.name.hasPrefix(prefix)
        let name = isPrefixed ? named.name.dropFirst(prefix.count) : named.name.text
        missing.remove(name)
        guard isCompared(name), !name.hasSuffix("num_batches_tracked") else { continue }
        guard let answer = expected[name] else {
          strayNames.append(name)
          continue
        }
        guard named.tensor.elementType == .float32 else { continue }
        let numbers = try named.tensor.doubles()
        guard numbers.count == answer.doubles.count else {
          strayNames.append(name)
          continue
        }
        values += numbers.count
        unequal += zip(numbers, answer.doubles).count { $0 != Double(Float($1)) }
      }
      strayNames += missing
    }
  }

  /// A file of a case with nothing but its tensors, each name with `prefix` in front.
  func copy(_ network: FamilyCase, prefix: String, to name: String) throws -> String {
    let checkpoint = try openCheckpoint(network.path)
    let chosen = try Network(recognising: checkpoint, key: network.key).stateDict
    let tensors = chosen.tensors.map { named in
      let isWrapped = named.name.hasPrefix("module.")
      return OutputTensor(
        name: prefix + named.name.dropFirst(isWrapped ? "module.".count : 0), named.tensor)
    }
    let file = try OutputFile(path: folder.file(name), replace: true)
    if name.hasSuffix(".npz") {
      try NPZWriter.write(tensors, to: file)
    } else {
      try SafetensorsWriter.write(tensors, to: file)
    }
    try file.commit()
    return folder.file(name)
  }

  /// All but those of projects that had other names in one container: nothing else tells them apart.
  static let portable = FamilyCase.all.filter(\.dialect.containers.isEmpty)

  /// What decides where a file has nothing but tensors, since no tensor shows it.
  static let families: [String: BlockFamily] = [
    "repghost/bn-and-identity": .repGhostIdentity,
    "yolov6/block-qarepvgg": .yolov6QARepVGGBlock,
    "yolov6/block-qarepvggv2": .yolov6QARepVGGBlockV2,
    "yolov6/qarepvggv2-stripped": .yolov6QARepVGGBlockV2,
  ]
  /// Where nothing decides then.
  static let undecided = ["super-gradients/qarepvgg-phantom", "super-gradients/qarepvgg-alpha"]

  @Test(arguments: portable, [("module.", "copy.safetensors"), ("backbone.", "copy.npz")])
  func `a foreign prefix and another container change nothing`(
    network: FamilyCase, foreign: (prefix: String, file: String)
  ) throws {
    let path = try copy(network, prefix: foreign.prefix, to: foreign.file)
    var options = FuseOptions()
    options.reading.facts = network.facts
    // Names that are a project's own only below its own prefix may be read as those of another.
    let dialect = try Network(recognising: openCheckpoint(path)).dialect
    if dialect == network.dialect { options.writing.names = network.writtenDialect }
    options.epsilon = network.epsilon
    if let family = Self.families[network.folder] {
      options.reading.dialects = options.reading.dialects.compactMap { $0.taking(family) }
      options.writing.names = nil
    }
    let output = folder.file("fused.npz")
    if Self.undecided.contains(network.folder) {
      #expect {
        try fuse(path, to: output, options: options)
      } throws: {
        if case .undecided? = $0 as? FusionError { true } else { false }
      }
      return
    }
    _ = try fuse(path, to: output, options: options)
    let comparison = try Comparison(network, of: output, less: foreign.prefix)
    #expect(comparison.strayNames == [], "\(foreign)")
    #expect(comparison.unequal == 0 && comparison.values > 0)
  }

  // MARK: The table

  /// What is known of the files of one project's family.
  struct Row {
    var cases: Set<String> = []
    var files = 0
    var values = 0
    var unequal = 0
    var networks = 0
    /// Of the training form in float64, and of the deploy file, relative to the largest output.
    var largest = (train: 0.0, deploy: 0.0)
  }

  @Test func `the table of families is what is compared`() throws {
    var rows: [String: Row] = [:]
    for network in FamilyCase.all {
      let family = network.folder.split(separator: "/")[0]
      let key = "\(family) | \(network.dialect.project)"
      var row = rows[key] ?? Row()
      row.cases.insert(network.folder)
      row.files += 1
      var options = FuseOptions()
      options.writing.names = network.writtenDialect
      options.writing.replace = true
      options.reading = network.reading
      let output = folder.file("fused.npz")
      _ = try fuse(network.path, to: output, options: options)
      let comparison = try Comparison(network, of: output)
      #expect(comparison.strayNames == [], "\(network)")
      row.values += comparison.values
      row.unequal += comparison.unequal
      if let (train, deploy) = try run(network) {
        row.networks += 1
        row.largest = (max(row.largest.train, train), max(row.largest.deploy, deploy))
      }
      rows[key] = row
    }
    func bound(_ value: Double) -> String {
      for (limit, name) in [(1e-12, "1e-12"), (1e-10, "1e-10"), (1e-8, "1e-8"), (1e-6, "1e-6")]
      where value < limit {
        return "< \(name)"
      }
      return "\(value)"
    }
    let header = """
      # What the tests compare

      Made by `FamilyTableTests`, which fails if this is not what it finds; `REPCONV_WRITE_TABLE=1` has it written.
      Values are those of the deploy form, compared with the project's own fusion in float64, rounded to float32.
      Networks are run: the training form in float64, and the deploy file in float64, against what the project's code
      gives in float64; differences are relative to the largest output.

      | family | project | cases | files | values compared | not correctly rounded | networks run | largest difference, training form | deploy file |
      |---|---|---:|---:|---:|---:|---:|---:|---:|

      """
    let lines = rows.sorted { $0.key < $1.key }.map { key, row in
      let differences =
        row.networks == 0 ? "| |" : "| \(bound(row.largest.train)) | \(bound(row.largest.deploy))"
      return "| \(key) | \(row.cases.count) | \(row.files) | \(row.values) | \(row.unequal) "
        + "| \(row.networks) \(differences) |\n"
    }
    let text = header + lines.joined()
    let path = Fixtures.path("Families/TABLE.md")
    if ProcessInfo.processInfo.environment["REPCONV_WRITE_TABLE"] == "1" {
      try Data(text.utf8).write(to: URL(filePath: path))
    }
    #expect(try String(contentsOfFile: path, encoding: .utf8) == text)
    #expect(rows.values.allSatisfy { $0.unequal == 0 })
  }

  /// Runs a case that is known as a whole: the largest differences of its training form, and of its deploy
  /// file, from what the project's code gives; nil if it is not, or there is no answer.
  func run(_ network: FamilyCase) throws -> (train: Double, deploy: Double)? {
    let path = Fixtures.path("Families/\(network.folder)/io.npz")
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    let plan = try network.plan()
    guard case .success = plan.structure else { return nil }
    let arrays = try readNPZ(path)
    let (input, output) = (arrays["input0"]!, arrays["output0"]!.doubles)
    let images = ImageBatch(input.doubles, shape: Shape(input.shape))
    let size = output.map(\.magnitude).max()!
    func difference(_ runnable: RunnableNetwork) throws -> Double {
      let logits = try runnable.run(images).logits.flatMap { $0 }
      try #require(logits.count == output.count)
      return zip(logits, output).map { abs($0 - $1) }.max()! / size
    }
    var options = FuseOptions()
    options.reading = network.reading
    options.writing.replace = true
    _ = try fuse(network.path, to: folder.file("deploy.rvd"), options: options)
    return (
      try difference(RunnableNetwork(plan.network, arithmetic: .float64)),
      try difference(RunnableNetwork.open(path: folder.file("deploy.rvd"), arithmetic: .float64))
    )
  }
}

extension FamilyCase {
  /// The dialect whose names its answer has.
  var writtenDialect: Dialect { dialect == .dbbHDF5 ? .dbb : dialect }
}
