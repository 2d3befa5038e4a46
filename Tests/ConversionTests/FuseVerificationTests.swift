import Conversion
import Foundation
import Proof
import Synchronization
import Tensors
import TestSupport
import Testing

/// `fuse` that reads back what it wrote.
@Suite struct FuseVerificationTests {
  let folder: TemporaryFolder
  let train = Fixtures.path("PyTorch/plain-train.pth")
  init() throws { folder = try TemporaryFolder() }

  /// One bit is flipped in the file after it was written and before it is read again.
  @Test(arguments: ["out.rvd", "out.pth", "out.pkl", "out.h5", "out.npz", "out.safetensors"])
  func `a file that is damaged while it is written gets no name`(name: String) throws {
    let output = folder.file(name)
    var options = FuseOptions()
    options.isVerified = true
    let report = try fuse(train, to: output, options: options)
    #expect(report.verification?.holds == true)

    // Half way through every format there is a kernel.
    let sound = try folder.read(name)
    let offset = try #require((sound.count / 2..<sound.count).first { sound[$0] != 0 })
    try FileManager.default.removeItem(atPath: output)
    let hidden = folder.file(".\(name).\(ProcessInfo.processInfo.processIdentifier).partial")
    /// Where the file is before it has a name: among those that this process has open.
    let prefix = folder.path + "/#"
    @Sendable func partial() -> String {
      let open = "/proc/self/fd"
      let unnamed = (try? FileManager.default.contentsOfDirectory(atPath: open))?.first {
        let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "\(open)/\($0)")
        return target?.hasPrefix(prefix) == true
      }
      return unnamed.map { "\(open)/\($0)" } ?? hidden
    }
    let isDamaged = Mutex(false)
    options.writing.threads = Threads(1)
    options.writing.progress = { _, _ in
      isDamaged.withLock { isDamaged in
        guard !isDamaged, let file = FileHandle(forUpdatingAtPath: partial()) else { return }
        defer { try? file.close() }
        try? file.seek(toOffset: UInt64(offset))
        guard let byte = try? file.read(upToCount: 1)?.first, byte == sound[offset] else { return }
        try? file.seek(toOffset: UInt64(offset))
        isDamaged = (try? file.write(contentsOf: Data([byte ^ 1]))) != nil
      }
    }
    let error = #expect(throws: ConversionError.self) {
      try fuse(train, to: output, options: options)
    }
    #expect(isDamaged.withLock { $0 })
    guard case .notProven(output, let blocks, []) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(blocks.count == 1)
    #expect(try folder.names() == [])
  }

  /// Of weights in steps, biases make up for what the steps change: a file says so, and so they are compared.
  @Test(arguments: [("out.rvd", 0), ("out.onnx", 0), ("out.onnx", 2)])
  func `int8 weights and their biases are proven`(name: String, kept: Int) throws {
    var options = FuseOptions()
    options.isVerified = true
    options.writing.weightType = .int8
    options.writing.quantization.keptCount = kept
    let report = try fuse(train, to: folder.file(name), options: options)
    #expect(report.quantization?.correctsBiases == true)
    #expect(report.verification?.grade == .exact)
    #expect(try verify(train, folder.file(name)).holds)
    // Corrections that are not those of the BatchNorms are told from them.
    options.isVerified = false
    options.writing.quantization.correctsBiases = false
    options.writing.replace = true
    _ = try fuse(train, to: folder.file(name), options: options)
    #expect(try verify(train, folder.file(name)).holds)
  }
}
