internal import Checkpoints
internal import ONNX
internal import Tensors

/// Checkpoints in ONNX files: see `ONNXFile`.
enum ONNXCheckpoint {
  static func read(_ opened: OpenedFile) throws(ReadError) -> Checkpoint? {
    guard ONNXFile.matches(opened.head) else { return nil }
    return try ONNXFile(opened.file).checkpoint
  }
}
