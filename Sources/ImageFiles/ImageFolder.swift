public import Tensors

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// The pictures in a folder and the folders in it, as paths, sorted.
public struct ImageFolder: Sendable {
  /// The folder, as the user gave it.
  public let path: String
  /// With `path` in front.
  public let images: [String]
  /// Files that are no pictures by their names, left alone.
  public let otherFiles: Int

  /// What the names of pictures end in.
  public static let extensions = [".jpg", ".jpeg", ".png"]

  /// Deeper folders than this are taken for a link that leads back.
  static let maximumDepth = 32

  /// - Throws: `ReadError.inaccessible` if a folder cannot be read.
  public init(path: String) throws(ReadError) {
    var (images, otherFiles) = ([String](), 0)
    func visit(_ folder: String, _ depth: Int) throws(ReadError) {
      guard depth < ImageFolder.maximumDepth else {
        throw .inaccessible(
          path: folder, reason: "more than \(ImageFolder.maximumDepth) folders inside each other",
          remedy: "Check for a link that leads back to a folder above it.")
      }
      for entry in try entries(ofFolder: folder) {
        let path = join(folder, entry.name)
        if entry.isFolder {
          try visit(path, depth + 1)
        } else if ImageFolder.extensions.contains(where: entry.name.lowercased().hasSuffix) {
          images.append(path)
        } else {
          otherFiles += 1
        }
      }
    }
    try visit(path, 0)
    self.path = path
    self.images = images
    self.otherFiles = otherFiles
  }
}

/// Pictures arranged by class, as those of ImageNet: a folder for each class. The classes are the
/// folders in the order of their names' bytes, as torchvision's `ImageFolder` counts them.
public struct ClassFolders: Sendable {
  /// The folder that has those of the classes.
  public let path: String
  /// Names of the folders.
  public let classes: [String]
  /// Each picture with the index of its class, class by class.
  public let images: [(path: String, classIndex: Int)]
  /// Files that are no pictures by their names, left alone.
  public let otherFiles: Int

  /// - Throws: `ReadError.inaccessible` if a folder cannot be read.
  public init(path: String) throws(ReadError) {
    let folders = try entries(ofFolder: path).filter(\.isFolder)
    var (images, otherFiles) = ([(path: String, classIndex: Int)](), 0)
    for (index, folder) in folders.enumerated() {
      let found = try ImageFolder(path: join(path, folder.name))
      images += found.images.map { ($0, index) }
      otherFiles += found.otherFiles
    }
    self.path = path
    classes = folders.map(\.name)
    self.images = images
    self.otherFiles = otherFiles
  }
}

private func join(_ folder: String, _ name: String) -> String {
  folder.hasSuffix("/") ? folder + name : folder + "/" + name
}

/// The entries of a folder, but for hidden ones, in the order of their bytes.
private func entries(
  ofFolder path: String
) throws(ReadError) -> [(name: String, isFolder: Bool)] {
  // Safe: the stream is open until the end, and each entry is used before the next is asked for.
  guard let stream = unsafe opendir(path) else {
    throw .inaccessible(
      path: path, reason: lowercasedReason(errno), remedy: "Name a folder that can be read.")
  }
  defer { unsafe closedir(stream) }
  var entries: [(name: String, isFolder: Bool)] = []
  while let entry = unsafe readdir(stream) {
    let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
      unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
    guard !name.hasPrefix(".") else { continue }
    var status = stat()
    // Of a link what it leads to.
    guard unsafe stat(join(path, name), &status) == 0 else {
      throw .inaccessible(
        path: join(path, name), reason: "it cannot be examined",
        remedy: "Check the file's permissions, and where it leads if it is a link.")
    }
    entries.append((name, status.st_mode & S_IFMT == S_IFDIR))
  }
  return entries.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
}
