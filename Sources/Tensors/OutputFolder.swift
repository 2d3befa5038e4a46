internal import CPartialFiles

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// What appears under its name only when it is complete: a file, or a folder of files.
public protocol Output: AnyObject {
  /// The name that it gets when it is committed.
  var path: String { get }
  /// Where it can be read until then.
  var partialPath: String { get }
  /// Bytes written so far.
  var count: Int { get }
  /// Gives it its name.
  ///
  /// - Parameter sync: also flush it and its folder to the disk.
  func commit(sync: Bool) throws(WriteError)
}

/// A folder of files that appears under its name only when all of them are complete.
///
/// They are made in a hidden folder beside the target, which `commit` gives the target's name. Without
/// `commit` the target is never touched and nothing is left; hidden folders of processes that were killed
/// are removed when the same target is written again.
public final class OutputFolder: Output {
  public let path: String
  public let partialPath: String
  /// Those made so far, in order.
  public private(set) var files: [(name: String, file: OutputFile)] = []
  /// As an `OutputFile` has it, for each of them.
  public var onWrite: (@Sendable (_ written: Int, _ total: Int?) -> Void)?
  /// Those that were made for them, the outermost first.
  private var folders: [String] = []
  private let isReplacement: Bool
  /// Of the hidden folder, for its lock; less than 0 when it is complete or discarded.
  private var descriptor: CInt
  /// What a signal that ends the process is to remove is remembered by.
  private var remembered: [CInt] = []

  public var count: Int { files.reduce(0) { $0 + $1.file.count } }

  /// - Parameters:
  ///   - replace: whether an existing folder may be replaced, with all that is in it.
  ///   - marker: a file that a folder has to have to be replaced: what a folder of this kind consists of.
  ///   - inputs: files that it is made from. None of them is ever replaced.
  /// - Throws: `WriteError`.
  public init(
    path: String, replace: Bool, marker: String, from inputs: [String] = []
  ) throws(WriteError) {
    self.path = path
    guard path != "-" else {
      throw .cannotExpress(
        path: path, what: "it is a folder, which standard output is not",
        remedy: "Name a folder to write.")
    }
    partialPath = OutputFile.temporarySibling(of: path)
    descriptor = -1
    var status = stat()
    isReplacement = unsafe lstat(path, &status) == 0
    if isReplacement {
      if let target = FileIdentity(path: path),
        let input = inputs.first(where: { FileIdentity(path: $0) == target })
      {
        throw .isInput(path: path, input: input)
      }
      guard status.st_mode & S_IFMT == S_IFDIR else {
        throw .cannotExpress(
          path: path, what: "it is there already, and not a folder, which this format is",
          remedy: "Name another one.")
      }
      guard replace else { throw .exists(path: path) }
      guard unsafe access("\(path)/\(marker)", F_OK) == 0 else {
        throw .cannotExpress(
          path: path,
          what: "it is a folder without '\(marker)', so of another kind than this format",
          remedy: "Name another one.")
      }
      let folder = OutputFolder.resolved(path) + "/"
      if let input = inputs.first(where: { OutputFolder.resolved($0).hasPrefix(folder) }) {
        throw .isInput(path: path, input: input)
      }
    }
    OutputFile.removeAbandoned(of: path)
    try makeFolder(partialPath)
    descriptor = unsafe open(partialPath, O_RDONLY | O_CLOEXEC)
    partial_lock(descriptor)
  }

  deinit { discard() }

  /// The name of a file or folder without links; as it is where there is none.
  private static func resolved(_ path: String) -> String {
    guard let name = unsafe realpath(path, nil) else { return path }
    // Safe: ends with a zero, and is ours to free.
    defer { unsafe free(name) }
    return unsafe String(cString: name)
  }

  /// Makes a folder for folders, with those that it is in, unless it is there.
  ///
  /// - Throws: `WriteError`.
  public static func makeParent(_ path: String) throws(WriteError) {
    guard unsafe mkdir(path, 0o777) != 0, errno != EEXIST else { return }
    let number = errno
    guard number == ENOENT, let cut = path.utf8.lastIndex(of: UInt8(ascii: "/")),
      cut > path.startIndex
    else { throw .failed(path: path, "creating it", number) }
    try makeParent(String(path[..<cut]))
    guard unsafe mkdir(path, 0o777) == 0 || errno == EEXIST else {
      throw .failed(path: path, "creating it", errno)
    }
  }

  private func makeFolder(_ name: String) throws(WriteError) {
    guard unsafe mkdir(name, 0o777) == 0 else {
      throw .failed(path: path, "creating it", errno)
    }
    folders.append(name)
    remembered.append(unsafe partial_remember(name))
  }

  /// Begins a file in it.
  ///
  /// - Parameter name: with the folders that it is in, which are made: `Data/weights.bin`.
  public func makeFile(_ name: String) throws(WriteError) -> OutputFile {
    var folder = partialPath
    for part in name.split(separator: "/").dropLast() {
      folder += "/\(part)"
      if unsafe access(folder, F_OK) != 0 { try makeFolder(folder) }
    }
    let file = try OutputFile(path: "\(partialPath)/\(name)", replace: false)
    file.onWrite = onWrite
    remembered.append(unsafe partial_remember(file.path))
    files.append((name, file))
    return file
  }

  /// Where somebody else may put a file or a folder into it, which is removed with the rest if a signal ends
  /// the process before `commit`. Of a folder, every file and folder in it is a place of its own, and comes
  /// behind the folder that it is in.
  ///
  /// - Parameter name: in this folder.
  public func place(_ name: String) -> String {
    let path = "\(partialPath)/\(name)"
    remembered.append(unsafe partial_remember(path))
    return path
  }

  public func commit(sync: Bool) throws(WriteError) {
    for (_, file) in files { try file.commit(sync: sync) }
    if sync { for folder in folders { try OutputFile.syncFolder(of: folder) } }
    func failed(_ number: CInt) -> WriteError { .failed(path: path, "renaming it", number) }
    // In one step where the system has it; then what was replaced has the hidden name.
    let isExchanged = isReplacement ? unsafe partial_exchange(partialPath, path) == 0 : false
    let former = isExchanged ? partialPath : partialPath + ".former"
    if !isExchanged {
      if isReplacement, unsafe rename(path, former) != 0 { throw failed(errno) }
      guard unsafe rename(partialPath, path) == 0 else {
        let number = errno
        if isReplacement { unsafe rename(former, path) }
        throw [EEXIST, ENOTEMPTY, ENOTDIR].contains(number) ? .exists(path: path) : failed(number)
      }
    }
    forget()
    if isReplacement { unsafe partial_remove(former) }
    if sync { try OutputFile.syncFolder(of: path) }
  }

  private func forget() {
    for place in remembered { partial_forget(place) }
    remembered = []
    if descriptor >= 0 { close(descriptor) }
    descriptor = -1
  }

  /// Removes what was written. Called by `deinit` unless `commit` was.
  public func discard() {
    guard descriptor >= 0 else { return }
    for (_, file) in files { file.discard() }
    unsafe partial_remove(partialPath)
    forget()
  }
}
