public import Tensors

/// Writes tensors as `.wts` text (see `WTSFile`), with the blanks that `gen_wts.py` of tensorrtx writes.
///
/// Everything becomes float32, integers too; shapes are lost. Every element takes nine bytes.
public enum WTSWriter {
  /// - Parameter file: empty so far; it is left for the caller to commit.
  /// - Throws: `WriteError.cannotExpress` for names with blanks in them, repeated names, element types
  ///   without a value as float32, and float64 values beyond its range; whatever reading the tensors
  ///   throws.
  public static func write(
    _ tensors: [OutputTensor], to file: OutputFile, threads: Threads = .all
  ) throws {
    precondition(file.count == 0)
    try tensors.requireUniqueNames(path: file.path)
    for tensor in tensors { try check(tensor, path: file.path) }

    var end = 0
    var texts: [(text: [UInt8], offset: Int)] = []
    var offsets: [Int] = []
    func add(_ text: String) {
      texts.append((Array(text.utf8), end))
      end += text.utf8.count
    }
    add("\(tensors.count)\n")
    for tensor in tensors {
      add("\(tensor.name) \(tensor.shape.elementCount) ")
      offsets.append(end)
      end += tensor.shape.elementCount * Float32Text.length
      add("\n")
    }
    try file.reserve(end)
    for (text, offset) in texts { try file.overwrite(text, at: offset) }
    try forEachIndex(below: tensors.count, threads: threads) { [offsets] index, worker in
      var offset = offsets[index]
      var text = Float32Text()
      try unsafe tensors[index].forEachPiece(
        workspace: &worker.workspace, buffer: &worker.buffer
      ) { piece in
        guard unsafe text.encode(piece, as: tensors[index].elementType) else {
          throw WriteError.cannotExpress(
            path: file.path,
            what: "'\(printable(tensors[index].name))' has values that float32 cannot hold",
            remedy: "Use .safetensors or .npz, which hold float64.")
        }
        try file.overwrite(text.bytes, at: offset)
        offset += text.bytes.count
      }
    }
  }

  private static func check(_ tensor: OutputTensor, path: String) throws(WriteError) {
    let name = "'\(printable(tensor.name))'"
    guard !tensor.name.isEmpty, tensor.name.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else {
      throw .cannotExpress(
        path: path,
        what: "\(name) is not a valid name in a .wts file, where names end at a space",
        remedy: "Rename it, or use another format.")
    }
    switch tensor.elementType {
    case .float8e4m3fn, .float8e5m2, .complex64, .complex128:
      throw .cannotExpress(
        path: path, what: "\(name) is \(tensor.elementType.rawValue), and .wts holds float32 only",
        remedy: "Write it as float32, or use .safetensors.")
    default: break
    }
    // Its readers count with C's int.
    guard tensor.shape.elementCount <= Int32.max else {
      throw .cannotExpress(
        path: path, what: "\(name) has 2^31 elements or more, which no reader of .wts counts",
        remedy: "Use another format.")
    }
  }
}

/// Elements as text: each a blank and the eight hexadecimal digits of a float32.
private struct Float32Text {
  static let length = 9

  private(set) var bytes: [UInt8] = []

  private static let digits = Array("0123456789abcdef".utf8)

  /// Replaces `bytes` by the text of `piece`, packed and little-endian.
  ///
  /// - Returns: false if a finite value is too large for a float32.
  mutating func encode(_ piece: UnsafeRawBufferPointer, as type: ElementType) -> Bool {
    switch type {
    case .float32: unsafe encode(piece) { (bits: UInt32) in bits }
    case .bfloat16: unsafe encode(piece) { (bits: UInt16) in UInt32(bits) << 16 }
    case .float16: unsafe encode(piece) { (bits: UInt16) in Float(halfBits: bits).bitPattern }
    case .float64:
      unsafe encode(piece) { (bits: UInt64) in
        let value = Double(bitPattern: bits)
        let float = Float(value)
        return float.isInfinite && value.isFinite ? nil : float.bitPattern
      }
    case .bool: unsafe encode(piece) { (bits: UInt8) in Float(bits == 0 ? 0 : 1).bitPattern }
    case .int8: unsafe encode(piece) { (value: Int8) in Float(value).bitPattern }
    case .int16: unsafe encode(piece) { (value: Int16) in Float(value).bitPattern }
    case .int32: unsafe encode(piece) { (value: Int32) in Float(value).bitPattern }
    case .int64: unsafe encode(piece) { (value: Int64) in Float(Double(value)).bitPattern }
    case .uint8: unsafe encode(piece) { (value: UInt8) in Float(value).bitPattern }
    case .uint16: unsafe encode(piece) { (value: UInt16) in Float(value).bitPattern }
    case .uint32: unsafe encode(piece) { (value: UInt32) in Float(value).bitPattern }
    case .uint64: unsafe encode(piece) { (value: UInt64) in Float(Double(value)).bitPattern }
    case .float8e4m3fn, .float8e5m2, .complex64, .complex128:
      preconditionFailure("refused before")
    }
  }

  private mutating func encode<Element: BitwiseCopyable>(
    _ piece: UnsafeRawBufferPointer, _ bits: (Element) -> UInt32?
  ) -> Bool {
    let size = MemoryLayout<Element>.size
    let count = piece.count / size
    if bytes.count != count * Float32Text.length {
      bytes = [UInt8](repeating: UInt8(ascii: " "), count: count * Float32Text.length)
    }
    for index in 0..<count {
      // Safe: the element lies inside `piece`; the load needs no alignment. Swift's machines are
      // little-endian.
      let element = unsafe piece.loadUnaligned(fromByteOffset: index * size, as: Element.self)
      guard let bits = bits(element) else { return false }
      let start = index * Float32Text.length + 1
      for digit in 0..<8 {
        bytes[start + digit] = Float32Text.digits[Int(bits >> UInt32(28 - 4 * digit) & 15)]
      }
    }
    return true
  }
}
