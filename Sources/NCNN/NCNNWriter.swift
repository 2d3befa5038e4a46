public import Checkpoints
internal import Graphs
public import Tensors

/// Writes networks as ncnn's two files (`docs/developer-guide/param-and-model-file-structure.md` of
/// github.com/Tencent/ncnn).
///
/// `.param`, text:
///
///     7767517                     the version of the format
///     LAYERS VALUES               how many there are
///     TYPE NAME INPUTS OUTPUTS input... output... NUMBER=VALUE...      for each layer, in order
///
/// A list is `-(23300 + NUMBER)=COUNT,VALUE...`. A value with a point or an `e` is a float, any other an
/// integer.
///
/// `.bin`, little-endian, without a header: what layers have of weights, one after the other. Kernels and
/// matrices are a u32, 0 for float32 or 0x01306B47 for float16, and the elements, with zeros up to a multiple
/// of 4; all else is float32 without one.
public enum NCNNWriter {
  /// What was written beside the file of layers.
  public struct Summary: Equatable, Sendable {
    /// The file of weights.
    public var weightsPath: String
    /// Bytes of it.
    public var weightsByteCount: Int
  }

  private static let magic = 7_767_517
  private static let halfTag = 0x0130_6B47
  private static let paramSuffix = ".param"

  /// Writes `model` to `file`, which the caller commits, and its weights to a companion: `a.bin` of
  /// `a.param`.
  ///
  /// - Parameters:
  ///   - file: empty so far.
  ///   - imageSize: height and width of the images.
  /// - Throws: `WriteError.cannotExpress` if there is no graph, if it does not fit its tensors or the size of
  ///   the images, or if a tensor is of a type that ncnn does not have; what `file` or the tensors throw.
  public static func write(
    _ model: DeployModel, to file: OutputFile, imageSize: (height: Int, width: Int),
    threads: Threads = .all
  ) throws -> Summary {
    precondition(file.count == 0)
    let shapes = try model.shapes(ofImages: imageSize, for: "an ncnn file", path: file.path)
    for tensor in model.tensors
    where tensor.scales != nil || ![.float32, .float16, .bfloat16].contains(tensor.elementType) {
      throw WriteError.cannotExpress(
        path: file.path,
        what:
          "'\(printable(tensor.name))' is \(tensor.elementType.rawValue), in which ncnn has no weights",
        remedy: "Choose another type, such as float32 or float16.")
    }
    let layers = Lowering(model.description.graph!, shapes: shapes, tensors: model.tensors)
      .result.layers
    var isParam = file.path.utf8.count > paramSuffix.utf8.count
    isParam = isParam && file.path.lowercased().hasSuffix(paramSuffix)
    let stem = isParam ? String(file.path.dropLast(paramSuffix.count)) : file.path
    let companion = try file.makeCompanion(path: stem + ".bin")
    try write(layers.flatMap(\.weights), to: companion, threads: threads)
    let values = layers.reduce(0) { $0 + $1.outputs.count }
    let lines = ["\(magic)", "\(layers.count) \(values)"] + layers.map(\.line)
    try file.append(Array(lines.map { $0 + "\n" }.joined().utf8))
    return Summary(weightsPath: companion.path, weightsByteCount: companion.count)
  }

  private static func write(
    _ weights: [Layers.Weight], to file: OutputFile, threads: Threads
  ) throws {
    var end = 0
    var (tensors, offsets, tags): ([OutputTensor], [Int], [(tag: Int, offset: Int)]) = ([], [], [])
    for weight in weights {
      let tensor: OutputTensor
      switch weight {
      case .plain(let plain): tensor = plain.widened
      case .tagged(let tagged):
        // Of its numbers all are float32, too.
        tensor = tagged.elementType == .bfloat16 ? tagged.widened : tagged
        tags.append((tensor.elementType == .float16 ? halfTag : 0, end))
        end += 4
      }
      tensors.append(tensor)
      offsets.append(end)
      end += (tensor.byteCount + 3) / 4 * 4
    }
    try file.reserve(end)
    for (tag, offset) in tags {
      var bytes: [UInt8] = []
      bytes.appendLittleEndian(tag, width: 4)
      try file.overwrite(bytes, at: offset)
    }
    try file.write(tensors, at: offsets, threads: threads)
  }
}

extension Layers.Layer {
  /// Its line of the `.param`.
  fileprivate var line: String {
    let parameters = parameters.sorted { $0.key < $1.key }.map { number, parameter in
      switch parameter {
      case .integer(let value): "\(number)=\(value)"
      // A float in as few digits as tell it, always with a point or an `e`.
      case .float(let value): "\(number)=\(Float(value))"
      case .integers(let values):
        "-\(23300 + number)=\(([values.count] + values).map(String.init).joined(separator: ","))"
      }
    }
    return
      ([type, name, "\(inputs.count)", "\(outputs.count)"] + inputs + outputs + parameters)
      .joined(separator: " ")
  }
}
