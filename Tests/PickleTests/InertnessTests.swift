import Checkpoints
import Pickle
import Tensors
import Testing

/// Python would run a command for each of these. Here nothing can run: there is no code that calls or
/// imports by name. What is left to check is that the name is reported, with its calls.
@Suite struct InertnessTests {
  struct Attack: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var bytes: [UInt8]
    var name = "os.system"
    var calls = 1
  }

  static let command = "X\u{4}\u{0}\u{0}\u{0}echo"
  static let attacks: [Attack] = [
    .init(
      testDescription: "GLOBAL and REDUCE",
      bytes: hex("8002636f730a73797374656d0a58040000006563686f85522e")),
    .init(testDescription: "protocol 0", bytes: bytes("cos\nsystem\n(S'echo'\ntR.")),
    .init(
      testDescription: "STACK_GLOBAL",
      bytes: bytes("\u{80}\u{4}\u{8c}\u{2}os\u{8c}\u{6}system\u{93}\u{8c}\u{4}echo\u{85}R.")),
    .init(
      testDescription: "STACK_GLOBAL of remembered strings, in reverse order",
      bytes: bytes(
        "\u{80}\u{4}\u{8c}\u{6}system\u{94}0\u{8c}\u{2}os\u{94}0h\u{1}h\u{0}\u{93}(\u{8c}\u{4}echotR."
      )),
    .init(testDescription: "INST", bytes: bytes("(S'echo'\nios\nsystem\n.")),
    .init(testDescription: "OBJ", bytes: bytes("(cos\nsystem\nS'echo'\no.")),
    .init(testDescription: "NEWOBJ", bytes: bytes("cos\nsystem\n\(command)\u{85}\u{81}.")),
    .init(testDescription: "NEWOBJ_EX", bytes: bytes("cos\nsystem\n\(command)\u{85}}\u{92}.")),
    .init(testDescription: "called twice", bytes: bytes("cos\nsystem\np0\n(tR0g0\n)R."), calls: 2),
    .init(
      testDescription: "getattr",
      bytes: bytes("cbuiltins\ngetattr\n(cos\n__dict__\nS'system'\ntR(S'echo'\ntR."),
      name: "builtins.getattr"),
    .init(
      testDescription: "eval under its Python 2 name",
      bytes: bytes("\u{80}\u{2}c__builtin__\neval\n\(command)\u{85}R."), name: "builtins.eval"),
    .init(
      testDescription: "named but not called",
      bytes: bytes("cfunctools\npartial\n(cos\nsystem\n\(command)tR."), calls: 0),
    .init(
      testDescription: "thrown away before STOP",
      bytes: bytes("cos\nsystem\n(S'echo'\ntR0K\u{1}.")),
  ]

  @Test(arguments: attacks)
  func `a call is a record, and its name is reported`(_ attack: Attack) throws {
    let graph = try parse(attack.bytes)
    let global = graph.globals.first { $0.qualifiedName == Name(attack.name) }
    #expect(global?.calls == attack.calls)
  }

  @Test func `the record tells what would have been called with what`() throws {
    let graph = try parse(Self.attacks[0].bytes)
    let (name, object) = try #require(graph.call(graph.root))
    #expect(name == "os.system")
    #expect(graph.strings(object.arguments) == ["echo"])
    #expect(object.offset == 23)
    #expect(graph.location(of: graph.root).description == "test.pkl at byte 23")
  }

  @Test func `calling the result of a call is a call of nothing known`() throws {
    let graph = try parse(bytes("cbuiltins\ngetattr\n(cos\n__dict__\nS'system'\ntR(S'echo'\ntR."))
    #expect(graph.call(graph.root) == nil)
    #expect(graph.description(of: graph.root) == "opaque object")
  }

  @Test func `a pickle in a pickle is bytes`() throws {
    let inner = Self.attacks[0].bytes
    let graph = try parse(
      bytes("cpickle\nloads\nC") + [UInt8(inner.count)] + inner + bytes("\u{85}R."))
    #expect(graph.globals.map(\.qualifiedName) == ["pickle.loads"])
    let arguments = try #require(graph.call(graph.root)).object.arguments
    #expect(try graph.allBytes(arguments[0]) == inner)
  }

  @Test func `extension codes and persistent ids stay what they are`() throws {
    let graph = try parse(
      bytes("(\u{82}\u{7}\u{83}\u{1}\u{1}\u{84}\u{1}\u{0}\u{1}\u{0}Pid\nK\u{5}Qt."))
    let elements = try #require(graph.elements(graph.root))
    #expect(
      elements.map { graph.description(of: $0) } == [
        "extension code 7", "extension code 257", "extension code 65537", "persistent id",
        "persistent id",
      ])
    guard case .persistentID(let text) = graph[elements[3]],
      case .persistentID(let number) = graph[elements[4]]
    else { throw ObjectGraph.Missing(key: "persistent id") }
    #expect(graph.string(text) == "id")
    #expect(graph.integer(number) == 5)
  }
}
