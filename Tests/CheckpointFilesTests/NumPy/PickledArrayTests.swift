import Checksums
import Pickle
import Tensors
import TestSupport
import Testing

@testable import CheckpointFiles

/// Arrays as NumPy 2.4 pickles them, against their bytes as NumPy sees them.
@Suite struct PickledArrayTests {
  @Test(arguments: 0..<6)
  func `every kind of array is read under every protocol`(version: Int) throws {
    let graph = try parse(fixture: "NumPy/arrays-\(version).pkl")
    var arrays = PickledArrays(graph)
    for row in try Fixtures.table("NumPy/arrays.tsv") {
      let handle = try #require(graph.value(Name(row[0]), of: graph.root))
      let tensor = try #require(try arrays.tensor(handle, name: Name(row[0])), "\(row[0])")
      #expect(tensor.elementType.rawValue == row[1], "\(row[0])")
      #expect(tensor.shape.description == row[2], "\(row[0])")
      #expect(try tensor.bytes().hexadecimal == row[3], "\(row[0])")
    }
  }

  @Test func `NumPy 1's names of modules are NumPy 2's`() throws {
    let modern = try Fixtures.bytes("NumPy/arrays-2.pkl")
    let text = String(String.UnicodeScalarView(modern.map { UnicodeScalar($0) }))
    let graph = try parse(text.replacing("cnumpy._core.", with: "cnumpy.core.").latin1)
    var arrays = PickledArrays(graph)
    let tensor = try arrays.tensor(graph.value("f4", of: graph.root)!, name: "f4")
    #expect(tensor?.shape == [2, 3, 4])
  }

  @Test(arguments: [
    ("object", "object (O8): its elements are Python objects"),
    ("structure", "of a structure (fields left, right)"),
    ("text", "U2: its elements are strings"),
    ("bytes", "S2: its elements are strings"),
    ("date", "M8: its elements are dates or times"),
    ("long double", "f16"),
    ("masked", "masked array"),
    ("quantised", "QuantizedS8 (quantised, scale 0.1)"),
    ("float8_e8m0fnu", "ml_dtypes.float8_e8m0fnu"),
  ])
  func `an array of no plain numbers is refused by name`(key: String, message: String) throws {
    let graph = try parse(fixture: "NumPy/refused.pkl")
    var arrays = PickledArrays(graph)
    let error = #expect(throws: ReadError.self) {
      try arrays.tensor(graph.value(Name(key), of: graph.root)!, name: "layer.\(key)")
    }
    guard case .unsupported(let place, let what, _)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(place.offset != nil)
    #expect(what.contains("'layer.\(key)'") && what.contains(message), "\(what)")
  }

  @Test func `scalars are told from arrays without axes, and may be keys`() throws {
    for version in 0..<6 {
      let graph = try parse(fixture: "NumPy/arrays-\(version).pkl")
      var arrays = PickledArrays(graph)
      let entries = try #require(graph.entries(graph.value("scalars", of: graph.root)!))
      #expect(try arrays.tensor(entries[1].value, name: "acc1") == nil)
      #expect(arrays.scalarDescription(entries[1].value) == "float32 scalar of NumPy")
      #expect(arrays.string(entries[2].key) == "clé")
      let array = graph.value("scalar", of: graph.root)!
      #expect(arrays.scalarDescription(array) == nil)
      #expect(try arrays.tensor(array, name: "scalar")?.shape == [])
    }
  }

  /// Arrays as bytes of a pickle, in Latin-1, that contradict themselves.
  static let dtype = "cnumpy\ndtype\n(S'f4'\nI0\nI1\ntR"
  static let wrong = [
    (
      "7 bytes for two", frombuffer("C\u{7}1234567", "(I2\nt"),
      "8 bytes for 'w' (float32 2), found 7"
    ),
    ("9 bytes for two", frombuffer("C\u{9}123456789", "(I2\nt"), "found 9"),
    ("none for two", frombuffer("C\u{0}", "(I2\nt"), "found 0"),
    ("a list as data", frombuffer("]", "(I2\nt"), "found list"),
    ("a negative size", frombuffer("C\u{0}", "(I-1\nt"), "a shape of 'w'"),
    (
      "a shape that overflows", frombuffer("C\u{0}", "(L4611686018427387904L\nI4\nt"),
      "a shape of 'w'"
    ),
    (
      "bytes that overflow", frombuffer("C\u{0}", "(L4611686018427387904L\nt"), "more bytes for 'w'"
    ),
    ("a shape of text", frombuffer("C\u{0}", "(S'a'\nt"), "a shape of 'w'"),
    (
      "65 axes", frombuffer("C\u{4}1234", "(" + String(repeating: "I1\n", count: 65) + "t"),
      "a shape of 'w'"
    ),
    (
      "an unknown order", frombuffer("C\u{4}1234", "(I1\nt", order: "S'A'\n"),
      "the order of the array 'w'"
    ),
    (
      "axes that are none", frombuffer("C\u{4}1234", "(I1\nI1\nt", order: "S'K'\n(I0\nI0\nt"),
      "an order of the 2 axes of 'w', found [0, 0]"
    ),
    (
      "no contents", "cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR",
      "the state of the array 'w' (version, shape, dtype, order and data), found none"
    ),
    (
      "a state of three", "cnumpy.core.multiarray\n_reconstruct\n(tR(I1\nI2\nI3\ntb", "found tuple"
    ),
  ]

  static func frombuffer(_ data: String, _ shape: String, order: String = "S'C'\n") -> String {
    "cnumpy.core.numeric\n_frombuffer\n(\(data)\(dtype)\(shape)\(order)tR"
  }

  @Test(arguments: wrong)
  func `an array that contradicts itself is malformed`(
    what: String, stream: String, message: String
  ) throws {
    let graph = try parse((stream + ".").latin1)
    var arrays = PickledArrays(graph)
    let error = try #require(
      #expect(throws: ReadError.self) { try arrays.tensor(graph.root, name: "w") })
    #expect(error.isCorruption)
    #expect(error.description.contains(message), "\(error)")
  }

  @Test func `many arrays of the same bytes are refused when they exceed any real file`() throws {
    let size = 1 << 20
    var stream = "C".latin1
    stream =
      "B".latin1 + (0..<4).map { UInt8(truncatingIfNeeded: size >> (8 * $0)) }
      + [UInt8](repeating: 0, count: size) + "p0\n0(".latin1
    let array = Self.frombuffer("g0\n", "(I\(size / 4)\nt").latin1
    for _ in 0..<80 { stream += array }
    let graph = try parse(stream + "l.".latin1)
    var arrays = PickledArrays(graph)
    let error = #expect(throws: ReadError.self) {
      for handle in graph.elements(graph.root)! { _ = try arrays.tensor(handle, name: "w") }
    }
    #expect(error?.description.contains("bytes of arrays in a pickle") == true)
  }
}
