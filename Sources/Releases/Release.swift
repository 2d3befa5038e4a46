internal import Conversion
internal import ImageFiles
internal import Inference
internal import JSON
internal import Proof
internal import Reporting
internal import Tensors

/// Releases the weights of a network: fuses its training checkpoint, writes the deploy form in each format,
/// proves what can be read back, evaluates it if that is asked for, and writes documents for all of it, in a
/// folder that appears only when everything holds. The same input gives the same bytes.
///
/// - Parameters:
///   - train: the training checkpoint.
///   - folder: where to.
/// - Throws: as `fuse`, `verify` and `RunnableNetwork.evaluate` do; `ReleaseError`.
package func release(
  _ train: String, to folder: String, _ options: ReleaseOptions
) throws -> ReleaseReport {
  let readable = options.formats.filter(\.isReadable)
  guard !readable.isEmpty else {
    throw ReleaseError.nothingReadable(folder: folder, formats: options.formats.map(\.title))
  }
  let materials = try options.materials(of: train)
  let target = try OutputFolder(
    path: folder, replace: options.replace, marker: ReleaseDocument.checksumsName,
    from: [train] + options.materials.map(\.path))
  // Errors in it have the names of files as they will be.
  let plan = try planRelease(train, to: folder, options)

  var files: [ReleasedFile] = []
  var proofs: [ReleaseProof] = []
  var contentDigest: String?
  var places: Set<String> = []
  for (format, name) in options.outputs {
    places.insert(name)
    let report: FuseReport
    do {
      report = try fuse(train, to: target.place(name), options: options.fusing(as: format))
    } catch let error as WriteError {
      // What it is called while it is made is of no use to anybody.
      throw error.renamed { $0.replacing(target.partialPath, with: folder) }
    }
    contentDigest = contentDigest ?? report.output.contentDigest
    for file in report.output.allFiles {
      let name = part(of: file.path, in: target.partialPath + "/")
      for folder in foldersAndFile(name) where places.insert(folder).inserted {
        _ = target.place(folder)
      }
      files.append(
        ReleasedFile(
          name: name, byteCount: file.byteCount, sha256: try fileDigest(file.path),
          format: format.title))
    }
    guard format.isReadable else { continue }
    proofs.append(try prove(name, in: target, madeOf: train, folder: folder, options))
  }

  // A file that says all of the network, if there is one.
  let evaluated =
    options.outputs.first { $0.format.name == OutputFormat.rvd.name }?.name
    ?? proofs[0].file
  let evaluation = try options.gate.map {
    try evaluate(evaluated, in: target, folder: folder, $0, options)
  }
  var facts = ReleaseFacts(
    name: options.name, materials: materials,
    readable: (train, "\(target.partialPath)/\(evaluated)", options.reporting),
    parameters: options.parameters,
    builder: options.builder, fusion: plan.fusion!,
    weightType: options.fusing.writing.weightType ?? .float32, outputs: options.outputs,
    proofs: proofs, evaluation: evaluation,
    evaluatedFile: evaluation == nil ? nil : evaluated,
    evaluationName: options.gate.map { lastPart(of: $0.images) } ?? "",
    contentDigest: contentDigest, files: files)
  for document in ReleaseDocument.all {
    let contents = try document.contents(facts)
    try target.makeFile(document.name).append(contents)
    facts.files.append(
      ReleasedFile(
        name: document.name, byteCount: contents.count, sha256: sha256(of: contents), format: nil))
  }
  try target.commit(sync: options.fusing.writing.sync)
  var report = plan
  report.status = .released
  report.trainDigest = facts.train.digest
  report.contentDigest = contentDigest
  report.files = facts.files
  report.proofs = proofs
  report.evaluation = evaluation?.evaluation
  report.top1 = evaluation?.evaluation.top1
  return report
}

/// What would be released: everything that can be known before a file is written.
///
/// - Throws: as `release`, of what is wrong with the training checkpoint, the formats or the parameters.
package func planRelease(
  _ train: String, to folder: String, _ options: ReleaseOptions
) throws -> ReleaseReport {
  func dryRun(_ format: OutputFormat, _ name: String, _ options: FuseOptions) throws -> FuseReport {
    var options = options
    options.isDryRun = true
    return try fuse(train, to: "\(folder)/\(name)", options: options)
  }
  var notes: [Note] = []
  for (format, name) in options.outputs {
    let report = try dryRun(format, name, options.fusing(as: format))
    for note in report.source.notes + report.notes where !notes.contains(note) {
      notes.append(note)
    }
  }
  // What is known of the network, whatever the formats have a place for.
  var whole = options.fusing(as: .rvd)
  whole.writing.weightType = nil
  return ReleaseReport(
    name: options.name, folder: folder, train: train, outputs: options.outputs.map(\.name),
    fusion: try dryRun(.rvd, "\(options.name).rvd", whole), notes: notes)
}

/// Recomputes a file from the training checkpoint, by other code than that which wrote it, and runs both.
private func prove(
  _ name: String, in target: OutputFolder, madeOf train: String, folder: String,
  _ options: ReleaseOptions
) throws -> ReleaseProof {
  let path = "\(folder)/\(name)"
  let comparison = options.comparison
  let report = try verify(train, "\(target.partialPath)/\(name)", options: comparison)
  guard report.holds else {
    let verification = report.verification
    let blocks = verification.blocks.filter { $0.grade == .different }.map(\.path)
    let others =
      verification.tensors.filter { !$0.isAlike }.map(\.name)
      + verification.missing.flatMap(\.names) + verification.unexpected
    let wrong =
      blocks.map { "block '\(printable($0))'" } + others.map { "'\(printable($0))'" }
      + report.train.damage + report.deploy.damage
    throw ReleaseError.notProven(
      file: path, reason: "\(wrong.prefix(3).joined(separator: ", ")) differ")
  }
  let networks: NetworkProof
  do {
    networks = try NetworkProof(of: report, comparison, mustRun: true) { network in
      try ImageSelection(randomFor: network, options.pictures)
    }
  } catch InferenceError.notANetwork(_, let reason) {
    networks = .leftOut(reason: reason)
  }
  guard networks.holds else {
    throw ReleaseError.notProven(
      file: path, reason: "the blocks are right, but both forms give different logits in float64")
  }
  return ReleaseProof(file: name, verification: report.verification, networks: networks)
}

/// Runs a file on images of known classes.
private func evaluate(
  _ name: String, in target: OutputFolder, folder: String, _ gate: ReleaseOptions.Gate,
  _ options: ReleaseOptions
) throws -> EvaluationReport {
  let path = "\(folder)/\(name)"
  var reading = ReadingOptions()
  reading.dialects = options.fusing.reading.dialects
  let network = try RunnableNetwork.open(
    path: "\(target.partialPath)/\(name)", options: reading)
  let names = options.fusing.metadata.labels
  try names?.requireOne(forEach: network.classes)
  let labelled = try LabelledImages(
    path: gate.images, for: network, model: path, names: names, options.pictures)
  let evaluation = try network.evaluate(
    labelled.images.input, labels: labelled.images.labels!, threads: options.threads)
  if let atLeast = gate.atLeast, evaluation.top1 * 100 < atLeast {
    throw InferenceError.accuracyBelow(
      path: path, asked: atLeast / 100, found: evaluation.top1)
  }
  return EvaluationReport(
    network: NetworkSummary(network, path: path), images: labelled.images, evaluation: evaluation,
    classOrder: labelled.classOrder, seconds: 0)
}

extension ReleaseOptions {
  /// Each format with the name of its file.
  var outputs: [(format: OutputFormat, name: String)] {
    formats.map { ($0, name + $0.fileExtension) }
  }

  /// How a file of one format is made.
  fileprivate func fusing(as format: OutputFormat) -> FuseOptions {
    var options = fusing
    if !format.hasOperatorSets {
      options.writing.operatorSet = nil
      options.writing.batch = nil
    }
    return options
  }

  /// How it is compared with the training checkpoint: nothing but correct rounding will do.
  fileprivate var comparison: ComparisonOptions {
    var options = ComparisonOptions()
    options.reading = fusing.reading
    options.architecture = fusing.architecture
    options.epsilon = fusing.epsilon
    options.tolerance = .ulps(0)
    options.threads = threads
    return options
  }

  /// How pictures become input, as far as it is said.
  fileprivate var pictures: PictureOptions {
    var pictures = PictureOptions()
    pictures.input = fusing.input
    pictures.cropRatio = gate?.cropRatio
    return pictures
  }

  /// How the page about it is made.
  fileprivate var reporting: ReportingOptions {
    var options = ReportingOptions()
    options.reading = fusing.reading
    options.epsilon = fusing.epsilon
    options.tolerance = .ulps(0)
    options.imageSize = fusing.input.size
    options.threads = threads
    return options
  }

  /// The digests of all that is read.
  func materials(of train: String) throws -> [Material] {
    try [Material(parameter: "path", path: train)]
      + materials.map { try Material(parameter: $0.parameter, path: $0.path) }
  }
}

/// The rest of a path behind a beginning.
func part(of path: String, in beginning: String) -> String {
  String(decoding: path.utf8.dropFirst(beginning.utf8.count), as: UTF8.self)
}

/// The folders that a file is in, the outermost first, and the file.
private func foldersAndFile(_ name: String) -> [String] {
  let parts = name.split(separator: "/")
  return parts.indices.map { parts[...$0].joined(separator: "/") }
}
