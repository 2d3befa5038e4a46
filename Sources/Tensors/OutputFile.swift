internal import CPartialFiles
internal import CPreallocation
internal import Dispatch

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// Why a file could not be written.
@nonexhaustive
public enum WriteError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The target is there already, and may not be replaced.
  case exists(path: String)
  /// The target is the file that is being read, by this or another name.
  case isInput(path: String, input: String)
  /// Something else than a file has this name.
  case notAFile(path: String, what: String)
  /// The operating system would not create, write or rename.
  case failed(path: String, reason: String, remedy: String = WriteError.usualRemedy)
  /// The format cannot hold what should be written.
  case cannotExpress(path: String, what: String, remedy: String)

  /// Whether the target is a file that is being read.
  public var isInput: Bool { if case .isInput = self { true } else { false } }

  /// The same of another name for what was to be written.
  package func renamed(_ name: (String) -> String) -> WriteError {
    switch self {
    case .exists(let path): .exists(path: name(path))
    case .isInput(let path, let input): .isInput(path: name(path), input: input)
    case .notAFile(let path, let what): .notAFile(path: name(path), what: what)
    case .failed(let path, let reason, let remedy):
      .failed(path: name(path), reason: reason, remedy: remedy)
    case .cannotExpress(let path, let what, let remedy):
      .cannotExpress(path: name(path), what: what, remedy: remedy)
    }
  }

  public var description: String {
    switch self {
    case .exists(let path):
      "\(path): the file exists.\n  It is replaced only where that is asked for."
    case .isInput(let path, let input):
      "\(path): the output would be the input\(path == input ? "" : " \(input)").\n  Name another file."
    case .notAFile(let path, let what): "\(path): it is \(what).\n  Name a file to write."
    case .failed(let path, let reason, let remedy):
      "\(path): \(reason).\n  Nothing was written; \(remedy)."
    case .cannotExpress(let path, let what, let remedy):
      "\(path): \(what).\n  \(remedy)"
    }
  }
}

extension WriteError {
  /// What to do about most failures of the system.
  public static let usualRemedy = "check the folder, its permissions and the disk's free space"

  /// - Parameters:
  ///   - what: that failed: `creating it`.
  ///   - number: of the system's errors.
  static func failed(path: String, _ what: String, _ number: CInt) -> WriteError {
    let remedy =
      switch number {
      case EMFILE, ENFILE: "raise the limit of open files (ulimit -n), or close some"
      case EFBIG: "raise the limit of the size of files (ulimit -f), or use another file system"
      default: usualRemedy
      }
    return .failed(
      path: path, reason: "\(what) failed: \(lowercasedReason(number))", remedy: remedy)
  }
}

/// What two names of one file have in common, links of either kind among them.
struct FileIdentity: Equatable {
  let device: dev_t
  let inode: ino_t

  /// Nil if there is no such file.
  init?(path: String) {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { return nil }
    (device, inode) = (status.st_dev, status.st_ino)
  }
}

/// A file that appears under its name only when it is complete.
///
/// Bytes go to a file without a name, which vanishes with the process whatever ends it, or, where the file
/// system has none, to a hidden file beside the target; `commit` gives it the target's name. Without
/// `commit` the target is never touched and nothing is left. Hidden files that a process which was killed
/// left behind are removed when the same target is written again.
///
/// `@unchecked Sendable`: `write` may be called from several threads at once, on parts of the file
/// that do not overlap, and touches `written` alone, in turn; everything else belongs to one thread.
public final class OutputFile: Output, @unchecked Sendable {
  /// The name that it gets when it is committed.
  public let path: String
  /// Bytes appended or reserved so far.
  public private(set) var count = 0
  /// Called after bytes were written, from the thread that wrote them, and with the size of the file
  /// when it is reserved.
  public var onWrite: (@Sendable (_ written: Int, _ total: Int?) -> Void)?
  /// Where the bytes can be read until `commit`.
  public private(set) var partialPath: String
  /// A file that belongs to this one, and gets its name right before it does; see `makeCompanion`.
  public private(set) var companion: OutputFile?
  private let replaces: Bool
  /// Whether it goes to standard output.
  private let isStream: Bool
  private let inputs: [String]
  private var descriptor: CInt
  /// What a signal that ends the process is to remove is remembered by; nil if there is nothing.
  private var remembered: CInt?
  /// Bytes that were given to the kernel; belongs to whose turn it is.
  private var written = 0
  /// The kernel lets one writer at a time into a file, and others wait with a busy processor.
  private let turn = DispatchSemaphore(value: 1)

  /// - Parameters:
  ///   - path: `-` for standard output, to which everything goes when it is complete.
  ///   - replace: whether an existing file may be replaced.
  ///   - inputs: files that it is made from. None of them is ever replaced, under whatever name.
  /// - Throws: `WriteError`.
  public convenience init(
    path: String, replace: Bool, from inputs: [String] = []
  ) throws(WriteError) {
    try self.init(path: path, replace: replace, from: inputs, isHidden: false)
  }

  /// - Parameter isHidden: whether it has a hidden name until it is complete, even where it need have none.
  package init(
    path: String, replace: Bool, from inputs: [String] = [], isHidden: Bool
  ) throws(WriteError) {
    self.path = path
    self.inputs = inputs
    replaces = replace
    isStream = path == "-"
    guard !isStream else {
      descriptor = temporaryFile()
      partialPath = OutputFile.path(ofOpened: descriptor)
      guard descriptor >= 0 else {
        throw .failed(path: path, "making a temporary file", errno)
      }
      return
    }
    if let target = FileIdentity(path: path),
      let input = inputs.first(where: { FileIdentity(path: $0) == target })
    {
      throw .isInput(path: path, input: input)
    }
    var status = stat()
    var replacedMode: mode_t?
    if unsafe lstat(path, &status) == 0 {
      guard status.st_mode & S_IFMT != S_IFDIR else {
        throw .notAFile(path: path, what: "a folder")
      }
      // To rename a file over a device would take the device away from everybody.
      guard [S_IFREG, S_IFLNK].contains(status.st_mode & S_IFMT) else {
        throw .notAFile(path: path, what: "not a regular file")
      }
      // Nor is a link to one, as /dev/stdout is, to become a file.
      var target = stat()
      if status.st_mode & S_IFMT == S_IFLNK, unsafe stat(path, &target) == 0,
        target.st_mode & S_IFMT != S_IFREG
      {
        let isFolder = target.st_mode & S_IFMT == S_IFDIR
        throw .notAFile(
          path: path, what: "a link to \(isFolder ? "a folder" : "what is not a regular file")")
      }
      guard replace else { throw .exists(path: path) }
      if status.st_mode & S_IFMT == S_IFREG { replacedMode = status.st_mode & 0o777 }
    }
    let mode = replacedMode ?? 0o666
    let cut = path.utf8.lastIndex(of: UInt8(ascii: "/"))
    let folder = cut.map { String(path[...$0]) } ?? "."
    descriptor = isHidden ? -1 : unsafe partial_open_unnamed(folder, mode)
    partialPath = OutputFile.path(ofOpened: descriptor)
    if descriptor < 0 {
      OutputFile.removeAbandoned(of: path)
      partialPath = OutputFile.temporarySibling(of: path)
      descriptor = unsafe open(partialPath, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode)
      guard descriptor >= 0 else {
        let number = errno
        if number == ENOENT, unsafe access(folder, F_OK) != 0 {
          let name = folder.count > 1 ? String(folder.dropLast()) : folder
          throw .failed(path: path, reason: "there is no folder '\(name)'")
        }
        throw .failed(path: path, "creating it", number)
      }
      partial_lock(descriptor)
      remembered = unsafe partial_remember(partialPath)
    }
    // Who may read the file that it replaces may read this one, and nobody else. A file system without
    // permissions has none to keep.
    if let mode = replacedMode { fchmod(descriptor, mode) }
  }

  deinit { discard() }

  /// Where a file is that has a descriptor and no name.
  private static func path(ofOpened descriptor: CInt) -> String { "/dev/fd/\(descriptor)" }

  /// The folder of a target, with its slash, and what hidden files of it begin with.
  private static func hiddenPrefix(of path: String) -> (folder: String, name: String) {
    let cut = path.utf8.lastIndex(of: UInt8(ascii: "/")).map(path.utf8.index(after:))
    let name = cut.map { String(path[$0...]) } ?? path
    // Names have at most 255 bytes, and this one is longer than the target's.
    let part = name.utf8.count > 200 ? String(decoding: name.utf8.suffix(200), as: UTF8.self) : name
    return (cut.map { String(path[..<$0]) } ?? "", ".\(part).")
  }

  private static let partialSuffix = ".partial"

  static func temporarySibling(of path: String) -> String {
    let (folder, name) = hiddenPrefix(of: path)
    return "\(folder)\(name)\(getpid())\(partialSuffix)"
  }

  /// Removes hidden files and folders of a target that no process is writing any more.
  static func removeAbandoned(of path: String) {
    let (folder, prefix) = hiddenPrefix(of: path)
    guard let entries = unsafe opendir(folder.isEmpty ? "." : folder) else { return }
    defer { unsafe closedir(entries) }
    while let entry = unsafe readdir(entries) {
      // Safe: the name ends with a zero inside the entry.
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
        unsafe $0.withMemoryRebound(to: CChar.self, capacity: 1) { unsafe String(cString: $0) }
      }
      let number = name.dropFirst(prefix.count).dropLast(partialSuffix.count)
      guard name.hasPrefix(prefix), name.hasSuffix(partialSuffix), Int(number) != nil,
        unsafe partial_is_abandoned(folder + name) != 0
      else { continue }
      unsafe partial_remove(folder + name)
    }
  }

  /// Begins a second file, named as this one with `suffix` behind it. `commit` gives both their names, or
  /// neither: if this one cannot get its own, the other loses it again, and what it took the place of is
  /// back.
  ///
  /// - Precondition: it has none yet.
  /// - Throws: `WriteError`, as for this one.
  public func makeCompanion(suffix: String) throws(WriteError) -> OutputFile {
    try makeCompanion(path: path + suffix)
  }

  /// Likewise, of any name in the same folder.
  public func makeCompanion(path: String) throws(WriteError) -> OutputFile {
    precondition(companion == nil)
    guard !isStream else {
      throw .cannotExpress(
        path: path, what: "it takes two files, which standard output is not",
        remedy: "Name a file to write.")
    }
    let file = try OutputFile(path: path, replace: replaces, from: inputs)
    file.onWrite = onWrite
    companion = file
    return file
  }

  /// Writes `bytes` after those written before.
  public func append(_ bytes: UnsafeRawBufferPointer) throws(WriteError) {
    count += bytes.count
    try unsafe write(bytes, at: count - bytes.count)
  }

  /// Writes behind all that was written.
  public func append(_ bytes: [UInt8]) throws(WriteError) {
    try unsafe bytes.withBytes { (buffer) throws(WriteError) in try unsafe append(buffer) }
  }

  /// Appends zero bytes until the count is a multiple of `alignment`.
  public func pad(to alignment: Int) throws(WriteError) {
    let rest = count % alignment
    if rest != 0 { try append([UInt8](repeating: 0, count: alignment - rest)) }
  }

  /// Makes room for `bytes` more, which are zero until `write` fills them, in any order.
  ///
  /// - Returns: where they begin.
  @discardableResult
  public func reserve(_ bytes: Int) throws(WriteError) -> Int {
    try preallocate(bytes)
    guard ftruncate(descriptor, off_t(count + bytes)) == 0 else {
      throw .failed(path: path, "making room for it", errno)
    }
    defer { count += bytes }
    onWrite?(0, count + bytes)
    return count
  }

  /// Gives back what was reserved and not needed.
  package func truncate(to count: Int) throws(WriteError) {
    precondition(count <= self.count)
    guard ftruncate(descriptor, off_t(count)) == 0 else {
      throw .failed(path: path, "cutting it to size", errno)
    }
    self.count = count
  }

  /// Asks for disk blocks for `bytes` more: a full disk shows before anything is computed, and writes
  /// that need not look for blocks take two thirds of the time (ext4).
  private func preallocate(_ bytes: Int) throws(WriteError) {
    guard bytes > 0 else { return }
    switch CPreallocation.preallocate(descriptor, off_t(count), off_t(bytes)) {
    case 0, EOPNOTSUPP, ENOSYS, EINVAL: break
    case let number:
      throw .failed(path: path, "making room for it", number)
    }
  }

  /// Replaces bytes written before.
  public func overwrite(_ bytes: [UInt8], at offset: Int) throws(WriteError) {
    try unsafe bytes.withBytes { (buffer) throws(WriteError) in
      try unsafe write(buffer, at: offset)
    }
  }

  /// Writes `bytes` inside a part that was reserved. May be called from several threads at once.
  public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(WriteError) {
    precondition(offset >= 0 && offset + bytes.count <= count)
    turn.wait()
    defer { turn.signal() }
    do {
      try unsafe writeAll(bytes, to: descriptor, at: offset)
    } catch {
      throw .failed(path: path, "writing", error.number)
    }
    written += bytes.count
    onWrite?(bytes.count, nil)
  }

  /// Reads bytes written before.
  package func read(
    into buffer: UnsafeMutableRawBufferPointer, at offset: Int
  ) throws(WriteError) {
    precondition(offset >= 0 && offset + buffer.count <= count)
    let got: Int
    do {
      got = try unsafe readAll(into: buffer, from: descriptor, at: offset)
    } catch {
      throw .failed(path: path, "reading it back", error.number)
    }
    guard got == buffer.count else {
      throw .failed(path: path, reason: "reading it back failed: something cut it short")
    }
  }

  /// Gives the complete file its name.
  ///
  /// - Parameter sync: also flush the file and its folder to the disk.
  public func commit(sync: Bool = false) throws(WriteError) {
    guard let companion else { return try commitAlone(sync: sync) }
    let former = OutputFile.temporarySibling(of: companion.path) + ".former"
    let isFormer = unsafe link(companion.path, former) == 0
    defer { if isFormer { unsafe unlink(former) } }
    try companion.commitAlone(sync: sync)
    do {
      try commitAlone(sync: sync)
    } catch {
      if isFormer { unsafe rename(former, companion.path) } else { unsafe unlink(companion.path) }
      throw error
    }
  }

  private func commitAlone(sync: Bool) throws(WriteError) {
    onWrite?(max(0, count - written), nil)  // Zeros, which nobody wrote.
    if isStream { return try copyToStandardOutput() }
    if sync && fsync(descriptor) != 0 {
      throw .failed(path: path, "flushing it", errno)
    }
    try giveName()
    let closed = close(descriptor)
    descriptor = -1
    defer { forget() }
    guard closed == 0 else {
      let number = errno
      unsafe unlink(partialPath)
      throw .failed(path: path, "closing it", number)
    }
    // Without leave to replace, `link` rather than `rename`: it fails if the name was taken meanwhile.
    if replaces {
      guard unsafe rename(partialPath, path) == 0 else {
        let number = errno
        unsafe unlink(partialPath)
        throw .failed(path: path, "renaming it", number)
      }
    } else {
      let linked = unsafe link(partialPath, path) == 0
      let number = errno
      if !linked && number != EEXIST, unsafe access(path, F_OK) != 0 {
        // A file system without hard links.
        guard unsafe rename(partialPath, path) == 0 else {
          let number = errno
          unsafe unlink(partialPath)
          throw .failed(path: path, "renaming it", number)
        }
      } else {
        unsafe unlink(partialPath)
        if !linked { throw .exists(path: path) }
      }
    }
    if sync { try OutputFile.syncFolder(of: path) }
  }

  /// Gives a file without a name that of a hidden one.
  private func giveName() throws(WriteError) {
    guard remembered == nil else { return }
    let name = OutputFile.temporarySibling(of: path)
    remembered = unsafe partial_remember(name)
    guard unsafe partial_link(descriptor, name) == 0 else {
      throw .failed(path: path, "naming it", errno)
    }
    partialPath = name
  }

  private func forget() {
    if let remembered { partial_forget(remembered) }
    remembered = nil
  }

  private func copyToStandardOutput() throws(WriteError) {
    let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
    defer { unsafe chunk.deallocate() }
    var next = 0
    while next < count {
      let size = min(chunk.count, count - next)
      // Safe: both keep to the chunk.
      let part = unsafe UnsafeMutableRawBufferPointer(rebasing: chunk[..<size])
      try unsafe read(into: part, at: next)
      do {
        try unsafe writeAll(UnsafeRawBufferPointer(part), to: STDOUT_FILENO)
      } catch {
        throw .failed(path: path, "writing to standard output", error.number)
      }
      next += size
    }
    discard()
  }

  /// Flushes the folder that a file is in.
  static func syncFolder(of path: String) throws(WriteError) {
    let cut = path.utf8.lastIndex(of: UInt8(ascii: "/"))
    let folder = cut.map { String(path[...$0]) } ?? "."
    let folderDescriptor = unsafe open(folder, O_RDONLY | O_CLOEXEC)
    guard folderDescriptor >= 0 else { return }
    defer { close(folderDescriptor) }
    guard fsync(folderDescriptor) == 0 else {
      throw .failed(path: path, "flushing its folder", errno)
    }
  }

  /// Removes what was written. Called by `deinit` unless `commit` was.
  public func discard() {
    companion?.discard()
    guard descriptor >= 0 else { return }
    close(descriptor)
    descriptor = -1
    if remembered != nil { unsafe unlink(partialPath) }
    forget()
  }

  /// From now on signals that end the process (SIGINT, SIGTERM, SIGHUP) first remove what is not complete, and a
  /// limit of the size of files (SIGXFSZ) is an error as any other. Meant for programs, not for libraries.
  public static func cleanOnSignals() { partial_clean_on_signals() }
}
