import ArgumentParser
import Conversion
import Tensors

@main
struct Repconv: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "repconv",
    abstract:
      "Turn checkpoints of re-parameterizable networks (RepVGG, MobileOne, FastViT, RepViT, the YOLOs and their relatives) into deploy files, without running what is in them.",
    discussion: """
      EXAMPLES
        repconv import repvgg_a0.pkl --from megengine
        repconv fuse in.pth out.rvd -a RepVGG-A0
        repconv fuse mobileone_s0.pth.tar out.rvd -a MobileOne-S0
        repconv verify in.pth out.rvd
        repconv inspect model.rvd
        repconv run model.rvd --images photos/

      EXIT STATUS
        0   done
        1   a check failed: the file is corrupt, or is not what it was said to be
        2   it could not be done: unreadable, unsupported, refused
        64  wrong usage
      """,
    version: repconvVersion,
    subcommands: [
      Import.self, Fuse.self, Quantize.self, InsertBN.self, Verify.self, Export.self, Run.self,
      Eval.self, Inspect.self,
      Diff.self, Check.self, Digest.self, Families.self, Archs.self, Dialects.self,
    ])

  static func main() {
    OutputFile.cleanOnSignals()
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch {
      fail(error)
    }
  }
}
