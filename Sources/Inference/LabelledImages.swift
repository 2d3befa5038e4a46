public import Conversion
internal import ImageFiles

/// Images of which the right classes are known, as those of a network.
public struct LabelledImages: Sendable {
  /// With a label for each.
  public var images: ImageSelection
  /// Who says which class a folder of pictures is of; nil if the images are not in folders.
  public var classOrder: EvaluationReport.ClassOrder?

  /// Whether `path` is called as a NumPy file, which has its labels in an array.
  public static func areArrays(at path: String) -> Bool { path.lowercased().hasSuffix(".npz") }

  /// - Parameters:
  ///   - path: a folder of pictures for each class, or a NumPy file with arrays `images` and `labels`.
  ///   - model: the network's file, for errors.
  ///   - names: of the class folders, in the order of the network's classes; by default the labels in the
  ///     network's file, if all folders are called by them, else the folders are the classes in the order
  ///     of their names.
  /// - Throws: `InferenceError`, `ReadError`.
  public init(
    path: String, for network: RunnableNetwork, model: String, names: LabelsFile? = nil,
    _ pictures: PictureOptions = PictureOptions()
  ) throws {
    guard LabelledImages.areArrays(at: path) else {
      let folders = try ClassFolders(path: path)
      let (classes, order) = try LabelledImages.classes(of: network, folders, names)
      images = ImageSelection(
        folders, classes: classes, try pictures.preparation(for: network),
        try pictures.requireConvention(for: network, path: model))
      classOrder = order
      return
    }
    images = try ImageSelection(arrays: path, pictures.convention(for: network))
    guard let found = images.labels else {
      throw InferenceError.noImages(
        path: path, reason: "there is no array 'labels' with a whole number for each image",
        remedy: "Save them as numpy.savez(\"images.npz\", images=array, labels=classes).")
    }
    guard let wrong = found.first(where: { !(0..<network.classes).contains($0) }) else { return }
    throw InferenceError.classesDiffer(
      path: path,
      reason:
        "there is a label \(wrong), and the network's classes are 0 to \(network.classes - 1)",
      remedy: "Labels are the numbers of the network's classes, from 0.")
  }

  /// The network's class for each folder, and who says so.
  private static func classes(
    of network: RunnableNetwork, _ folders: ClassFolders, _ names: LabelsFile?
  ) throws(InferenceError) -> ([Int], EvaluationReport.ClassOrder) {
    guard !folders.images.isEmpty else { throw .noClassFolders(path: folders.path) }
    if let names {
      let (classes, missing) = places(of: folders, among: names.names)
      guard let missing else { return (classes, .given) }
      throw .classesDiffer(
        path: folders.path,
        reason: "the folder '\(missing)' is not among the names of \(names.path)",
        remedy: "Give one name to a line, in the order of the classes.")
    }
    if let labels = network.labels {
      let (classes, missing) = places(of: folders, among: labels)
      if missing == nil { return (classes, .file) }
    }
    guard folders.classes.count == network.classes else {
      throw .foldersDiffer(
        path: folders.path, folders: folders.classes.count, classes: network.classes)
    }
    return (Array(0..<network.classes), .folders)
  }

  /// The first class of each folder's name, and the first folder that no class is called after.
  private static func places(
    of folders: ClassFolders, among names: [String]
  ) -> (classes: [Int], missing: String?) {
    var places: [String: Int] = [:]
    for (index, name) in names.enumerated() where places[name] == nil { places[name] = index }
    let classes = folders.classes.compactMap { places[$0] }
    return (classes, folders.classes.first { places[$0] == nil })
  }
}
