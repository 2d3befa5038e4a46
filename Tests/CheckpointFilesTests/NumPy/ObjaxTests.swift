import Checkpoints
import Tensors
import TestSupport
import Testing

@testable import CheckpointFiles

/// Archives of Objax, which number the arrays and keep their names in one of them.
@Suite struct ObjaxTests: NumPySamples {
  @Test(arguments: [
    (["a"], ["0", "1"], "(names.npy): expected a name for each of the 2 arrays, found 1."),
    (
      ["a", "b", "c"], ["0", "1"], "(names.npy): expected a name for each of the 2 arrays, found 3."
    ),
    (["a", "b"], ["0", "2"], "(names.npy): expected an array '1' for 'b', found none."),
    (["a", "a"], ["0", "1"], "(names.npy): expected every name once, found 'a' twice."),
  ])
  func `names that do not fit the arrays are refused`(
    names: [String], arrays: [String], message: String
  ) throws {
    let members = [("names.npy", Self.strings(names))] + arrays.map { ("\($0).npy", Self.one) }
    #expect(try Self.refusal(members) == message)
  }

  @Test func `an array of names beside others that have names is none of Objax'`() throws {
    let checkpoint = try Self.read([("names.npy", Self.strings(["cat"])), ("w.npy", Self.one)])
    #expect(checkpoint.container == "NumPy archive")
    #expect(checkpoint.stateDicts[0].tensors.map(\.name) == ["w"])
    #expect(checkpoint.stateDicts[0].ignored.map(\.name) == ["names"])
  }

  @Test func `names may be in either byte order`() throws {
    let big: [UInt8] = ["a", "b"].flatMap { (name: UnicodeScalar) -> [UInt8] in
      [0, 0, 0, UInt8(name.value)] + [UInt8](repeating: 0, count: 12)
    }
    let names = Self.array(Self.header(descr: "'>U4'")) + big
    let checkpoint = try Self.read([("names.npy", names), ("0.npy", Self.one), ("1.npy", Self.one)])
    #expect(checkpoint.container == "NumPy archive of Objax")
    #expect(checkpoint.stateDicts[0].tensors.map(\.name) == ["a", "b"])
  }

  @Test func `names that are no text, or no list, are none`() throws {
    let beyond = Self.array(Self.header(descr: "'<U1'", shape: "(1,)")) + [0, 0, 0x11, 0]
    let scalar = Self.array(Self.header(descr: "'<U1'", shape: "()")) + [0x61, 0, 0, 0]
    for names in [beyond, scalar] {
      let checkpoint = try Self.read([("names.npy", names), ("0.npy", Self.one)])
      #expect(checkpoint.container == "NumPy archive")
      #expect(checkpoint.stateDicts[0].tensors.map(\.name) == ["0"])
    }
    let cut = Array(Self.strings(["a", "b"]).dropLast())
    #expect(
      try Self.refusal([("names.npy", cut), ("0.npy", Self.one), ("1.npy", Self.one)])
        == "(names.npy) at byte 68: the file ends inside the names: 32 bytes expected, 31 there.")
  }

  @Test func `an archive of strings alone has no state dict`() throws {
    #expect(try Self.read([("names.npy", Self.strings(["cat"]))]).stateDicts.isEmpty)
  }
}
