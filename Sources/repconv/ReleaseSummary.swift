import Conversion
import Inference
import JSON
import Releases
import Tensors

/// What came of releasing one model.
struct ReleaseOutcome {
  let model: ReleasedModel
  let result: Result<ReleaseReport, any Error>

  var report: ReleaseReport? { try? result.get() }
  var error: (any Error)? { if case .failure(let error) = result { error } else { nil } }

  /// `released`, `unchanged`, `planned`, or why not: `failed` a check, or `not done`.
  var status: String {
    switch result {
    case .success(let report): report.status.rawValue
    case .failure(let error): repconv.status(of: error) == .checkFailed ? "failed" : "not done"
    }
  }

  /// The first line of what went wrong.
  var reason: String? {
    error.map { message(of: $0).split(separator: "\n").first.map(String.init) ?? "" }
  }
}

extension [ReleaseOutcome] {
  /// What the program ends with, if that is not 0: a check that failed counts more than what could not be
  /// done.
  var exitStatus: Status? {
    if contains(where: { $0.status == "failed" }) { return .checkFailed }
    return contains { $0.error != nil } ? .notDone : nil
  }
}

extension ReleaseReport {
  /// For a person, of one release.
  var text: String {
    var lines = ["\(train) → \(folder)\(status == .planned ? ", if it is written" : "")"]
    lines.append(row("network", network ?? "not known"))
    if let fusion {
      lines.append(
        row(
          "parameters",
          "\(grouped(fusion.trainParameters)) → \(grouped(fusion.deployParameters))"))
      lines += fusion.metadata?.rows ?? []
    }
    for proof in proofs {
      lines.append(row("proven", "\(proof.file): \(proof.summary)"))
    }
    if let evaluation { lines += evaluation.rows }
    for note in notes where !note.isWarning { lines.append(row("note", note.advised)) }
    if status == .planned {
      for output in outputs { lines.append(row("would write", output)) }
    }
    for file in files { lines.append(row("wrote", "\(file.name), \(size(file.byteCount))")) }
    if let contentDigest { lines.append(row("content", "sha256 \(contentDigest)")) }
    return lines.joined(separator: "\n")
  }
}

extension ReleaseProof {
  /// `8 recomputed in float64: every value is the nearest float32; logits ...`
  fileprivate var summary: String {
    let ran =
      switch networks {
      case .compared(let comparison, _):
        "both forms run, logits differ by at most \(brief(comparison.outcomes[0].relative)) of the largest in float64"
      case .leftOut(let reason): "not run: \(reason)"
      }
    return "\(verification.blocksSummary); \(ran)"
  }
}

private let summaryHeader = ["model", "network", "status", "files", "size", "top-1", ""]

extension ReleaseOutcome {
  /// A row of the table of all.
  fileprivate var cells: [String] {
    [
      model.options.name, report?.network ?? "-", status,
      "\(report?.files.count ?? 0)", size(report?.files.reduce(0) { $0 + $1.byteCount } ?? 0),
      report?.top1.map { percent($0) } ?? "-", reason ?? "",
    ]
  }
}

/// The table of all, and how many of them are what.
func summaryTable(of outcomes: [ReleaseOutcome]) -> String {
  table(summaryHeader, outcomes.map(\.cells), numeric: [3, 4, 5]) + "\n\n  "
    + tally(of: outcomes)
}

/// The same in Markdown.
func stepSummary(of outcomes: [ReleaseOutcome]) -> String {
  let rows = outcomes.map { $0.cells.map(markdown) }
  return
    (["## Released weights", ""] + markdownTable(summaryHeader, rows) + [
      "", tally(of: outcomes), "",
    ])
    .joined(separator: "\n")
}

/// `38 released, 1 failed, 1 not done`
private func tally(of outcomes: [ReleaseOutcome]) -> String {
  let kinds = ["planned", "released", "unchanged", "failed", "not done"]
  let counts = kinds.compactMap { kind in
    let count = outcomes.count { $0.status == kind }
    return count == 0 ? nil : "\(grouped(count)) \(kind)"
  }
  return counts.isEmpty ? "no model in this part of the list" : counts.joined(separator: ", ")
}

/// What `release --json` prints.
struct ReleasesReport: Encodable {
  var manifest: String?
  var shard: Shard?
  var releases: [ReleaseOutcome]

  func encode(to encoder: any Encoder) throws {
    try encoder.encode(members: [
      "manifest": manifest, "shard": shard.map { "\($0.index)/\($0.count)" },
      "releases": releases,
    ])
  }
}

extension ReleaseOutcome: Encodable {
  func encode(to encoder: any Encoder) throws {
    try encoder.encode(members: [
      "name": model.options.name, "train": model.train, "folder": model.folder, "status": status,
      "error": error.map { message(of: $0) }, "network": report?.network,
      "trainSHA256": report?.trainDigest, "content": report?.contentDigest,
      "files": report?.files, "proofs": report?.proofs, "top1": report?.top1.map { 100 * $0 },
      "evaluation": report?.evaluation, "notes": report?.notes,
    ])
  }
}
