extension OutputTensor {
  /// The same numbers in float32, which has each of them.
  ///
  /// - Precondition: they are float32, float16 or bfloat16, without scales.
  package var widened: OutputTensor {
    if elementType == .float32 { return self }
    precondition(scales == nil && [.float16, .bfloat16].contains(elementType))
    return OutputTensor(
      name: name, elementType: .float32, shape: shape, contents: WidenedContents(original: self))
  }
}

/// Elements of half the width, each as the float32 that it is.
private struct WidenedContents: TensorContents {
  let original: OutputTensor

  var granularity: Int { original.contents.granularity }

  func read(
    _ range: Range<Int>, into buffer: UnsafeMutableRawBufferPointer, workspace: inout Workspace
  ) throws(ReadError) {
    var bytes = [UInt8](repeating: 0, count: range.count * original.elementType.byteCount)
    try unsafe bytes.withMutableBytes { (all) throws(ReadError) in
      try unsafe original.contents.read(range, into: all, workspace: &workspace)
    }
    let piece = try Tensor(
      original.elementType, shape: [range.count],
      in: MemoryBytes(bytes, location: Location(path: printable(original.name))),
      name: original.name)
    let numbers = OutputTensor(name: original.name, shape: [range.count], piece, as: .float32)
    try unsafe numbers.contents.read(0..<range.count, into: buffer, workspace: &workspace)
  }
}
