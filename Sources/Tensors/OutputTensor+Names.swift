extension Array where Element == OutputTensor {
  /// - Throws: `WriteError.cannotExpress` if two tensors have the same name: a reader would see one.
  package func requireUniqueNames(path: String) throws(WriteError) {
    var names: Set<[UInt8]> = []
    for tensor in self where !names.insert([UInt8](tensor.name.utf8)).inserted {
      throw .cannotExpress(
        path: path, what: "two tensors are called '\(printable(tensor.name))'",
        remedy: "Rename one of them.")
    }
  }
}
