import ArgumentParser
import Blocks
import Conversion
import JSON
import Naming
import Proof
import Reparameterization
import Tensors

/// Options of the commands that compare two files.
struct ComparisonArguments: ParsableArguments {
  @Flag(help: "List every block and every tensor, not the worst only.")
  var all = false

  @Option(
    help: ArgumentHelp(
      "What may differ: 'exact' (nothing but correct rounding), units in the last place of the stored type (as '2ulp'), or a fraction of the tensor's largest value (as '1e-4'); by default, fused tensors may differ by what float32 arithmetic explains, copies by nothing.",
      valueName: "amount"),
    transform: Tolerance.argument)
  var tolerance: Tolerance = .rounding

  @OptionGroup var threads: ThreadArguments
  @OptionGroup(title: "Reading") var epsilon: EpsilonArguments
  @OptionGroup(title: "Reading") var input: InputOptions
  @OptionGroup(title: "Printing") var print: PrintArguments

  func options() throws -> ComparisonOptions {
    var options = ComparisonOptions()
    options.reading = try input.reading()
    options.epsilon = epsilon.epsilon
    epsilon.apply(to: &options.reading)
    options.tolerance = tolerance
    if let threads = threads.chosen { options.threads = threads }
    return options
  }
}

extension Tolerance {
  /// For `@Option(transform:)`.
  static func argument(_ text: String) throws -> Tolerance {
    if text == "exact" { return .ulps(0) }
    let isInUlps = text.hasSuffix("ulp") || text.hasSuffix("ulps")
    let digits = isInUlps ? String(text.prefix { $0 != "u" && $0 != " " }) : text
    guard let number = Double(digits), number.isFinite, number >= 0 else {
      throw ValidationError(
        "--tolerance takes 'exact', a number of units such as '2ulp', or a fraction such as '1e-4', not '\(text)'."
      )
    }
    return isInUlps ? .ulps(number) : .relative(number)
  }

  var summary: String {
    switch self {
    case .rounding: "rounding"
    case .ulps(0): "exact"
    case .ulps(let limit): "\(brief(limit))ulp"
    case .relative(let limit): brief(limit)
    }
  }
}

extension Difference {
  /// What a row of a table, or a JSON object, says of it.
  var numbers: [String] { [brief(largestAbsolute), brief(largestRelative), brief(largestUlps)] }
}

extension BlockComparison {
  var tableRow: [String] {
    let verdict =
      switch grade {
      case .different: cause.map { "differs: \($0)" } ?? "differs"
      default: grade.name
      }
    return [path.shown, shape.description] + (difference?.numbers ?? ["-", "-", "-"]) + [verdict]
  }
}

extension TensorComparison {
  var tableRow: [String] {
    let verdict = isAlike ? relation.name : "differs" + (cause.map { ": \($0)" } ?? "")
    return [name.shown, shape.description] + (difference?.numbers ?? ["-", "-", "-"]) + [verdict]
  }
}

/// Rows that are worth showing, as a table with its heading; and how many more there are.
func comparisonTable(_ title: String, _ rows: [[String]], all: Bool) -> [String] {
  let limit = 12  // What fits a terminal with the rest.
  guard !rows.isEmpty else { return [] }
  let shown = all ? rows : Array(rows.prefix(limit))
  var lines = [
    "",
    table([title, "shape", "absolute", "relative", "ulps", ""], shown, numeric: [2, 3, 4]),
  ]
  if shown.count < rows.count {
    lines.append("  … and \(rows.count - shown.count) more; --all lists them")
  }
  return lines
}

extension Verification {
  /// The tables of blocks and of copies, the worst first: what is not exact, or everything.
  func tables(all: Bool) -> [String] {
    comparisonTable(
      "block", blocks.filter { all || $0.grade > .exact }.map(\.tableRow), all: all)
      + comparisonTable(
        "tensor", tensors.filter { all || !$0.isAlike }.map(\.tableRow), all: all)
  }

  /// Lines on what one file has and the other has not.
  var oneSided: [String] {
    let limit = 4
    var lines = missing.prefix(limit).map { row("missing", "\($0.what): \(sample($0.names, 2))") }
    if missing.count > limit {
      let parts = missing.dropFirst(limit).map(\.what)
      lines.append(
        row(
          "missing",
          "and \(parts.count) more: \(parts[0])\(parts.count > 1 ? " … \(parts.last!)" : "")"))
    }
    return lines
      + (unexpected.isEmpty
        ? []
        : [row("unexpected", "in nothing of the training checkpoint: \(sample(unexpected, 4))")])
  }

  /// `8 recomputed in float64: every value is the nearest float32`
  var blocksSummary: String {
    let types = Set(
      blocks.map {
        $0.elementType.isWeightType ? $0.elementType.rawValue : "step of \($0.elementType.rawValue)"
      }
    )
    .sorted().joined(separator: " or ")
    let wrong = blocks.count { $0.grade == .different }
    let text =
      switch grade {
      case .exact: "every value is the nearest \(types)"
      case .rounded: "equal up to what float32 arithmetic rounds"
      case .tolerated: "within the tolerance"
      case .different: "\(count(wrong, "block")) differ\(wrong == 1 ? "s" : "")"
      }
    return blocks.isEmpty
      ? "none to compare" : "\(grouped(blocks.count)) recomputed in float64: \(text)"
  }

  /// `2 other tensors, equal bit for bit`
  var copiesSummary: String {
    let wrong = tensors.count { !$0.isAlike }
    if wrong > 0 {
      return "\(grouped(wrong)) of \(count(tensors.count, "tensor")) differ\(wrong == 1 ? "s" : "")"
    }
    let cast = tensors.filter { $0.relation == .cast }
    let tolerated = tensors.count { $0.relation == .tolerated }
    var text = count(tensors.count, "other tensor")
    if tolerated > 0 { return text + ", \(grouped(tolerated)) within the tolerance" }
    text += cast.count == tensors.count && !cast.isEmpty ? "" : ", equal bit for bit"
    if !cast.isEmpty {
      let types = Set(cast.map(\.otherType.rawValue)).sorted().joined(separator: " or ")
      text += ", \(cast.count == tensors.count ? "" : "\(cast.count) of them ")cast to \(types)"
    }
    return text
  }

  /// The cause that all differing blocks share, if they do.
  var sharedCause: Cause? {
    let causes = blocks.filter { $0.grade == .different }.map(\.cause)
    guard let first = causes.first, causes.allSatisfy({ $0 == first }) else { return nil }
    return first
  }
}
