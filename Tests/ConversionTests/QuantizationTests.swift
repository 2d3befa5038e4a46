import CheckpointFiles
import Checkpoints
import Conversion
import Foundation
import Naming
import Proof
import RVD
import Tensors
import TestSupport
import Testing

/// Weights in other types than float32, against the float64 kernels that NumPy computed.
@Suite struct QuantizationTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  private func source(_ model: String) -> String { Fixtures.path("PyTorch/\(model)-train.pth") }

  private func storing(_ type: WeightType) -> FuseOptions {
    var options = FuseOptions()
    options.writing.weightType = type
    options.writing.replace = true
    return options
  }

  private func fused(_ model: String, _ options: FuseOptions) throws -> RVDFile {
    _ = try fuse(source(model), to: folder.file("out.rvd"), options: options)
    return try RVDFile.open(path: folder.file("out.rvd"))
  }

  private func verification(
    _ model: String, _ deploy: String, _ tolerance: Tolerance = .ulps(0)
  ) throws -> Verification {
    var options = ComparisonOptions()
    options.tolerance = tolerance
    return try verify(source(model), deploy, options: options).verification
  }

  @Test(arguments: ["plain", "g4", "se", "plus"])
  func `every weight is the nearest step of its row's largest magnitude over 127`(
    model: String
  ) throws {
    let expected = try readNPZ(Fixtures.path("Expected/\(model)-fused64.npz"))
    let file = try fused(model, storing(.int8))
    var count = 0
    for named in file.tensors {
      let answer = try #require(expected[named.name])
      #expect(named.tensor.shape.dimensions == answer.shape)
      guard answer.shape.count > 1 else {
        #expect(named.tensor.elementType == .float32)
        continue
      }
      count += 1
      let scales = try #require(named.tensor.scales).values
      let exact = answer.doubles
      let run = exact.count / answer.shape[0]
      let steps = try named.tensor.bytes().map { Int8(bitPattern: $0) }
      for row in 0..<answer.shape[0] {
        let weights = exact[row * run..<(row + 1) * run]
        let scale = Float(weights.map(\.magnitude).max()! / 127)
        #expect((scales[row] - scale).magnitude <= scale.ulp, "\(named.name), row \(row)")
        for (index, weight) in zip(weights.indices, weights) {
          let wanted = weight / Double(scales[row])
          // A step is half a step off at most, but for what float64 cannot tell.
          if (Double(steps[index]) - wanted).magnitude > 0.5 + 1e-9 {
            Issue.record("\(named.name), row \(row): step \(steps[index]) for \(wanted)")
          }
        }
      }
    }
    #expect(count >= 9)
    let proof = try verification(model, folder.file("out.rvd"))
    #expect(proof.holds && proof.grade == .exact)
  }

  /// The chain of the plain network, its means by the C library's functions, in the order of the file.
  @Test func `biases make up for what steps add to the means`() throws {
    let expected = try readNPZ(Fixtures.path("Expected/plain-fused64.npz"))
    let state = try readNPZ(Fixtures.path("Expected/plain-state.npz"))
    let file = try fused("plain", storing(.int8))
    #expect(file.model.provenance?.biasCorrection == "batch-norm-statistics")
    var tensors: [Name: Tensor] = [:]
    for named in file.tensors { tensors[named.name] = named.tensor }
    let blocks = [
      "stage0", "stage1.0", "stage1.1", "stage2.0", "stage2.1", "stage3.0", "stage3.1", "stage4.0",
    ]
    var means: [Double]?
    for layer in blocks.map({ $0 + ".rbr_reparam" }) + ["linear"] {
      let weights = try #require(expected["\(layer).weight"])
      let (steps, biases) = (
        try tensors["\(layer).weight"]!.doubles(), try tensors["\(layer).bias"]!.doubles()
      )
      let exact = weights.doubles
      let (inputs, run) = (weights.shape[1], exact.count / weights.shape[0])
      var isChanged = false
      for (row, bias) in expected["\(layer).bias"]!.doubles.enumerated() {
        var shift = 0.0
        for (input, mean) in (means ?? []).enumerated() {
          let taps = row * run + input * run / inputs..<row * run + (input + 1) * run / inputs
          shift += taps.reduce(0) { $0 + steps[$1] - exact[$1] } * mean
        }
        let answer = Float(bias - shift)
        #expect((Float(biases[row]) - answer).magnitude <= answer.ulp, "\(layer), row \(row)")
        isChanged = isChanged || Float(biases[row]) != Float(bias)
      }
      // Nobody knows the mean of the image.
      #expect(isChanged == (means != nil), "\(layer)")

      guard layer != "linear" else { break }
      let block = layer.dropLast(".rbr_reparam".count)
      let norms = ["rbr_dense.bn", "rbr_1x1.bn", "rbr_identity"].filter {
        state["\(block).\($0).weight"] != nil
      }
      let betas = norms.map { state["\(block).\($0).bias"]!.doubles }
      let gammas = norms.map { state["\(block).\($0).weight"]!.doubles }
      means = (0..<weights.shape[0]).map { channel in
        let mean = betas.reduce(0) { $0 + $1[channel] }
        let deviation = gammas.reduce(0) { $0 + $1[channel] * $1[channel] }.squareRoot()
        let z = mean / deviation
        return mean * erfc(-z / 2.0.squareRoot()) / 2
          + deviation * exp(-z * z / 2) / (2 * Double.pi).squareRoot()
      }
    }
  }

  @Test func `biases stay as they are if that is asked for, or nothing tells the means`() throws {
    var options = storing(.int8)
    options.writing.quantization.correctsBiases = false
    let file = try fused("plain", options)
    #expect(file.model.provenance?.biasCorrection == nil)
    let expected = try readNPZ(Fixtures.path("Expected/plain-fused64.npz"))
    for named in file.tensors where named.tensor.shape.rank == 1 {
      #expect(try named.tensor.doubles() == expected[named.name]!.doubles.map { Double(Float($0)) })
    }
    #expect(try verification("plain", folder.file("out.rvd")).grade == .exact)

    // A network that was fused elsewhere.
    _ = try fuse(source("plain"), to: folder.file("float.pth"))
    var rewriting = RewriteOptions()
    rewriting.writing.weightType = .int8
    let report = try rewrite(
      folder.file("float.pth"), to: folder.file("again.rvd"), options: rewriting)
    #expect(report.quantization?.correctsBiases == false)
    #expect(report.quantization?.layers.count == 9)
    let again = try RVDFile.open(path: folder.file("again.rvd"))
    #expect(again.tensors.count(where: { $0.tensor.scales != nil }) == 9)
    #expect(again.model.provenance?.biasCorrection == nil)
  }

  @Test func `layers stay in float32 by name, by block, and the worst of them by number`() throws {
    var options = storing(.int8)
    options.writing.quantization.keptLayers = ["linear", "stage1.0"]
    options.writing.quantization.keptCount = 2
    let path = folder.file("kept.rvd")
    let report = try #require(try fuse(source("plain"), to: path, options: options).quantization)
    let kept = report.layers.filter { $0.elementType == .float32 }
    #expect(kept.count == 4)
    #expect(kept.map(\.name).contains("linear.weight"))
    #expect(kept.map(\.name).contains("stage1.0.rbr_reparam.weight"))
    let others = report.layers.filter {
      !["linear.weight", "stage1.0.rbr_reparam.weight"].contains($0.name)
    }
    let worst = others.sorted { $0.signalToNoise! < $1.signalToNoise! }.prefix(2).map(\.name)
    #expect(Set(worst).isSubset(of: kept.map(\.name)))
    for named in try RVDFile.open(path: path).tensors where named.tensor.shape.rank > 1 {
      #expect((named.tensor.scales == nil) == kept.map(\.name).contains(named.name))
    }
    #expect(try verification("plain", path).grade == .exact)

    options.writing.quantization.keptLayers = ["stage1.O"]
    let error = #expect(throws: ConversionError.self) {
      try fuse(source("plain"), to: folder.file("no.rvd"), options: options)
    }
    #expect(
      "\(try #require(error))".contains("no convolution or linear layer is called 'stage1.O'"))
    #expect(!FileManager.default.fileExists(atPath: folder.file("no.rvd")))
  }

  /// What somebody may have done to an int8 file, and the block that shows it.
  @Test(arguments: ["step", "scale", "bias", "uncorrected"])
  func `a file with other steps, scales or biases is refused`(change: String) throws {
    let file = try fused("plain", storing(.int8))
    var model = file.deployModel
    let name: Name =
      "stage2.1.rbr_reparam." + (["step", "scale"].contains(change) ? "weight" : "bias")
    let index = try #require(model.tensors.firstIndex { $0.name == name })
    let tensor = file.tensors[index].tensor
    var bytes = try tensor.bytes()
    var scales = tensor.scales?.values
    switch change {
    case "step": bytes[40] = UInt8(bitPattern: Int8(bitPattern: bytes[40]) / 2 + 3)
    case "scale": scales![5] *= 1.02
    case "bias": bytes[4 * 7 + 2] ^= 0x40
    default:
      // As if it were not corrected: what the float32 file has.
      bytes = try RVDFile.open(path: unquantized()).tensors[index].tensor.bytes()
    }
    let changed = try Tensor(
      tensor.elementType, shape: tensor.shape,
      in: MemoryBytes(bytes, location: Location(path: "t")), name: name)
    model.tensors[index] = OutputTensor(
      name: name, scales.map { changed.scaled(by: $0) } ?? changed)
    let path = folder.file("changed.rvd")
    let output = try OutputFile(path: path, replace: true)
    _ = try RVDWriter.write(model, to: output)
    try output.commit()
    let proof = try verification("plain", path, .rounding)
    #expect(!proof.holds)
    #expect(proof.blocks.filter { $0.grade == .different }.map(\.path) == ["stage2.1"])
  }

  private func unquantized() throws -> String {
    _ = try fuse(source("plain"), to: folder.file("float.rvd"))
    return folder.file("float.rvd")
  }

  @Test(
    arguments: [WeightType.float16, .bfloat16],
    OutputFormat.all.filter { $0.isReadable && !$0.isGraph }.map(\.fileExtension))
  func `sixteen bits are the nearest to the float64 kernels, in every format that has them`(
    type: WeightType, fileExtension: String
  ) throws {
    let expected = try readNPZ(Fixtures.path("Expected/plain-fused64.npz"))
    let path = folder.file("half\(fileExtension)")
    if type == .bfloat16, [".npz", ".pkl"].contains(fileExtension) {
      let error = #expect(throws: WriteError.self) {
        try fuse(source("plain"), to: path, options: storing(type))
      }
      #expect("\(try #require(error))".contains("bfloat16"))
      return
    }
    var options = storing(type)
    options.writing.names = .official
    _ = try fuse(source("plain"), to: path, options: options)
    let tensors = try openCheckpoint(path).stateDicts[0].tensors
    #expect(tensors.count == expected.count)
    for named in tensors {
      let (found, exact) = (try named.tensor.doubles(), try #require(expected[named.name]).doubles)
      for (found, exact) in zip(found, exact) {
        // The unit in the last place where the number lies.
        let least = type == .float16 ? -14 : -126
        let bits = type == .float16 ? 11 : 8
        let exponent = max(least, exact == 0 ? least : Int(exact.exponent))
        let unit = Double(sign: .plus, exponent: exponent - bits + 1, significand: 1)
        if (found - exact).magnitude > unit / 2 + 4 * exact.ulp
          || found.remainder(dividingBy: unit) != 0
        {
          Issue.record("\(named.name): \(found) for \(exact)")
        }
      }
    }
    if fileExtension != ".wts" {
      #expect(tensors.allSatisfy { $0.tensor.elementType.rawValue == type.rawValue })
      #expect(try verification("plain", path).grade == .exact)
    }
  }

  @Test func `what float16 cannot hold is an error that names the tensor`() throws {
    var state = try DeployState(fusing: source("plain"))
    state["stage1.0.rbr_reparam.weight"].values[3] = 70000
    let path = folder.file("large.pth")
    _ = try state.write(to: path)
    var options = RewriteOptions()
    options.writing.weightType = .float16
    let error = #expect(throws: ConversionError.self) {
      try rewrite(path, to: folder.file("half.pth"), options: options)
    }
    #expect(
      try #require(error)
        == .overflow(path: path, name: "stage1.0.rbr_reparam.weight", count: 1, .float16))
    #expect(!FileManager.default.fileExists(atPath: folder.file("half.pth")))
    options.writing.weightType = .bfloat16
    _ = try rewrite(path, to: folder.file("brain.pth"), options: options)
  }

  @Test(
    arguments: OutputFormat.all.filter { $0.isReadable && !["rvd", "onnx"].contains($0.name) }
      .map(\.fileExtension))
  func `int8 is for files that have scales, and becomes float32 in others`(
    fileExtension: String
  ) throws {
    #expect(throws: ConversionError.self) {
      try fuse(source("plain"), to: folder.file("x\(fileExtension)"), options: storing(.int8))
    }
    let file = try fused("plain", storing(.int8))
    let path = folder.file("wide\(fileExtension)")
    var rewriting = RewriteOptions()
    rewriting.writing.names = .official
    let report = try rewrite(folder.file("out.rvd"), to: path, options: rewriting)
    #expect(report.notes.contains(.stepsWidened(9)))
    let tensors = try openCheckpoint(path).stateDicts[0].tensors
    for named in file.tensors {
      let other = try #require(tensors.first { $0.name == named.name })
      #expect(try other.tensor.doubles() == named.tensor.doubles().map { Double(Float($0)) })
    }
  }

  @Test func `an int8 file written again is the same file`() throws {
    _ = try fused("se", storing(.int8))
    _ = try rewrite(folder.file("out.rvd"), to: folder.file("again.rvd"))
    #expect(
      FileManager.default.contentsEqual(
        atPath: folder.file("out.rvd"), andPath: folder.file("again.rvd")))
  }
}
