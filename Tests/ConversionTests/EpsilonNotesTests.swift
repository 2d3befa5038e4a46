import CheckpointFiles
import Checkpoints
import Naming
import Reparameterization
import Tensors
import TestSupport
import Testing

@testable import Conversion

@Suite struct EpsilonNotesTests {
  @Test func `of blocks that are left, their own epsilon is said, not that of those fused`() throws
  {
    var checkpoint = try openCheckpoint(
      Fixtures.path("Families/fastvit/apple-t8-like/fastvit.pth.tar"))
    for named in checkpoint.stateDicts[0].tensors where named.name.hasSuffix(".running_var") {
      let path = named.name.module!
      var norm = ModuleAttributes(className: "torch.nn.modules.batchnorm.BatchNorm2d")
      norm.epsilon = path.contains(".convffn.") ? 1e-3 : 2e-5
      checkpoint.stateDicts[0].modules[path] = norm
    }
    let plan = try FusionPlan(Network(recognising: checkpoint))
    #expect(!plan.blocksLeft.isEmpty && plan.epsilons == [2e-5])
    #expect(
      plan.epsilonNotes(given: nil, writtenAs: .fastViT)
        == [.epsilonLeftOut([1e-3], names: "fastvit", standFor: 1e-5)])
  }
}
