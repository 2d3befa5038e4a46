import Foundation

/// An array of an `.npz` file that NumPy wrote: just enough of both formats for expected answers.
public struct NPZArray: Sendable {
  public var type: String
  public var shape: [Int]
  public var data: [UInt8]

  public struct Unreadable: Error {
    public var reason: String
  }

  /// Values of `<f8` or `<f4`.
  public var doubles: [Double] {
    type == "<f8"
      ? values(UInt64.self).map(Double.init(bitPattern:))
      : values(UInt32.self).map { Double(Float(bitPattern: $0)) }
  }

  public var floats: [Float] {
    precondition(type == "<f4")
    return values(UInt32.self).map(Float.init(bitPattern:))
  }

  private func values<Bits: FixedWidthInteger>(_: Bits.Type) -> [Bits] {
    let size = MemoryLayout<Bits>.size
    return stride(from: 0, to: data.count, by: size).map { start in
      (0..<size).reversed().reduce(0) { $0 << 8 | Bits(data[start + $1]) }
    }
  }
}

/// All arrays of an `.npz` made by `numpy.savez`, whose members are stored without compression.
public func readNPZ(_ path: String) throws -> [String: NPZArray] {
  let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
  func integer(_ offset: Int, _ count: Int) -> Int {
    (0..<count).reversed().reduce(0) { $0 << 8 | Int(bytes[offset + $1]) }
  }
  let end = bytes.count - 22  // NumPy writes no comment
  guard integer(end, 4) == 0x0605_4B50 else { throw NPZArray.Unreadable(reason: "no end record") }
  var result: [String: NPZArray] = [:]
  var entry = integer(end + 16, 4)
  for _ in 0..<integer(end + 10, 2) {
    guard integer(entry, 4) == 0x0201_4B50, integer(entry + 10, 2) == 0 else {
      throw NPZArray.Unreadable(reason: "compressed, or no entry at \(entry)")
    }
    let nameLength = integer(entry + 28, 2)
    let name = String(decoding: bytes[entry + 46..<entry + 46 + nameLength], as: UTF8.self)
    let local = integer(entry + 42, 4)
    let start = local + 30 + integer(local + 26, 2) + integer(local + 28, 2)
    result[String(name.dropLast(4))] = try array(
      Array(bytes[start..<start + integer(entry + 24, 4)]))
    entry += 46 + nameLength + integer(entry + 30, 2) + integer(entry + 32, 2)
  }
  return result
}

private func array(_ bytes: [UInt8]) throws -> NPZArray {
  let length = Int(bytes[8]) | Int(bytes[9]) << 8
  let header = String(decoding: bytes[10..<10 + length], as: UTF8.self)
  func text(after key: String, _ open: Character, _ close: Character) throws -> Substring {
    guard let at = header.range(of: "'\(key)': \(open)") else {
      throw NPZArray.Unreadable(reason: "no \(key) in \(header)")
    }
    return header[at.upperBound...].prefix { $0 != close }
  }
  guard header.contains("'fortran_order': False") else {
    throw NPZArray.Unreadable(reason: "column-major")
  }
  return NPZArray(
    type: String(try text(after: "descr", "'", "'")),
    shape: try text(after: "shape", "(", ")").split(separator: ",").compactMap {
      Int($0.trimmingCharacters(in: .whitespaces))
    },
    data: Array(bytes[(10 + length)...]))
}
