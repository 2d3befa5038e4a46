import Checkpoints
import Tensors
import TestSupport
import Testing

@testable import CheckpointFiles

/// How strict the reader is. The comments say what the library, version 0.8.0, does with the same.
@Suite struct SafetensorsHeaderTests: SafetensorsSamples {
  struct Case: CustomTestStringConvertible, Sendable {
    var what: String
    var bytes: [UInt8]
    /// The error without the path and the remedy, or the note.
    var message: String
    var testDescription: String { what }

    init(_ what: String, _ bytes: [UInt8], _ message: String) {
      self.what = what
      self.bytes = bytes
      self.message = message
    }
  }

  static let refused: [Case] = [
    // HeaderTooSmall
    Case(
      "no whole length", [8, 0, 0, 0, 0],
      "at byte 0: the file ends inside the length of the header: 8 bytes expected, 5 there."),
    // HeaderTooLarge
    Case(
      "a header of more than 100 MB", [1, 0xE1, 0xF5, 0x05, 0, 0, 0, 0] + Array("{}".utf8),
      ": bytes of the header: 100000001, more than the limit of 100000000."),
    Case(
      "a length of 2^63 and more", [UInt8](repeating: 0xFF, count: 8) + Array("{}".utf8),
      ": bytes of the header: 18446744073709551615, more than the limit of 100000000."),
    // InvalidHeaderLength
    Case(
      "a header that is cut short", [10, 0, 0, 0, 0, 0, 0, 0] + Array("{\"w\"".utf8),
      "at byte 8: the file ends inside the header: 10 bytes expected, 4 there."),
    // InvalidHeader, InvalidHeaderStart, InvalidHeaderDeserialization
    Case(
      "no UTF-8", file([0x7B, 0x22, 0xFF, 0x22, 0x3A, 0x31, 0x7D]),
      "at byte 9: expected a string in UTF-8, found other bytes."),
    Case(
      "a byte order mark", file("\u{FEFF}{}"),
      "at byte 8: expected a header that is a JSON object, found the byte 239."),
    Case(
      "zeros to fill up", file("{}\0\0\0"), "at byte 10: expected nothing more, found the byte 0."),
    Case(
      "something behind the object", file("{}x"), "at byte 10: expected nothing more, found 'x'."),
    Case(
      "no header", file(""),
      "at byte 8: expected a header that is a JSON object, found the end of the JSON text."),
    Case(
      "an array as the header", file("[]"),
      "at byte 8: expected a header that is a JSON object, found an array."),
    // Accepted: the last one counts.
    Case(
      "a name twice",
      file("{\(entry()),\(entry(offsets: "[8,16]"))}", data: 16),
      "at byte 62: expected every name once, found 'w' twice."),
    Case(
      "a name twice, with and without escape",
      file("{\(entry()),\(entry("\\u0077", offsets: "[8,16]"))}", data: 16),
      "at byte 62: expected every name once, found 'w' twice."),
    Case(
      "metadata twice", file("{\"__metadata__\":{},\"__metadata__\":{}}"),
      "at byte 27: expected every name once, found '__metadata__' twice."),
    Case(
      "a field twice", one(extra: ",\"dtype\":\"F32\""),
      "at byte 61: expected every field of 'w' once, found 'dtype' twice."),
    Case(
      "metadata that is a number", file("{\"__metadata__\":{\"a\":1}}"),
      "at byte 29: expected a string as the value of 'a' in __metadata__, found a number."),
    Case(
      "metadata that is an object", file("{\"__metadata__\":{\"a\":{}}}"),
      "at byte 29: expected a string as the value of 'a' in __metadata__, found an object."),
    Case(
      "metadata that is a list", file("{\"__metadata__\":{\"a\":[\"b\"]}}"),
      "at byte 29: expected a string as the value of 'a' in __metadata__, found an array."),
    Case(
      "metadata without a value", file("{\"__metadata__\":{\"a\":null}}"),
      "at byte 29: expected a string as the value of 'a' in __metadata__, found 'n'."),
    Case(
      "metadata that is a string", file("{\"__metadata__\":\"pt\"}"),
      "at byte 24: expected an object of strings, or null, as __metadata__, found a string."),
    Case(
      "metadata in an array", file("{\"__metadata__\":[]}"),
      "at byte 24: expected an object of strings, or null, as __metadata__, found an array."),
    Case(
      "metadata that is true", file("{\"__metadata__\":true}"),
      "at byte 24: expected an object of strings, or null, as __metadata__, found 't'."),
    // Accepted.
    Case(
      "an entry that is an array", file("{\"w\":[\"F32\",[2],[0,8]]}", data: 8),
      "at byte 13: expected an object for 'w', found an array."),
    Case(
      "an entry that is null", file("{\"w\":null}"),
      "at byte 13: expected an object for 'w', found 'n'."),
    Case(
      "no dtype", file("{\"w\":{\"shape\":[2],\"data_offsets\":[0,8]}}", data: 8),
      "at byte 9: expected the field 'dtype' of 'w', found none."),
    Case(
      "no shape", file("{\"w\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", data: 8),
      "at byte 9: expected the field 'shape' of 'w', found none."),
    Case(
      "no offsets", file("{\"w\":{\"dtype\":\"F32\",\"shape\":[2]}}", data: 8),
      "at byte 9: expected the field 'data_offsets' of 'w', found none."),
    Case(
      "three offsets", one(offsets: "[0,4,8]"),
      "at byte 9: expected two data_offsets of 'w', found 3."),
    Case(
      "one offset", one(offsets: "[8]"), "at byte 9: expected two data_offsets of 'w', found 1."),
    Case(
      "a dtype that is none", one(dtype: "\"F33\""),
      "at byte 22: expected a dtype of 'w' that safetensors has, found 'F33'."),
    Case(
      "a dtype in lower case", one(dtype: "\"f32\""),
      "at byte 22: expected a dtype of 'w' that safetensors has, found 'f32'."),
    Case(
      "a dtype that is a number", one(dtype: "32"),
      "at byte 22: expected a dtype of 'w', found a number."),
    Case(
      "a negative size", one(shape: "[-2]"),
      "at byte 37: expected a whole number from 0 on in the shape of 'w', found '-2'."),
    Case(
      "a size with a fraction", one(shape: "[2.0]"),
      "at byte 37: expected a whole number from 0 on in the shape of 'w', found '2.0'."),
    Case(
      "a size with an exponent", one(shape: "[2e0]"),
      "at byte 37: expected a whole number from 0 on in the shape of 'w', found '2e0'."),
    Case(
      "minus zero", one(shape: "[-0]"),
      "at byte 37: expected a whole number from 0 on in the shape of 'w', found '-0'."),
    Case(
      "a leading zero", one(shape: "[02]"),
      "at byte 37: expected a whole number from 0 on in the shape of 'w', found '02'."),
    Case(
      "a plus sign", one(shape: "[+2]"),
      "at byte 37: expected a whole number from 0 on in the shape of 'w', found '+2'."),
    Case(
      "a size of 2^64", one(shape: "[18446744073709551616]"),
      "at byte 37: expected a whole number from 0 on in the shape of 'w', found '18446744073709551616'."
    ),
    Case(
      "a size in quotation marks", one(shape: "[\"2\"]"),
      "at byte 37: expected a whole number from 0 on in the shape of 'w', found a string."),
    Case(
      "a shape that is null", one(shape: "null"),
      "at byte 36: expected the shape of 'w' as an array, found 'n'."),
    Case(
      "negative offsets", one(offsets: "[-8,0]"),
      "at byte 56: expected a whole number from 0 on in the data_offsets of 'w', found '-8'."),
    Case(
      "an offset of 2^63", one(offsets: "[0,9223372036854775808]"),
      "at byte 58: expected a whole number from 0 on in the data_offsets of 'w', found '9223372036854775808'."
    ),
    Case(
      "an offset of 2^63 - 1", one(offsets: "[0,9223372036854775807]"),
      "at byte 9: expected 8 bytes for 'w' (F32 2), found 9223372036854775807."),
    Case(
      "an offset with a fraction", one(offsets: "[0,8.0]"),
      "at byte 58: expected a whole number from 0 on in the data_offsets of 'w', found '8.0'."),
    Case(
      "offsets in an object", one(offsets: "{\"begin\":0}"),
      "at byte 55: expected the data_offsets of 'w' as an array, found an object."),
    // InvalidOffset
    Case(
      "a hole", file("{\(entry("a")),\(entry("b", offsets: "[12,20]"))}", data: 20),
      "at byte 62: expected 'b' to begin at 8, behind 'a', found 12."),
    Case(
      "a hole before the first", one(offsets: "[4,12]", data: 12),
      "at byte 9: expected 'w' to begin at 0, behind the start of the data, found 4."),
    Case(
      "an overlap", file("{\(entry("a")),\(entry("b", offsets: "[4,12]"))}", data: 12),
      "at byte 62: expected 'b' to begin at 8, behind 'a', found 4."),
    Case(
      "two names for one tensor", file("{\(entry("a")),\(entry("b"))}", data: 8),
      "at byte 62: expected 'b' to begin at 8, behind 'a', found 0."),
    Case(
      "an end before the begin", one(offsets: "[8,0]"),
      "at byte 9: expected an end of 'w' behind its begin, 8, found 0."),
    // MetadataIncompleteBuffer
    Case(
      "less data than tensors", one(data: 7),
      "at byte 62: the file ends inside the data: 8 bytes expected, 7 there."),
    Case(
      "more data than tensors", one(data: 9),
      "at byte 62: expected 8 bytes of data, as many as the tensors take, found 9."),
    Case(
      "data and no tensors", file("{}", data: 1),
      "at byte 10: expected 0 bytes of data, as many as the tensors take, found 1."),
    // TensorInvalidInfo
    Case(
      "fewer bytes than elements", one(shape: "[3]"),
      "at byte 9: expected 12 bytes for 'w' (F32 3), found 8."),
    Case(
      "more bytes than elements", one(shape: "[]"),
      "at byte 9: expected 4 bytes for 'w' (F32 scalar), found 8."),
    // ValidationOverflow
    Case(
      "a number of elements that overflows", one(shape: "[4294967296,4294967296]"),
      "at byte 9: expected a shape of 'w' with a number of elements below 2^63, found "
        + "4294967296x4294967296."),
    Case(
      "a number of bytes that overflows", one(shape: "[4611686018427387904]"),
      "at byte 9: expected more than 2^60 bytes for 'w' (F32 4611686018427387904), found 8."),
    Case(
      "65 axes", one(shape: "[" + String(repeating: "1,", count: 64) + "2]"),
      "at byte 9: expected a shape of 'w' with a number of elements below 2^63, found 65 axes."),
    // MisalignedSlice
    Case(
      "half a byte", one(dtype: "\"F4\"", shape: "[3]", offsets: "[0,1]", data: 1),
      "at byte 9: expected 12/8 bytes for 'w' (F4 3), found 1."),
    Case(
      "a quarter of a byte", one(dtype: "\"F6_E2M3\"", shape: "[3]", offsets: "[0,2]", data: 2),
      "at byte 9: expected 18/8 bytes for 'w' (F6_E2M3 3), found 2."),
    // Accepted, but nothing here can make use of them.
    Case(
      "a type of six bits", one(dtype: "\"F6_E2M3\"", shape: "[4]", offsets: "[0,3]", data: 3),
      "at byte 9: 'w' has the dtype F6_E2M3, which is not read."),
    Case(
      "another type of six bits",
      one(dtype: "\"F6_E3M2\"", shape: "[4]", offsets: "[0,3]", data: 3),
      "at byte 9: 'w' has the dtype F6_E3M2, which is not read."),
    // InvalidHeaderDeserialization
    Case(
      "half of a surrogate pair", file("{\"\\ud83d\":1}"),
      "at byte 10: expected the escape of a character, found another escape."),
    Case(
      "a lower half alone", file("{\"\\udc00\":1}"),
      "at byte 10: expected the escape of a character, found another escape."),
    Case(
      "an escape that is cut", file("{\"\\u00"),
      "at byte 10: expected the escape of a character, found another escape."),
    Case(
      "two upper halves", file("{\"\\ud83d\\ud83d\":1}"),
      "at byte 10: expected the escape of a character, found another escape."),
    Case(
      "an unknown escape", file("{\"\\x41\":1}"),
      "at byte 10: expected the escape of a character, found another escape."),
    Case(
      "a control character", file("{\"a\nb\":1}"),
      "at byte 11: expected a string without control characters, found the byte 10."),
    Case(
      "a comment", file("{/* */}"),
      "at byte 9: expected a key in quotation marks, found '/'."),
    Case(
      "a trailing comma", file("{\(entry()),}", data: 8),
      "at byte 62: expected a key in quotation marks, found '}'."),
    Case(
      "a trailing comma in an array", one(shape: "[2,]"),
      "at byte 39: expected a whole number from 0 on in the shape of 'w', found ']'."),
    Case(
      "a key without quotation marks", file("{w:1}"),
      "at byte 9: expected a key in quotation marks, found 'w'."),
    Case("a key without a value", file("{\"w\"}"), "at byte 12: expected ':', found '}'."),
    Case(
      "a string that does not end", file("{\"w"),
      "at byte 9: expected a string with its closing quotation mark, found the end of the JSON text."
    ),
    Case(
      "an object that does not end", file("{\(entry())", data: 8),
      "at byte 61: expected ',' or '}', found the end of the JSON text."),
    Case(
      "129 levels",
      one(
        extra: ",\"x\":" + String(repeating: "[", count: 127) + String(repeating: "]", count: 127)),
      "at byte 192: nested arrays and objects: 129 levels, more than the limit of 128."),
    Case(
      "a million levels", one(extra: ",\"x\":" + String(repeating: "[", count: 1_000_000)),
      "at byte 192: nested arrays and objects: 129 levels, more than the limit of 128."),
    Case("a wrong word", one(extra: ",\"x\":nul"), "at byte 65: expected a value, found 'n'."),
    Case(
      "a wrong number", one(extra: ",\"x\":1.e5"), "at byte 65: expected a number, found '1.e5'."),
  ]

  @Test(arguments: refused)
  func `a file that breaks a rule is refused, with the place and what was found`(case: Case) throws
  {
    let error = try #require(#expect(throws: ReadError.self) { try Self.read(`case`.bytes) })
    let message = String(describing: error).prefix { $0 != "\n" }
    let separator = `case`.message.hasPrefix(":") ? "" : " "
    #expect(message == "w.safetensors\(separator)\(`case`.message)")
  }

  static let noted: [Case] = [
    // Accepted all, without a word.
    Case("white space behind the header", file("{\(entry())} \n\t\r ", data: 8), ""),
    Case("white space inside the header", file("{ \(entry(shape: "[ 2 ]\n")) }", data: 8), ""),
    Case("metadata that is null", file("{\"__metadata__\":null,\(entry())}", data: 8), ""),
    Case(
      "white space before the header", file(" \n{\(entry())}", data: 8),
      "The header begins with white space, which the format does not allow; it was skipped."),
    Case(
      "a repeated key of the metadata",
      file("{\"__metadata__\":{\"a\":\"1\",\"b\":\"\",\"a\":\"2\"},\(entry())}", data: 8),
      "Keys of the metadata that are there more than once, of which the last count (1): 'a'."),
    Case(
      "fields that are not the format's",
      one(extra: ",\"a\":1,\"b\":-1.5E+7,\"c\":[null,true,{\"d\":false}],\"e\":\"\\ud83d\\ude00\""),
      "Fields that the format does not have, which were left alone (4): 'a' of 'w', 'b' of 'w', "
        + "'c' of 'w', ..."),
    Case(
      "128 levels",
      one(
        extra: ",\"x\":" + String(repeating: "[", count: 126) + String(repeating: "]", count: 126)),
      "Fields that the format does not have, which were left alone (1): 'x' of 'w'."),
    Case(
      "an empty name", file("{\(entry(""))}", data: 8), "One of the tensors has an empty name."),
    Case(
      "no elements, and sizes behind that would overflow",
      one(shape: "[0,4294967296,4294967296]", offsets: "[0,0]", data: 0), ""),
    Case("a scalar", one(shape: "[]", offsets: "[0,4]", data: 4), ""),
    Case(
      "tensors without bytes at one place",
      file(
        "{\(entry("a", shape: "[0]", offsets: "[8,8]")),\(entry("b")),"
          + "\(entry("c", shape: "[0]", offsets: "[0,0]"))}", data: 8), ""),
    Case(
      "an unaligned tensor",
      file(
        "{\(entry("a", dtype: "\"U8\"", shape: "[1]", offsets: "[0,1]")),"
          + "\(entry("b", offsets: "[1,9]"))}", data: 9), ""),
    Case(
      "a boolean of 7", one(dtype: "\"BOOL\"", shape: "[8]"),
      "Tensors with booleans other than 0 and 1, which are true (1): 2 in 'w'."),
    Case(
      "a number that is none, and an infinite one",
      file("{\(entry())}") + [0, 0, 0xC0, 0x7F, 0, 0, 0x80, 0xFF], ""),
    Case("no tensors", file("{}"), "The file holds no tensors."),
    Case("no tensors, but metadata", file("{\"__metadata__\":{}}"), "The file holds no tensors."),
  ]

  @Test(arguments: noted)
  func `what is odd but clear is read, and noted if it matters`(case: Case) throws {
    let checkpoint = try Self.read(`case`.bytes)
    #expect(checkpoint.notes == (`case`.message.isEmpty ? [] : [`case`.message]))
    for named in checkpoint.stateDicts.flatMap(\.tensors) { _ = try named.tensor.bytes() }
  }

  @Test(arguments: [
    ("{\"__metadata__\":{\"a\":\"\",\"b\":\"\",\"b\":\"\",\"c\":\"\"}}", "strings of metadata"),
    ("{\(entry("a")),\(entry("b")),\(entry("c"))}", "tensors in a file"),
  ])
  func `more than any checkpoint has is refused`(header: String, message: String) throws {
    var limits = ReadingLimits()
    limits[.tensors] = 2
    let place = Location(path: "w.safetensors")
    let file = MemoryBytes(Array(header.utf8), location: place, limits: limits)
    let error = #expect(throws: ReadError.self) {
      try SafetensorsHeader(Array(header.utf8), of: file, at: place)
    }
    guard case .limitExceeded(_, let what, 2, "3", _)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(what == message)
  }

  @Test func `every prefix is refused`() throws {
    let whole = try Fixtures.bytes("Safetensors/types.safetensors")
    for count in 0..<whole.count {
      #expect(throws: ReadError.self) { try Self.read(Array(whole.prefix(count))) }
    }
  }

  @Test func `flipped bits never trap`() throws {
    let original = try Fixtures.bytes("Safetensors/types.safetensors")
    var random = SeededGenerator(seed: 7)
    for _ in 0..<2000 {
      var damaged = original
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        damaged[Int.random(in: 0..<2000, using: &random)] ^=
          UInt8(1 << Int.random(in: 0..<8, using: &random))
      }
      guard let checkpoint = try? Self.read(damaged) else { continue }
      for named in checkpoint.stateDicts.flatMap(\.tensors) { _ = try? named.tensor.bytes() }
    }
  }
}
