import Tensors
import Testing

@testable import HDF5

@Suite struct HDF5FlatFileTests {
  @Test func `each dataset is in order, aligned and in place`() throws {
    let names: [Name] = ["z+weight", "a", "10", "9"]
    let layout = HDF5FlatFile(
      try names.enumerated().map { index, name in
        try #require(HDF5FlatFile.Dataset(name: name, .bool, shape: [2, index]))
      })
    #expect(layout.offsets.allSatisfy { $0.isMultiple(of: 64) && $0 >= layout.head.count })
    var bytes = layout.head
    bytes += [UInt8](repeating: 0, count: layout.byteCount - bytes.count)
    let file = try HDF5File(
      MemoryBytes(bytes, location: Location(path: "w.h5")), superblockAt: 0)
    let nodes = try HDF5Tree(file).root.members
    #expect(nodes.map(\.name) == names)
    for (index, node) in nodes.enumerated() {
      let dataset = try #require(node.dataset)
      #expect(dataset.shape == [2, index])
      guard case .contiguous(let address, 2 * index) = dataset.storage else {
        Issue.record("\(dataset.storage)")
        continue
      }
      #expect(address == (index == 0 ? nil : layout.offsets[index]))
    }
    #expect(layout.byteCount == layout.offsets[3] + 6)
  }

  @Test(arguments: ["", ".", "a/b", "a\0b", String(repeating: "a", count: 0xF001)])
  func `what has another meaning in a path, or is too long, is no name`(name: String) {
    #expect(!HDF5FlatFile.canName(Name(name)))
  }

  @Test func `what h5py has no convention for is no dataset`() {
    #expect(HDF5FlatFile.Dataset(name: "w", .complex64, shape: [1]) == nil)
    let flat = Shape([Int](repeating: 1, count: 33))
    #expect(HDF5FlatFile.Dataset(name: "w", .float32, shape: flat) == nil)
  }
}
