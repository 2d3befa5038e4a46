import Checkpoints
import Conversion
import Foundation
import Graphs
import Inference
import Naming
import ONNX
import Proof
import RVD
import Reparameterization
import Tensors
import TestSupport
import Testing

@testable import Calibration

/// Networks that compute in int8. What runtimes make of the files is checked in `Tests/Interop/check_int8.py`.
@Suite struct CalibrationTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  private func source(_ model: String) -> String { Fixtures.path("PyTorch/\(model)-train.pth") }

  /// Digits that the networks were not trained on: 64 of them, or fewer.
  private func digits(_ count: Int = 64) throws -> ImageSelection {
    var digits = try ImageSelection(
      arrays: Fixtures.path("Expected/digits-validation.npz"), nil)
    digits.input = NetworkInput(try digits.input.batch(0..<count))
    return digits
  }

  private func quantized(
    _ images: ImageSelection, _ model: String = "plain", to name: String = "out.onnx",
    _ change: (inout CalibrationOptions) -> Void = { _ in }
  ) throws -> QuantizeReport {
    var options = QuantizeOptions()
    options.writing.replace = true
    change(&options.calibration)
    options.writing.threads = options.calibration.threads
    return try quantize(
      source(model), in: .train, to: folder.file(name), images: images, options: options)
  }

  @Test func `steps reach over the range and zero`() {
    typealias Steps = IntegerArithmetic.Steps
    let ofReLU = Steps(of: 0...2.55, margin: 1, for: .cpu)
    #expect(ofReLU == Steps(scale: 0.01, zeroPoint: 0, isSigned: false))
    let affine = Steps(of: -1...1.55, margin: 1, for: .cpu)
    #expect(affine == Steps(scale: 0.01, zeroPoint: 100, isSigned: false))
    let widened = Steps(of: 0.5...2, margin: 1.275, for: .cpu)
    #expect(widened == Steps(scale: 0.01, zeroPoint: 0, isSigned: false))
    let signed = Steps(of: -1.27...0.3, margin: 1, for: .tensorrt)
    #expect(signed == Steps(scale: 0.01, zeroPoint: 0, isSigned: true))
    #expect(Steps(of: 0...0, margin: 1, for: .cpu).scale == 1)
  }

  /// One layer that takes two numbers and gives their sum and their difference.
  @Test func `values are rounded as QuantizeLinear does`() throws {
    var graph = Graph()
    graph.append(.flatten, Graph.input)
    let network = try StepwiseNetwork(graph, [], channels: 8)
    let computation = try network.computation(
      height: 1, width: 1, images: 1, channels: 8, threads: Threads(1))
    let input = computation.input(
      ImageBatch(
        [Float](arrayLiteral: -9, -0.75, -0.25, 0.25, 0.75, 1.25, 60, 127), shape: [1, 8, 1, 1]))
    func rounded(_ zeroPoint: Int, isSigned: Bool) -> [Double] {
      input.rounded(
        to: IntegerArithmetic.Steps(scale: 0.5, zeroPoint: zeroPoint, isSigned: isSigned)
      ).sums
    }
    // Half a step goes to the even one.
    #expect(rounded(0, isSigned: true) == [-9, -1, 0, 0, 1, 1, 60, 63.5])
    #expect(rounded(0, isSigned: false) == [0, 0, 0, 0, 1, 1, 60, 127])
    #expect(rounded(10, isSigned: false) == [-5, -1, 0, 0, 1, 1, 60, 122.5])
  }

  @Test(arguments: ["plain", "g4", "se", "plus"])
  func `corrected biases bring the result nearer to float32`(model: String) throws {
    let images = try digits()
    let corrected = try quantized(images, model).calibration
    let uncorrected = try quantized(images, model) { $0.correctsBiases = false }.calibration
    let (better, worse) = (
      try #require(corrected.signalToNoise), try #require(uncorrected.signalToNoise)
    )
    #expect(better > worse + (model == "plain" ? 3 : 0) && better > 30)
    #expect(corrected.correctsBiases && !uncorrected.correctsBiases)
    #expect(corrected.layers.allSatisfy { $0.elementType == .int8 && $0.alone! > worse })
    // What the last layer adds to all before it is the whole, but that it is of fewer images.
    #expect((try #require(corrected.layers.last?.cumulative) - better).magnitude < 3)
  }

  @Test func `the same bytes come of any number of threads`() throws {
    let images = try digits(24)
    _ = try quantized(images, "se", to: "one.onnx") { $0.threads = Threads(1) }
    _ = try quantized(images, "se", to: "all.onnx") { $0.threads = .all }
    let files = try ["one.onnx", "all.onnx"].map {
      try Data(contentsOf: URL(filePath: folder.file($0)))
    }
    #expect(files[0] == files[1])
  }

  @Test func `the layers that int8 harms most are kept in float32`() throws {
    let images = try digits()
    let all = try quantized(images).calibration
    let kept = try quantized(images) {
      $0.keptCount = 1
      $0.keptLayers = ["stage2.1"]
    }.calibration
    let floats = kept.layers.filter { $0.elementType == .float32 }.map(\.name)
    let worst = try #require(all.worstFirst.first { $0.name != "stage2.1.rbr_reparam.weight" })
    #expect(Set(floats) == [worst.name, "stage2.1.rbr_reparam.weight"])
    let bound = all.worstFirst[2].alone!
    let below = try quantized(images) { $0.keptBelow = bound }.calibration
    #expect(below.layers.count { $0.elementType == .float32 } == 2)
    #expect(throws: CalibrationError.self) {
      try quantized(images) { $0.keptLayers = ["stage9"] }
    }
  }

  @Test func `too few images, other channels and other sizes are refused`() throws {
    #expect(
      throws: CalibrationError.tooFewImages(
        path: Fixtures.path("Expected/digits-validation.npz"), found: 15, least: 16)
    ) { try quantized(try digits(15)) }
    #expect(
      try quantized(try digits(15)) { $0.allowsFewImages = true }.calibration.margin == 2)
    #expect(try quantized(try digits(16)).calibration.margin == 1.25)
    func random(_ shape: Shape) throws -> ImageSelection {
      try ImageSelection(randomOf: shape, seed: 0)
    }
    #expect(throws: InferenceError.wrongChannels(expected: 3, found: 4)) {
      try quantized(try random([16, 4, 32, 32]))
    }
    #expect(throws: CalibrationError.self) { try quantized(try random([16, 3, 32, 40])) }
    #expect(throws: ConversionError.self) { try quantized(try digits(), to: "out.pth") }
    #expect(try !folder.names().contains("out.pth"))
  }

  @Test func `an rvd gets weights and corrected biases, and is proven but for those`() throws {
    let report = try quantized(try digits(), to: "out.rvd")
    #expect(report.calibration.target == nil)
    let file = try RVDFile.open(path: folder.file("out.rvd"))
    #expect(file.model.provenance?.biasCorrection == "calibration-images")
    let proof = try verify(source("plain"), folder.file("out.rvd"), options: ComparisonOptions())
    #expect(proof.verification.holds)
    // Less noise than with values in steps, more than in float32.
    let integers = try quantized(try digits()).calibration.signalToNoise!
    #expect(report.calibration.signalToNoise! > integers)
  }

  /// Every convolution between steps; what it makes of them is for runtimes to say.
  @Test(arguments: IntegerTarget.allCases)
  func `an ONNX file has steps around every layer, and is proven but for biases`(
    target: IntegerTarget
  ) throws {
    _ = try quantized(try digits()) { $0.target = target }
    let file = try ONNXFile(try InputFile(path: folder.file("out.onnx")))
    var givers: [Name: Name] = [:]
    for node in file.nodes { for name in node.outputs { givers[name] = node.operation } }
    let convolutions = file.nodes.filter { $0.operation == "Conv" }
    #expect(convolutions.count == 8)
    for node in convolutions {
      let inputs = node.inputs.map { givers[$0] }
      let bias: Name? = target == .cpu ? "DequantizeLinear" : nil
      #expect(inputs == ["DequantizeLinear", "DequantizeLinear", bias])
    }
    // The input, what each ReLU gives, and what the matrix takes.
    let steps = file.nodes.filter { $0.operation == "QuantizeLinear" }
    #expect(steps.count == 10)
    #expect(steps.dropFirst().dropLast().allSatisfy { givers[$0.inputs[0]] == "Relu" })
    let proof = try verify(source("plain"), folder.file("out.onnx"), options: ComparisonOptions())
    #expect(proof.verification.holds)
  }

  @Test func `equalised layers compute the same, from weights of more even channels`() throws {
    let plan = try FusionPlan(
      try Network(recognising: try openCheckpoint(source("g2"))), isForGraph: true)
    let (graph, tensors) = (plan.graph!, plan.deployTensors)
    let images = try digits(4).input.batch(0..<4)
    func result(_ tensors: [DeployTensor]) throws -> NetworkValue {
      let network = try StepwiseNetwork(graph, tensors, channels: 3)
      let computation = try network.computation(
        height: 32, width: 32, images: 4, channels: 3, threads: .all)
      return computation.run(images) { _, _ in }
    }
    let equal = try equalized(tensors, of: graph)
    let powers = try result(tensors).power(andOfNoiseIn: try result(equal))
    #expect(decibels(powers.signal, powers.noise) > 100)
    func spread(_ tensors: [DeployTensor]) throws -> Double {
      let weights = try tensors[graph.nodes[0].operand("weight")!].doubles()
      let run = weights.count / 16
      let largest = (0..<16).map { row in
        weights[row * run..<(row + 1) * run].map(\.magnitude).max()!
      }
      return largest.max()! / largest.min()!
    }
    #expect(try spread(equal) < spread(tensors))
    let images64 = try digits()
    let perTensor = try quantized(images64, "g2") { $0.hasOneScalePerTensor = true }.calibration
    #expect(perTensor.signalToNoise! > 25)
  }

  @Test func `fusing takes inserted BatchNorms back`() throws {
    let deploy = folder.file("deploy.pth")
    _ = try fuse(source("plain"), to: deploy)
    let report = try insertBatchNorms(deploy, to: folder.file("inserted.pth"), images: try digits())
    #expect(report.blocks.count == 8)
    _ = try fuse(folder.file("inserted.pth"), to: folder.file("again.pth"))
    func tensors(_ path: String) throws -> [String: [Double]] {
      var result: [String: [Double]] = [:]
      for named in try openCheckpoint(path).stateDicts[0].tensors {
        result[named.name] = try named.tensor.doubles()
      }
      return result
    }
    let (first, again) = (try tensors(deploy), try tensors(folder.file("again.pth")))
    #expect(Set(first.keys) == Set(again.keys))
    for (name, numbers) in first {
      let difference = zip(numbers, again[name]!).map { ($0 - $1).magnitude }.max()!
      #expect(difference < 1e-6 * max(1, numbers.map(\.magnitude).max()!), "\(name)")
    }
    #expect(throws: CalibrationError.self) {
      try insertBatchNorms(source("plain"), to: folder.file("no.pth"), images: try digits())
    }
  }

  /// By PyTorch in float64, as `get_custom_L2` of the authors' `repvgg.py` has it.
  @Test func `the custom L2 of blocks is the authors'`() throws {
    let survey = try surveyWeights(of: source("plain"))
    #expect(survey.count == 9)
    let answers = [
      "stage0": 17.205024084658838, "stage1.0": 36.680814747446654, "stage4.0": 68.06459069943872,
    ]
    for (block, answer) in answers {
      let found = try #require(survey.first { $0.name == "\(block).rbr_reparam.weight" }?.customL2)
      #expect((found / answer - 1).magnitude < 1e-9, "\(block)")
    }
    #expect(survey.last?.name == "linear.weight" && survey.last?.customL2 == nil)
    #expect(survey.allSatisfy { $0.perChannel! > $0.perTensor! })
  }
}
