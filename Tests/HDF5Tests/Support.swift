import HDF5
import Tensors

/// All datasets below a group that are tensors, by their paths.
func tensors(
  in group: HDF5Tree.Node, of file: HDF5File
) throws(ReadError) -> [(path: Name, tensor: Tensor)] {
  var result: [(path: Name, tensor: Tensor)] = []
  for node in group.members {
    if let dataset = node.dataset, dataset.whatInstead == nil {
      result.append((node.path, try dataset.tensor(in: file, name: node.path)))
    }
    result += try tensors(in: node, of: file)
  }
  return result
}

/// Reads everything there is, but nothing large: limits are not the subject.
func readAll(_ source: any ByteSource) throws {
  guard let start = try HDF5File.superblock(of: source) else { return }
  let file = try HDF5File(source, superblockAt: start)
  for (_, tensor) in try tensors(in: HDF5Tree(file).root, of: file)
  where tensor.byteCount < 1 << 20 {
    _ = try tensor.bytes()
    try tensor.source.verify()
  }
}
