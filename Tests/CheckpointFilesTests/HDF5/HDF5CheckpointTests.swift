import Checkpoints
import Checksums
import HDF5
import Tensors
import TestSupport
import Testing

@testable import CheckpointFiles

/// Files that h5py, Keras and the C library below them wrote, against sums that NumPy made.
@Suite struct HDF5CheckpointTests {
  private static let networks = try! fileNames(in: "HDF5/states.tsv")
  private static let files = try! fileNames(in: "HDF5Files/files.tsv")

  private static func fileNames(in name: String) throws -> [String] {
    Set(try Fixtures.table(name).map { $0[0] }).sorted()
  }

  /// The rows about `file`, without its name.
  private static func rows(_ name: String, about file: String) throws -> [[String]] {
    try Fixtures.table(name).filter { $0[0] == file }.map { Array($0.dropFirst()) }
  }

  /// Compares with rows of name, element type, shape and SHA-256, in any order.
  static func expect(_ dict: StateDict, holds rows: [[String]]) throws {
    let tensors = Dictionary(uniqueKeysWithValues: dict.tensors.map { ($0.name, $0.tensor) })
    #expect(tensors.count == rows.count)
    for row in rows {
      let tensor = try #require(tensors[row[0]], "\(row[0])")
      #expect(tensor.elementType.rawValue == row[1] && tensor.shape.description == row[2])
      var hash = SHA256()
      hash.update(try tensor.bytes())
      #expect(hash.finalize().hexadecimal == row[3], "\(row[0])")
    }
  }

  @Test(arguments: networks)
  func `a trained network is as NumPy knows it`(file: String) throws {
    let checkpoint = try readCheckpoint(path: Fixtures.path("HDF5/\(file)"))
    #expect(checkpoint.notes == [])
    #expect(checkpoint.family == (file.contains("keras") ? "keras" : "hdf5"))
    let dict = try #require(checkpoint.stateDicts.first)
    #expect(checkpoint.stateDicts.count == 1 && dict.path == [])
    #expect(dict.ignored.isEmpty)
    try Self.expect(dict, holds: Self.rows("HDF5/states.tsv", about: file))
    for named in dict.tensors { try named.tensor.source.verify() }
  }

  @Test(arguments: files)
  func `every type, layout and version is as NumPy knows it`(file: String) throws {
    let checkpoint = try readCheckpoint(path: Fixtures.path("HDF5Files/\(file)"))
    #expect(checkpoint.family == "hdf5" && checkpoint.container == "HDF5")
    #expect(checkpoint.notes == (try Self.rows("HDF5Files/notes.tsv", about: file).map { $0[0] }))
    let size = try Fixtures.bytes("HDF5Files/\(file)").count
    #expect(checkpoint.byteCount == size)
    let dict = try #require(checkpoint.stateDicts.first)
    let rows = try Self.rows("HDF5Files/files.tsv", about: file)
    try Self.expect(dict, holds: rows)
    if file.hasPrefix("ordered") { #expect(dict.tensors.map(\.name) == rows.map { $0[0] }) }
    let ignored = Set(dict.ignored.map { [$0.name.text, $0.what] })
    #expect(ignored == Set(try Self.rows("HDF5Files/ignored.tsv", about: file)))
  }

  @Test(arguments: try! Fixtures.table("HDF5Files/refusals.tsv"))
  func `what would lead astray is refused by name`(row: [String]) throws {
    let error = #expect(throws: ReadError.self) {
      let checkpoint = try readCheckpoint(path: Fixtures.path("HDF5Files/\(row[0])"))
      // Nothing large: limits are not the subject.
      for named in checkpoint.stateDicts[0].tensors where named.tensor.byteCount < 1 << 20 {
        _ = try named.tensor.bytes()
        try named.tensor.source.verify()
      }
    }
    #expect(
      Fixtures.description(of: try #require(error)) == "HDF5Files/\(row[0])\(row[1])\n  \(row[2])")
  }

  @Test func `without the program for the HDF5 library, the error says where it belongs`() throws {
    let file = try InputFile(path: Fixtures.path("HDF5Files/n-bit.h5"))
    let error = #expect(throws: ReadError.self) {
      _ = try HDF5Checkpoint.read(file, rewriter: nil)
    }
    #expect(
      Fixtures.description(of: try #require(error)) == """
        HDF5Files/n-bit.h5(w): the dataset is compressed with n-bit packing (filter 5); that takes the \
        HDF5 library, whose program repconv-hdf5 is neither beside this one nor on PATH.
          It is built and installed together with this one. Or: In Python, copy it with h5py to a new \
        file, uncompressed or with gzip.
        """)
  }

  private static func output(
    _ name: String, _ type: ElementType = .bool, shape: Shape = [2, 3]
  ) throws -> OutputTensor {
    let bytes = (0..<shape.elementCount * type.byteCount).map { UInt8($0 % 2) }
    let source = MemoryBytes(bytes, location: Location(path: "memory"))
    return OutputTensor(name: name, try Tensor(type, shape: shape, in: source, name: name))
  }

  @Test func `a written file has a dataset for each tensor, in order`() throws {
    let outputs = try ["z/weight", "a", "10", "9"].map { try Self.output($0) }
    let written = try TemporaryFile { try HDF5Writer.write(outputs, to: $0) }
    let file = try HDF5File(try InputFile(path: written.path), superblockAt: 0)
    #expect(try HDF5Tree(file).root.members.map(\.name) == ["z+weight", "a", "10", "9"])
    let tensors = try readCheckpoint(path: written.path).stateDicts[0].tensors
    #expect(tensors.map(\.name) == outputs.map(\.name))
  }

  @Test(arguments: ["a+b", "", ".", "a\0b"])
  func `a name that no dataset can have is refused`(name: String) throws {
    let error = #expect(throws: WriteError.self) {
      _ = try TemporaryFile { try HDF5Writer.write([try Self.output(name)], to: $0) }
    }
    guard case .cannotExpress(_, let what, _)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(what == "'\(printable(name))' cannot be the name of a dataset ('+' stands for '/')")
  }

  @Test func `elements that HDF5 has no type for are refused`() throws {
    let error = #expect(throws: WriteError.self) {
      _ = try TemporaryFile { try HDF5Writer.write([try Self.output("w", .complex64)], to: $0) }
    }
    guard case .cannotExpress(_, let what, _)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(what == "'w' is complex64 2x3, which HDF5 has no type for")
  }
}
