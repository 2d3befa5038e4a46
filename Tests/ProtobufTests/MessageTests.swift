import Protobuf
import Testing

/// Against the examples of protobuf's own description of its encoding.
@Suite struct MessageTests {
  @Test func `fields are encoded as protobuf says`() {
    var message = Message()
    message.add(1, 150)
    #expect(message.bytes == [0x08, 0x96, 0x01])
    message = Message()
    message.add(2, "testing")
    #expect(message.bytes == [0x12, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6E, 0x67])
    message = Message()
    message.add(3) { $0.add(1, 150) }
    #expect(message.bytes == [0x1A, 0x03, 0x08, 0x96, 0x01])
    message = Message()
    message.add(1, -2)
    #expect(message.bytes == [0x08, 0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01])
    message = Message()
    message.add(20, Float(1))
    #expect(message.bytes == [0xA5, 0x01, 0x00, 0x00, 0x80, 0x3F])
    message = Message()
    message.add(6, packed: [3, 270, 86942])
    #expect(message.bytes == [0x32, 0x06, 0x03, 0x8E, 0x02, 0x9E, 0xA7, 0x05])
    message = Message()
    message.add(1, packed: [Float(1), -2])
    #expect(message.bytes == [0x0A, 0x08, 0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0])
  }

  @Test func `what is put in later counts in every length around it`() {
    var inner = Message()
    inner.add(9, gapOf: 300, for: 7)
    inner.add(8, "x")
    var outer = Message()
    outer.add(1, 1)
    outer.add(5, inner)
    outer.add(6, gapOf: 2, for: 8)
    #expect(inner.count == 3 + 300 + 3 && outer.count == 2 + 3 + inner.count + 2 + 2)
    #expect(
      outer.bytes == [
        0x08, 0x01, 0x2A, 0xB2, 0x02, 0x4A, 0xAC, 0x02, 0x42, 0x01, 0x78, 0x32, 0x02,
      ])
    #expect(
      outer.gaps == [
        Message.Gap(position: 8, byteCount: 300, content: 7),
        Message.Gap(position: 13, byteCount: 2, content: 8),
      ])
  }
}
