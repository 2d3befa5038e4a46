public import Blocks
public import Checkpoints
package import Reparameterization
public import Tensors

/// Something that should be said of a file or of what became of it, and is no error.
@nonexhaustive
public enum Note: Equatable, Sendable {
  /// What a reader, the recognition of names or the plan of a fusion has to say, in words.
  case remark(String)
  /// What is taken for granted of blocks of a family, as no tensor shows it.
  case assumed(family: String, Assumption)
  /// Loading the pickle in Python would run these, which weights do not need; none was run.
  case wouldRun([Name])
  /// It seems to be a whole network of a known kind that is damaged.
  case damaged(reason: String)
  /// Deploy kernels beside live branches differ from what these give: so many blocks, and the worst.
  case deployKernelsDiffer(Int, path: Name, by: Double, scale: Double)
  /// The pickle names these globals, which weights do not need; none was run.
  case unusualGlobals([Name])
  /// The first convolution expects `order`; the code whose names the output has feeds `fed`.
  case channelOrder(
    InputConvention.ChannelOrder, project: String, fed: InputConvention.ChannelOrder,
    isAsked: Bool)
  /// The input is not in the output, and its names stand for another.
  case inputLeftOut(InputConvention, names: String, standFor: InputConvention)
  /// BatchNorm's epsilon is not in the output, and its names stand for another.
  case epsilonLeftOut([Double], names: String, standFor: Double)
  /// A license that was given is none of the common ones of SPDX's list.
  case uncommonLicense(String)
  /// What is known and the format has no place for.
  case leftOut(format: String, parts: [String])
  /// What of the tensors the format has no place for.
  case noPlace(format: String, what: String)
  /// Weights in int8 became float32, for which alone the format has a place.
  case stepsWidened(Int)
  /// Tensors that are not part of a block or the classifier keep their names.
  case otherTensors(Int)
  /// Convolutions keep the BatchNorms behind them, as in their project's deploy form, so there is no graph.
  case normsLeft(Int)
  /// BatchNorms are folded that the project's own deploy form keeps.
  case foldedFurther(names: String)
  /// No block of a known dialect is in the file; tensors keep their names.
  case namesKept

  /// Whether it tells of a pickle's globals.
  var isAboutGlobals: Bool {
    switch self {
    case .unusualGlobals, .wouldRun: true
    default: false
    }
  }

  /// Whether something may be wrong, so that it should be seen whatever else is.
  public var isWarning: Bool {
    switch self {
    case .wouldRun, .damaged, .deployKernelsDiffer: true
    case .assumed(_, let assumption): assumption.isDoubtful
    default: false
    }
  }

  /// For scripts.
  public var kind: String {
    switch self {
    case .remark: "remark"
    case .assumed: "assumed"
    case .wouldRun: "would run"
    case .damaged: "damaged"
    case .deployKernelsDiffer: "deploy kernels differ"
    case .unusualGlobals: "unusual globals"
    case .channelOrder: "channel order"
    case .inputLeftOut: "input left out"
    case .epsilonLeftOut: "epsilon left out"
    case .uncommonLicense: "uncommon license"
    case .leftOut: "left out"
    case .noPlace: "no place"
    case .stepsWidened: "steps widened"
    case .otherTensors: "other tensors"
    case .normsLeft: "norms left"
    case .foldedFurther: "folded further"
    case .namesKept: "names kept"
    }
  }
}

extension Note: CustomStringConvertible {
  public var description: String {
    switch self {
    case .remark(let text): text
    case .assumed(let family, let assumption): "blocks of \(family) are \(assumption.text)"
    case .wouldRun(let names):
      "loading the pickle in Python would run \(Note.list(names)), which weights do not need; nothing was run here"
    case .damaged(let reason):
      "the network seems to be damaged: \(reason)"
    case .deployKernelsDiffer(let count, let path, let difference, let scale):
      (count == 1
        ? "the deploy kernel beside the branches of '\(path)' differs"
        : "the deploy kernels beside the branches of \(count) blocks differ, that of '\(path)'")
        + " by up to \(brief(difference)), where the largest weight is \(brief(scale)); the branches were trusted"
    case .unusualGlobals(let names):
      "the pickle names \(Note.list(names)), which weights do not need; none was run"
    case .channelOrder(let order, let project, let fed, let isAsked):
      "the first convolution expects \(order.rawValue)\(isAsked ? ", as asked" : ""); the code of \(project) feeds \(fed.rawValue)"
    case .inputLeftOut(let input, let names, let usual):
      "the input (\(input)) cannot be stored in the output, and files with names of \(names) are taken to have \(usual)"
    case .epsilonLeftOut(let epsilons, let names, let usual):
      "BatchNorm's epsilon, \(epsilons.map { "\($0)" }.joined(separator: " and ")), cannot be stored in the output, and files with names of \(names) are taken to have \(usual)"
    case .uncommonLicense(let identifier):
      "'\(printable(identifier))' is not among the common licenses of SPDX's list: check the spelling; a license of your own is called LicenseRef-\(printable(identifier))"
    case .leftOut(let format, let parts):
      "left out, which \(format) has no place for: \(parts.joined(separator: ", "))"
    case .noPlace(let format, let what): "\(format) has no place for \(what)"
    case .stepsWidened(let count):
      "\(count) tensor\(count == 1 ? "" : "s") of int8 weights became float32, as the format has no scales"
    case .otherTensors(let count):
      "\(count) tensor\(count == 1 ? "" : "s") outside the blocks: names kept"
    case .normsLeft(let count):
      "\(count) convolution\(count == 1 ? "" : "s") keep\(count == 1 ? "s" : "") the BatchNorm behind, as the project's own deploy form does: there is no graph of that, unless it is fused"
    case .foldedFurther(let names):
      "BatchNorms are folded into convolutions that the deploy form of \(names)'s project keeps: its code does not load this"
    case .namesKept: "no block of a known dialect is in the file: names kept"
    }
  }
}

extension [DeployKernelComparison] {
  /// What should be said of those that differ: of a few each, of many the worst.
  var differenceNotes: [Note] {
    let differing = filter { !$0.agrees }
    let few = 3
    guard differing.count > few else {
      return differing.map {
        .deployKernelsDiffer(1, path: $0.path, by: $0.largestDifference, scale: $0.scale)
      }
    }
    let worst = differing.max { $0.largestDifference < $1.largestDifference }!
    return [
      .deployKernelsDiffer(
        differing.count, path: worst.path, by: worst.largestDifference, scale: worst.scale)
    ]
  }
}

extension Note {
  /// The first of some names.
  private static func list(_ names: [Name]) -> String {
    let few = 4
    return names.prefix(few).map(printable).joined(separator: ", ")
      + (names.count > few ? " and \(names.count - few) more" : "")
  }
}

extension FusionPlan {
  /// What should be said of it.
  package var allNotes: [Note] {
    notes.map { .remark($0) } + assumptions.map { .assumed(family: $0.family, $0.1) }
  }
}

extension Checkpoint {
  /// What its reader has to say, and the unusual globals if there are any.
  var allNotes: [Note] {
    let running = unusualGlobals.filter(\.wouldRun).map(\.name)
    let others = unusualGlobals.filter { !$0.wouldRun }.map(\.name)
    return notes.map { .remark($0) } + (running.isEmpty ? [] : [.wouldRun(running)])
      + (others.isEmpty ? [] : [.unusualGlobals(others)])
  }
}

extension Note: Encodable {
  public func encode(to encoder: any Encoder) throws {
    try encoder.encode(members: ["kind": kind, "text": description, "warning": isWarning])
  }
}
