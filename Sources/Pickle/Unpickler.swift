public import Tensors

/// The opcode machine.
public struct Unpickler {
  /// Parses one pickle, from `offset` of `source` to its STOP.
  public static func parse(_ source: any ByteSource, at offset: Int = 0) throws(ReadError) -> ObjectGraph {
    fatalError()
  }
}
