import Checkpoints
import Tensors
import TestSupport
import Testing

@testable import CheckpointFiles

@Suite struct NPYHeaderTests: NumPySamples {
  static let refused: [(what: String, bytes: [UInt8], message: String)] = [
    (
      "nothing", [],
      "(w.npy) at byte 0: the file ends inside the header of an array: 10 bytes expected, 0 there."
    ),
    (
      "something else", [UInt8](repeating: 0x80, count: 16),
      "(w.npy): expected an array in NumPy's format, found other bytes."
    ),
    (
      "version 4", array(header(), version: 4, data: 8),
      "(w.npy): the array is in version 4.0 of NumPy's format."
    ),
    (
      "a header that is cut short", Array(array(header()).prefix(60)),
      "(w.npy) at byte 10: the file ends inside the header of an array: 58 bytes expected, 50 there."
    ),
    (
      "a header of 4 GB", [0x93] + Array("NUMPY".utf8) + [2, 0, 0xFF, 0xFF, 0xFF, 0xFF],
      "(w.npy): bytes of an array's header: 4294967295, more than the limit of 10000."
    ),
    (
      "an expression", array("__import__('os').system('true')\n"),
      "(w.npy) at byte 10: expected '{', found '_'."
    ),
    (
      "a call as shape", array(header(shape: "tuple([2])"), data: 8),
      "(w.npy) at byte 60: expected '(', found 't'."
    ),
    (
      "a product as size", array(header(shape: "(2*1,)"), data: 8),
      "(w.npy) at byte 62: expected ')', found '*'."
    ),
    (
      "a negative size", array(header(shape: "(-2,)"), data: 8),
      "(w.npy) at byte 61: expected a size, found '-'."
    ),
    (
      "a size that is too large", array(header(shape: "(9223372036854775808,)"), data: 8),
      "(w.npy) at byte 61: expected a size, found a number that is too large."
    ),
    (
      "a number as shape", array(header(shape: "(2)"), data: 8),
      "(w.npy) at byte 60: expected a shape, found '(2)'."
    ),
    (
      "a shape that overflows", array(header(shape: "(4294967296, 4294967296)"), data: 8),
      "(w.npy) at byte 60: expected a shape, found '(4294967296, 4294967296)'."
    ),
    (
      "bytes that overflow", array(header(shape: "(4611686018427387904,)"), data: 8),
      "(w.npy) at byte 86: expected more than 2^63 bytes for 'w' (float32 4611686018427387904), found 8."
    ),
    (
      "no shape", array("{'descr': '<f4', 'fortran_order': False}\n", data: 8),
      "(w.npy) at byte 10: expected the keys descr, fortran_order and shape, found no shape."
    ),
    (
      "a key twice", array("{'descr': '<f4', 'descr': '<f4'}\n", data: 8),
      "(w.npy) at byte 27: expected the keys descr, fortran_order and shape, each once, found 'descr'."
    ),
    (
      "another key", array("{'descr': '<f4', 'strides': (4,)}\n", data: 8),
      "(w.npy) at byte 27: expected the keys descr, fortran_order and shape, each once, found 'strides'."
    ),
    (
      "a number as order", array(header(order: "0"), data: 8),
      "(w.npy) at byte 44: expected True or False, found '0'."
    ),
    (
      "an escape", array(header(descr: "'<f\\x34'"), data: 8),
      "(w.npy) at byte 20: expected a string without escapes, found one with a backslash."
    ),
    (
      "a string without an end", array("{'descr"),
      "(w.npy) at byte 11: expected a string without escapes, found no end of it."
    ),
    (
      "brackets without an end", array("{'descr': [[('a', '<f4')]"),
      "(w.npy) at byte 35: expected ']', found the end of the header."
    ),
    (
      "something behind it", array(header() + "0", data: 8),
      "(w.npy) at byte 68: expected nothing more, found '0'."
    ),
    (
      "too few elements", array(header(), data: 7),
      "(w.npy) at byte 68: expected 8 bytes for 'w' (float32 2), found 7."
    ),
    ("a type without size", array(header(descr: "'<f'"), data: 8), "(w.npy): 'w' has the dtype f."),
    ("a long double", array(header(descr: "'<f16'"), data: 32), "(w.npy): 'w' has the dtype f16."),
    (
      "bytes", array(header(descr: "'|S5'"), data: 10),
      "(w.npy): 'w' has the dtype S5: its elements are strings."
    ),
    (
      "a type of one byte that is not NumPy's own", array(header(descr: "'|V1'"), data: 2),
      "(w.npy): 'w' has the dtype V1: its elements are raw bytes, as NumPy saves bfloat16 and other types that are not its own."
    ),
    (
      "objects in version 3", array(header(descr: "'|O'"), version: 3, data: 16),
      "(w.npy): 'w' has the dtype object (O): its elements are Python objects."
    ),
    (
      "a structure, with a name in Latin-1",
      [0x93] + Array("NUMPY".utf8) + [1, 0, 66, 0]
        + Array("{'descr': [('".utf8) + [0xFC]
        + Array("', '<f4')], 'fortran_order': False, 'shape': (2,), }".utf8)
        + [0x0A] + [UInt8](repeating: 0, count: 8),
      "(w.npy): 'w' has the dtype of a structure."
    ),
    (
      "a header of version 2 that is cut short", Array(array(header(), version: 2).prefix(11)),
      "(w.npy) at byte 10: the file ends inside the header of an array: 2 bytes expected, 1 there."
    ),
    (
      "version 1.1", [0x93] + Array("NUMPY".utf8) + [1, 1, 0, 0],
      "(w.npy): the array is in version 1.1 of NumPy's format."
    ),
    (
      "no header", array(""), "(w.npy) at byte 10: expected '{', found the end of the header."
    ),
    (
      "an empty header", array("{}"),
      "(w.npy) at byte 10: expected the keys descr, fortran_order and shape, found no descr."
    ),
    (
      "no order", array("{'descr': '<f4', 'shape': (2,)}\n", data: 8),
      "(w.npy) at byte 10: expected the keys descr, fortran_order and shape, found no fortran_order."
    ),
    (
      "a list as shape", array(header(shape: "[2]"), data: 8),
      "(w.npy) at byte 60: expected '(', found '['."
    ),
    (
      "a size with a fraction", array(header(shape: "(2.0,)"), data: 8),
      "(w.npy) at byte 62: expected ')', found '.'."
    ),
    (
      "65 axes", array(header(shape: "(" + String(repeating: "1,", count: 65) + ")"), data: 4),
      "(w.npy) at byte 60: expected a shape, found '(1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1'."
    ),
    (
      "a word that is none", array(header(order: "true"), data: 8),
      "(w.npy) at byte 44: expected True or False, found 't'."
    ),
    (
      "a million brackets", array("{'descr': " + String(repeating: "[", count: 9000)),
      "(w.npy) at byte 9020: expected ']', found the end of the header."
    ),
    (
      "half of an element", array(header(descr: "'>f8'", order: "True"), data: 12),
      "(w.npy) at byte 67: expected 16 bytes for 'w' (float64 2), found 12."
    ),
    (
      "a date", array(header(descr: "'<M8[D]'"), data: 16),
      "(w.npy): 'w' has the dtype M8[D]: its elements are dates or times."
    ),
  ]

  @Test(arguments: refused.indices)
  func `a damaged array is refused, with the place and what was found`(index: Int) throws {
    let (what, bytes, message) = Self.refused[index]
    let refusal = try Self.refusal([("w.npy", bytes)])
    #expect(refusal == message, "\(what)")
  }

  @Test func `big-endian and column-major elements are put in order, with sizes of Python 2`()
    throws
  {
    let text = #"{"shape": (2L, 3L), "fortran_order": True, "descr": ">i2"}"#
    let data: [UInt8] = [0, 1, 0, 4, 0, 2, 0, 5, 0, 3, 0, 6]
    let tensor = try Self.read([("w.npy", Self.array(text) + data)]).stateDicts[0].tensors[0].tensor
    #expect(tensor.elementType == .int16 && tensor.shape == [2, 3])
    #expect(try tensor.bytes() == [1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0])
  }

  @Test func `no elements, and sizes that would overflow, are no bytes`() throws {
    let header = Self.header(shape: "(0, 4294967296, 4294967296)")
    let tensor = try Self.read([("w.npy", Self.array(header))]).stateDicts[0].tensors[0].tensor
    #expect(tensor.byteCount == 0)
  }

  @Test func `every prefix of an array is refused`() throws {
    let whole = Self.array(Self.header(), data: 8)
    for count in 0..<whole.count { _ = try Self.refusal([("w.npy", Array(whole.prefix(count)))]) }
  }

  @Test func `flipped bits in a header never trap`() throws {
    let original = Self.array(Self.header(shape: "(2, 3, 4)"), data: 96)
    var random = SeededGenerator(seed: 5)
    for _ in 0..<2000 {
      var damaged = original
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        damaged[Int.random(in: 0..<80, using: &random)] ^=
          UInt8(1 << Int.random(in: 0..<8, using: &random))
      }
      _ = try? NPYHeader(of: MemoryBytes(damaged, location: Location(path: "w.npy")))
    }
  }
}
