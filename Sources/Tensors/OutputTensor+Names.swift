extension Array where Element == OutputTensor {
  /// - Throws: `WriteError.cannotExpress` if two tensors have the same name: a reader would see one.
  package func requireUniqueNames(path: String) throws(WriteError) {
    var names: Set<Name> = []
    for tensor in self where !names.insert(tensor.name).inserted {
      throw .cannotExpress(
        path: path, what: "two tensors are called '\(printable(tensor.name))'",
        remedy: "Rename one of them.")
    }
  }
}
