import Conversion
import Foundation
import Proof
import Tensors
import TestSupport
import Testing

/// ONNX files of real exporters, simplifiers and quantisers, and files that are wrong in one thing, each
/// against its training checkpoint.
@Suite struct ONNXVerifyTests {
  struct Verdict: Sendable, CustomTestStringConvertible {
    /// `fused`; `right`, but branch by branch; `wrong`.
    enum Outcome: String { case fused, right, wrong }
    var file, train: String
    var outcome: Outcome
    var unfused: Int
    var training: [String]
    /// Of all blocks that differ, each once; `none` if none was found.
    var causes: [String]
    var other: Name?

    var testDescription: String { file }

    init(_ cells: [String]) {
      (file, train) = (cells[0], cells[1])
      outcome = Outcome(rawValue: cells[2])!
      unfused = Int(cells[3])!
      training = cells[4].isEmpty ? [] : [cells[4]]
      causes = cells[5].isEmpty ? [] : cells[5].components(separatedBy: "; ")
      other = cells[6].isEmpty ? nil : Name(cells[6])
    }
  }

  static let verdicts: [Verdict] = ((try? Fixtures.table("ONNX/verdicts.tsv")) ?? []).map(
    Verdict.init)

  static func verified(_ file: String, _ train: String) throws -> VerifyReport {
    var options = ComparisonOptions()
    if train == "repvgg" { options.reading.key = "state_dict" }
    return try verify(
      Fixtures.path("ONNX/\(train)-train.pth"), Fixtures.path("ONNX/\(file)"), options: options)
  }

  @Test func `every file has a verdict`() {
    #expect(Self.verdicts.map(\.file) == Fixtures.names(in: "ONNX", suffixes: [".onnx"]))
  }

  @Test(arguments: verdicts)
  func `the verdict on a file`(_ verdict: Verdict) throws {
    let report = try Self.verified(verdict.file, verdict.train)
    let onnx = try #require(report.onnx)
    #expect(report.holds == (verdict.outcome == .fused))
    #expect(report.verification.holds == (verdict.outcome != .wrong))
    #expect(onnx.unfused.count == verdict.unfused)
    #expect(onnx.training == verdict.training)
    #expect(onnx.layers == onnx.expectedLayers && onnx.unexpected.isEmpty)
    let wrong = report.verification.blocks.filter { $0.grade == .different }
    #expect(Set(wrong.map { $0.cause?.description ?? "none" }).sorted() == verdict.causes)
    #expect(report.matchingStateDict == verdict.other)
  }

  /// What onnxruntime chose is in its own tensors: 127 steps of int8 to the largest weight of a channel.
  @Test func `steps are told`() throws {
    let expected = try readNPZ(Fixtures.path("ONNX/repvgg-fused64.npz"))
    for (file, isPerChannel, isShifted) in [
      ("repvgg-qdq.onnx", true, false), ("repvgg-qoperator.onnx", true, false),
      ("repvgg-qdq-uint8.onnx", false, true), ("repvgg-dynamic.onnx", false, true),
    ] {
      let quantized = try #require(try Self.verified(file, "repvgg").onnx).quantized
      #expect(quantized.count == 8)
      for layer in quantized where layer.name != "linear.weight" {
        let weight = try #require(expected["\(layer.name).weight"])
        #expect(layer.isPerChannel == isPerChannel && layer.isShifted == isShifted)
        let length = weight.doubles.count / weight.shape[0]
        let rows = (0..<weight.shape[0]).map { weight.doubles[$0 * length..<($0 + 1) * length] }
        if isPerChannel {
          let largest = rows.map { row in row.map(\.magnitude).max()! / 127 }
          #expect(abs(layer.smallest / largest.min()! - 1) < 1e-6)
          #expect(abs(layer.largest / largest.max()! - 1) < 1e-6)
        } else {
          let range = weight.doubles.max()! - weight.doubles.min()!
          #expect(abs(layer.largest / (range / 255) - 1) < 1e-6)
        }
      }
    }
  }

  @Test func `a step too far is found`() throws {
    let folder = try TemporaryFolder()
    var bytes = try Fixtures.bytes("ONNX/repvgg-qoperator.onnx")
    // The first weights of the first kernel, as raw data behind its name.
    let name = Array("stage0.rbr_reparam.weight_quantized".utf8)
    let place = try #require(
      (0..<bytes.count - name.count).last { bytes[$0..<$0 + name.count].elementsEqual(name) })
    let weight = place + name.count + 3
    bytes[weight] &+= 2
    let path = try folder.write(bytes, to: "changed.onnx")
    var options = ComparisonOptions()
    options.reading.key = "state_dict"
    let report = try verify(
      Fixtures.path("ONNX/repvgg-train.pth"), path, options: options)
    let wrong = report.verification.blocks.filter { $0.grade == .different }
    #expect(wrong.map(\.path) == ["stage0"])
    #expect(wrong.first?.weights?.failing == 1)
  }

  @Test func `BatchNorms that were left are told`() throws {
    let onnx = try #require(try Self.verified("repvit-unfolded.onnx", "repvit").onnx)
    #expect(onnx.normsLeft.count == 12 && onnx.normsLeft.contains("features.1.channel_mixer.m.0"))
    #expect(
      try #require(try Self.verified("repvit-unfused-timm.onnx", "repvit").onnx).normsLeft == [])
  }

  @Test func `another network is told from a wrong one`() throws {
    let report = try Self.verified("repvit-unfused-timm.onnx", "mobileone")
    let onnx = try #require(report.onnx)
    #expect(!report.holds && onnx.layers < onnx.expectedLayers)
    #expect(!report.verification.missing.isEmpty)
  }

  @Test(arguments: [
    ("repvgg-deploy-torchscript.onnx", "repvgg-deploy-dynamo.onnx"),
    ("repvgg-external.onnx", "repvgg-typed-fields.onnx"),
    ("repvgg-unfolded.onnx", "repvgg-deploy-dynamo.onnx"),
  ])
  func `two exports of a network are alike`(_ first: String, _ second: String) throws {
    let report = try diff(
      Fixtures.path("ONNX/\(first)"), Fixtures.path("ONNX/\(second)"))
    #expect(report.areSame)
  }

  @Test func `an unfused export is a training checkpoint`() throws {
    let folder = try TemporaryFolder()
    _ = try fuse(Fixtures.path("ONNX/repvgg-unfolded.onnx"), to: folder.file("a.pth"))
    var options = ComparisonOptions()
    options.reading.key = "state_dict"
    let report = try verify(
      Fixtures.path("ONNX/repvgg-train.pth"), folder.file("a.pth"), options: options)
    #expect(report.verification.grade == .exact)
  }
}
