internal import CZip
internal import Checksums
internal import Synchronization
internal import Tensors

/// An archive opened by libzip, which checks its structure and inflates members. This is the only file
/// that imports it.
final class ZipLibrary: Sendable {
  /// What libzip says of a member.
  struct Entry: Equatable {
    /// As the directory has it; a NUL is a blank.
    var name: [UInt8]
    var size: UInt64
    var compressedSize: UInt64
    var crc: UInt32
  }

  /// libzip's handles may only be used by one thread at a time.
  @safe private struct Handle: @unchecked Sendable {  // only ever touched under the mutex
    /// A `zip_t`, valid until `deinit` discards it.
    var archive: OpaquePointer
    /// What `archive` reads from; kept alive for it.
    var source: ArchiveSource
  }
  private let handle: Mutex<Handle>
  private let location: Location

  init(_ file: any ByteSource) throws(ReadError) {
    location = file.location
    let source = ArchiveSource(file)
    var error = unsafe zip_error_t()
    unsafe zip_error_init(&error)
    defer { unsafe zip_error_fini(&error) }
    // Safe: `source` lives as long as the archive, which `Handle` sees to.
    let context = unsafe Unmanaged.passUnretained(source).toOpaque()
    guard let stream = unsafe zip_source_function_create(serveArchive, context, &error) else {
      throw unsafe Self.failure(&error, source, at: location)
    }
    guard let archive = unsafe zip_open_from_source(stream, ZIP_RDONLY, &error) else {
      unsafe zip_source_free(stream)
      throw unsafe Self.failure(&error, source, at: location)
    }
    handle = unsafe Mutex(Handle(archive: archive, source: source))
  }

  deinit {
    handle.withLock { unsafe zip_discard($0.archive) }
  }

  /// All members, in the order of the directory.
  func entries() throws(ReadError) -> [Entry] {
    try handle.withLock { (handle) throws(ReadError) in
      let count = unsafe zip_get_num_entries(handle.archive, 0)
      var entries: [Entry] = []
      for index in 0..<zip_uint64_t(max(0, count)) {
        var status = unsafe zip_stat_t()
        unsafe zip_stat_init(&status)
        let needed = zip_uint64_t(ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_CRC)
        guard unsafe zip_stat_index(handle.archive, index, 0, &status) == 0,
          unsafe status.valid & needed == needed,
          let name = unsafe zip_get_name(handle.archive, index, zip_flags_t(ZIP_FL_ENC_RAW))
        else { throw Self.failure(handle, at: location) }
        var bytes: [UInt8] = []
        while unsafe name[bytes.count] != 0 {
          bytes.append(unsafe UInt8(bitPattern: name[bytes.count]))
        }
        entries.append(
          unsafe Entry(
            name: bytes, size: status.size, compressedSize: status.comp_size, crc: status.crc))
      }
      return entries
    }
  }

  /// Starts to decompress the member with this index.
  ///
  /// - Parameters:
  ///   - count: the bytes it should yield.
  ///   - crc: the checksum recorded for them; nil for none.
  ///   - location: the member's place, for errors.
  func open(
    _ index: Int, count: Int, crc: UInt32?, location: Location
  ) throws(ReadError) -> any ByteStream {
    let file = try handle.withLock { (handle) throws(ReadError) in
      guard let file = unsafe zip_fopen_index(handle.archive, zip_uint64_t(index), 0) else {
        throw Self.failure(handle, at: location)
      }
      return unsafe OpenMember(library: self, file: file)
    }
    return InflatingStream(member: file, count: count, recordedCRC: crc, location: location)
  }

  /// A `zip_file_t` with one owner.
  @safe fileprivate final class OpenMember {
    private let library: ZipLibrary
    private let file: OpaquePointer

    @unsafe init(library: ZipLibrary, file: OpaquePointer) {
      self.library = library
      unsafe self.file = file
    }

    deinit {
      library.handle.withLock { _ in _ = unsafe zip_fclose(file) }
    }

    /// Reads up to `buffer.count` bytes; less only at the end of the member or of its sound part.
    func read(
      into buffer: UnsafeMutableRawBufferPointer, location: Location
    ) throws(ReadError) -> Int {
      try library.handle.withLock { (handle) throws(ReadError) in
        // Safe: libzip writes at most the given count of bytes, all inside `buffer`.
        let got = unsafe zip_fread(file, buffer.baseAddress, zip_uint64_t(buffer.count))
        guard got >= 0 else {
          throw unsafe ZipLibrary.failure(zip_file_get_error(file), handle.source, at: location)
        }
        return Int(got)
      }
    }

    /// Whether nothing follows what was read.
    func isAtEnd() -> Bool {
      library.handle.withLock { _ in
        var byte: UInt8 = 0
        let got = unsafe zip_fread(file, &byte, 1)
        // At the end libzip compares the checksum too, but takes 0 for one; the caller knows better.
        return unsafe got == 0
          || got < 0 && zip_error_code_zip(zip_file_get_error(file)) == ZIP_ER_CRC
      }
    }
  }

  private static func failure(_ handle: Handle, at location: Location) -> ReadError {
    unsafe failure(zip_get_error(handle.archive), handle.source, at: location)
  }

  /// What went wrong in libzip, or below it in our own source.
  private static func failure(
    _ error: UnsafeMutablePointer<zip_error_t>, _ source: ArchiveSource, at location: Location
  ) -> ReadError {
    if let failure = source.failure { return failure }
    if unsafe zip_error_code_zip(error) == ZIP_ER_MEMORY {
      return .noMemory(location, byteCount: 0)
    }
    let words = unsafe String(cString: zip_error_strerror(error))
    return .malformed(
      location, expected: "a consistent zip archive", found: "what libzip calls '\(words)'",
      remedy: fetchAgain)
  }
}

/// The file that libzip reads from.
@safe private final class ArchiveSource {
  let file: any ByteSource
  var position = 0
  /// Why the last read failed, if the file was the reason.
  var failure: ReadError?
  var error = unsafe zip_error_t()

  init(_ file: any ByteSource) {
    self.file = file
    unsafe zip_error_init(&error)
  }

  deinit { unsafe zip_error_fini(&error) }

  func read(into buffer: UnsafeMutableRawBufferPointer) -> Int? {
    let count = min(buffer.count, file.count - position)
    do throws(ReadError) {
      try unsafe file.read(into: .init(rebasing: buffer[..<count]), at: position)
    } catch {
      failure = error
      return nil
    }
    position += count
    return count
  }
}

/// A `zip_source_callback`: the commands of a seekable source that cannot be written. `context` is an
/// `ArchiveSource`.
private func serveArchive(
  _ context: UnsafeMutableRawPointer?, _ data: UnsafeMutableRawPointer?, _ length: zip_uint64_t,
  _ command: zip_source_cmd_t
) -> zip_int64_t {
  // Safe: `ZipLibrary.Handle` keeps the source as long as libzip can call.
  let source = unsafe Unmanaged<ArchiveSource>.fromOpaque(context!).takeUnretainedValue()
  switch command {
  case ZIP_SOURCE_SUPPORTS:
    let supported = [
      ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE, ZIP_SOURCE_STAT, ZIP_SOURCE_ERROR,
      ZIP_SOURCE_FREE, ZIP_SOURCE_SEEK, ZIP_SOURCE_TELL, ZIP_SOURCE_SUPPORTS,
    ]
    return supported.reduce(0) { $0 | 1 << zip_int64_t($1.rawValue) }

  case ZIP_SOURCE_OPEN:
    source.position = 0
    return 0

  case ZIP_SOURCE_READ:
    // Safe: libzip gives `length` bytes of room at `data`.
    let buffer = unsafe UnsafeMutableRawBufferPointer(start: data, count: Int(length))
    guard let count = unsafe source.read(into: buffer) else {
      unsafe zip_error_set(&source.error, ZIP_ER_READ, 0)
      return -1
    }
    return zip_int64_t(count)

  case ZIP_SOURCE_SEEK:
    let position = unsafe zip_source_seek_compute_offset(
      zip_uint64_t(source.position), zip_uint64_t(source.file.count), data!, length, &source.error)
    guard position >= 0 else { return -1 }
    source.position = Int(position)
    return 0

  case ZIP_SOURCE_TELL:
    return zip_int64_t(source.position)

  case ZIP_SOURCE_STAT:
    let status = unsafe data!.assumingMemoryBound(to: zip_stat_t.self)
    unsafe zip_stat_init(status)
    unsafe status.pointee.valid = zip_uint64_t(ZIP_STAT_SIZE)
    unsafe status.pointee.size = zip_uint64_t(source.file.count)
    return zip_int64_t(unsafe MemoryLayout<zip_stat_t>.size)

  case ZIP_SOURCE_ERROR:
    return unsafe zip_error_to_data(&source.error, data!, length)

  case ZIP_SOURCE_CLOSE, ZIP_SOURCE_FREE:
    return 0

  default:
    unsafe zip_error_set(&source.error, ZIP_ER_OPNOTSUPP, 0)
    return -1
  }
}

/// The bytes of a compressed member.
private struct InflatingStream: ByteStream {
  let member: ZipLibrary.OpenMember
  /// Bytes the directory promises.
  let count: Int
  let recordedCRC: UInt32?
  let location: Location
  private var position = 0
  private var crc = CRC32()

  init(member: ZipLibrary.OpenMember, count: Int, recordedCRC: UInt32?, location: Location) {
    self.member = member
    self.count = count
    self.recordedCRC = recordedCRC
    self.location = location
  }

  mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws(ReadError) {
    let got = try unsafe member.read(into: buffer, location: location)
    guard got == buffer.count else { throw endsEarly(at: position + got) }
    unsafe crc.update(UnsafeRawBufferPointer(buffer))
    position += got
  }

  mutating func finish() throws(ReadError) {
    guard position == count, member.isAtEnd() else {
      throw .malformed(
        location, expected: "a member that expands to \(count) bytes, as the directory says",
        found: "more", remedy: fetchAgain)
    }
    if let recordedCRC, crc.value != recordedCRC {
      throw .checksumMismatch(location, recorded: recordedCRC, computed: crc.value)
    }
  }

  private func endsEarly(at offset: Int) -> ReadError {
    .malformed(
      location, expected: "a member that expands to \(count) bytes, as the directory says",
      found: "the end of the compressed data after \(offset)", remedy: fetchAgain)
  }
}
