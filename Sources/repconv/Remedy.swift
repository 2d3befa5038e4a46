import Blocks
import Calibration
import Checkpoints
import Conversion
import Inference
import Naming
import Releases
import Reparameterization
import Tensors
import Topologies

/// An error whose remedy depends on what was asked for.
struct AdvisedError: Error, CustomStringConvertible {
  var error: any Error
  var remedy: String
  var description: String { "\(error)" }
}

/// What went wrong and, in the words of the command line, what to do about it.
func message(of error: any Error) -> String {
  let lines = "\(error)".split(separator: "\n", omittingEmptySubsequences: false)
  guard let remedy = remedy(for: error) else { return lines.joined(separator: "\n") }
  return "\(lines[0])\n  \(remedy)"
}

/// What to do about an error, where that takes options or commands, which libraries know nothing of. Takes
/// the place of what follows the first line of the description.
private func remedy(for error: any Error) -> String? {
  switch error {
  case let error as AdvisedError: error.remedy
  case ReadError.limitExceeded(_, _, _, _, let name?),
    InferenceError.limitExceeded(_, _, _, _, let name):
    "The file is damaged or made to exhaust the reader; if you trust it, raise the limit with --limits \(name)=VALUE."
  case WriteError.exists: "Use --force to replace it."
  case WriteError.isInput: "Name another file as the output; --force does not replace an input."
  case ConversionError.notFrom:
    "Leave --from out: what is found in the file decides how it is read."
  case ConversionError.unknownExtension(_, let known):
    "Use one of \(known.joined(separator: ", ")), or name the format with --to."
  case ConversionError.notDeployed: "'repconv fuse' makes one from it."
  case ConversionError.overflow: "Use --dtype bfloat16, which has the range of float32."
  case ConversionError.noSteps(_, _, let known):
    "Write one of \(known.joined(separator: ", ")), or choose another --dtype."
  case CalibrationError.notDeployed:
    "Name a deploy network of RepVGG's blocks; 'repconv fuse' makes one from a training checkpoint."
  case CalibrationError.tooFewImages:
    "Name more, of all classes, that the network was trained on; --force does with these."
  case ConversionError.noStem: "Use --channels keep."
  case ConversionError.labelsDiffer:
    "Give a name to each class, in their order, with --labels FILE."
  case ConversionError.notCompressible(_, _, let known):
    "--compress is for \(known.joined(separator: ", ")): leave it out."
  case ConversionError.noOperators(_, _, let known):
    "--opset and --batch are for \(known.joined(separator: ", ")): leave them out."
  case ConversionError.sizeDoesNotFit: "Choose another --size, or leave it out."
  case ConversionError.otherForm(_, let asked, _):
    asked == "train"
      ? "Name its training checkpoint, or leave --form out."
      : "'repconv fuse' makes one from it; or leave --form out."
  case ConversionError.noTrainingGraph: "'repconv fuse' writes its deploy form."
  case ConversionError.notReadable(_, let format):
    "Leave --verify out; or fuse to an .rvd with it, and 'repconv export' that as \(format)."
  case ConversionError.notComparable(_, .exchanged):
    "Name the training checkpoint first: repconv verify TRAIN DEPLOY."
  case ConversionError.notComparable(_, .nothingToFuse):
    "Name its training checkpoint; 'repconv diff' compares two deploy files."
  case ConversionError.notComparable(_, .notFused):
    "Name a deploy file; 'repconv diff' compares two training checkpoints."
  case NamingError.ambiguous: "Choose one with --key NAME."
  case NamingError.badDialect:
    "'repconv dialects --show NAME' prints a built-in table to begin with."
  case NamingError.noName:
    "Its networks have no such parameter; choose another with --names."
  case NamingError.unknownGroups: "Choose another with --names."
  case FusionError.undecided(_, _, _, _, let variants):
    "Use the file that model.state_dict() was saved to as it was, which lists all modules; "
      + (variants.isEmpty
        ? "or say in a table of your own which blocks keep the resolution (--dialect FILE)."
        : "or say which it is with --family \(variants.joined(separator: " or --family ")).")
  case FusionError.alreadyFused:
    "There is nothing to fuse. 'repconv import' rewrites such a file under other names."
  case ConversionError.noNames(_, _, _, let known) where !known.isEmpty:
    "Dialects that do: \(known.joined(separator: ", ")). Choose one with --names, or leave it out."
  case FusionError.unknownSuccession:
    "--prune-below 0 fuses it and keeps all channels; the project's own code prunes it."
  case FusionError.hasBatchNorm: "Give its epsilon with --bn-eps, or leave that out."
  case FusionError.unknownMap: "Say the ratio of height to width, as in --map-ratio 2:3."
  case let error as UnknownArchitecture:
    (error.nearest.isEmpty ? "" : "Nearest: \(error.nearest.joined(separator: ", ")). ")
      + "'repconv archs' lists them all; leave -a out for any other."
  case ReleaseError.otherRelease: "Use --force to replace it."
  case ReleaseError.nothingReadable: "Name one that can as well with --formats, such as rvd."
  case InferenceError.inputUnknown: "Say it with --input-order, --range, --mean and --std."
  case InferenceError.noClassFolders:
    "Make a folder of pictures for each class; 'repconv run --images' takes one without."
  case InferenceError.foldersDiffer:
    "Where there is not a folder for each class, name them all with --labels."
  case InferenceError.imagesTooLarge: "Use smaller images or a smaller --batch."
  case InferenceError.noMemory:
    "Raise the limit of this process (ulimit -v), or use smaller images or a smaller --batch."
  default: nil
  }
}

extension Note {
  /// The note, and what can be done about it on the command line.
  var advised: String { description + (advice.map { ": \($0)" } ?? "") }

  private var advice: String? {
    switch self {
    case .unusualGlobals, .wouldRun: "'repconv inspect --all' lists them"
    case .channelOrder(_, _, let fed, let isAsked):
      isAsked
        ? nil
        : "--channels \(fed.rawValue.lowercased()) converts it; if it is \(fed.rawValue) already, say so with --input-order \(fed.rawValue.lowercased())"
    case .inputLeftOut(let input, _, _):
      "fuse it with --input-order \(input.channelOrder.rawValue.lowercased()), --range, --mean and --std"
    case .assumed(_, let assumption):
      switch assumption.subject {
      case .identity: "say whether they have, with --identity yes or no"
      case .mapRatio: "if they are not, say so as in --map-ratio 2:3"
      case nil: nil
      }
    case .epsilonLeftOut(let epsilons, _, _):
      epsilons.count == 1 ? "fuse it with --bn-eps \(epsilons[0])" : "fuse the input itself"
    default: nil
    }
  }
}
