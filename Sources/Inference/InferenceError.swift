public import Graphs
public import Tensors

/// Why a network could not be run.
@nonexhaustive
public enum InferenceError: Error, Equatable, Sendable {
  /// The file does not hold a whole network whose operations are known.
  case notANetwork(path: String, reason: String)
  /// The graph contradicts itself or its tensors.
  case invalidGraph(GraphProblem)
  /// The images have another number of channels than the network takes.
  case wrongChannels(expected: Int, found: Int)
  /// A kernel, or a stride, leaves nothing of the images.
  case imagesTooSmall(height: Int, width: Int, block: String)
  /// What is made of the images does not go together.
  case imagesDoNotFit(height: Int, width: Int, problem: GraphProblem)
  /// More numbers than memory or BLAS can take.
  case imagesTooLarge(images: Int, height: Int, width: Int)
  /// The network asks for more than real ones need; `name` is what the limit is called, see `ReadingLimits.all`.
  case limitExceeded(place: String, what: String, limit: Int, found: String, name: String)
  /// The system has no memory for so many bytes.
  case noMemory(what: String, byteCount: Int)
  /// A file or folder has nothing that can be taken for images.
  case noImages(path: String, reason: String, remedy: String)
  /// Neither the network's file nor anybody says how pictures become its input.
  case inputUnknown(path: String)
  /// There is no picture in a folder of the folder.
  case noClassFolders(path: String)
  /// There is another number of folders of pictures than of classes, and nothing says which is which.
  case foldersDiffer(path: String, folders: Int, classes: Int)
  /// The folders of pictures and the network's classes do not go together.
  case classesDiffer(path: String, reason: String, remedy: String)
  /// The network is right less often than asked for; shares from 0 to 1.
  case accuracyBelow(path: String, asked: Double, found: Double)
  /// The library of matrix products cannot be loaded.
  case noBLAS(library: String, reason: String)
  /// No block has this name.
  case noSuchBlock(name: Name, nearest: [Name])
}

extension InferenceError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .notANetwork(let path, let reason):
      """
      \(path): the network cannot be run: \(reason).
        Whole networks of RepVGG and its variants, MobileOne, FastViT without attention, RepViT, RepLKNet and DBB can, and .rvd files that hold their graph.
      """
    case .invalidGraph(let problem):
      "the network: \(problem).\n  The graph and its tensors do not belong together."
    case .wrongChannels(let expected, let found):
      "the images have \(found) channel\(found == 1 ? "" : "s"), the network takes \(expected).\n  Images are arrays of N x \(expected) x height x width."
    case .imagesTooSmall(let height, let width, let block):
      "images of \(height)x\(width) pixels are too small: nothing is left of them at '\(block)'.\n  Use larger ones."
    case .imagesDoNotFit(let height, let width, let problem):
      "images of \(height)x\(width) pixels do not fit the network: \(problem).\n  Use images of the size that it was made for."
    case .imagesTooLarge(let images, let height, let width):
      "\(images) images of \(height)x\(width) pixels are too many numbers at once.\n  Use smaller images, or fewer at a time."
    case .inputUnknown(let path):
      "\(path): the file does not say how pictures become the network's input.\n  Say the order of the colours, their range, mean and deviation."
    case .noClassFolders(let path):
      "\(path): there is no picture in a folder of this folder.\n  Make a folder of pictures for each class."
    case .foldersDiffer(let path, let folders, let classes):
      "\(path): it has \(folders) folder\(folders == 1 ? "" : "s"), the network \(classes) class\(classes == 1 ? "" : "es").\n  Where there is not a folder for each class, give the names of them all."
    case .limitExceeded(let place, let what, let limit, let found, _):
      """
      \(place): \(what): \(found), more than the limit of \(limit).
        The file is damaged or made to exhaust the program.
      """
    case .noMemory(let what, let byteCount):
      "\(what): \(memoryShortage(byteCount)).\n  \(memoryRemedy)"
    case .noImages(let path, let reason, let remedy),
      .classesDiffer(let path, let reason, let remedy):
      "\(path): \(reason).\n  \(remedy)"
    case .accuracyBelow(let path, let asked, let found):
      "\(path): top-1 is \(percent(found)), below the \(percent(asked)) asked for."
    case .noBLAS(let library, let reason):
      """
      networks are computed in float64 with the matrix products of \(library), which cannot be loaded: \(reason).
        If it is missing, install OpenBLAS: the package is libopenblas0 on Debian and Ubuntu, openblas elsewhere.
      """
    case .noSuchBlock(let name, let nearest):
      "the network has no block '\(printable(name))'.\n  \(nearest.isEmpty ? "Its blocks have no such names: see `blocks`." : "Nearest: \(nearest.map(printable).joined(separator: ", ")).")"
    }
  }
}

/// Throws unless there is memory for so many numbers.
///
/// - Parameter what: that they are: `the weights`.
func requireMemory<Number: NetworkNumber>(
  for count: Int, _ type: Number.Type, _ what: @autoclosure () -> String
) throws(InferenceError) {
  let byteCount = clampedByteCount(of: count, type)
  guard hasMemory(for: byteCount) else { throw .noMemory(what: what(), byteCount: byteCount) }
}

/// `72.41 %`
private func percent(_ share: Double) -> String {
  let hundredths = Int((share * 10_000).rounded())
  let rest = hundredths % 100
  return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest) %"
}
