import Checkpoints
import Pickle
import Tensors
import Testing

/// What `make_pickles.py` wrote, read back.
@Suite struct PythonFilesTests {
  static let files = fixtureNames
  static let python3 = (0..<6).map { "zoo-\($0).pkl" }
  static let python2 = (0..<3).map { "py2-\($0).pkl" }

  @Test(arguments: files)
  func `a pickle is parsed to its last byte, with its protocol`(file: String) throws {
    let bytes = try fixture(file)
    let graph = try parse(bytes)
    #expect(graph.end == bytes.count)
    // Protocols 0 and 1 have no PROTO.
    let number = file.dropLast(4).last!.wholeNumberValue!
    #expect(graph.pickleProtocol == (number < 2 ? 0 : number))
  }

  @Test(arguments: files)
  func `numbers have their values under every protocol`(file: String) throws {
    let graph = try parse(try fixture(file))
    #expect(graph.isNone(try graph.root("none")))
    #expect(graph.integers(graph.elements(try graph.root("bools"))) == [1, 0])
    #expect(
      graph.integers(graph.elements(try graph.root("integers"))) == [
        0, 1, 255, 256, 65535, 65536, -1, -129, 1 << 31 - 1, 1 << 31, -(1 << 31), -(1 << 31) - 1,
        .max, .min,
      ])
    let reals = try #require(graph.elements(try graph.root("floats"))).map { graph.real($0) }
    #expect(reals == [0, -0.5, 1e300, 0.1, .infinity, -.infinity])
  }

  @Test(arguments: files)
  func `integers of more than 64 bits are two's complement`(file: String) throws {
    let graph = try parse(try fixture(file))
    var values: [[UInt8]] = []
    for handle in try #require(graph.elements(try graph.root("big"))) {
      guard case .bigInteger(let payload) = graph[handle] else {
        Issue.record("not a big integer: \(graph.description(of: handle))")
        continue
      }
      #expect(graph.integer(handle) == nil)
      var bytes = try graph.bytes(of: payload)
      // From text they may have more bytes than needed, all like the sign.
      bytes += [UInt8](repeating: bytes.last! >= 0x80 ? 0xFF : 0, count: 24 - bytes.count)
      values.append(bytes)
    }
    let expected: [(digits: String, sign: UInt8)] = [
      ("0000000000000080", 0), ("ffffffffffffff7f", 0xFF), ("000000000000000001", 0),
      ("0000000000000000000001", 0), ("00000000000000000000", 0xFF),
      ("000000000061f5b9abbfa45cc3f129631d", 0),
    ]
    #expect(values.count == expected.count)
    for (value, row) in zip(values, expected) {
      let digits = hex(row.digits)
      #expect(value == digits + [UInt8](repeating: row.sign, count: 24 - digits.count))
    }
  }

  @Test(arguments: files)
  func `containers have their elements under every protocol`(file: String) throws {
    let graph = try parse(try fixture(file))
    let tuples = try #require(graph.elements(try graph.root("tuples")))
    #expect(
      tuples.map { graph.integers(graph.elements($0)) } == (0..<5).map { Array((1..<($0 + 1))) })
    #expect(graph.integers(graph.elements(try graph.root("long list"))) == Array(0..<1100))
    #expect(graph.integers(graph.elements(try graph.root("set"))) == [7])
    #expect(graph.integers(graph.elements(try graph.root("frozen"))) == [8])

    func integers(_ key: String) throws -> [String] {
      try #require(graph.entries(try graph.root(Name(key))))
        .map { "\(graph.string($0.key)!)=\(graph.integer($0.value) ?? -1)" }
    }
    #expect(try integers("dict") == ["a=1"])
    #expect(try integers("ordered") == ["z=1", "a=2"])
    let lists = try graph.root("default")
    #expect(graph.integers(graph.elements(graph.value("k", of: lists)!)) == [1])
  }

  @Test(arguments: files)
  func `subclasses keep their items beside their attributes`(file: String) throws {
    let graph = try parse(try fixture(file))
    let config = try graph.root("config")
    #expect(graph.call(config)?.name == "__main__.Config")
    #expect(graph.real(graph.value("width", of: config)!) == 0.25)
    #expect(graph.integers(graph.elements(graph.value("depth", of: config)!)) == [2, 4])
    #expect(graph.attributes(config)!.mapValues { graph.integer($0) } == ["frozen": 1])

    let layers = try graph.root("layers")
    #expect(graph.integers(graph.elements(layers)) == [1, 2, 3])
    #expect(graph.attributes(layers)!.mapValues { graph.string($0) } == ["name": "stage"])
  }

  @Test(arguments: files)
  func `unknown objects are records`(file: String) throws {
    let graph = try parse(try fixture(file))
    let arguments = try graph.root("arguments")
    #expect(graph.call(arguments)?.name == "argparse.Namespace")
    #expect(graph.call(arguments)?.object.arguments.isEmpty == true)
    #expect(graph.real(graph.attributes(arguments)!["lr"]!) == 0.1)
    #expect(graph.entries(arguments) == nil)
    #expect(graph.elements(arguments) == nil)
    #expect(graph.description(of: arguments) == "opaque object argparse.Namespace")

    #expect(graph.call(try graph.root("point"))?.name == "__main__.Point")
    #expect(graph.call(try graph.root("time"))?.name == "datetime.datetime")
    #expect(graph.call(try graph.root("partial"))?.name == "functools.partial")
    #expect(graph.globalName(try graph.root("function")) == "posixpath.join")
  }

  @Test(arguments: files)
  func `sharing and cycles are kept`(file: String) throws {
    let graph = try parse(try fixture(file))
    let shared = try #require(graph.elements(try graph.root("shared")))
    #expect(shared.count == 2 && shared[0] == shared[1])
    let circular = try graph.root("circular")
    #expect(graph.elements(circular) == [circular])
  }

  @Test(arguments: python3)
  func `text and bytes are what Python wrote`(file: String) throws {
    let graph = try parse(try fixture(file))
    #expect(
      graph.strings(graph.elements(try graph.root("text"))) == [
        "", "plain", "a\\b\n\ré中😀", "\\u0041", Name(String(repeating: "x", count: 300)),
      ])
    #expect(graph.string(try graph.root("surrogate")) == nil)
    let all = [UInt8](0...255)
    let repeated = [[UInt8]](repeating: [0, 128, 255], count: 200).flatMap { $0 }
    #expect(
      try graph.elements(try graph.root("bytes"))!.map { try graph.allBytes($0) } == [
        [], bytes("weights"), all, repeated,
      ])
    #expect(
      try graph.elements(try graph.root("bytearrays"))!.map { try graph.allBytes($0) } == [[], all])
  }

  @Test(arguments: python3)
  func `other things in Python 3's files are known by their modern names`(file: String) throws {
    let graph = try parse(try fixture(file))
    #expect(graph.integer(graph.value("a", of: try graph.root("counter"))!) == 2)
    #expect(graph.call(try graph.root("range"))?.name == "builtins.range")
    let method = try #require(graph.call(try graph.root("method")))
    #expect(method.name == "builtins.getattr")
    #expect(graph.globalName(method.object.arguments[0]) == "collections.OrderedDict")
    if let slots = graph.value("slots", of: graph.root) {
      #expect(graph.integer(graph.attributes(slots)!["left"]!) == 1)
      #expect(graph.string(graph.attributes(slots)!["right"]!) == "r")
    }
  }

  @Test(arguments: python2)
  func `Python 2's strings, longs and old-style objects are read`(file: String) throws {
    let graph = try parse(try fixture(file))
    #expect(
      graph.strings(graph.elements(try graph.root("unicode"))) == [
        "", "plain", "a\\b\né中", "\\u0041",
      ])
    let strings = try #require(graph.elements(try graph.root("bytes")))
    #expect(try graph.allBytes(strings[2]) == [UInt8](0...255))
    #expect(graph.string(strings[2]) == nil)
    #expect(graph.string(strings[3]) == "'quoted\"")
    #expect(graph.string(strings[4])?.text == String(repeating: "x", count: 300))
    #expect(graph.integers(graph.elements(try graph.root("long"))) == [5, -5, 0])

    let old = try #require(graph.call(try graph.root("old")))
    #expect(old.name == "__main__.OldStyle")
    #expect(graph.integer(old.object.arguments[0]) == 1)
    #expect(graph.string(old.object.arguments[1]) == "two")
    let types = try #require(graph.elements(try graph.root("xrange")))
    #expect(
      types.map { graph.globalName($0) } == ["builtins.range", "builtins.str", "builtins.int"])
    #expect(graph.call(try graph.root("exception"))?.name == "builtins.ValueError")
  }

  @Test func `calls are counted for each global`() throws {
    let graph = try parse(try fixture("zoo-4.pkl"))
    func calls(_ name: String) -> Int? {
      graph.globals.first { $0.qualifiedName == Name(name) }?.calls
    }
    #expect(calls("datetime.datetime") == 1)
    #expect(calls("builtins.getattr") == 1)
    #expect(calls("posixpath.join") == 0)
    #expect(calls("collections.OrderedDict") == 1)
  }
}
