package import Tensors

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// The program that reads with the HDF5 library what `HDF5File` does not, and writes it again as a plain
/// file, with every dataset in one piece: `repconv-hdf5`.
///
/// Damaged files crash the library. So it runs in a process of its own, which on Linux can open no file,
/// use no more than 1 GiB of memory, and compute for some 20 seconds; what it writes is read like any
/// stranger's file.
package struct HDF5Rewriter: Sendable {
  static let name = "repconv-hdf5"

  let path: String
  let arguments: [String]

  /// - Parameters:
  ///   - path: of the program.
  ///   - arguments: that it is given.
  package init(path: String, arguments: [String] = []) {
    self.path = path
    self.arguments = arguments
  }

  /// The program in the folder of the one that is running, in `../libexec/repconv` beside that, or in a
  /// folder on `PATH`; nil if it is in none of them.
  package static func installed() -> HDF5Rewriter? {
    var folders: [String] = []
    if let running = pathOfRunningProgram(), let slash = running.lastIndex(of: "/") {
      folders += [String(running[..<slash]), "\(running[..<slash])/../libexec/repconv"]
    }
    let path = unsafe getenv("PATH").map { unsafe String(cString: $0) } ?? ""
    // Not in the current folder, whatever is there.
    folders += path.split(separator: ":").filter { $0.hasPrefix("/") }.map(String.init)
    for path in folders.map({ "\($0)/\(name)" }) where unsafe access(path, X_OK) == 0 {
      return HDF5Rewriter(path: path)
    }
    return nil
  }

  /// A file written again.
  package struct Result {
    package var source: any ByteSource
    /// Objects that were left out, by their paths, and why.
    package var unreadable: [(path: Name, what: String)] = []
    /// The paths of datasets of which only parts had been written.
    package var partlyWritten: [Name] = []
  }

  /// - Parameters:
  ///   - source: an HDF5 file.
  ///   - reason: why it takes the library, for errors.
  /// - Throws: `ReadError.unsupported` if the library cannot read it, crashes or takes too much;
  ///   `.inaccessible` if there is no place for the result.
  package func rewrite(
    _ source: any ByteSource, because reason: String
  ) throws(ReadError) -> Result {
    let input = if let file = source as? InputFile { file } else { try Self.copied(source) }
    let place = source.location
    var records: [UInt8] = []
    var status: CInt = 0
    let output = try InputFile(path: place.path, limits: source.limits) {
      (output) throws(ReadError) in
      (status, records) = try input.withDescriptor { (input) throws(ReadError) in
        try run(input: input, output: output, place)
      }
    }
    func failure(_ what: String) -> ReadError {
      .unsupported(
        place, what: "\(reason); that takes the HDF5 library, which \(what)",
        remedy: "In Python, copy what you need with h5py to a new file, if it can read it.")
    }
    var result = Result(
      source: try ByteRegion(
        of: output, start: 0, count: output.count, field: "the file", location: place))
    guard records.count <= Record.maximumBytes else { throw failure("reported too much") }
    for record in Record.all(in: records) {
      switch record.kind {
      case UInt8(ascii: "L"): result.unreadable.append((record.path, record.text))
      case UInt8(ascii: "P"): result.partlyWritten.append(record.path)
      case UInt8(ascii: "F"):
        let object = record.path.isEmpty ? "" : " ('\(printable(record.path))')"
        throw failure("failed\(object): \(printable(record.text))")
      default: throw failure("reported what is not known")
      }
    }
    guard status == 0 else { throw failure(Self.meaning(of: status)) }
    guard try HDF5File.superblock(of: output) == 0 else { throw failure("wrote no HDF5 file") }
    return result
  }

  /// What a status that `waitpid` reports says of the program.
  private static func meaning(of status: CInt) -> String {
    let signal = status & 0x7F
    return switch signal {
    case 0: "ended with status \(status >> 8 & 0xFF)"
    case SIGXCPU, SIGKILL: "took too long"
    case SIGXFSZ: "wrote too much"
    #if os(Linux)
      case SIGSYS: "tried what its sandbox forbids"
    #endif
    default: "crashed on it (signal \(signal))"
    }
  }

  private static func copied(_ source: any ByteSource) throws(ReadError) -> InputFile {
    try InputFile(path: source.location.path, limits: source.limits) {
      (descriptor) throws(ReadError) in
      var offset = 0
      while offset < source.count {
        let part = try source.bytes(
          offset..<min(source.count, offset + 1 << 20), field: "the HDF5 file")
        do throws(TransferError) {
          // Safe: of the bytes that were read.
          try unsafe part.withBytes { (bytes) throws(TransferError) in
            try unsafe writeAll(bytes, to: descriptor, at: offset)
          }
        } catch {
          throw .inaccessible(
            path: source.location.path, reason: "writing a temporary file failed: \(error.reason)",
            remedy: "Make room, or name another folder for such files with TMPDIR.")
        }
        offset += part.count
      }
      try source.verify()
    }
  }

  /// Runs the program with these two files as its standard input and output.
  ///
  /// - Returns: its status, as `waitpid` has it, and what it reported.
  private func run(
    input: CInt, output: CInt, _ place: Location
  ) throws(ReadError) -> (status: CInt, report: [UInt8]) {
    func failure(_ what: String, _ number: CInt) -> ReadError {
      .inaccessible(
        path: path, reason: "\(what) failed: \(lowercasedReason(number))",
        remedy: "It reads HDF5 files for this program; install it anew.")
    }
    var ends: [CInt] = [-1, -1]
    guard unsafe pipe(&ends) == 0 else { throw failure("making a pipe", errno) }
    let (reading, writing) = (ends[0], ends[1])
    defer { close(reading) }
    _ = fcntl(reading, F_SETFD, FD_CLOEXEC)
    _ = fcntl(writing, F_SETFD, FD_CLOEXEC)

    let started: (process: pid_t, error: CInt) = spawn(input, output, report: writing)
    close(writing)
    guard started.error == 0 else { throw failure("starting it", started.error) }
    var report: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      // Safe: the kernel writes at most as many bytes as there are.
      let got = unsafe part.withMutableBytes { unsafe read(reading, $0.baseAddress!, $0.count) }
      if got < 0 && errno == EINTR { continue }
      guard got > 0, report.count <= Record.maximumBytes else { break }
      report += part[..<got]
    }
    if report.count > Record.maximumBytes { kill(started.process, SIGKILL) }
    var status: CInt = 0
    while unsafe waitpid(started.process, &status, 0) < 0 {
      guard errno == EINTR else { throw failure("waiting for it", errno) }
    }
    return (status, report)
  }

  /// - Returns: the process, or an error number that is not 0.
  private func spawn(_ input: CInt, _ output: CInt, report: CInt) -> (pid_t, CInt) {
    #if canImport(Darwin)
      var actions: posix_spawn_file_actions_t?
    #else
      var actions = unsafe posix_spawn_file_actions_t()
    #endif
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    for (inherited, number) in [(input, 0), (output, 1), (report, 2)] as [(CInt, CInt)] {
      unsafe posix_spawn_file_actions_adddup2(&actions, inherited, number)
    }
    // Of the environment only where libraries are: other variables change what the HDF5 library does.
    let libraries = unsafe getenv("LD_LIBRARY_PATH").map {
      unsafe "LD_LIBRARY_PATH=\(String(cString: $0))"
    }
    var process: pid_t = 0
    let arguments = unsafe ([path] + arguments).map { unsafe strdup($0) } + [nil]
    let environment = unsafe libraries.map { unsafe [strdup($0), nil] } ?? [nil]
    defer { unsafe freeAll(arguments + environment) }
    let error = unsafe posix_spawn(&process, path, &actions, nil, arguments, environment)
    return (process, error)
  }
}

private func freeAll(_ texts: [UnsafeMutablePointer<CChar>?]) {
  for index in unsafe texts.indices { unsafe free(texts[index]) }
}

/// What the program reports: a kind, the path of an object and a NUL, text and a NUL.
private struct Record {
  var kind: UInt8
  var path: Name
  var text: String

  /// Of a report, in which every object of a file may be.
  static let maximumBytes = 16 << 20

  static func all(in report: [UInt8]) -> [Record] {
    var records: [Record] = []
    var rest = report[...]
    func take() -> String? {
      guard let end = rest.firstIndex(of: 0) else { return nil }
      defer { rest = rest[(end + 1)...] }
      return String(decoding: rest[..<end], as: UTF8.self)
    }
    while let kind = rest.popFirst() {
      // The last one may be cut short by whatever ended the program.
      guard let path = take(), let text = take() else { break }
      records.append(Record(kind: kind, path: Name(path), text: text))
    }
    return records
  }
}

/// Of the program that runs; nil if the system does not tell.
private func pathOfRunningProgram() -> String? {
  var path = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
  #if canImport(Darwin)
    var size = UInt32(path.count)
    guard unsafe _NSGetExecutablePath(&path, &size) == 0 else { return nil }
  #else
    guard unsafe readlink("/proc/self/exe", &path, path.count - 1) > 0 else { return nil }
  #endif
  return String(decoding: path.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
