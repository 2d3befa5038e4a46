import Checkpoints
import Tensors
import Testing

@testable import CheckpointFiles

@Suite struct ExpectedGlobalsTests {
  @Test(arguments: [
    "collections.OrderedDict", "numpy.core.multiarray._reconstruct", "torch.FloatStorage",
    "torch.storage.UntypedStorage", "torch.cuda.HalfStorage", "torch._utils._rebuild_tensor_v2",
    "megengine.tensor.Parameter", "torch.nn.modules.conv.Conv2d", "_codecs.encode",
  ])
  func `names that checkpoints consist of are expected`(name: Name) {
    #expect(ExpectedGlobals.contains(name))
  }

  @Test(arguments: [
    "os.system", "posix.system", "builtins.eval", "builtins.getattr", "subprocess.Popen",
    "torch.load", "torch.hub.load", "megengine.tensors.Parameter", "numpy.load", "Storage", "",
    "argparse.Namespace", "torch.nn.modulesx.Evil",
  ])
  func `other names are not`(name: Name) {
    #expect(!ExpectedGlobals.contains(name))
  }

  @Test func `calls of all pickles of a file are added up`() throws {
    let first = try parse("cos\nsystem\n)R0cos\nsystem\n)R.".latin1)
    let second = try parse("(cos\nsystem\n)Rcbuiltins\nlist\nt.".latin1)
    #expect(
      ExpectedGlobals.report(of: [first, second]) == [
        PickledGlobal(name: "builtins.list", calls: 0, isExpected: true),
        PickledGlobal(name: "os.system", calls: 3, runs: true, isExpected: false),
      ])
  }
}
