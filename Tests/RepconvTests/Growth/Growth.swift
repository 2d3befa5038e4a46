import Testing

/// A way in which a file can be long, and made to cost as much as it can for its length.
struct Growth: CustomTestStringConvertible, Sendable {
  var testDescription: String
  /// How long the short file is, in whatever there is much of; the long one is `factor` times as long.
  var units: Int
  var bytes: @Sendable (Int) -> [UInt8]
  /// What is run; `FILE` is the file, `PATTERN` its contents, `NAMED` a checkpoint with `hardNames`.
  var commands: [[String]]

  static let factor = 8

  /// Reads the directory and all values, looks for blocks in the names, and reports.
  static let checking = [["check", "FILE"]]
  /// Likewise, and does what else can be done with names.
  static let naming =
    checking + [["inspect", "FILE"], ["fuse", "FILE", "out.rvd"], ["diff", "FILE", "FILE"]]

  /// A checkpoint whose names keep patterns busy: long, of one letter, of many numbers.
  static let hardNames: [UInt8] = {
    let name = "stage0" + String(repeating: "a", count: 200) + String(repeating: ".1", count: 50)
    return safetensors([name, name + ".rbr_dense.conv.weight"])
  }()

  init(
    _ name: String, _ units: Int, commands: [[String]] = checking,
    _ bytes: @escaping @Sendable (Int) -> [UInt8]
  ) {
    (testDescription, self.units, self.commands, self.bytes) = (name, units, commands, bytes)
  }
}

// Pickles.
extension Growth {
  static let pickles = [
    Growth("tuples in tuples", 30_000) { pickle(start: ")", repeated([0x85], $0)) },
    Growth("empty dicts", 30_000) { pickle(repeated("}", $0)) },
    Growth("empty lists, in PyTorch's old format", 30_000) {
      PickleText.legacy(pickle(repeated("]", $0)))
    },
    Growth("marks", 30_000) { pickle(repeated("(", $0)) },
    Growth("copies of the top", 30_000) { pickle(start: ")", repeated("2", $0)) },
    Growth("pairs of a tuple with itself", 20_000) {
      pickle(start: ")", repeated([0x32, 0x86], $0))
    },
    Growth("memo entries", 30_000) { pickle(start: ")", repeated([0x94], $0)) },
    Growth("elements one by one", 20_000) { pickle(start: "]", repeated("Na", $0)) },
    Growth("elements of a list that is taken from the memo each time", 10_000) {
      pickle(start: "]q\u{0}", repeated("h\u{0}Na0", $0))
    },
    Growth("calls", 5_000) { pickle(repeated("cos\nsystem\n)R", $0)) },
    Growth("states that are set on one object", 10_000) {
      pickle(start: "cos\nsystem\n)R", repeated("}b", $0))
    },
    Growth("names of globals", 5_000) { count in
      pickle(Array((0..<count).map { Array("cmodule\nname\($0)\n0".utf8) }.joined()))
    },
    Growth("digits of an integer", 500) { pickle(Array("I".utf8) + repeated("9", $0) + [0x0A]) },
    Growth("dicts in dicts", 5_000) { count in
      pickle(
        repeated(Array("}".utf8) + PickleText.text("a"), count) + Array("}".utf8)
          + repeated("s", count))
    },
    Growth("one long key again and again", 2_000) { count in
      pickle(
        start: "}(",
        PickleText.text(String(repeating: "k", count: 4000)) + Array("q\u{0}N".utf8)
          + repeated("h\u{0}N", count) + Array("u".utf8))
    },
    Growth("one tensor under many names", 800) { count in
      PickleText.zip(
        PickleText.file(
          PickleText.knownTensor, Array("}(".utf8),
          Array((0..<count).map { PickleText.text("a\($0)") + Array("h\u{0}".utf8) }.joined()),
          Array("u".utf8)))
    },
    Growth("tensors of one storage", 500) { count in
      PickleText.zip(
        PickleText.file(
          Array("}(".utf8),
          Array((0..<count).map { PickleText.text("a\($0)") + PickleText.tensor }.joined()),
          Array("u".utf8)))
    },
    Growth("state dicts", 12) { count in
      PickleText.zip(
        PickleText.file(
          PickleText.knownTensor, Array("}(".utf8),
          Array(
            (0..<count).map {
              PickleText.text("a\($0)") + Array("}".utf8) + PickleText.text("w")
                + Array("h\u{0}s".utf8)
            }.joined()), Array("u".utf8)))
    },
    Growth("dicts that are shared", 3) { count in
      let pair =
        Array("}(".utf8) + PickleText.text("a") + Array("h\u{0}".utf8)
        + PickleText.text("b") + Array("h\u{0}uq\u{0}".utf8)
      return PickleText.zip(
        PickleText.file(PickleText.knownTensor, repeated(pair + Array("0".utf8), count), pair))
    },
    Growth("modules that are shared", 2) {
      PickleText.zip(modules(levels: $0, leaf: leaf(1, Array("h\u{0}".utf8))))
    },
    Growth("empty modules that are shared", 2) {
      PickleText.zip(modules(levels: $0, leaf: leaf(0, [])))
    },
    Growth("tensors of modules that are shared", 2) {
      PickleText.zip(modules(levels: $0, leaf: leaf(90, Array("h\u{0}".utf8))))
    },
    Growth("values in modules that are shared", 2) {
      PickleText.zip(modules(levels: $0, leaf: leaf(90, Array("K\u{1}".utf8))))
    },
    Growth("modules", 100) { PickleText.zip(modules(beside: $0)) },
    Growth("values that are no tensors", 2_000) { count in
      PickleText.zip(
        PickleText.file(
          PickleText.knownTensor, Array("}(".utf8) + PickleText.text("w") + Array("h\u{0}".utf8),
          Array((0..<count).map { PickleText.text("a\($0)") + Array("N".utf8) }.joined()),
          Array("u".utf8)))
    },
    Growth("a pickle of tuples, deflated", 30_000) {
      zipArchive([ZipMember("a/data.pkl", [0x80, 4, 0x29], [0x85], times: $0, [0x2E])])
    },
    Growth("a pickle of empty dicts, deflated", 500_000) {
      zipArchive([ZipMember("a/data.pkl", [0x80, 4], [0x7D], times: $0, [0x2E])])
    },
    Growth("a pickle of a list that grows, deflated", 20_000) {
      zipArchive([ZipMember("a/data.pkl", [0x80, 4, 0x5D], Array("Na".utf8), times: $0, [0x2E])])
    },
  ]

  private static func pickle(start: String = "", _ parts: [UInt8]) -> [UInt8] {
    PickleText.file(Array(start.utf8), parts)
  }

  /// A module of PyTorch with these entries of its dicts.
  private static func module(parameters: [UInt8] = [], modules: [UInt8] = []) -> [UInt8] {
    PickleText.global("torch.nn.modules.container", "Sequential") + Array(")R}(".utf8)
      + PickleText.text("training") + [0x89] + members("_parameters", parameters)
      + members("_buffers", []) + members("_modules", modules) + Array("ub".utf8)
  }

  private static func members(_ name: String, _ entries: [UInt8]) -> [UInt8] {
    PickleText.text(name) + Array("}(".utf8) + entries + Array("u".utf8)
  }

  /// A module with as many parameters, each of which is `value`.
  private static func leaf(_ count: Int, _ value: [UInt8]) -> [UInt8] {
    module(parameters: Array((0..<count).map { PickleText.text("\($0)") + value }.joined()))
  }

  /// Each with the one below twice, the lowest with `leaf` twice.
  private static func modules(levels: Int, leaf: [UInt8]) -> [UInt8] {
    let pair = module(
      modules: PickleText.text("a") + Array("h\u{1}".utf8) + PickleText.text("b")
        + Array("h\u{1}".utf8))
    let put = Array("q\u{1}0".utf8)
    return PickleText.file(
      PickleText.knownTensor, leaf + put, repeated(pair + put, levels), Array("h\u{1}".utf8))
  }

  /// In one of them.
  private static func modules(beside count: Int) -> [UInt8] {
    let leaf = leaf(1, PickleText.tensor)
    return PickleText.file(
      module(modules: Array((0..<count).map { PickleText.text("\($0)") + leaf }.joined())))
  }
}

// Names, which all commands look for blocks in.
extension Growth {
  static let names = [
    Growth("dots in one name", 2_000) {
      safetensors([String(repeating: "a.", count: $0) + "weight"])
    },
    Growth("roots in one name", 900, commands: naming) {
      safetensors([String(repeating: "stage0.", count: $0) + "rbr_dense.conv.weight"])
    },
    Growth("numbers in one name", 2_000) {
      safetensors(["stage1." + String(repeating: "0.", count: $0) + "rbr_dense.conv.weight"])
    },
    Growth("layers in one name", 400, commands: naming) {
      safetensors([String(repeating: "rbr_dense.conv.", count: $0) + "weight"])
    },
    Growth("digits in one name", 7_000) {
      safetensors(["stage" + String(repeating: "1", count: $0) + ".0.rbr_dense.conv.weight"])
    },
    Growth("wrappers in one name", 900, commands: naming) {
      safetensors([String(repeating: "module.", count: $0) + "stage0.rbr_dense.conv.weight"])
    },
    Growth("names with much in common", 40, commands: naming) { count in
      let prefix = String(repeating: "a.", count: 60)
      return safetensors((0..<count).map { "\(prefix)\($0).rbr_dense.conv.weight" })
    },
    Growth("names", 300) { count in safetensors((0..<count).map { "a\($0)" }) },
    Growth("names of 60 parts", 40, commands: naming) { count in
      safetensors(
        (0..<count).map {
          String(repeating: "a.", count: 30) + "\($0)" + String(repeating: ".b", count: 30)
        })
    },
    Growth("blocks", 60, commands: naming) { count in
      safetensors(
        (0..<count).flatMap { block in
          ["rbr_dense.conv.weight", "rbr_1x1.conv.weight", "rbr_dense.bn.weight"].map {
            "stage1.\(block).\($0)"
          }
        })
    },
    Growth("layers of one block", 150, commands: naming) { count in
      safetensors((0..<count).map { "stages.0.0.conv_kxk.\($0).conv.weight" })
    },
    Growth("blocks in blocks", 25, commands: naming) { count in
      safetensors((1...count).map { String(repeating: "a.", count: $0) + "rbr_dense.conv.weight" })
    },
    Growth("blocks in themselves", 15, commands: naming) { count in
      safetensors(
        (1...count).map { String(repeating: "rbr_dense.", count: $0) + "rbr_dense.conv.weight" })
    },
    Growth("stages of RepViT", 60, commands: naming) { count in
      safetensors(
        (0..<count).flatMap {
          [
            "stages.\($0).blocks.0.token_mixer.conv.c.weight",
            "stages.\($0).blocks.0.token_mixer.conv1.c.weight",
          ]
        })
    },
    Growth("composed letters", 2_500) { safetensors([String(repeating: "e\u{301}", count: $0)]) },
    Growth("combining marks", 2_000) {
      safetensors([String(repeating: "\u{301}\u{323}", count: $0)])
    },
    Growth("names with combining marks", 10, commands: naming) { count in
      safetensors((0..<count).map { "\($0)" + String(repeating: "e\u{301}\u{323}", count: 100) })
    },
  ]
}

// Text that users write: patterns and dialects.
extension Growth {
  static let patterns = [
    Growth(
      "stars of a pattern", 100, commands: [["import", "NAMED", "out.pth", "--rename", "PATTERN"]]
    ) {
      Array((String(repeating: "*a", count: $0) + "b=" + String(repeating: "*x", count: $0)).utf8)
    },
    dialect("blocks", 300) { (0..<$0).map { "block: a\($0).{n} = stage\($0).{n}" } },
    dialect("stars of a block", 300) {
      ["block: \(String(repeating: "*a", count: $0)) = \(String(repeating: "*b", count: $0))"]
    },
    dialect("numbers of a block", 300) {
      [
        "block: stage0\(String(repeating: ".{n}", count: $0)) = stage0\(String(repeating: ".{n}", count: $0))"
      ]
    },
    dialect("vectors", 300) { (0..<$0).map { "vector: a\($0).*" } },
    dialect("others", 300) { (0..<$0).map { "other: a\($0).* = b\($0).*" } },
    dialect("stars of an other", 300) {
      ["other: \(String(repeating: "*a", count: $0)) = \(String(repeating: "*b", count: $0))"]
    },
    dialect("comments", 30_000) { Array(repeating: "# a", count: $0) },
    dialect("words", 30_000) { ["marker: " + String(repeating: "a ", count: $0)] },
    dialect("unknown keys", 10_000) { (0..<$0).map { "key\($0): a" } },
  ]

  /// A dialect, with which a file is looked at whose names are as hard as can be for patterns.
  private static func dialect(
    _ name: String, _ units: Int, _ lines: @escaping @Sendable (Int) -> [String]
  ) -> Growth {
    let head = ["name: growth", "project: growth", "like: official"]
    return Growth(
      name + " of a dialect", units, commands: [["inspect", "NAMED", "--dialect", "FILE"]]
    ) {
      count in
      let lines = lines(count)
      let isOfBlocks = ["block", "vector"].contains { lines[0].hasPrefix($0) }
      let all = isOfBlocks ? head + ["family: RepVGG"] + lines : head + lines
      return Array(all.map { $0 + "\n" }.joined().utf8)
    }
  }
}

// JSON.
extension Growth {
  static let texts = [
    Growth("arrays in arrays", 10_000) { count in
      safetensors(
        header: "{\"a\":" + String(repeating: "[", count: count)
          + String(repeating: "]", count: count) + "}")
    },
    Growth("empty arrays", 20_000) {
      safetensors(header: "{\"a\":[" + String(repeating: "[],", count: $0) + "[]]}")
    },
    Growth("blanks", 50_000) { safetensors(header: "{" + String(repeating: " ", count: $0) + "}") },
    Growth("escapes", 10_000) {
      safetensors(
        header: "{\"__metadata__\":{\"a\":\"" + String(repeating: "\\u0041", count: $0) + "\"}}")
    },
    Growth("digits", 10_000) {
      safetensors(header: "{\"a\":" + String(repeating: "1", count: $0) + "}")
    },
    Growth("keys of metadata", 3_000) { count in
      safetensors(
        header: "{\"__metadata__\":{" + (0..<count).map { "\"\($0)\":\"\"" }.joined(separator: ",")
          + "}}")
    },
    Growth("one key of metadata again and again", 5_000) { count in
      safetensors(
        header: "{\"__metadata__\":{"
          + Array(repeating: "\"\":\"\"", count: count).joined(separator: ",") + "}}")
    },
    Growth("fields that tensors do not have", 5_000) { count in
      safetensors(
        header: "{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0],"
          + (0..<count).map { "\"\($0)\":0" }.joined(separator: ",") + "}}")
    },
    Growth("sizes of a shape", 10_000) { count in
      safetensors(
        header: "{\"a\":{\"dtype\":\"F32\",\"shape\":[0" + String(repeating: ",0", count: count)
          + "],\"data_offsets\":[0,0]}}")
    },
    Growth("empty tensors", 400) { count in
      safetensors(
        header: "{"
          + (0..<count).map { "\"\($0)\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}" }
          .joined(separator: ",") + "}")
    },
    Growth("tensors of a manifest", 200) { count in
      rvd(
        manifest: "{\"content\":{\"sha256\":\"\(String(repeating: "0", count: 64))\"},\"tensors\":["
          + (0..<count).map {
            "{\"bytes\":0,\"codec\":\"raw\",\"crc32\":\"00000000\",\"name\":\"\($0)\",\"offset\":64,"
              + "\"shape\":[0],\"storedBytes\":0,\"type\":\"float32\"}"
          }.joined(separator: ",") + "]}")
    },
    Growth("nodes of a manifest", 2_000) { count in
      rvd(
        manifest: "{\"content\":{\"sha256\":\"\(String(repeating: "0", count: 64))\"},\"graph\":["
          + (0..<count).map { "{\"inputs\":[\($0)],\"op\":\"relu\"}" }.joined(separator: ",")
          + "],\"tensors\":[]}")
    },
    Growth("inputs of a manifest's node", 10_000) { count in
      rvd(
        manifest: "{\"content\":{\"sha256\":\"\(String(repeating: "0", count: 64))\"},\"graph\":["
          + "{\"inputs\":[0" + String(repeating: ",0", count: count)
          + "],\"op\":\"concatenate\"}],\"tensors\":[]}")
    },
    Growth("what a manifest does not have", 20_000) { count in
      rvd(manifest: "{\"content\":[" + String(repeating: "[],", count: count) + "[]]}")
    },
  ]
}

// Archives and arrays.
extension Growth {
  static let archives = [
    Growth("members", 1_000) { count in zipArchive((0..<count).map { ZipMember("a/\($0)", []) }) },
    Growth("members in folders", 200) { count in
      zipArchive(
        (0..<count).map { ZipMember(String(repeating: "a/", count: 100) + "\($0).npy", []) })
    },
    Growth("arrays", 200) { count in
      zipArchive((0..<count).map { ZipMember("\($0).npy", npy(1)) })
    },
    Growth("a long comment", 8_000) {
      zipArchive([ZipMember("a.npy", npy(1))], comment: repeated("PK\u{5}\u{6}", $0 / 4))
    },
    Growth("ends in front of the end", 10_000) {
      Array("PK\u{3}\u{4}".utf8) + repeated("PK\u{5}\u{6}", $0)
    },
    Growth("zeros, deflated", 2_000_000) {
      zipArchive([
        ZipMember(
          "a.npy",
          npy(0, header: "{'descr': '|u1', 'fortran_order': False, 'shape': (\($0),), }\n"), [0],
          times: $0)
      ])
    },
    Growth("a text of empty names", 1_000_000) {
      zipArchive([
        ZipMember("0.npy", npy(1)),
        ZipMember(
          "names.npy",
          npy(0, header: "{'descr': '<U0', 'fortran_order': False, 'shape': (\($0),), }\n")),
      ])
    },
    Growth("a text of names, deflated", 100_000) {
      zipArchive([
        ZipMember("0.npy", npy(1)),
        ZipMember(
          "names.npy",
          npy(0, header: "{'descr': '<U1', 'fortran_order': False, 'shape': (\($0),), }\n"), [0],
          times: 4 * $0),
      ])
    },
    Growth("a header of an array", 1_000) {
      npy(
        0,
        header: "{'descr': [" + String(repeating: "[", count: $0)
          + "], 'fortran_order': False, 'shape': (0,), }\n")
    },
    Growth("weights as text, without elements", 800) { count in
      Array("\(count)\n".utf8) + Array((0..<count).map { Array("a\($0) 0\n".utf8) }.joined())
    },
    Growth("weights as text", 10_000) {
      Array("1\na \($0) ".utf8) + repeated("3f800000 ", $0).dropLast() + [0x0A]
    },
    Growth("blank lines behind weights as text", 5_000) {
      Array("1\na 1 3f800000\n".utf8) + repeated("\n", $0)
    },
    Growth("a configuration of Keras, deflated", 20_000) {
      zipArchive([
        ZipMember("metadata.json", Array("{}".utf8)),
        ZipMember(
          "config.json", Array("{\"a\":[".utf8), Array("{},".utf8), times: $0, Array("0]}".utf8)),
        ZipMember("model.weights.h5", HDF5Bytes.empty),
      ])
    },
  ]
}

// ONNX.
extension Growth {
  static let models = [
    Growth("nodes", 1_500) { count in
      onnx(
        chain(count) { index in field(1, "v\(index)") + field(2, "v\(index + 1)") + field(4, "Relu")
        })
    },
    Growth("empty nodes", 20_000) { onnx(repeated(field(1, []), $0)) },
    Growth("empty initializers", 20_000) { onnx(repeated(field(5, []), $0)) },
    Growth("initializers", 500) { count in
      onnx(
        Array(
          (0..<count).map {
            field(5, field(1, 1) + field(2, 1) + field(8, "w\($0)") + field(9, [0, 0, 0, 0]))
          }.joined()))
    },
    Growth("empty attributes", 10_000) { onnx(field(1, repeated(field(5, []), $0))) },
    Growth("attributes", 3_000) { count in
      onnx(
        field(
          1,
          field(4, "Relu") + field(1, "x") + field(2, "y")
            + Array((0..<count).map { field(5, field(1, "a\($0)") + field(3, 1)) }.joined())))
    },
    Growth("integers of an attribute", 50_000) {
      onnx(
        field(
          1, field(4, "Relu") + field(5, field(1, "a") + field(8, [UInt8](repeating: 1, count: $0)))
        ))
    },
    Growth("integers of an attribute one by one", 30_000) {
      onnx(field(1, field(4, "Relu") + field(5, field(1, "a") + repeated(field(8, 1), $0))))
    },
    Growth("empty names of inputs", 20_000) {
      onnx(field(1, field(4, "Concat") + repeated(field(1, ""), $0)))
    },
    Growth("graphs in graphs", 1_000) { count in
      onnx((0..<count).reduce(into: []) { graph, _ in graph = field(1, field(5, field(6, graph))) })
    },
    Growth("a long name", 50_000) { onnx(field(1, field(3, [UInt8](repeating: 0x61, count: $0)))) },
    Growth("metadata", 10_000) { onnx([], repeated(field(14, []), $0)) },
    Growth("sizes of an input", 20_000) {
      onnx(field(11, field(1, "z") + field(2, field(1, field(2, repeated(field(1, []), $0))))))
    },
    Growth("convolutions of one kernel", 400, commands: naming) { count in
      let kernel = field(1, 1) + field(1, 1) + field(1, 1) + field(1, 1)
      return onnx(
        field(5, kernel + field(2, 1) + field(8, "w") + field(9, [0, 0, 0x80, 0x3F]))
          + chain(count) { index in
            field(1, "v\(index)") + field(1, "w") + field(2, "v\(index + 1)") + field(4, "Conv")
          })
    },
    Growth("sums of sums", 400, commands: naming) { count in
      let kernel = field(1, 1) + field(1, 1) + field(1, 1) + field(1, 1)
      return onnx(
        field(5, kernel + field(2, 1) + field(8, "w") + field(9, [0, 0, 0x80, 0x3F]))
          + chain(count) { index in
            field(1, "v\(index)") + field(1, "v\(index)") + field(2, "v\(index + 1)")
              + field(4, "Add")
          })
    },
    Growth("kernels behind each other", 300, commands: naming) { count in
      let kernel = field(1, 1) + field(1, 1) + field(1, 1) + field(1, 1)
      return onnx(
        field(5, kernel + field(2, 1) + field(8, "k0") + field(9, [0, 0, 0x80, 0x3F]))
          + Array(
            (0..<count).map {
              field(1, field(1, "k\($0)") + field(2, "k\($0 + 1)") + field(4, "Identity"))
                + field(
                  1, field(1, "x") + field(1, "k\($0 + 1)") + field(2, "c\($0)") + field(4, "Conv"))
            }.joined()) + field(1, field(1, "c0") + field(2, "y") + field(4, "Identity")))
    },
  ]

  /// Nodes one behind the other, from `x` to `y`.
  private static func chain(_ count: Int, _ node: (Int) -> [UInt8]) -> [UInt8] {
    let first = field(1, field(1, "x") + field(2, "v0") + field(4, "Identity"))
    let last = field(1, field(1, "v\(count)") + field(2, "y") + field(4, "Identity"))
    return first + (0..<count).map { field(1, node($0)) }.joined() + last
  }
}

// HDF5.
extension Growth {
  static let trees = [
    Growth("links to one dataset", 500) { count in
      var file = HDF5Bytes()
      let dataset = file.object(
        HDF5Bytes.dataset([1], layout: HDF5Bytes.contiguous(file.add([0, 0, 0, 0]), 4)))
      return file.file(root: (0..<count).map { HDF5Bytes.link("a\($0)", dataset) })
    },
    Growth("links to one long dataset", 500) { count in
      var file = HDF5Bytes()
      let layout = HDF5Bytes.contiguous(file.add([0, 0, 0, 0]), 4)
      let attribute = HDF5Bytes.message(0x0C, [UInt8](repeating: 1, count: 24))
      let dataset = file.object(
        HDF5Bytes.dataset([1], layout: layout) + Array(repeating: attribute, count: count))
      return file.file(root: (0..<count).map { HDF5Bytes.link("a\($0)", dataset) })
    },
    Growth("datasets", 400) { count in
      var file = HDF5Bytes()
      let links = (0..<count).map { index in
        HDF5Bytes.link(
          "a\(index)",
          file.object(
            HDF5Bytes.dataset([1], layout: HDF5Bytes.contiguous(file.add([0, 0, 0, 0]), 4))))
      }
      return file.file(root: links)
    },
    Growth("bytes of an element", 1 << 27) { count in
      var file = HDF5Bytes()
      let type = HDF5Bytes.integer(byteCount: count)
      let dataset = file.object(
        HDF5Bytes.dataset([1], of: type, layout: HDF5Bytes.contiguous(-1, 0)))
      return file.file(root: [HDF5Bytes.link("w", dataset)])
    },
    Growth("groups", 800) { count in
      var file = HDF5Bytes()
      let links = (0..<count).map { index in
        HDF5Bytes.link("a\(index)", file.object([HDF5Bytes.message(2, [0, 0] + number(-1, 16))]))
      }
      return file.file(root: links)
    },
    Growth("groups in groups, with long names", 10) { count in
      var file = HDF5Bytes()
      let name = String(repeating: "a", count: 5_000)
      var group = file.object([HDF5Bytes.message(2, [0, 0] + number(-1, 16))])
      for _ in 0..<count { group = file.object([HDF5Bytes.link(name, group)]) }
      return file.file(root: [HDF5Bytes.link(name, group)])
    },
    Growth("soft links", 500) { count in
      var file = HDF5Bytes()
      let dataset = file.object(
        HDF5Bytes.dataset([1], layout: HDF5Bytes.contiguous(file.add([0, 0, 0, 0]), 4)))
      return file.file(
        root: [HDF5Bytes.link("w", dataset)]
          + (0..<count).map { HDF5Bytes.softLink("a\($0)", "/w") })
    },
    Growth("steps of a soft link", 2_000) { count in
      var file = HDF5Bytes()
      let dots = String(repeating: "./", count: 100)
      return file.file(
        root: (0..<count / 50).map { HDF5Bytes.softLink("a\($0)", dots + "a\($0)") })
    },
    Growth("empty messages", 5_000) { count in
      var file = HDF5Bytes()
      return file.file(
        root: Array(repeating: HDF5Bytes.message(2, [0, 0] + number(-1, 16)), count: count))
    },
    Growth("chunks", 1_000) { count in
      var file = HDF5Bytes()
      let data = file.add([UInt8](repeating: 0, count: 4 * count))
      var tree = Array("TREE".utf8) + [1, 0] + number(count, 2) + number(-1, 8) + number(-1, 8)
      for index in 0..<count {
        tree +=
          number(4, 4) + number(0, 4) + number(index, 8) + number(0, 8)
          + number(data + 4 * index, 8)
      }
      tree += number(4, 4) + number(0, 4) + number(count, 8) + number(0, 8)
      let layout = [3, 2, 2] + number(file.add(tree), 8) + number(1, 4) + number(4, 4)
      let dataset = file.object(HDF5Bytes.dataset([count], layout: layout))
      return file.file(root: [HDF5Bytes.link("w", dataset)])
    },
    Growth("chunks that were not written", 2) { count in
      var file = HDF5Bytes()
      let layout = [3, 2, 2] + number(-1, 8) + number(1, 4) + number(4, 4)
      let datasets = (0..<count).map { _ in
        file.object(HDF5Bytes.dataset([10_000], layout: layout))
      }
      return file.file(root: datasets.enumerated().map { HDF5Bytes.link("a\($0)", $1) })
    },
    Growth("nodes of trees that lie over each other", 400) { count in
      var file = HDF5Bytes()
      // Each node says that it is as long as the rest of the file.
      let start = file.end
      var nodes: [UInt8] = []
      for index in 0..<count {
        let entries = max(0, min(65_535, (24 * (count - index - 1) - 40) / 16))
        nodes += Array("TREE".utf8) + [0, 0] + number(entries, 2) + number(start, 16)
      }
      nodes += [UInt8](repeating: 0, count: 64)
      _ = file.add(nodes)
      var top = Array("TREE".utf8) + [0, 1] + number(count, 2) + number(-1, 16)
      for index in 0..<count { top += number(0, 8) + number(start + 24 * index, 8) }
      let tree = file.add(top + number(0, 8))
      let heap = file.add(
        Array("HEAP".utf8) + number(0, 4) + number(8, 8) + number(0, 8) + number(start, 8))
      return file.file(root: [HDF5Bytes.message(0x11, number(tree, 8) + number(heap, 8))])
    },
  ]
}

extension HDF5Bytes {
  /// A file with one dataset.
  static let empty: [UInt8] = {
    var file = HDF5Bytes()
    let dataset = file.object(Self.dataset([1], layout: contiguous(file.add([0, 0, 0, 0]), 4)))
    return file.file(root: [link("w", dataset)])
  }()
}
