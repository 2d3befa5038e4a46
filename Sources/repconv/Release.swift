import ArgumentParser
import Conversion
import Inference
import Releases
import Tensors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

struct Release: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract:
      "Fuse, prove and evaluate a network, and write all that a release of weights carries.",
    discussion: """
      Makes a folder with the deploy network in each of --formats, a model card (README.md), a bill of \
      materials (CycloneDX 1.6), a statement of provenance (in-toto, SLSA) and SHA256SUMS. Every file that can be \
      read back is compared with TRAIN, value by value, and both are run. The folder appears as a whole, \
      and only if everything holds. The same input gives the same bytes. Nothing is signed: see \
      formats/release.md.

      With --manifest, the same for each model of a list, in TOML or JSON: a folder in DIR for each. Its keys are \
      the options, and 'path' for TRAIN. What is there already, whole and made of the same files with the \
      same options, is left as it is; a model that fails does not stop the others. Where \
      GITHUB_STEP_SUMMARY names a file, the table of all is added to it.

      EXAMPLES
        repconv release in.pth -o release --license MIT --labels imagenet.txt
        repconv release in.pth -o release -a RepVGG-A0 --eval imagenet/val --at-least 72.4
        repconv release in.pth -o release --formats rvd,onnx,mlpackage --dtype float16
        repconv release --manifest models.toml -o releases
        repconv release --manifest models.toml -o releases --shard 2/8

      EXIT STATUS
        0   released, or there already
        1   a check failed: a network is not the same, not the one it should be, or less accurate than asked
        2   it could not be done
      """)

  @OptionGroup var arguments: ReleaseArguments

  @Option(
    name: [.short, .long],
    help: ArgumentHelp(
      "The folder to write; with --manifest the folder for those of its models.", valueName: "dir"),
    completion: .directory)
  var output: String

  @Option(
    help: ArgumentHelp("Release the models of this list.", valueName: "file"),
    completion: .file(extensions: ["toml", "json"]))
  var manifest: String?

  @Option(
    help: ArgumentHelp(
      "With --manifest: release the first, second, ... of n parts of the list.", valueName: "i/n"),
    transform: Shard.argument)
  var shard: Shard?

  @Flag(help: "Replace a release that exists.")
  var force = false

  @Flag(name: .customLong("dry-run"), help: "Say what would be released, and write nothing.")
  var isDryRun = false

  @OptionGroup var threads: ThreadArguments
  @OptionGroup(title: "Printing") var print: PrintArguments

  func validate() throws {
    guard manifest != nil else {
      if arguments.train == nil {
        throw ValidationError("Name a training checkpoint, or a list with --manifest FILE.")
      }
      if shard != nil { throw ValidationError("--shard is only for --manifest.") }
      return
    }
    if let given = ReleaseKey.all.first(where: { $0.value(arguments) != nil }) {
      throw ValidationError(
        given.name == ReleaseKey.train
          ? "Name a training checkpoint or a list with --manifest, not both."
          : "--\(given.name) is said in the list, of a model or under [defaults].")
    }
  }

  func run() throws {
    var outcomes: [ReleaseOutcome] = []
    if let manifest {
      let models = try ReleasedModel.all(in: manifest, to: output)
      if !isDryRun { try OutputFolder.makeParent(output) }
      for (position, model) in models.enumerated() where shard?.contains(position) ?? true {
        outcomes.append(outcome(of: model))
      }
    } else {
      let train = arguments.train!
      let model = ReleasedModel(
        train: train, folder: output, options: try arguments.options(for: train))
      // Alone, it fails as any command does.
      outcomes = [ReleaseOutcome(model: model, result: .success(try report(of: model)))]
    }
    try appendStepSummary(of: outcomes)
    for outcome in outcomes { printWarnings(outcome.report?.notes ?? []) }
    try printReport(
      ReleasesReport(manifest: manifest, shard: shard, releases: outcomes), of: Release.self, print
    ) {
      manifest == nil ? outcomes[0].report!.text : summaryTable(of: outcomes)
    }
    if let status = outcomes.exitStatus { throw ExitCode(status.rawValue) }
  }

  /// What came of one of several.
  private func outcome(of model: ReleasedModel) -> ReleaseOutcome {
    do {
      return ReleaseOutcome(model: model, result: .success(try report(ofListed: model)))
    } catch {
      printError(.error, "\(model.options.name): " + repconv.message(of: error))
      return ReleaseOutcome(model: model, result: .failure(error))
    }
  }

  /// Releases one of several, unless it is there.
  private func report(ofListed model: ReleasedModel) throws -> ReleaseReport {
    guard !isDryRun else { return try report(of: model) }
    switch try ExistingRelease(model.train, in: model.folder, model.options) {
    case .complete(let report): return report
    case .absent: return try report(of: model)
    case .damaged: return try report(of: model, replacing: true)
    case .other:
      guard force else {
        throw ReleaseError.otherRelease(
          folder: model.folder, reason: "of another file, with other options or by another version")
      }
      return try report(of: model)
    }
  }

  private func report(
    of model: ReleasedModel, replacing: Bool = false
  ) throws -> ReleaseReport {
    var options = model.options
    options.replace = force || replacing
    if let threads = threads.chosen {
      options.threads = threads
      options.fusing.writing.threads = threads
    }
    return isDryRun
      ? try planRelease(model.train, to: model.folder, options)
      : try release(model.train, to: model.folder, options)
  }

  /// Adds a table to the summary of a step of GitHub's workflows, where there is one.
  private func appendStepSummary(of outcomes: [ReleaseOutcome]) throws {
    guard !isDryRun,
      let path = unsafe getenv("GITHUB_STEP_SUMMARY").map({ unsafe String(cString: $0) }),
      !path.isEmpty
    else { return }
    let descriptor = unsafe open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else {
      throw WriteError.failed(
        path: path, reason: "opening the summary of the step failed: \(lowercasedReason(errno))")
    }
    defer { close(descriptor) }
    try printOutput(to: descriptor, stepSummary(of: outcomes))
  }
}

extension Shard {
  /// For `@Option(transform:)`.
  static func argument(_ text: String) throws -> Shard {
    guard let shard = Shard(text) else {
      throw ValidationError(
        "--shard takes a part and how many there are, as 1/4 to 4/4, not '\(text)'.")
    }
    return shard
  }
}
