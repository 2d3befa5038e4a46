internal import Checkpoints
internal import Tensors

/// Zip archives: which of the things that come in one a file is.
enum ZipFile {
  /// PyTorch, too, knows its archives by these first bytes; what zip programs accept behind other
  /// bytes, it does not.
  private static let signature: [UInt8] = [0x50, 0x4B, 0x03, 0x04]

  static func read(_ opened: OpenedFile) throws(ReadError) -> Checkpoint? {
    guard opened.has(signature) else { return nil }
    let archive = try ZipArchive(opened.file)
    let contents = Contents(archive)
    for kind in kinds where kind.matches(contents) {
      switch kind.action {
      case .read(let read): return try read(archive)
      case .refuse(let what, let remedy):
        throw .unsupported(archive.file.location, what: what, remedy: remedy)
      }
    }
    throw .notACheckpoint(
      archive.file.location,
      what: "the file is a zip archive without a checkpoint's data.pkl (\(contents.summary))",
      remedy: "If a checkpoint is inside, unpack it and convert that.")
  }

  /// Names of the members, and the same without the first folder.
  private struct Contents {
    let names: [Name]
    let namesBelowRoot: Set<Name>

    init(_ archive: ZipArchive) {
      names = archive.members.map(\.name)
      namesBelowRoot = Set(
        names.compactMap { name in
          let parts = name.parts(separator: "/")
          return parts.count > 1 ? parts.dropFirst().joined(separator: "/") : nil
        })
    }

    /// Whether there is such a member in the top folder or outside any.
    func has(_ name: Name) -> Bool { namesBelowRoot.contains(name) || names.contains(name) }

    var summary: String {
      let shown = names.prefix(3).map { "'\(printable($0))'" }.joined(separator: ", ")
      return names.isEmpty ? "it has no members" : names.count > 3 ? "\(shown), ..." : shown
    }
  }

  private struct Kind: Sendable {
    enum Action: Sendable {
      case read(@Sendable (ZipArchive) throws(ReadError) -> Checkpoint)
      case refuse(what: String, remedy: String)
    }
    var matches: @Sendable (Contents) -> Bool
    var action: Action
  }

  private static let fromTorchScript = """
    In Python: torch.save(torch.jit.load(file, map_location="cpu").state_dict(), "weights.pth"), and \
    convert that.
    """

  /// The first that matches counts.
  private static let kinds: [Kind] = [
    Kind(
      matches: { $0.has("constants.pkl") || $0.namesBelowRoot.contains { $0.hasPrefix("code/") } },
      action: .refuse(
        what: "the file is a TorchScript program, not a checkpoint", remedy: fromTorchScript)),
    Kind(
      matches: { $0.has("model.json") },
      action: .refuse(
        what: "the file is a TorchScript program of PyTorch 1.0 or 1.1, not a checkpoint",
        remedy: fromTorchScript)),
    Kind(
      matches: { $0.has("archive_format") },
      action: .refuse(
        what: "the file is a program saved by torch.export, not a checkpoint",
        remedy:
          "In Python: torch.save(torch.export.load(file).state_dict, \"weights.pth\"), and convert that."
      )),
    Kind(
      matches: { $0.has(".data/version") && !$0.has("data.pkl") },
      action: .refuse(
        what: "the file is a package made by torch.package, not a checkpoint",
        remedy: "Load the model from it in Python, torch.save its state_dict(), and convert that.")),
    // Also where it is in no folder or a nested one, for the reader to say so.
    Kind(
      matches: { $0.names.contains { $0 == "data.pkl" || $0.hasSuffix("/data.pkl") } },
      action: .read(PyTorchZip.read)),
    Kind(
      matches: {
        $0.has("config.json") && ($0.has("model.weights.h5") || $0.has("model.weights.npz"))
      },
      action: .read(KerasArchive.read)),
    Kind(
      matches: { !$0.names.isEmpty && $0.names.allSatisfy { $0.hasSuffix(".npy") } },
      action: .read(NPZFile.read)),
    Kind(
      matches: { contents in
        contents.names.count == 1
          && [".pth", ".pt", ".pkl", ".bin", ".ckpt", ".tar"].contains {
            contents.names[0].hasSuffix($0)
          }
      },
      action: .refuse(
        what: "the file is a zip archive around a checkpoint",
        remedy: "Unpack it and convert what is inside.")),
  ]
}
