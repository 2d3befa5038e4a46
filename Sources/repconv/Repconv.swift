import ArgumentParser
import Conversion
import Naming
import Tensors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

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
        repconv release in.pth -o release --license MIT
        repconv inspect model.rvd
        repconv run model.rvd cat.jpg

      WORDS
        train form   a network as it is trained: blocks of several branches
        deploy form  the same, fused: one convolution for each block
        family       a kind of block: its branches, and how they are fused ('repconv families')
        dialect      what a project calls the tensors of such blocks ('repconv dialects')

      EXIT STATUS
        0   done
        1   a check failed: the file is corrupt, or is not what it was said to be
        2   it could not be done: unreadable, unsupported, refused
        64  wrong usage
      """,
    version: repconvVersion,
    groupedSubcommands: [
      CommandGroup(
        name: "Convert",
        subcommands: [Fuse.self, Import.self, Export.self, Quantize.self, InsertBN.self]),
      CommandGroup(name: "Release", subcommands: [Release.self]),
      CommandGroup(name: "Prove", subcommands: [Verify.self, Diff.self, Check.self, Digest.self]),
      CommandGroup(name: "Look", subcommands: [Inspect.self, Report.self]),
      CommandGroup(name: "Run", subcommands: [Run.self, Eval.self]),
      CommandGroup(
        name: "List", subcommands: [Families.self, Archs.self, Dialects.self, Manual.self]),
    ])

  /// Without a command there is nothing to do.
  func run() throws {
    ProgressBar.clear()
    try printOutput(to: STDERR_FILENO, Repconv.helpMessage() + "\n")
    throw ExitCode.validationFailure
  }

  static func main() {
    OutputFile.cleanOnSignals()
    do {
      // What the commands need beside what they ask for.
      try requireMemory(for: 1 << 20, UInt8.self, at: Location(path: "the program"))
      try requireText()
      let arguments = Array(CommandLine.arguments.dropFirst())
      try requireNoNamesAmongFlags(arguments)
      try requireCommand(arguments)
      var command = try parseAsRoot(arguments == ["-V"] ? ["--version"] : arguments)
      try command.run()
    } catch {
      fail(error)
    }
  }

  /// Throws if an argument is not UTF-8, as names of files can be: it would be taken for the name of another
  /// file.
  private static func requireText() throws {
    for index in 1..<max(1, Int(CommandLine.argc)) {
      // Safe: there are `argc` arguments, each of which ends with a zero.
      guard let argument = unsafe CommandLine.unsafeArgv[index],
        unsafe String(validatingCString: argument) == nil
      else { continue }
      throw ValidationError(
        "'\(unsafe String(cString: argument))' is not UTF-8, in which names of files have to be.\n  Rename it."
      )
    }
  }

  /// Throws if the first argument, or what help is asked for, is no command.
  private static func requireCommand(_ arguments: [String]) throws {
    guard let name = arguments.first == "help" ? arguments.dropFirst().first : arguments.first,
      !name.hasPrefix("-"), name != "help"
    else { return }
    let known = configuration.subcommands.map { $0._commandName }
    guard !known.contains(name) else { return }
    let nearest = nearestNames(to: name, in: known, limit: 1).first
    throw ValidationError(
      "there is no command '\(name)'\(nearest.map { "; did you mean '\($0)'?" } ?? ".")\n  'repconv help' lists them all."
    )
  }

  /// Throws if an argument that begins with a dash looks like the name of a file: it would be taken for
  /// several flags of one letter, among which may be the one that prints the help and succeeds.
  private static func requireNoNamesAmongFlags(_ arguments: [String]) throws {
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
