import Checkpoints
import Checksums
import Foundation
import Pickle
import Tensors
import TestSupport
import Testing

@testable import CheckpointFiles

/// Files that MegEngine 1.13 wrote, against sums of the weights that were put in.
@Suite struct MegEngineTests {
  /// The official name of a tensor, as `plain-state.tsv` has it, under another convention.
  enum Names {
    case baseCls, renamed

    func callAsFunction(_ official: String) -> String {
      switch self {
      case .baseCls:
        return official.replacing(/^linear\./) { _ in "head.fc." }
      case .renamed:
        return official.replacing("rbr_1x1", with: "pointwise").replacing(
          "rbr_dense", with: "dense"
        )
        .replacing("rbr_identity", with: "identity")
      }
    }
  }

  struct File: CustomTestStringConvertible, Sendable {
    var name: String
    var names = Names.baseCls
    var path: [Name] = []
    var version = 4
    var hasModules = false
    var hasWideBatchNorm = false
    var testDescription: String { name }
    var model: String { String(name.prefix { $0 != "-" }) }
  }

  static let files = [
    File(name: "plain-basecls.pkl"),
    File(name: "plain-basecls-protocol2.pkl", version: 2),
    File(name: "plain-basecls-protocol3.pkl", version: 3),
    File(name: "plain-basecls-protocol5.pkl", version: 5),
    File(name: "plain-basecls-bn4d.pkl", hasWideBatchNorm: true),
    File(name: "plain-renamed.pkl", names: .renamed),
    File(name: "plain-tensors.pkl"),
    File(name: "plain-training-checkpoint.pkl", path: ["state_dict"]),
    File(name: "plain-whole-module.pkl", hasModules: true, hasWideBatchNorm: true),
    File(name: "plain-bound-method.pkl", hasModules: true, hasWideBatchNorm: true),
    File(name: "g2-basecls.pkl"),
    File(name: "g2-renamed.pkl", names: .renamed),
    File(name: "g2-module-state.pkl"),
    File(name: "g2-whole-module.pkl", hasModules: true, hasWideBatchNorm: true),
    File(name: "g2-bound-method.pkl", hasModules: true, hasWideBatchNorm: true),
  ]

  @Test(arguments: files)
  func `every tensor has its name, shape and bytes, and there are no others`(file: File) throws {
    let checkpoint = try megEngineCheckpoint("MegEngine/\(file.name)")
    #expect(checkpoint.family == "megengine")
    #expect(checkpoint.container == "MegEngine pickle (protocol \(file.version))")
    #expect(checkpoint.stateDicts.map(\.path) == [file.path])
    let stateDict = try #require(checkpoint.stateDicts.first)
    let tensors = Dictionary(uniqueKeysWithValues: stateDict.tensors.map { ($0.name, $0.tensor) })
    let expected = try Fixtures.table("MegEngine/\(file.model)-state.tsv")
    #expect(tensors.count == expected.count)
    for row in expected {
      let name = file.names(row[0])
      let tensor = try #require(tensors[name], "\(name)")
      #expect(tensor.elementType == .float32)
      #expect(tensor.shape.description == shape(of: row, in: file), "\(name)")
      var sum = SHA256()
      sum.update(try tensor.bytes())
      #expect(sum.finalize().hexadecimal == row[2], "\(name)")
    }
  }

  /// The official shape as this file has it: kernels of grouped convolutions with the groups as an axis
  /// of their own, BatchNorm's vectors with axes for broadcasting where the file is so old or a module.
  private func shape(of row: [String], in file: File) -> String {
    let isGrouped = file.model == "g2" && row[0].contains(/^stage[123]\.1\..*conv.weight/)
    if isGrouped {
      let sizes = row[1].split(separator: "x").map { Int($0)! }
      return ([2, sizes[0] / 2] + sizes[1...]).map(String.init).joined(separator: "x")
    }
    let isBatchNorm = row[0].contains("bn.") || row[0].contains("rbr_identity")
    return isBatchNorm && file.hasWideBatchNorm ? "1x\(row[1])x1x1" : row[1]
  }

  @Test func `a module's tensors are in the order of its state_dict()`() throws {
    let module = try megEngineCheckpoint("MegEngine/g2-whole-module.pkl").stateDicts[0]
    let saved = try megEngineCheckpoint("MegEngine/g2-module-state.pkl").stateDicts[0]
    #expect(module.tensors.map(\.name) == saved.tensors.map(\.name))
  }

  @Test(arguments: files.filter(\.hasModules))
  func `modules tell what a state dict does not`(file: File) throws {
    let modules = try megEngineCheckpoint("MegEngine/\(file.name)").stateDicts[0].modules
    let batchNorm = try #require(modules["stage1.1.rbr_identity"])
    #expect(batchNorm.className == "megengine.module.batchnorm.BatchNorm2d")
    #expect(batchNorm.epsilon == 1e-5)
    #expect(batchNorm.stride == nil)
    let convolution = try #require(modules["stage2.0.rbr_dense.conv"])
    #expect(convolution.className == "megengine.module.conv.Conv2d")
    #expect(convolution.stride == [2, 2])
    #expect(convolution.padding == [1, 1])
    #expect(convolution.dilation == [1, 1])
    #expect(convolution.groups == 1)
    #expect(modules["stage1.1.rbr_dense.conv"]?.groups == (file.model == "g2" ? 2 : 1))
    #expect(modules["stage1.1.rbr_dense.conv"]?.stride == [1, 1])
    #expect(modules["stage1.1.rbr_1x1.conv"]?.padding == [0, 0])
    #expect(modules[""]?.className == "__main__.Net")
  }

  @Test func `what is no tensor is listed`() throws {
    let checkpoint = try megEngineCheckpoint("MegEngine/plain-training-checkpoint.pkl")
    #expect(checkpoint.stateDicts.map(\.pathDescription) == ["state_dict"])
    #expect(checkpoint.notes.isEmpty)
  }

  @Test func `a state_dict that was not called is explained`() throws {
    let checkpoint = try megEngineCheckpoint("MegEngine/plain-bound-method.pkl")
    #expect(checkpoint.notes.count == 1)
    #expect(checkpoint.notes[0].contains("without calling state_dict()"))
    #expect(checkpoint.globals.first { $0.name == "builtins.getattr" }?.isExpected == true)
  }

  @Test func `the globals of a state dict are all expected, project classes are not`() throws {
    let saved = try megEngineCheckpoint("MegEngine/plain-basecls.pkl").globals
    #expect(saved.map(\.name) == saved.map(\.name).sorted())
    #expect(saved.filter { !$0.isExpected }.isEmpty)
    #expect(saved.first { $0.name == "numpy.core.multiarray._reconstruct" }?.calls == 94)
    let module = try megEngineCheckpoint("MegEngine/plain-whole-module.pkl").globals
    #expect(
      module.filter { !$0.isExpected }.map(\.name) == [
        "__main__.Block", "__main__.Head", "__main__.Net",
      ])
  }

  @Test func `a pickle of other things is no checkpoint`() {
    let error = #expect(throws: ReadError.self) { try megEngineCheckpoint("Pickle/zoo-4.pkl") }
    guard case .notACheckpoint(_, let what, _)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(what == "the pickle holds no named arrays (its root: dict)")
  }

  @Test func `bytes behind the pickle are noted`() throws {
    let path = FileManager.default.temporaryDirectory
      .appending(path: "trailing-\(UUID().uuidString).pkl")
    defer { try? FileManager.default.removeItem(at: path) }
    try Data(Fixtures.bytes("MegEngine/plain-basecls.pkl") + [1, 2, 3]).write(to: path)
    let file = try InputFile(path: path.path(percentEncoded: false))
    let checkpoint = try MegEngineCheckpoint.read(Unpickler.parse(file), file: file)
    #expect(checkpoint.notes == ["3 bytes follow the end of the pickle; they were not read."])
  }
}
