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
      // What the commands need beside what they ask for.
      try requireMemory(for: 1 << 20, UInt8.self, at: Location(path: "the program"))
      try requireNoNamesAmongFlags(CommandLine.arguments.dropFirst())
      var command = try parseAsRoot()
      try command.run()
    } catch {
      fail(error)
    }
  }

  /// Throws if an argument that begins with a dash looks like the name of a file: it would be taken for
  /// several flags of one letter, among which may be the one that prints the help and succeeds.
  private static func requireNoNamesAmongFlags(_ arguments: ArraySlice<String>) throws {
    for argument in arguments.prefix(while: { $0 != "--" }) {
      guard argument.hasPrefix("-"), !argument.hasPrefix("--"), argument.count > 2,
        !argument.dropFirst().first!.isNumber, argument.contains(where: { "./\\".contains($0) })
      else { continue }
      throw ValidationError(
        "'\(argument)' looks like a file, and would be taken for flags: write ./\(argument), or -- before it."
      )
    }
  }
}
