import Foundation
import Tensors
import TestSupport
import Testing

@testable import HDF5

/// The program that runs the HDF5 library, and what becomes of one that fails.
@Suite struct HDF5RewriterTests {
  private static let rewriter = HDF5Rewriter(path: Program.path(of: "repconv-hdf5"))

  @Test func `the program is found beside the one that runs`() throws {
    let found = try #require(HDF5Rewriter.installed())
    #expect(
      found.path.hasSuffix("/repconv-hdf5") && FileManager.default.fileExists(atPath: found.path))
  }

  @Test func `a file is written again with every dataset in one piece`() throws {
    let file = try InputFile(path: Fixtures.path("HDF5Files/n-bit.h5"))
    let result = try Self.rewriter.rewrite(file, because: "a reason")
    #expect(result.unreadable.isEmpty && result.partlyWritten.isEmpty)
    let plain = try HDF5File(result.source, superblockAt: 0)
    let read = try tensors(in: HDF5Tree(plain).root, of: plain)
    #expect(read.map(\.path) == ["sound", "w"] && read.map(\.tensor.shape) == [[2], [50]])
    #expect(plain.location == file.location)
  }

  /// A source that is no file of its own goes through a copy.
  @Test func `a file inside another is written again, too`() throws {
    let bytes = try Fixtures.bytes("HDF5Files/n-bit.h5")
    let member = MemoryBytes(bytes, location: Location(path: "a.keras", member: "weights"))
    let result = try Self.rewriter.rewrite(member, because: "a reason")
    #expect(result.source.location == member.location)
    #expect(try HDF5Tree(HDF5File(result.source, superblockAt: 0)).root.members.count == 2)
  }

  /// The library says of both that nothing is stored.
  @Test func `a dataset with a damaged index is not taken for one that was never written`() throws {
    var bytes = try Fixtures.bytes("HDF5Files/scale-offset-v110.h5")
    let index = try #require(bytes.firstRange(of: Array("FADB".utf8)))
    bytes[index.upperBound + 16] ^= 1
    let file = MemoryBytes(bytes, location: Location(path: "a.h5"))
    let error = #expect(throws: ReadError.self) {
      try Self.rewriter.rewrite(file, because: "a reason")
    }
    #expect(error?.description.contains("checksum") == true, "\(String(describing: error))")
  }

  #if os(Linux)
    /// The signal that ends the program, or its status.
    @Test(
      arguments: [("open", SIGSYS), ("size", SIGXFSZ)]
        // Sanitizers take terabytes of addresses.
        + (isSanitized ? [] : [("memory", 0)]))
    func `what the sandbox forbids ends the program, or fails`(what: String, ending: Int32) throws {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: Self.rewriter.path)
      process.arguments = ["--try", what]
      let file = try FileHandle(
        forReadingFrom: URL(fileURLWithPath: Fixtures.path("HDF5Files/n-bit.h5")))
      let folder = try TemporaryFolder()
      let output = try folder.write([], to: "output")
      process.standardInput = file
      process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: output))
      process.standardError = FileHandle.nullDevice
      try process.run()
      process.waitUntilExit()
      #expect(process.terminationStatus == ending)
      #expect((process.terminationReason == .uncaughtSignal) == (ending != 0))
    }
  #endif

  /// Programs in its place, and what is said of them.
  private static let failures = [
    ("kill -SEGV $$", "crashed on it (signal 11)"),
    ("kill -KILL $$", "took too long"),
    ("kill -SYS $$", "tried what its sandbox forbids"),
    ("exit 3", "ended with status 3"),
    ("printf 'Lw\\0left\\0Lhalf a' >&2; kill -SEGV $$", "crashed on it (signal 11)"),
    ("printf 'Fa/w\\0no such filter\\0' >&2; exit 2", "failed ('a/w'): no such filter"),
    ("exec cat /dev/zero >&2", "reported too much"),
    ("echo nothing useful", "wrote no HDF5 file"),
  ]

  @Test(arguments: failures)
  func `a program that fails is an error`(script: String, what: String) throws {
    let file = MemoryBytes([1, 2, 3], location: Location(path: "w.h5"))
    let error = #expect(throws: ReadError.self) {
      let program = HDF5Rewriter(path: "/bin/sh", arguments: ["-c", script])
      _ = try program.rewrite(file, because: "it is odd")
    }
    #expect(
      try #require(error).description == """
        w.h5: it is odd; that takes the HDF5 library, which \(what).
          In Python, copy what you need with h5py to a new file, if it can read it.
        """)
  }

  @Test func `a program that cannot be started is an error`() throws {
    let file = MemoryBytes([1, 2, 3], location: Location(path: "w.h5"))
    let error = #expect(throws: ReadError.self) {
      _ = try HDF5Rewriter(path: "/nowhere/repconv-hdf5").rewrite(file, because: "it is odd")
    }
    #expect(
      try #require(error).description == """
        /nowhere/repconv-hdf5: starting it failed: no such file or directory.
          It reads HDF5 files for this program; install it anew.
        """)
  }
}
