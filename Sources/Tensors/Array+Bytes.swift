extension Array where Element: BitwiseCopyable {
  /// The memory of the elements as bytes, for the duration of `body`. The standard library's method
  /// of this kind does not keep the type of a thrown error.
  package mutating func withMutableBytes<Result, Failure: Error>(
    _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    var elements = mutableSpan
    var bytes = unsafe elements.mutableBytes
    return try unsafe bytes.withUnsafeMutableBytes(body)
  }

  /// The memory of the elements as bytes, for the duration of `body`.
  package func withBytes<Result, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try unsafe span.bytes.withUnsafeBytes(body)
  }
}
