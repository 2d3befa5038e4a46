public import Blocks
public import Tensors

/// Why a network could not be fused.
@nonexhaustive
public enum FusionError: Error, Equatable, Sendable {
  /// No block has branches: there is nothing to fuse.
  case alreadyFused(path: String, blocks: Int)
  /// A block lacks parameters, if `layers` is not empty all of these layers; with names that are there
  /// and look alike.
  case incompleteBlock(
    path: String, block: Name, layers: [String], missing: [Name], nearest: [Name])
  /// Parameters of one block do not have shapes that go together.
  case mismatchedShapes(path: String, block: Name, family: String, what: String)
  /// What a block computes is not one convolution.
  case notOneConvolution(path: String, block: Name, family: String, what: String)
  /// Nothing tells whether a block has a layer that has no parameters; with the families that would say.
  case undecided(path: String, block: Name, family: String, layer: String, variants: [String])
  /// BatchNorm does not give finite numbers.
  case invalidBatchNorm(path: String, name: Name, channel: Int)
  /// A block has BatchNorm, which was said not to be there.
  case hasBatchNorm(path: String, block: Name)
  /// Nothing tells height and width of the maps that a block works on, of so many values; or they are not
  /// of the ratio that was said.
  case unknownMap(path: String, block: Name, area: Int, ratio: BlockFacts.Ratio?)
  /// Channels that a block no longer makes are taken by a layer that is not known.
  case unknownSuccession(path: String, block: Name, channels: Int, of: Int, reason: String)
  /// The file is not of the architecture it was said to be of.
  case wrongArchitecture(path: String, asked: String, differences: [String], actual: String)
}

extension FusionError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .alreadyFused(let path, let blocks):
      """
      \(path): already fused: \(blocks == 1 ? "its only block is" : "all of its \(blocks) blocks are") in deploy form, without branches.
        There is nothing to fuse.
      """
    case .incompleteBlock(let path, let block, let layers, let missing, let nearest):
      """
      \(path): block '\(printable(block))' lacks \(layers.isEmpty ? "" : "its \(layers.joined(separator: " and ")) branch\(layers.count == 1 ? "" : "es"): ")\(missing.map(printable).joined(separator: ", ")).
        \(nearest.isEmpty ? "Nothing in the file has a name like it; save the whole state dict." : "Nearest names in the file: " + nearest.map(printable).joined(separator: ", ") + ".")
      """
    case .mismatchedShapes(let path, let block, let family, let what):
      "\(path): block '\(printable(block))': \(what).\n  The file mixes parameters of different networks, or is not from a \(family)."
    case .notOneConvolution(let path, let block, _, let what):
      "\(path): block '\(printable(block))': \(what).\n  No single convolution computes the same, so it cannot be fused; deploy it in its training form."
    case .undecided(let path, let block, let family, let layer, let variants):
      """
      \(path): block '\(printable(block))': its shapes allow \(layer.withArticle), which no tensor shows, and nothing in the file tells whether a \(family) block has it here.
        \(variants.isEmpty ? "Use the file that model.state_dict() was saved to as it was, which lists all modules, or a whole module; or say in a table which blocks keep the resolution." : "Use the file that model.state_dict() was saved to as it was, which lists all modules; or say which family it is: \(variants.joined(separator: " or ")).")
      """
    case .invalidBatchNorm(let path, let name, let channel):
      "\(path): '\(printable(name))' of channel \(channel): BatchNorm gives no finite number (a negative variance, or an infinite or NaN parameter).\n  The training run diverged or the file is damaged; fusing it would spread the damage."
    case .hasBatchNorm(let path, let block):
      "\(path): block '\(printable(block))' has BatchNorm, though none was said to be there.\n  Give its epsilon, or leave it to the names in the file."
    case .unknownMap(let path, let block, let area, let ratio):
      "\(path): block '\(printable(block))' works on maps of \(area) values, and \(ratio.map { "no map of these has a height to width of \($0.height):\($0.width)" } ?? "no tensor says their height and width: they are not square").\n  Say the ratio of height to width."
    case .unknownSuccession(let path, let block, let channels, let count, let reason):
      "\(path): block '\(printable(block))': its compactor prunes \(channels) of \(count) channels, and which layer takes them is not known: \(reason).\n  Fuse it without pruning, or with the project's own code."
    case .wrongArchitecture(let path, let asked, let differences, let actual):
      """
      \(path): it is not a \(asked): \(differences.prefix(6).joined(separator: "; "))\(differences.count > 6 ? "; and \(differences.count - 6) more differences" : "").
        \(actual)
      """
    }
  }
}
