public import Graphs
public import Tensors

/// Why a conversion was refused before anything was read or written.
@nonexhaustive
public enum ConversionError: Error, Equatable, Sendable {
  /// Something may be wrong, and nothing may be.
  case warned(path: String, [Note])
  /// It is no whole network that is known, and should be one.
  case notWhole(path: String, reason: String)
  /// The file is of another family than was asked for.
  case notFrom(path: String, asked: String, found: String)
  /// No writer has this file name extension.
  case unknownExtension(path: String, known: [String])
  /// The format holds deploy models only.
  case notDeployed(path: String, format: String, stage: String)
  /// A dialect has no names for blocks of the network's families; those that have.
  case noNames(path: String, dialect: String, families: [String], known: [String])
  /// The channel order cannot be changed.
  case noStem(path: String, reason: String)
  /// Two files cannot be compared.
  case notComparable(path: String, Incomparable)
  /// A file is no list of the names of classes.
  case badLabels(path: String, line: Int?, reason: String)
  /// There are not as many names as classes.
  case labelsDiffer(path: String, labels: Int, classes: Int)
  /// A result is not a finite number.
  case notFinite(path: String, name: Name, count: Int)
  /// Values are too large for the type that they are to be stored in.
  case overflow(path: String, name: Name, count: Int, NumberFormat)
  /// No layer that could be kept in float32 has this name.
  case noLayer(path: String, name: Name, nearest: [Name])
  /// The format has no place for weights in steps of scales.
  case noSteps(path: String, format: String, known: [String])
  /// The format cannot be compressed.
  case notCompressible(path: String, format: String, known: [String])
  /// The format has no operators whose version or number of images could be chosen.
  case noOperators(path: String, format: String, known: [String])
  /// The format is a graph, and the network is not known as a whole.
  case noGraph(path: String, format: String, reason: String)
  /// The network does not take images of this height and width.
  case sizeDoesNotFit(path: String, size: Int, GraphProblem)
  /// The network is in another form than was asked for.
  case otherForm(path: String, asked: String, found: String)
  /// The training form of a block is no graph of operations.
  case noTrainingGraph(path: String, reason: String)
  /// A file that is to be proven cannot be read.
  case notReadable(path: String, format: String)
  /// What was written is not the training checkpoint, fused: blocks, and names of other tensors, that
  /// differ.
  case notProven(path: String, blocks: [Name], others: [Name])
}

/// Why a file cannot be compared with another as training checkpoint and deploy file.
public enum Incomparable: Equatable, Sendable {
  /// The first file is in deploy form, and the second, at `other`, is a training checkpoint.
  case exchanged(other: String)
  /// The first file is in deploy form.
  case nothingToFuse
  /// The second file is a training checkpoint.
  case notFused
}

extension ConversionError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .warned(let path, let notes):
      "\(path): \(notes.map(\.description).joined(separator: "; and ")).\n  Warnings are treated as errors."
    case .notWhole(let path, let reason):
      "\(path): it matches no known network as a whole: \(reason).\n  Nothing was written; use a file that is complete."
    case .notFrom(let path, let asked, let found):
      "\(path): it is not a \(asked) file: it is \(found).\n  What is found in the file decides how it is read."
    case .unknownExtension(let path, let known):
      "\(path): no format that can be written has this extension.\n  Use one of \(known.joined(separator: ", "))."
    case .notDeployed(let path, let format, let stage):
      "\(path): it is in \(stage) form, and \(format) files hold deploy networks only.\n  Fuse it."
    case .noNames(let path, let dialect, let families, let known):
      "\(path): the dialect '\(dialect)' has no names for blocks of \(families.joined(separator: " and ")).\n  \(known.isEmpty ? "No dialect does." : "Dialects that do: \(known.joined(separator: ", ")).")"
    case .noStem(let path, let reason):
      "\(path): the order of input channels cannot be changed: \(reason).\n  Keep it."
    case .notComparable(let path, .exchanged(let other)):
      "\(path): it is in deploy form, and \(other) is a training checkpoint.\n  Name the training checkpoint first."
    case .notComparable(let path, .nothingToFuse):
      "\(path): it is in deploy form: there are no branches to recompute it from.\n  Name its training checkpoint."
    case .notComparable(let path, .notFused):
      "\(path): it is a training checkpoint, and has no fused convolution to compare.\n  Name a deploy file."
    case .badLabels(let path, let line, let reason):
      "\(path)\(line.map { " at line \($0)" } ?? ""): \(reason).\n  Give one name to a line, in the order of the classes; or in JSON an array of them, or an object by their numbers."
    case .labelsDiffer(let path, let labels, let classes):
      "\(path): it has \(labels) label\(labels == 1 ? "" : "s"), the network \(classes) class\(classes == 1 ? "" : "es").\n  Give a name to each class, in their order."
    case .notFinite(let path, let name, let count):
      "\(path): '\(printable(name))' would hold \(count) value\(count == 1 ? "" : "s") that \(count == 1 ? "is" : "are") infinite or not a number.\n  The training run diverged or the file is damaged; nothing was written."
    case .overflow(let path, let name, let count, let format):
      "\(path): '\(printable(name))' would hold \(count) value\(count == 1 ? "" : "s") beyond the range of \(format.elementType.rawValue), which ends at \(format.greatest).\n  bfloat16 has the range of float32; nothing was written."
    case .noLayer(let path, let name, let nearest):
      "\(path): no convolution or linear layer is called '\(printable(name))'.\n  \(nearest.isEmpty ? "Name one by its block or its weight." : "Nearest: \(nearest.map(printable).joined(separator: ", ")).")"
    case .noSteps(let path, let format, let known):
      "\(path): \(format) has no place for int8 weights and their scales.\n  Formats that do: \(known.joined(separator: ", "))."
    case .notCompressible(let path, let format, let known):
      "\(path): \(format) is not compressed.\n  Formats that can be: \(known.joined(separator: ", "))."
    case .noOperators(let path, let format, let known):
      "\(path): \(format) has no operator version or batch size to choose.\n  Formats that do: \(known.joined(separator: ", "))."
    case .noGraph(let path, let format, let reason):
      "\(path): \(format) files say how the network computes, and that is not known of this one: \(reason).\n  Write a format that holds tensors only."
    case .sizeDoesNotFit(let path, let size, let problem):
      "\(path): it does not take images of \(size)x\(size): \(problem).\n  Choose another size."
    case .otherForm(let path, let asked, let found):
      "\(path): it is in \(found) form, not in \(asked) form.\n  Name a file that is."
    case .noTrainingGraph(let path, let reason):
      "\(path): its training form cannot be expressed in ONNX operations: \(reason).\n  Fuse it."
    case .notReadable(let path, let format):
      "\(path): repconv writes \(format), but does not read it, so what was written cannot be proven.\n  Fuse to an .rvd, which is proven, and write that as \(format)."
    case .notProven(let path, let blocks, let others):
      """
      \(path): what was written is not the training checkpoint, fused: \(firstNames(blocks, others)) \(blocks.count + others.count == 1 ? "differs" : "differ").
        The file was removed. The memory or the disk may be at fault; if it happens again, report it as an error of repconv.
      """
    }
  }
}

/// `block 'stage0', 'linear.weight'`: the first of each.
private func firstNames(_ blocks: [Name], _ others: [Name]) -> String {
  (blocks.prefix(3).map { "block '\(printable($0))'" }
    + others.prefix(3).map { "'\(printable($0))'" }).joined(separator: ", ")
}
