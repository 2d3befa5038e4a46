import Checkpoints
import Conversion
import Naming
import RVD
import Tensors
import TestSupport
import Testing

/// Files that were cut short or changed: an error or the right answer, and nothing in between.
@Suite struct DamageTests {
  static let files = ["one-block.pth", "one-block-legacy.pth", "one-block.pkl"]
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  @Test(arguments: files)
  func `a file cut short at any length is refused, and nothing is written`(name: String) throws {
    let bytes = try Fixtures.bytes("Cases/\(name)")
    for length in 0..<bytes.count {
      try folder.write(Array(bytes[..<length]), to: "cut.bin")
      do {
        _ = try fuse(folder.file("cut.bin"), to: folder.file("out.rvd"))
        Issue.record("\(length) bytes of \(bytes.count) were accepted")
      } catch let error as ReadError {
        #expect(error.description.hasPrefix(folder.file("cut.bin")), "\(length): \(error)")
        #expect(error.description.contains("\n  "), "\(length): says what to do")
      } catch {
        Issue.record("\(length): \(error)")
      }
    }
    #expect(try folder.names() == ["cut.bin"])
  }

  @Test(arguments: files)
  func `a changed byte never traps, and in a zip never changes the answer`(name: String) throws {
    let bytes = try Fixtures.bytes("Cases/\(name)")
    let right = try fuse(Fixtures.path("Cases/\(name)"), to: folder.file("right.rvd")).output
      .contentDigest
    var random = SeededGenerator(seed: 20)
    for position in bytes.indices {
      var damaged = bytes
      damaged[position] ^= UInt8.random(in: 1...255, using: &random)
      try folder.write(damaged, to: "damaged.bin")
      do {
        let report = try fuse(
          folder.file("damaged.bin"), to: folder.file("out.rvd"), options: replacing)
        // Names are not weights: a changed name of a tensor that is passed through is another model.
        if name == "one-block.pth" {
          #expect(report.output.contentDigest == right, "byte \(position)")
        }
      } catch {}
    }
    #expect(try folder.names().filter { $0.hasSuffix(".partial") } == [])
  }

  var replacing: FuseOptions {
    var options = FuseOptions()
    options.writing.replace = true
    return options
  }

  @Test(arguments: files)
  func `the undamaged file gives PyTorch's own answer`(name: String) throws {
    _ = try fuse(Fixtures.path("Cases/\(name)"), to: folder.file("out.rvd"))
    let expected = try readNPZ(Fixtures.path("Cases/one-block-expected.npz"))
    for named in try RVDFile.open(path: folder.file("out.rvd")).tensors {
      let answer = try #require(expected[named.name]).floats
      #expect(try named.tensor.doubles().map(Float.init) == answer, "\(named.name)")
    }
  }

  /// Kernels of float32 beside biases of float64, counters without axes, integers of the pruner's.
  @Test func `the mixed types of an HDF5 file are fused as they are`() throws {
    let report = try fuse(Fixtures.path("HDF5Files/resrep.h5"), to: folder.file("out.rvd"))
    #expect(report.blocks == 1 && report.passedThrough == 1)
    let expected = try readNPZ(Fixtures.path("HDF5Files/resrep-fused.npz"))
    let tensors = try RVDFile.open(path: folder.file("out.rvd")).tensors
    #expect(
      tensors.map(\.name) == ["body.0.rbr_reparam.weight", "body.0.rbr_reparam.bias", "deps"])
    for named in tensors.dropLast() {
      let answer = try #require(expected[named.name]).floats
      #expect(try named.tensor.doubles().map(Float.init) == answer, "\(named.name)")
    }
    #expect(tensors[2].tensor.elementType == .int64)
    #expect(try tensors[2].tensor.bytes() == [2, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0])
  }

  @Test func `a block of which a branch cannot be read is refused, not taken for a smaller one`()
    throws
  {
    let path = Fixtures.path("HDF5Files/unreadable-block.h5")
    let error = #expect(throws: NamingError.self) { try fuse(path, to: folder.file("out.rvd")) }
    #expect(
      Fixtures.description(of: try #require(error)) == """
        HDF5Files/unreadable-block.h5(body.0.rbr_identity.bias): the link leads to another file, \
        'resrep.h5', which is not opened.
          If you trust both, copy what it leads to with h5py's Group.copy.
        """)
    // It is listed all the same.
    #expect(try inspect(path).ignored.count == 5)
  }

  @Test func `a larger network keeps everything outside its blocks`() throws {
    let source = try openCheckpoint(Fixtures.path("Cases/larger-network.pth"))
    let before = try #require(source.stateDicts.first).tensors
    for output in ["out.rvd", "out.pth"] {
      let report = try fuse(Fixtures.path("Cases/larger-network.pth"), to: folder.file(output))
      #expect(report.source.architecture == nil && report.blocks == 2 && report.passedThrough == 5)
      let after = try #require(openCheckpoint(folder.file(output)).stateDicts.first).tensors
      #expect(
        after.map(\.name) == [
          "stem.weight", "neck.block.rbr_reparam.weight", "neck.block.rbr_reparam.bias",
          "neck.down.rbr_reparam.weight", "neck.down.rbr_reparam.bias",
          "head.bn.num_batches_tracked", "head.scale", "head.empty", "head.half",
        ])
      for name in ["stem.weight", "head.bn.num_batches_tracked", "head.scale", "head.empty"] {
        let (a, b) = (
          before.first { $0.name == name }!.tensor, after.first { $0.name == name }!.tensor
        )
        #expect(a.shape == b.shape && a.elementType == b.elementType)
        #expect(try a.bytes() == b.bytes(), "\(name)")
      }
      let half = after.last!.tensor
      #expect(half.elementType == .float32)
      #expect(try half.doubles() == [1.5, -2])
    }
  }
}
