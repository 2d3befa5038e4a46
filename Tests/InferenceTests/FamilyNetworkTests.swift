import Blocks
import CheckpointFiles
import Checkpoints
import Conversion
import Graphs
import ImageFiles
import Inference
import Naming
import Reparameterization
import Tensors
import TestSupport
import Testing
import Topologies

/// Whole networks as their projects' own code saved them, against what that code made of an input in
/// float64, from the branches.
@Suite struct FamilyNetworkTests {
  static let files = [
    "mobileone/apple-s0-like/mobileone_unfused.pth.tar",
    "mobileone/apple-s4-like-se/mobileone_unfused.pth.tar",
    "mobileone/timm-s0-like/pytorch_model.bin", "mobileone/timm-s4-like-se/model.safetensors",
    "repvit/original-distilled/repvit_distill_300e.pth", "repvit/timm-legacy/pytorch_model.bin",
    "repvit/timm-m0-9-like-distilled/model.safetensors", "replknet/31-tiny/checkpoint-best.pth",
    "replknet/xl-no-small-kernel/checkpoint-best.pth", "dbb/mobilenet-depthwise/train.pth",
    "dbb/resnet-basic/train.pth.tar", "dbb/resnet-bottleneck/train.hdf5",
    "unireplknet/13-11-9-7-5-3/checkpoint-best.pth", "acnet/cfqk-5x5/train.hdf5",
    "acnet/src-resnet/train.hdf5", "acnet/wrn-preactivation/train.hdf5",
  ]

  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  func path(_ file: String) -> String { Fixtures.path("Families/\(file)") }

  func expected(_ file: String) throws -> (images: ImageBatch, outputs: [Double]) {
    let folder = file.split(separator: "/").dropLast().joined(separator: "/")
    let arrays = try readNPZ(Fixtures.path("Families/\(folder)/io.npz"))
    let input = arrays["input0"]!
    return (ImageBatch(input.doubles, shape: Shape(input.shape)), arrays["output0"]!.doubles)
  }

  @Test(arguments: files, [(Arithmetic.float32, 1e-4), (.float64, 1e-10)])
  func `both forms give what the project's code gave`(
    file: String, arithmetic: (kind: Arithmetic, tolerance: Double)
  ) throws {
    let (images, outputs) = try expected(file)
    let network = try Network(recognising: openCheckpoint(path(file)))
    let train = try RunnableNetwork(network, arithmetic: arithmetic.kind)
    let fused = try RunnableNetwork(fusing: FusionPlan(network), arithmetic: arithmetic.kind)
    #expect(train.form == .train && fused.form == .deploy)
    for runnable in [train, fused] {
      let logits = try runnable.run(images).logits.flatMap { $0 }
      let size = outputs.map(\.magnitude).max()!
      #expect(largestDifference(logits, outputs) < arithmetic.tolerance * max(1, size))
    }
  }

  @Test(arguments: files)
  func `the training form as a graph of operations gives what the project's code gave`(
    file: String
  ) throws {
    let (images, outputs) = try expected(file)
    let network = try Network(recognising: openCheckpoint(path(file)))
    let form = try TrainingForm(of: network, Structure(of: network))
    let tensors = form.tensors.map { tensor in
      guard case .numbers(let numbers) = tensor.contents else { preconditionFailure() }
      return numbers as! Tensor
    }
    #expect(zip(form.tensors, tensors).allSatisfy { $0.shape == $1.shape })
    #expect(Set(form.tensors.map(\.role)).count == tensors.count)
    // Every parameter of the training form is in it, as it is in the file.
    let trained = network.parameters.filter {
      guard case .block(let block, _) = $0.role, block.family.isForTrainingOnly else {
        return !$0.originalName.hasSuffix("num_batches_tracked")
      }
      return false
    }
    for parameter in trained {
      let place = try #require(
        form.tensors.firstIndex { $0.role == parameter.role }, "\(parameter.originalName)")
      #expect(try tensors[place].doubles() == parameter.tensor.doubles())
    }
    let runnable = try RunnableNetwork(form.graph, tensors: tensors, arithmetic: .float64)
    let logits = try runnable.run(images).logits.flatMap { $0 }
    let size = outputs.map(\.magnitude).max()!
    #expect(largestDifference(logits, outputs) < 1e-10 * max(1, size))
    #expect(form.epsilons == [network.dialect.epsilon])
  }

  @Test(arguments: files, ["out.rvd", "out.pth", "out.safetensors"])
  func `deploy files give it within the rounding of their kernels`(
    file: String, name: String
  ) throws {
    let (images, outputs) = try expected(file)
    _ = try fuse(path(file), to: folder.file(name))
    let runnable = try RunnableNetwork.open(path: folder.file(name), arithmetic: .float64)
    #expect(runnable.form == .deploy && runnable.classes == outputs.count / images.count)
    let logits = try runnable.run(images).logits.flatMap { $0 }
    let size = outputs.map(\.magnitude).max()!
    #expect(largestDifference(logits, outputs) < 1e-6 * size)
  }

  @Test(arguments: [
    ("acnet/cfqk-5x5/train.hdf5", 32), ("acnet/src-resnet/train.hdf5", 224),
    ("fastvit/apple-sa12-like/fastvit.pth.tar", 256), ("replknet/31-tiny/checkpoint-best.pth", 224),
  ])
  func `images are of a size that the network takes`(file: String, size: Int) throws {
    #expect(try RunnableNetwork.open(path: path(file)).preparation.size == size)
  }
}
