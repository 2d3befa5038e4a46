import Checkpoints
import Checksums
import Tensors
import Testing

@testable import CheckpointFiles

/// Files that h5py, Keras and the C library below them wrote, against sums that NumPy made.
@Suite struct HDF5Tests {
  private static let networks = try! fileNames(in: "HDF5/states.tsv")
  private static let files = try! fileNames(in: "HDF5Files/files.tsv")

  private static func fileNames(in name: String) throws -> [String] {
    Set(try table(name).map { $0[0] }).sorted()
  }

  /// The rows about `file`, without its name.
  private static func rows(_ name: String, about file: String) throws -> [[String]] {
    try table(name).filter { $0[0] == file }.map { Array($0.dropFirst()) }
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
    let checkpoint = try readCheckpoint(path: fixturePath("HDF5/\(file)"))
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
    let checkpoint = try readCheckpoint(path: fixturePath("HDF5Files/\(file)"))
    #expect(checkpoint.family == "hdf5" && checkpoint.container == "HDF5")
    #expect(checkpoint.notes == [])
    let dict = try #require(checkpoint.stateDicts.first)
    let rows = try Self.rows("HDF5Files/files.tsv", about: file)
    try Self.expect(dict, holds: rows)
    if file.hasPrefix("ordered") { #expect(dict.tensors.map(\.name) == rows.map { $0[0] }) }
    let ignored = Set(dict.ignored.map { [$0.name, $0.what] })
    #expect(ignored == Set(try Self.rows("HDF5Files/ignored.tsv", about: file)))
  }

  private static func output(
    _ name: String, _ type: ElementType = .bool, shape: Shape = [2, 3]
  ) throws -> OutputTensor {
    let bytes = (0..<shape.elementCount * type.byteCount).map { UInt8($0 % 2) }
    let source = MemoryBytes(bytes, location: Location(path: "memory"))
    return OutputTensor(name: name, try Tensor(type, shape: shape, in: source, name: name))
  }

  @Test func `a written file has a dataset for each tensor, in order, aligned and in place`() throws
  {
    let outputs = try ["z/weight", "a", "10", "9"].map { try Self.output($0) }
    let written = try TemporaryFile { try HDF5Writer.write(outputs, to: $0) }
    let file = try HDF5File(try InputFile(path: written.path), superblockAt: 0)
    let nodes = try HDF5Tree(file).root.members
    #expect(nodes.map(\.name) == ["z+weight", "a", "10", "9"])
    for node in nodes {
      let dataset = try #require(node.dataset)
      guard case .contiguous(let address?, 6) = dataset.storage else {
        Issue.record("\(dataset.storage)")
        return
      }
      #expect(address.isMultiple(of: 64))
    }
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

  @Test func `a chunked dataset is read forward in pieces, and in any order`() throws {
    let path = fixturePath("HDF5Files/layouts-earliest.h5")
    let tensors = try readCheckpoint(path: path).stateDicts[0].tensors
    let tensor = try #require(tensors.first { $0.name == "chunked.shuffle.gzip.fletcher32" }).tensor
    let all = try tensor.bytes()
    for step in [1, 7, 50, 51, 200] {
      let fresh = try readCheckpoint(path: path).stateDicts[0].tensors
      let tensor = try #require(fresh.first { $0.name == "chunked.shuffle.gzip.fletcher32" }).tensor
      var pieces: [UInt8] = []
      for start in stride(from: 0, to: tensor.shape.elementCount, by: step) {
        let end = min(start + step, tensor.shape.elementCount)
        var piece = [UInt8](repeating: 0, count: 4 * (end - start))
        try unsafe piece.withUnsafeMutableBytes { try unsafe tensor.read(start..<end, into: $0) }
        pieces += piece
      }
      #expect(pieces == all, "\(step)")
    }
    let transposed = tensor.transposed([2, 0, 1])
    #expect(try transposed.transposed([1, 2, 0]).bytes() == all)
  }
}
