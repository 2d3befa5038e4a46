public import Blocks
package import Checkpoints
public import Naming
internal import ONNX
public import RVD
public import Tensors

/// How an input is read.
public struct ReadingOptions: Sendable {
  /// What the file must be (`pytorch`, `megengine`, ...); anything if nil.
  public var family: String?
  /// The state dict to use, where there are several.
  public var key: String?
  /// Tables to read names by, the preferred ones first.
  public var dialects = Dialect.usual
  /// Rules that names go through first.
  public var renames: [Correspondence] = []
  /// What no tensor shows of the blocks.
  public var facts = BlockFacts()
  /// Of what a file may ask for.
  public var limits = ReadingLimits()
  /// Whether warnings are errors: see `Note.isWarning`.
  public var isStrict = false
  /// Whether it is an error if it is no whole network that is known, of whatever widths and depths.
  public var requiresWhole = false

  public init() {}
}

/// How an output is written.
public struct WritingOptions: Sendable {
  /// Names and shapes of the tensors; by default those usual in the format.
  public var names: Dialect?
  /// The extension of the format, without its dot; by default that of the output's name.
  public var format: String?
  /// What weights are stored in; by default float32 when they are computed, else as they are.
  public var weightType: WeightType?
  /// How they become int8.
  public var quantization = QuantizationOptions()
  /// How small an `.rvd` is made; nil to store its tensors as they are.
  public var compression: Compression?
  /// The version of ONNX's operators, one of `ONNXOptions.operatorSets`; by default 13.
  public var operatorSet: Int?
  /// Images that an ONNX network takes at a time; nil for any number.
  public var batch: Int?
  /// Above so many bytes the tensors of an ONNX file are in a second one.
  public var largestMessage = ONNXOptions.usualLargestMessage
  /// Whether an existing file may be replaced.
  public var replace = false
  /// Files beside the input that are read, and so must not be the output.
  public var alsoRead: [String] = []
  /// Whether the file is flushed to the disk before it gets its name.
  public var sync = false
  /// Whether `.rvd` and `.onnx` say the SHA-256 of the input, which takes a second look at all of it.
  public var recordsSourceDigest = true
  /// More than four do not make one file faster, which is written by one at a time.
  public var threads = Threads(4)
  /// Called from any thread with the bytes written since the last call, and once, with 0 and the
  /// total, before the first.
  public var progress: (@Sendable (_ written: Int, _ total: Int?) -> Void)?

  public init() {}
}

extension Network {
  package init(
    recognising checkpoint: Checkpoint, _ options: ReadingOptions, asFormOf other: Network? = nil
  ) throws(NamingError) {
    try self.init(
      recognising: checkpoint, key: options.key, dialects: options.dialects,
      renames: options.renames, asFormOf: other)
    facts = options.facts
  }
}
