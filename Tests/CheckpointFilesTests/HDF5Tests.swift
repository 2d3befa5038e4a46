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
}
