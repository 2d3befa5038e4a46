import Checkpoints
import Tensors
import TestSupport
import Testing

@testable import CheckpointFiles

/// Models as Keras saves them; see `make_keras_files.py`.
@Suite struct KerasTests {
  struct File: CustomTestStringConvertible, Sendable {
    var name: String
    var container: String
    var ignored: [String] = []
    var notes: [String] = []
    var testDescription: String { name }
  }

  private static let numbered =
    "What the variables of 2 layers are cannot be told; they are numbered: backbone.norm, tail.bn"

  private static let forgotten = "conv.forgotten: not among the weights that its layer lists"

  static let files = [
    File(
      name: "network.keras", container: "Keras 3 model",
      ignored: ["optimizer: the optimizer's state"]),
    File(
      name: "network.weights.h5", container: "Keras 3 weights",
      ignored: ["optimizer: the optimizer's state"], notes: [numbered]),
    File(
      name: "network.h5", container: "Keras HDF5 model",
      ignored: ["optimizer_weights: the optimizer's state"]),
    File(name: "network-weights.h5", container: "Keras HDF5 weights"),
    File(name: "bfloat16.weights.h5", container: "Keras 3 weights"),
    File(name: "long-names.h5", container: "Keras HDF5 weights"),
    File(
      name: "lambda.keras", container: "Keras 3 model",
      notes: ["1 layer is code in the configuration (Lambda), which was not run."]),
    File(
      name: "keras-2.13.weights.h5", container: "Keras 3 weights",
      ignored: ["dropout.seed_generator: the state of a random generator"],
      notes: [
        "What the variables of 1 layer are cannot be told; they are numbered: my_layer"
      ]),
    File(
      name: "keras2.h5", container: "Keras HDF5 model",
      ignored: ["optimizer_weights: the optimizer's state", forgotten]),
    File(name: "keras2-weights.h5", container: "Keras HDF5 weights", ignored: [forgotten]),
  ]

  @Test(arguments: files)
  func `every weight has the name of its layer and its own`(file: File) throws {
    let checkpoint = try readCheckpoint(path: Fixtures.path("KerasFiles/\(file.name)"))
    #expect(checkpoint.family == "keras" && checkpoint.container == file.container)
    #expect(checkpoint.notes == file.notes)
    let dict = try #require(checkpoint.stateDicts.first)
    #expect(dict.ignored.map { "\($0.name): \($0.what)" } == file.ignored)
    let rows = try Fixtures.table("KerasFiles/tensors.tsv").filter { $0[0] == file.name }
    try HDF5CheckpointTests.expect(dict, holds: rows.map { Array($0.dropFirst()) })
    for named in dict.tensors { try named.tensor.source.verify() }
  }

  @Test func `tensors are in the order of the model, where that is known`() throws {
    func layers(_ name: String) throws -> [String] {
      let tensors = try readCheckpoint(path: Fixtures.path("KerasFiles/\(name)")).stateDicts[0]
        .tensors
      var layers: [String] = []
      for named in tensors {
        let layer = named.name.firstPart.text
        if layers.last != layer { layers.append(layer) }
      }
      return layers
    }
    let inOrder = ["stem", "stem_norm", "depthwise", "separable", "block", "backbone", "tail"]
    #expect(try layers("network.h5") == inOrder)
    #expect(try layers("network-weights.h5") == inOrder)
    #expect(try layers("network.keras") == inOrder)
  }

  @Test(arguments: ["network.keras", "network.h5"])
  func `the configuration tells what weights do not`(file: String) throws {
    let modules = try readCheckpoint(path: Fixtures.path("KerasFiles/\(file)")).stateDicts[0]
      .modules
    var stem = ModuleAttributes(className: "keras.layers.Conv2D")
    (stem.stride, stem.padding, stem.dilation, stem.groups) = ([1, 1], [1, 1], [1, 1], 1)
    #expect(modules["stem"] == stem)
    var norm = ModuleAttributes(className: "keras.layers.BatchNormalization")
    norm.epsilon = 1e-3
    #expect(modules["stem_norm"] == norm)
    norm.epsilon = 2e-5
    #expect(modules["backbone.norm"] == norm)
    // Padding that differs on the two sides is none that we have a word for.
    var conv = ModuleAttributes(className: "keras.layers.Conv2D")
    (conv.stride, conv.dilation, conv.groups) = ([2, 1], [1, 1], 2)
    #expect(modules["backbone.conv"] == conv)
    var depthwise = ModuleAttributes(className: "keras.layers.DepthwiseConv2D")
    (depthwise.stride, depthwise.padding, depthwise.dilation) = ([1, 1], [4, 4], [2, 2])
    #expect(modules["depthwise"] == depthwise)
    #expect(modules["block"]?.className.hasSuffix("Block") == true)
  }

  @Test func `the configuration of Keras 2 tells the same`() throws {
    let modules = try readCheckpoint(path: Fixtures.path("KerasFiles/keras2.h5")).stateDicts[0]
      .modules
    var conv = ModuleAttributes(className: "keras.layers.Conv2D")
    (conv.stride, conv.padding, conv.dilation, conv.groups) = ([2, 2], [2, 1], [1, 1], 3)
    #expect(modules["conv"] == conv)
    #expect(modules["dw"]?.padding == [1, 1] && modules["dw"]?.groups == nil)
    #expect(modules["model.inner_bn"]?.epsilon == 0.00123)
    #expect(modules["model.inner_conv"]?.padding == nil)
    #expect(modules["pad"]?.className == "ZeroPadding2D")
  }

  @Test func `without a configuration, groups in lists tell the class`() throws {
    let path = Fixtures.path("KerasFiles/network.weights.h5")
    let modules = try readCheckpoint(path: path).stateDicts[0].modules
    #expect(modules["stem"] == ModuleAttributes(className: "keras.layers.Conv2D"))
    #expect(modules["depthwise"] == ModuleAttributes(className: "keras.layers.DepthwiseConv2D"))
    #expect(modules["block.rbr_norm"] == nil)
  }

  private static let advice =
    "The file is damaged or was not written by the program it seems to be from; fetch or save it again."

  /// A `.keras` archive of a configuration and weights, either a text or a fixture; the error after the
  /// path.
  @Test(arguments: [
    (
      "{", "HDF5Files/types.h5",
      "(config.json) at byte 1: expected a key in quotation marks, found the end of the JSON text.\n  \(advice)"
    ),
    (
      "", "HDF5Files/types.h5",
      "(config.json) at byte 0: expected a value, found the end of the JSON text.\n  \(advice)"
    ),
    ("{}", "not HDF5", "(model.weights.h5): expected an HDF5 file, found another.\n  \(advice)"),
    ("{}", "", "(model.weights.h5): expected an HDF5 file, found another.\n  \(advice)"),
    (
      "{}", "HDF5Files/chunk-at-superblock.h5",
      "(model.weights.h5: w) at byte 0: expected elements where nothing else of the file is, found something else there."
        + "\n  The file is damaged or was not written by the program it seems to be from; fetch or save it again."
    ),
    (
      "{}", "HDF5Files/shape-bomb.h5",
      "(model.weights.h5): the Keras file holds no weights of layers.\n  Save the model again after it was built."
    ),
  ])
  func `what is wrong inside an archive is refused, with the member`(
    config: String, weights: String, message: String
  ) throws {
    let bytes =
      weights.hasPrefix("HDF5Files/") ? try Fixtures.bytes(weights) : Array(weights.utf8)
    let file = try TemporaryFile { file in
      var archive = StoredZipWriter(file)
      archive.add("metadata.json", Array("{}".utf8))
      archive.add("config.json", Array(config.utf8))
      archive.add("model.weights.h5", bytes)
      try archive.finish()
    }
    let error = #expect(throws: ReadError.self) {
      for named in try readCheckpoint(path: file.path).stateDicts.flatMap(\.tensors) {
        _ = try named.tensor.bytes()
      }
    }
    #expect(String(describing: try #require(error)) == file.path + message)
  }

  /// Names, lists and a configuration of more than 64 KB go through the HDF5 library with the weights.
  @Test func `a file that takes the HDF5 library is as Keras saved it`() throws {
    let checkpoint = try readCheckpoint(path: Fixtures.path("HDF5Files/keras-library.h5"))
    #expect(checkpoint.container == "Keras HDF5 weights")
    #expect(
      checkpoint.notes == [
        "The file was read with the HDF5 library, in a sandbox: an attribute or link takes more than "
          + "64 KB."
      ])
    let dict = checkpoint.stateDicts[0]
    #expect(dict.tensors.map(\.name) == ["conv.kernel"])
    #expect(dict.ignored.map(\.name) == ["conv.conv.spare"])
    #expect(dict.modules["conv"]?.stride == [2, 2])
    #expect(try dict.tensors[0].tensor.doubles() == (0..<16).map(Double.init))
  }

  @Test func `damage to the weights in an archive is found by its checksum`() throws {
    var bytes = try InputFile(path: Fixtures.path("KerasFiles/network.keras")).allBytes()
    let checkpoint = try readCheckpoint(path: Fixtures.path("KerasFiles/network.keras"))
    let stem = try #require(checkpoint.stateDicts[0].tensors.first { $0.name == "stem.kernel" })
    let pattern = try stem.tensor.bytes()
    let start = try #require(
      bytes.indices.first { bytes[$0...].starts(with: pattern) }, "stored in place")
    bytes[start + 5] ^= 1
    let file = try TemporaryFile(bytes)
    let damaged = try readCheckpoint(path: file.path).stateDicts[0].tensors
    let error = #expect(throws: ReadError.self) {
      for named in damaged { try named.tensor.source.verify() }
    }
    guard case .checksumMismatch(let place, _, _)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(place.member == "model.weights.h5")
  }
}
