import Blocks
import Conversion
import Foundation
import Naming
import Proof
import Reparameterization
import Tensors
import TestSupport
import Testing

/// One way to get a deploy file wrong, and what `verify` must say of it.
struct Corruption: Sendable, CustomTestStringConvertible {
  var testDescription: String
  var model = "plain"
  /// Changes the right deploy tensors; gets the path of the training checkpoint.
  var corrupt: @Sendable (inout DeployState, String) throws -> Void
  /// What differs: blocks, tensors, and what is missing or unexpected.
  var differing: [String]
  /// Of every block or tensor that differs.
  var cause: Cause?

  init(
    _ description: String, model: String = "plain", differing: [String], cause: Cause? = nil,
    _ corrupt: @escaping @Sendable (inout DeployState, String) throws -> Void
  ) {
    testDescription = description
    self.model = model
    self.corrupt = corrupt
    self.differing = differing
    self.cause = cause
  }
}

private let allBlocks = [
  "stage0", "stage1.0", "stage1.1", "stage2.0", "stage2.1", "stage3.0", "stage3.1", "stage4.0",
]

/// Puts `kernel` in the place of block `stage1.1`, which has all three branches.
private func replacing(
  _ description: String, model: String = "plain", block: String = "stage1.1", cause: Cause,
  _ kernel: @escaping @Sendable (Branches, _ train: String) throws -> Kernel
) -> Corruption {
  Corruption(description, model: model, differing: [block], cause: cause) { state, train in
    try state.replace(Name(block), with: kernel(Branches(Name(block), of: train), train))
  }
}

/// Rearranges the kernel of a block: index `[o,i,y,x]` takes the value at `from`.
private func rearranging(
  _ description: String, block: String, _ cause: Cause,
  _ from: @escaping @Sendable (_ o: Int, _ i: Int, _ y: Int, _ x: Int, _ shape: [Int]) -> Int
) -> Corruption {
  Corruption(description, differing: [block], cause: cause) { state, _ in
    let name = block + ".rbr_reparam.weight"
    let (shape, values) = (state[name].shape, state[name].values)
    var result = values
    var index = 0
    for o in 0..<shape[0] {
      for i in 0..<shape[1] {
        for y in 0..<shape[2] {
          for x in 0..<shape[3] {
            result[index] = values[from(o, i, y, x, shape)]
            index += 1
          }
        }
      }
    }
    state[name].values = result
  }
}

private func flip(_ value: inout Double, bit: Int) {
  value = Double(Float(bitPattern: Float(value).bitPattern ^ 1 << bit))
}

let corruptions: [Corruption] = [
  Corruption("an epsilon of 1e-3", differing: allBlocks, cause: .epsilon(1e-3)) { state, train in
    state = try DeployState(fusing: train, epsilon: 1e-3)
  },
  Corruption("an epsilon of 0", model: "g2", differing: allBlocks, cause: .epsilon(0)) {
    state, train in
    state = try DeployState(fusing: train, epsilon: 0)
  },
  Corruption("an epsilon nobody uses", differing: allBlocks, cause: .epsilon(3.7e-4)) {
    state, train in
    state = try DeployState(fusing: train, epsilon: 3.7e-4)
  },
  replacing("a missing identity", cause: .leftOut(["identity"])) { branches, _ in
    branches.kernel("dense") + branches.kernel("pointwise")
  },
  replacing("a missing 1x1 branch", cause: .leftOut(["pointwise"])) { branches, _ in
    branches.kernel("dense") + branches.kernel("identity")
  },
  replacing("a missing 3x3 branch", block: "stage3.0", cause: .leftOut(["dense"])) { branches, _ in
    branches.kernel("pointwise")
  },
  replacing("only the 3x3 branch", model: "g4", cause: .leftOut(["pointwise", "identity"])) {
    branches, _ in
    branches.kernel("dense")
  },
  Corruption(
    "the 1x1 in the top left corner", differing: ["stage2.1"],
    cause: .misplaced(["pointwise"], row: 0, column: 0)
  ) { state, train in
    let branches = try Branches("stage2.1", of: train)
    try state.replace("stage2.1", with: branches.sum)
    let pointwise = try branches.kernel("pointwise").weights(ofRows: 0..<branches.channels)
    let rest = try (branches.kernel("dense") + branches.kernel("identity")).weights(
      ofRows: 0..<branches.channels)
    state["stage2.1.rbr_reparam.weight"].values = rest.indices.map { index in
      Double(Float(rest[index] + (index % 9 == 0 ? pointwise[index + 4] : 0)))
    }
  },
  replacing(
    "the 1x1 branch of another block", cause: .branchOfAnother("pointwise", block: "stage1.0")
  ) { branches, train in
    let other = try Branches("stage1.0", of: train)
    return branches.kernel("dense") + other.kernel("pointwise") + branches.kernel("identity")
  },
  Corruption(
    "the 1x1 branches of two blocks exchanged", model: "se", differing: ["stage1.0", "stage1.1"]
  ) { state, train in
    let (a, b) = (try Branches("stage1.0", of: train), try Branches("stage1.1", of: train))
    try state.replace("stage1.0", with: a.kernel("dense") + b.kernel("pointwise"))
    try state.replace(
      "stage1.1", with: b.kernel("dense") + a.kernel("pointwise") + b.kernel("identity"))
  },
  Corruption("two blocks exchanged", differing: ["stage1.0", "stage1.1"]) { state, _ in
    for field in ["weight", "bias"] {
      let names = ["stage1.0", "stage1.1"].map { "\($0).rbr_reparam.\(field)" }
      let first = state[names[0]].values
      state[names[0]].values = state[names[1]].values
      state[names[1]].values = first
    }
  },
  replacing("BatchNorm of the 1x1 not folded", cause: .notFolded(["pointwise"])) { branches, _ in
    branches.kernel("dense") + branches.kernel("pointwise", folded: false)
      + branches.kernel("identity")
  },
  replacing("an identity without its BatchNorm", cause: .notFolded(["identity"])) { branches, _ in
    branches.kernel("dense") + branches.kernel("pointwise")
      + branches.kernel("identity", folded: false)
  },
  replacing(
    "the BatchNorms of two branches exchanged", cause: .exchangedBatchNorm("dense", "pointwise")
  ) { branches, _ in
    branches.kernel("dense", norm: branches.norm("pointwise"))
      + branches.kernel("pointwise", norm: branches.norm("dense")) + branches.kernel("identity")
  },
  replacing("running means forgotten", cause: .ignored(.runningMean)) { branches, _ in
    var branches = branches
    for branch in Branches.all {
      branches.norms[branch]!.mean = [Double](repeating: 0, count: branches.channels)
    }
    return branches.sum
  },
  replacing("gammas forgotten", cause: .ignored(.gamma)) { branches, _ in
    var branches = branches
    for branch in Branches.all {
      branches.norms[branch]!.gamma = [Double](repeating: 1, count: branches.channels)
    }
    return branches.sum
  },
  Corruption("a bias left out", differing: ["stage2.0"], cause: .noBias) { state, _ in
    let count = state["stage2.0.rbr_reparam.bias"].values.count
    state["stage2.0.rbr_reparam.bias"].values = [Double](repeating: 0, count: count)
  },
  Corruption(
    "a grouped identity as if there were no groups", model: "g2", differing: ["stage1.1"],
    cause: .identityWithoutGroups
  ) { state, train in
    let branches = try Branches("stage1.1", of: train)
    let kernel = branches.kernel("dense") + branches.kernel("pointwise")
    let norm = branches.norm("identity")
    let inputs = branches.dense.shape[1]
    var weights = try kernel.weights(ofRows: 0..<branches.channels)
    for channel in 0..<inputs {
      weights[(channel * inputs + channel) * 9 + 4] +=
        norm.gamma[channel] / (norm.runningVariance[channel] + norm.epsilon).squareRoot()
    }
    state["stage1.1.rbr_reparam.weight"].values = weights.map { Double(Float($0)) }
  },
  rearranging("a stem for BGR images", block: "stage0", .rearranged(.reversedInput)) {
    o, i, y, x, s in
    ((o * s[1] + s[1] - 1 - i) * s[2] + y) * s[3] + x
  },
  rearranging("height and width exchanged", block: "stage3.1", .rearranged(.transposedTaps)) {
    o, i, y, x, s in
    ((o * s[1] + i) * s[2] + x) * s[3] + y
  },
  rearranging("a kernel turned around", block: "stage0", .rearranged(.rotatedTaps)) {
    o, i, y, x, s in
    ((o * s[1] + i) * s[2] + s[2] - 1 - y) * s[3] + s[3] - 1 - x
  },
  rearranging("input and output exchanged", block: "stage4.0", .rearranged(.exchangedChannels)) {
    o, i, y, x, s in
    ((i * s[1] + o) * s[2] + y) * s[3] + x
  },
  Corruption(
    "values in the order HWIO", differing: ["stage2.0"], cause: .rearranged(.heightWidthInputOutput)
  ) { state, _ in
    let name = "stage2.0.rbr_reparam.weight"
    let (shape, values) = (state[name].shape, state[name].values)
    var result: [Double] = []
    for y in 0..<3 {
      for x in 0..<3 {
        for i in 0..<shape[1] {
          for o in 0..<shape[0] { result.append(values[((o * shape[1] + i) * 3 + y) * 3 + x]) }
        }
      }
    }
    state[name].values = result
  },
  Corruption("a flipped bit in a weight", differing: ["stage3.1"]) { state, _ in
    flip(&state["stage3.1.rbr_reparam.weight"].values[(7 * 64 + 5) * 9 + 3], bit: 21)
  },
  Corruption("a flipped bit in a bias", differing: ["stage0"]) { state, _ in
    flip(&state["stage0.rbr_reparam.bias"].values[11], bit: 30)
  },
  Corruption("an output channel damaged", differing: ["stage2.1"], cause: .channels([17])) {
    state, _ in
    for index in 17 * 288..<18 * 288 { state["stage2.1.rbr_reparam.weight"].values[index] *= 1.5 }
  },
  Corruption("a kernel of zeros", differing: ["stage4.0"], cause: .allZero) { state, _ in
    let name = "stage4.0.rbr_reparam.weight"
    state[name].values = state[name].values.map { _ in 0 }
  },
  Corruption("float16 on the way", differing: ["stage3.0"], cause: .rounded(to: .float16)) {
    state, _ in
    for field in ["weight", "bias"] {
      let name = "stage3.0.rbr_reparam.\(field)"
      state[name].values = state[name].values.map { Precision(.float16)!.rounded($0) }
    }
  },
  Corruption("bfloat16 on the way", differing: allBlocks, cause: .rounded(to: .bfloat16)) {
    state, _ in
    for index in state.entries.indices where !state.entries[index].name.hasPrefix("linear") {
      state.entries[index].values = state.entries[index].values.map {
        Precision(.bfloat16)!.rounded($0)
      }
    }
  },
  Corruption("a value that is not a number", differing: ["stage1.0"]) { state, _ in
    state["stage1.0.rbr_reparam.weight"].values[100] = .nan
  },
  Corruption(
    "Squeeze-and-Excitation dropped", model: "se",
    differing: allBlocks.map {
      "Squeeze-and-Excitation of block '\($0)'"
    }
  ) { state, _ in state.entries.removeAll { $0.name.contains(".se.") } },
  Corruption(
    "Squeeze-and-Excitation of one block dropped", model: "plus",
    differing: ["Squeeze-and-Excitation of block 'stage3_first.blocks.0'"]
  ) { state, _ in state.entries.removeAll { $0.name.hasPrefix("stage3_first.blocks.0.post_se") } },
  Corruption(
    "a value of Squeeze-and-Excitation changed", model: "se", differing: ["stage1.0.se.up.bias"]
  ) {
    state, _ in state["stage1.0.se.up.bias"].values[2] += 0.25
  },
  Corruption("a classifier in float16", differing: ["linear.weight"], cause: .rounded(to: .float16))
  { state, _ in
    state["linear.weight"].values = state["linear.weight"].values.map {
      Precision(.float16)!.rounded($0)
    }
  },
  Corruption(
    "a transposed classifier", differing: ["linear.weight"], cause: .rearranged(.transposed)
  ) { state, _ in
    let (shape, values) = (state["linear.weight"].shape, state["linear.weight"].values)
    state["linear.weight"].values = (0..<values.count).map {
      values[$0 % shape[0] * shape[1] + $0 / shape[0]]
    }
    state["linear.weight"].shape = shape.reversed()
  },
  Corruption("no classifier bias", differing: ["the classifier"]) { state, _ in
    state.remove(["linear.bias"])
  },
  Corruption(
    "a block without its bias", differing: ["the convolution of block 'stage1.1', in part"]
  ) { state, _ in
    state.remove(["stage1.1.rbr_reparam.bias"])
  },
  Corruption("a block too few", differing: ["the convolution of block 'stage3.1'"]) { state, _ in
    state.remove(["stage3.1.rbr_reparam.weight", "stage3.1.rbr_reparam.bias"])
  },
  Corruption("a tensor too many", differing: ["stage1.1.alpha"]) { state, _ in
    state.entries.append(.init(name: "stage1.1.alpha", shape: [1], values: [1]))
  },
  Corruption(
    "a kernel of another shape", differing: ["stage2.0"],
    cause: .otherShape(expected: [32, 16, 3, 3], found: [16, 16, 3, 3])
  ) { state, _ in
    let name = "stage2.0.rbr_reparam.weight"
    state[name].shape[0] = 16
    state[name].values.removeLast(16 * 16 * 9)
  },
]

@Suite struct CorruptionTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  @Test(arguments: corruptions)
  func `a corruption is found, where it is and why`(corruption: Corruption) throws {
    let train = Fixtures.path("PyTorch/\(corruption.model)-train.pth")
    var state = try DeployState(fusing: train)
    try corruption.corrupt(&state, train)
    let report = try verify(train, state.write(to: folder.file("wrong.pth")))
    #expect(!report.holds)
    let proof = report.verification
    let wrongBlocks = proof.blocks.filter { $0.grade == .different }
    let wrongTensors = proof.tensors.filter { !$0.isAlike }
    #expect(
      Set(
        (wrongBlocks.map(\.path) + wrongTensors.map(\.name) + proof.unexpected).map(\.text)
          + proof.missing.map(\.what))
        == Set(corruption.differing))
    // Worst first: all that is wrong stands before all that is right.
    #expect(proof.blocks.prefix(wrongBlocks.count).allSatisfy { $0.grade == .different })
    if let cause = corruption.cause {
      for found in wrongBlocks.map(\.cause) + wrongTensors.map(\.cause) {
        #expect(found == cause, "\(found?.description ?? "none")")
      }
    }
  }

  func causes(_ name: String) throws -> [Name: Cause?] {
    let corruption = corruptions.first { $0.testDescription == name }!
    let train = Fixtures.path("PyTorch/\(corruption.model)-train.pth")
    var state = try DeployState(fusing: train)
    try corruption.corrupt(&state, train)
    let proof = try verify(train, state.write(to: folder.file("wrong.pth"))).verification
    let wrong = proof.blocks.filter { $0.grade == .different }.map { ($0.path, $0.cause) }
    return Dictionary(
      uniqueKeysWithValues: wrong + proof.tensors.filter { !$0.isAlike }.map { ($0.name, $0.cause) }
    )
  }

  @Test func `each of two exchanged blocks is said to be the other`() throws {
    #expect(
      try causes("two blocks exchanged")
        == ["stage1.0": .anotherBlock("stage1.1"), "stage1.1": .anotherBlock("stage1.0")])
    #expect(
      try causes("the 1x1 branches of two blocks exchanged") == [
        "stage1.0": .branchOfAnother("pointwise", block: "stage1.1"),
        "stage1.1": .branchOfAnother("pointwise", block: "stage1.0"),
      ])
  }

  @Test func `a damaged value is given with its place, and the bit if it is one`() throws {
    func damage(_ name: String, _ key: String) throws -> Cause.DamagedValue? {
      guard case .damaged(let values)?? = try causes(name)[key], values.count == 1 else {
        return nil
      }
      return values[0]
    }
    let weight = try #require(try damage("a flipped bit in a weight", "stage3.1"))
    #expect(weight.part == .weight && weight.indices == [7, 5, 1, 0] && weight.flippedBit == 21)
    let bias = try #require(try damage("a flipped bit in a bias", "stage0"))
    #expect(bias.part == .bias && bias.indices == [11] && bias.flippedBit == 30)
    let nan = try #require(try damage("a value that is not a number", "stage1.0"))
    #expect(nan.indices == [0, 11, 0, 1] && nan.found.isNaN)
    let copy = try #require(
      try damage("a value of Squeeze-and-Excitation changed", "stage1.0.se.up.bias"))
    #expect(copy.part == .value && copy.indices == [2] && copy.flippedBit == nil)
  }

  @Test func `a wrong epsilon does not hide what else is wrong`() throws {
    let train = Fixtures.path("PyTorch/plain-train.pth")
    var state = try DeployState(fusing: train, epsilon: 1e-3)
    let branches = try Branches("stage2.1", of: train)
    try state.replace(
      "stage2.1",
      with: branches.kernel("dense", norm: branches.norm("dense", epsilon: 1e-3))
        + branches.kernel("identity", norm: branches.norm("identity", epsilon: 1e-3)))
    let proof = try verify(train, state.write(to: folder.file("wrong.pth"))).verification
    for block in proof.blocks {
      #expect(
        block.cause == (block.path == "stage2.1" ? .leftOut(["pointwise"]) : .epsilon(1e-3)),
        "\(block.path)")
    }
  }

  @Test func `a changed byte of a file is found, and its block named`() throws {
    let train = Fixtures.path("PyTorch/plain-train.pth")
    _ = try fuse(train, to: folder.file("out.rvd"))
    var bytes = try folder.read("out.rvd")
    bytes[bytes.count - 20_001] ^= 0x40
    try folder.write(bytes, to: "damaged.rvd")
    let report = try verify(train, folder.file("damaged.rvd"))
    #expect(!report.holds && report.verification.holds == false)
    #expect(report.verification.blocks[0].path == "stage4.0")
    guard case .damaged(let values) = report.verification.blocks[0].cause else {
      Issue.record("\(report.verification.blocks[0].cause?.description ?? "none")")
      return
    }
    #expect(values.count == 1 && values[0].flippedBit != nil)
    #expect(
      report.deploy.damage.count == 1
        && report.deploy.damage[0].contains("stage4.0.rbr_reparam.weight"))
  }
}
