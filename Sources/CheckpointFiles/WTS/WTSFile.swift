internal import Checkpoints
internal import Tensors

/// Weights as text, from which programs for TensorRT build their networks (`.wts`).
///
///     2
///     stage0.rbr_reparam.weight 432  3e2a7efa bd9c1b30 ...
///     stage0.rbr_reparam.bias 16  bf5d3c01 ...
///
/// The first line is the number of tensors. Each of the others is one: its name, the number of its
/// elements, and each element as the eight hexadecimal digits of a float32, most significant first.
/// Blanks separate them, and end no name; there is one behind each element but the last, as every writer
/// has it, so elements are found without reading those before.
///
/// The files do not tell shapes. A tensor is read as a vector.
///
/// `gen_wts.py` and `loadWeights` in <https://github.com/wang-xinyu/tensorrtx>.
enum WTSFile {
  /// Room for a line up to its elements, but for a name that is very long.
  private static let startLength = 4096

  static func read(_ opened: OpenedFile) throws(ReadError) -> Checkpoint? {
    guard matches(opened.head) else { return nil }
    return try read(opened.file)
  }

  /// Whether a file begins with a line of digits and one with a name, a number and an element.
  static func matches(_ head: [UInt8]) -> Bool {
    var line = Line(head[...])
    guard let count = line.number(), count > 0, line.takeEnd(), line.word() != nil,
      let elementCount = line.number()
    else { return false }
    if elementCount == 0 { return line.takeEnd() }
    line.skipBlanks()
    guard let element = line.word() else { return false }
    return element.count == 8 && element.allSatisfy { hexDigit($0) != nil }
  }

  static func read(_ file: any ByteSource) throws(ReadError) -> Checkpoint {
    var offset = 0
    /// What was read last, and where it is.
    var (part, start): ([UInt8], Int) = ([], 0)
    /// What lies at `offset`: at least so much, if the file is as long.
    func window(_ count: Int = startLength) throws(ReadError) -> Line {
      if offset < start || min(offset + count, file.count) > start + part.count {
        start = offset
        let end = min(offset + max(count, 16 * startLength), file.count)
        part = try file.bytes(offset..<end, field: "a line")
      }
      return Line(part[(offset - start)...])
    }
    func malformed(_ expected: String, _ found: String) -> ReadError {
      .malformed(file.location(at: offset), expected: expected, found: found, remedy: fetchAgain)
    }

    var line = try window()
    guard let count = line.number(), line.takeEnd() else {
      throw malformed("the number of tensors in a line", "something else")
    }
    guard count <= file.limits[.tensors] else {
      throw file.exceeded(.tensors, found: "\(count)")
    }
    offset += line.position
    var stateDict = StateDict(tensors: [])
    var names: Set<Name> = []
    for index in 0..<count {
      guard offset < file.count else {
        throw malformed("\(count) tensors, as the first line says", "\(index)")
      }
      line = try window()
      if line.wordLength > startLength / 2 {
        line = try window(min(file.limits[.nameLength], file.count) + startLength)
      }
      guard line.wordLength <= file.limits[.nameLength] else {
        throw file.exceeded(.nameLength, at: file.location(at: offset))
      }
      guard let word = line.word(),
        let name = String(validating: word, as: UTF8.self).map({ Name($0) }),
        let elementCount = line.number()
      else { throw malformed("the name of a tensor and the number of its elements", "other text") }
      guard names.insert(name).inserted else {
        throw malformed("every name once", "'\(printable(name))' twice")
      }
      line.skipBlanks()
      offset += line.position
      let source = try WTSElements(of: file, start: offset, elementCount: elementCount, name: name)
      stateDict.tensors.append(
        NamedTensor(name, try Tensor(.float32, shape: [elementCount], in: source, name: name)))
      offset += source.textLength
      line = try window()
      guard line.takeEnd() else {
        throw malformed("a line that ends behind \(elementCount) elements", "more of it")
      }
      offset += line.position
    }
    while offset < file.count {
      line = try window()
      guard line.takeEnd() else {
        throw malformed("the end of the file behind \(count) tensors", "more")
      }
      offset += line.position
    }
    return Checkpoint(
      path: file.location.path, container: "TensorRT .wts text", family: "wts",
      byteCount: file.count, stateDicts: stateDict.tensors.isEmpty ? [] : [stateDict],
      notes: ["The file does not tell the shapes of its tensors; each is read as a vector."])
  }
}

/// A cursor over the start of a line.
private struct Line {
  private let text: ArraySlice<UInt8>
  private(set) var position = 0

  init(_ text: ArraySlice<UInt8>) { self.text = text }

  private var rest: ArraySlice<UInt8> { text.dropFirst(position) }

  /// Bytes of the word that is next, as far as there is text.
  var wordLength: Int {
    rest.drop { $0 == 0x20 || $0 == 0x09 }.prefix { !isWhiteSpace($0) }.count
  }

  mutating func skipBlanks() {
    position += rest.prefix { $0 == 0x20 || $0 == 0x09 }.count
  }

  /// Takes what is left of a line if it is blank, with the line feed if there is one.
  mutating func takeEnd() -> Bool {
    skipBlanks()
    if rest.first == 0x0D { position += 1 }
    guard let next = rest.first else { return true }
    guard next == 0x0A else { return false }
    position += 1
    return true
  }

  /// Takes text up to white space.
  mutating func word() -> ArraySlice<UInt8>? {
    skipBlanks()
    let word = rest.prefix { !isWhiteSpace($0) }
    guard !word.isEmpty, word.allSatisfy({ $0 > 0x20 }) else {
      return nil
    }
    position += word.count
    return word
  }

  /// Takes decimal digits.
  mutating func number() -> Int? {
    skipBlanks()
    let digits = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    guard let number = Int(String(decoding: digits, as: UTF8.self)) else { return nil }
    position += digits.count
    return number
  }
}

private func hexDigit(_ byte: UInt8) -> UInt8? {
  switch byte {
  case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
  case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
  case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
  default: nil
  }
}

/// What C calls space.
private func isWhiteSpace(_ byte: UInt8) -> Bool {
  byte == 0x20 || (0x09...0x0D).contains(byte)
}

/// The elements of a tensor in a `.wts` file, as little-endian float32.
private final class WTSElements: ByteSource {
  let location: Location
  /// Bytes of the elements.
  let count: Int
  /// Bytes of their text.
  let textLength: Int
  private let file: any ByteSource
  private let start: Int

  /// Eight digits and a blank.
  private static let stride = 9

  init(
    of file: any ByteSource, start: Int, elementCount: Int, name: Name
  ) throws(ReadError) {
    let (length, overflow) = elementCount.multipliedReportingOverflow(by: WTSElements.stride)
    textLength = overflow ? .max : max(0, length - 1)
    try file.check(start, textLength, field: "the elements of '\(printable(name))'")
    location = file.location(at: start)
    count = 4 * elementCount
    self.file = file
    self.start = start
  }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(ReadError) {
    try check(offset, buffer.count, field: "a read")
    let piece = 1 << 16
    var done = 0
    while done < buffer.count {
      let size = min(piece, buffer.count - done)
      try unsafe decode(
        UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + size]), at: offset + done)
      done += size
    }
  }

  private func decode(
    _ buffer: UnsafeMutableRawBufferPointer, at offset: Int
  ) throws(ReadError) {
    // The text of all elements that the bytes are of, with the blank behind the last if there is one.
    let first = offset / 4 * WTSElements.stride
    let last = min((offset + buffer.count + 3) / 4 * WTSElements.stride, textLength)
    let text = try file.bytes(start + first..<start + last, field: "elements")
    for index in 0..<buffer.count {
      let (element, byte) = (offset + index).quotientAndRemainder(dividingBy: 4)
      let at = element * WTSElements.stride - first
      let (high, low) = (hexDigit(text[at + 6 - 2 * byte]), hexDigit(text[at + 7 - 2 * byte]))
      let isSeparated = at + 8 >= text.count || text[at + 8] == 0x20
      guard let high, let low, isSeparated else {
        throw .malformed(
          file.location(at: start + first + at),
          expected: "an element: eight hexadecimal digits and a blank",
          found:
            "'\(printable(String(decoding: text[at..<min(at + 9, text.count)], as: UTF8.self)))'",
          remedy: fetchAgain)
      }
      unsafe buffer[index] = high << 4 | low
    }
  }
}
