import Conversion
import Tensors

/// An error whose remedy depends on what was asked for.
struct AdvisedError: Error, CustomStringConvertible {
  var error: any Error
  var remedy: String
  var description: String { "\(error)" }
}

/// What to do about an error, where that is to be said in the words of the command line: the libraries
/// know of no options. Takes the place of what follows the first line of the description.
func remedy(for error: any Error) -> String? {
  switch error {
  case let error as AdvisedError: error.remedy
  case WriteError.exists: "Use --force to replace it."
  case WriteError.isInput: "Name another file as the output; --force does not replace an input."
  default: nil
  }
}

extension Note {
  /// The note, and what can be done about it on the command line.
  var advised: String { description + (advice.map { ": \($0)" } ?? "") }

  private var advice: String? {
    switch self {
    case .unusualGlobals: "'repconv inspect --all' lists them"
    case .channelOrder(_, _, let fed, let isAsked):
      isAsked
        ? nil
        : "--channels \(fed.rawValue.lowercased()) converts it; if it is \(fed.rawValue) already, say so with --input-order \(fed.rawValue.lowercased())"
    case .inputLeftOut(let input, _, _):
      "fuse it with --input-order \(input.channelOrder.rawValue.lowercased()), --range, --mean and --std"
    case .epsilonLeftOut(let epsilons, _, _):
      epsilons.count == 1 ? "fuse it with --bn-eps \(epsilons[0])" : "fuse the input itself"
    default: nil
    }
  }
}
