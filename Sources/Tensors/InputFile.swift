internal import CPartialFiles
internal import Checksums
internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// A file open for reading: all of its bytes, read in place with `pread`.
public final class InputFile: ByteSource {
  /// As the user gave it.
  public let path: String
  /// Bytes in the file when it was opened.
  public let count: Int
  public let limits: ReadingLimits
  private let descriptor: CInt

  public var location: Location { Location(path: path) }

  /// - Parameters:
  ///   - path: `-` for standard input, all of which is read first if it is a stream.
  ///   - limits: of what the file may ask for.
  /// - Throws: `ReadError.inaccessible` if there is no such file, it is not a regular file, or it
  ///   may not be read.
  public init(path: String, limits: ReadingLimits = ReadingLimits()) throws(ReadError) {
    self.path = path
    self.limits = limits
    // Without O_NONBLOCK a named pipe would keep us waiting for its writer, only to be refused.
    descriptor =
      path == "-"
      ? try standardInput() : unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      let number = errno
      let remedy =
        switch number {
        case ENOENT, ENOTDIR: "Check the spelling and the current folder."
        case EMFILE, ENFILE: "Raise the limit of open files (ulimit -n), or close some."
        case EACCES, EPERM: "Check the permissions of the file and its folder."
        default: "Check the file system."
        }
      throw .inaccessible(path: path, reason: lowercasedReason(number), remedy: remedy)
    }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else {
      let reason = lowercasedReason(errno)
      close(descriptor)
      throw .inaccessible(path: path, reason: reason, remedy: "Check the file system.")
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      let isFolder = status.st_mode & S_IFMT == S_IFDIR
      throw .inaccessible(
        path: path, reason: isFolder ? "it is a folder" : "it is not a regular file",
        remedy: isFolder
          ? "Name a checkpoint file inside it."
          : "Save the stream to a file first: checkpoints are read in any order.")
    }
    count = Int(status.st_size)
  }

  /// What `write` puts into a temporary file without a name, which is gone with this object.
  ///
  /// - Parameters:
  ///   - path: what to call it in errors.
  ///   - limits: of what it may ask for.
  ///   - write: is given its descriptor, to be read and written.
  package init(
    path: String, limits: ReadingLimits, writtenBy write: (CInt) throws(ReadError) -> Void
  ) throws(ReadError) {
    self.path = path
    self.limits = limits
    descriptor = temporaryFile()
    guard descriptor >= 0 else {
      throw .inaccessible(
        path: path, reason: "making a temporary file failed: \(lowercasedReason(errno))",
        remedy: "Name a folder for such files with TMPDIR.")
    }
    do throws(ReadError) {
      try write(descriptor)
    } catch {
      close(descriptor)
      throw error
    }
    count = Int(lseek(descriptor, 0, SEEK_END))
  }

  /// Runs `body` with the descriptor of the file, for other programs to read.
  package func withDescriptor<Result>(
    _ body: (CInt) throws(ReadError) -> Result
  ) throws(ReadError) -> Result {
    try body(descriptor)
  }

  deinit { close(descriptor) }

  public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(ReadError) {
    try check(offset, buffer.count, field: "a read")
    let got: Int
    do {
      got = try unsafe readAll(into: buffer, from: descriptor, at: offset)
    } catch {
      throw .inaccessible(
        path: path, reason: "reading at byte \(offset + error.done) failed: \(error.reason)",
        remedy: "Check the disk or the network share.")
    }
    guard got == buffer.count else {
      throw .truncated(
        location.at(offset), field: "a read (the file shrank while it was open)",
        needed: buffer.count, available: got)
    }
  }
}

/// A descriptor of a file with what standard input gives.
private func standardInput() throws(ReadError) -> CInt {
  var status = stat()
  if unsafe fstat(STDIN_FILENO, &status) == 0, status.st_mode & S_IFMT == S_IFREG {
    return dup(STDIN_FILENO)
  }
  let copy = temporaryFile()
  guard copy >= 0 else { throw failure("keeping", lowercasedReason(errno)) }
  do {
    try copyStandardInput(to: copy)
    return copy
  } catch {
    close(copy)
    throw error
  }
}

private func copyStandardInput(to copy: CInt) throws(ReadError) {
  let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
  defer { unsafe chunk.deallocate() }
  var (count, got) = (0, chunk.count)
  while got == chunk.count {
    do {
      got = try unsafe readAll(into: chunk, from: STDIN_FILENO)
    } catch {
      throw failure("reading", error.reason)
    }
    do {
      // Safe: the bytes that were read.
      let part = unsafe UnsafeRawBufferPointer(rebasing: chunk[..<got])
      try unsafe writeAll(part, to: copy, at: count)
    } catch {
      throw failure("keeping", error.reason)
    }
    count += got
  }
}

private func failure(_ what: String, _ reason: String) -> ReadError {
  .inaccessible(
    path: "-", reason: "\(what) standard input failed: \(reason)",
    remedy: "Save the stream to a file first.")
}

/// The descriptor of a file without a name, in the folder for such; -1 with `errno` if there can be none.
func temporaryFile() -> CInt {
  let folder = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/tmp"
  let unnamed = unsafe partial_open_unnamed(folder, 0o600)
  if unnamed >= 0 { return unnamed }
  var template = Array("\(folder)/repconv.XXXXXX".utf8CString)
  let named = unsafe mkstemp(&template)
  if named >= 0 { unsafe unlink(template) }
  return named
}

extension InputFile {
  /// The file's own pages, read-only. While they are mapped nobody may cut the file short: the system ends
  /// a program that touches what is not there any more.
  public func withMappedBytes(
    _ range: Range<Int>, _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    try check(range.lowerBound, range.count, field: "a mapping")
    guard !range.isEmpty else {
      return try unsafe body(UnsafeRawBufferPointer(start: nil, count: 0))
    }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0, Int(status.st_size) >= range.upperBound else {
      throw ReadError.truncated(
        location.at(range.lowerBound), field: "a mapping (the file shrank while it was open)",
        needed: range.count, available: max(0, Int(status.st_size) - range.lowerBound))
    }
    // Mappings begin at pages.
    let page = Int(sysconf(CInt(_SC_PAGESIZE)))
    let start = range.lowerBound / page * page
    let count = range.upperBound - start
    guard
      let mapped = unsafe mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, off_t(start)),
      unsafe mapped != MAP_FAILED
    else {
      throw ReadError.inaccessible(
        path: path, reason: "mapping it failed: \(lowercasedReason(errno))",
        remedy: "Read the tensor instead.")
    }
    defer { unsafe munmap(mapped, count) }
    // Safe: all of these bytes are mapped until the call returns.
    let bytes = unsafe UnsafeRawBufferPointer(start: mapped, count: count)
    try unsafe body(UnsafeRawBufferPointer(rebasing: bytes[(range.lowerBound - start)...]))
  }
}

/// A part of another source, with a checksum if one is recorded for it.
///
/// The checksum is computed while the bytes are read, as long as they are read in order; `verify`
/// reads only what is left.
public final class ByteRegion: ByteSource {
  public let location: Location
  public let count: Int
  public var limits: ReadingLimits { parent.limits }
  private let parent: any ByteSource
  private let start: Int
  private let recordedCRC: UInt32?
  private let progress = Mutex((crc: CRC32(), covered: 0))

  /// - Parameters:
  ///   - location: the place of the first byte, for errors; by default its place in `parent`.
  ///   - crc: the CRC-32 recorded for exactly these bytes.
  /// - Throws: `ReadError.truncated` if `parent` does not have all of them.
  public init(
    of parent: any ByteSource, start: Int, count: Int, field: String, location: Location? = nil,
    crc: UInt32? = nil
  ) throws(ReadError) {
    try parent.check(start, count, field: field)
    self.parent = parent
    self.start = start
    self.count = count
    self.location = location ?? parent.location(at: start)
    recordedCRC = crc
  }

  public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(ReadError) {
    try check(offset, buffer.count, field: "a read")
    try unsafe parent.read(into: buffer, at: start + offset)
    guard recordedCRC != nil else { return }
    progress.withLock { progress in
      guard progress.covered == offset else { return }
      unsafe progress.crc.update(UnsafeRawBufferPointer(buffer))
      progress.covered += buffer.count
    }
  }

  public func withMappedBytes(
    _ range: Range<Int>, _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    try check(range.lowerBound, range.count, field: "a mapping")
    try unsafe parent.withMappedBytes(start + range.lowerBound..<start + range.upperBound, body)
  }

  public func verify() throws(ReadError) {
    guard let recordedCRC else { return }
    var (crc, covered) = progress.withLock { $0 }
    var chunk = [UInt8](repeating: 0, count: min(1 << 20, count - covered))
    while covered < count {
      let size = min(chunk.count, count - covered)
      try unsafe chunk.withMutableBytes { (bytes) throws(ReadError) in
        let part = unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[..<size])
        try unsafe parent.read(into: part, at: start + covered)
        unsafe crc.update(UnsafeRawBufferPointer(part))
      }
      covered += size
    }
    progress.withLock { $0 = (crc, covered) }
    guard crc.value == recordedCRC else {
      throw .checksumMismatch(location, recorded: recordedCRC, computed: crc.value)
    }
  }
}

/// The operating system's words for an error number, fit for the middle of a sentence.
package func lowercasedReason(_ number: CInt) -> String {
  let text = unsafe String(cString: strerror(number))
  return text.prefix(1).lowercased() + text.dropFirst()
}
