internal import Tensors

/// Why a file that no format knows is refused: what it is, and what to do instead.
func refusal(of opened: OpenedFile) throws(ReadError) -> ReadError {
  let location = opened.file.location
  if let pointer = lfsPointer(opened) {
    return .notACheckpoint(location, what: pointer, remedy: "Run 'git lfs pull' in its repository.")
  }
  if let remedy = try tarRemedy(opened) {
    return .unsupported(location, what: remedy.what, remedy: remedy.remedy)
  }
  for kind in kinds where kind.matches(opened) {
    return kind.isCheckpoint
      ? .unsupported(location, what: kind.what, remedy: kind.remedy)
      : .notACheckpoint(location, what: kind.what, remedy: kind.remedy)
  }
  let start = opened.head.prefix(8).map { byte in
    (byte < 16 ? "0" : "") + String(byte, radix: 16)
  }
  return .notACheckpoint(
    location,
    what: "the file is of no known kind (it starts with the bytes \(start.joined(separator: " ")))",
    remedy:
      "If PyTorch or MegEngine can load it, save its state dict again with torch.save or megengine.save."
  )
}

/// A kind of file that people pass as a checkpoint.
private struct Kind: Sendable {
  var what: String
  var remedy: String
  /// Whether it may well hold weights.
  var isCheckpoint = true
  var matches: @Sendable (OpenedFile) -> Bool
}

private func compressed(_ name: String, _ program: String, _ signature: [UInt8]) -> Kind {
  Kind(
    what: "the file is compressed with \(name)",
    remedy: "Decompress it first, with \(program), and convert the result.",
    matches: { $0.has(signature) })
}

private let kinds: [Kind] = [
  compressed("gzip", "gunzip", [0x1F, 0x8B]),
  compressed("bzip2", "bunzip2", Array("BZh".utf8)),
  compressed("xz", "unxz", [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00]),
  compressed("Zstandard", "unzstd", [0x28, 0xB5, 0x2F, 0xFD]),
  compressed("LZ4", "unlz4", [0x04, 0x22, 0x4D, 0x18]),
  compressed("7-Zip", "7z x", [0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C]),
  compressed("RAR", "unrar", Array("Rar!".utf8)),
  Kind(
    what: "the file is compressed with zlib, as joblib.dump(compress=...) does",
    remedy: "Load it with joblib and save it again uncompressed.",
    matches: isZlib),
  Kind(
    what: "the file is in a preview of PyTorch's zip format that no release reads",
    remedy: "Load it with the PyTorch that wrote it and save it again.",
    matches: { $0.has("PYTORCH1") }),
  Kind(
    what: "the file is a TorchScript module for mobile devices",
    remedy: "Find the checkpoint it was made of.",
    matches: { $0.has("PTMF", at: 4) }),
  Kind(
    what: "the file is a TensorFlow Lite model", remedy: "Find the checkpoint it was made of.",
    matches: { $0.has("TFL3", at: 4) }),
  Kind(
    what: "the file is a GGUF model", remedy: "Find the checkpoint it was made of.",
    matches: { $0.has("GGUF") }),
  Kind(
    what: "the zip archive is empty", remedy: "Fetch or save it again.", isCheckpoint: false,
    matches: { $0.has([0x50, 0x4B, 0x05, 0x06]) }),
  Kind(
    what: "the file is a web page",
    remedy:
      "Sites show one instead of a large file; open it in a browser to read what it says, and "
      + "download the checkpoint itself.",
    isCheckpoint: false, matches: { firstCharacter($0) == UInt8(ascii: "<") && isText($0) }),
  Kind(
    what: "the file is JSON text", remedy: "Pass the file with the weights.", isCheckpoint: false,
    matches: { [UInt8(ascii: "{"), UInt8(ascii: "[")].contains(firstCharacter($0)) && isText($0) }),
  Kind(
    what: "the file is text", remedy: "Pass the file with the weights.", isCheckpoint: false,
    matches: isText),
]

/// Deflate with a 32 KiB window, and check bits that make the first two bytes a multiple of 31
/// (RFC 1950).
@Sendable private func isZlib(_ opened: OpenedFile) -> Bool {
  guard opened.head.count > 1, opened.head[0] == 0x78 else { return false }
  return (Int(opened.head[0]) << 8 | Int(opened.head[1])) % 31 == 0
}

private func firstCharacter(_ opened: OpenedFile) -> UInt8? {
  opened.head.first { ![0x20, 0x09, 0x0A, 0x0D, 0xEF, 0xBB, 0xBF].contains($0) }
}

/// Whether the first bytes are UTF-8 without control characters; the last few may be cut.
@Sendable private func isText(_ opened: OpenedFile) -> Bool {
  guard opened.head.allSatisfy({ $0 >= 0x20 || (0x09...0x0D).contains($0) }) else { return false }
  return (0...3).contains { String(validating: opened.head.dropLast($0), as: UTF8.self) != nil }
}

/// What the Git LFS pointer that the file is says of the file it stands for.
private func lfsPointer(_ opened: OpenedFile) -> String? {
  guard opened.has("version https://git-lfs.github.com/spec/v1\n") else { return nil }
  let lines = String(decoding: opened.head, as: UTF8.self).split(separator: "\n")
  let size = lines.first { $0.hasPrefix("size ") }.flatMap { Int($0.dropFirst("size ".count)) }
  return "the file is a Git LFS pointer" + (size.map { " to a file of \($0) bytes" } ?? "")
    + ", not the file itself"
}

/// What kind of tar archive the file is, if it is one. PyTorch wrote checkpoints as such before 0.1.11,
/// with the members `sys_info`, `pickle`, `tensors` and `storages`.
private func tarRemedy(_ opened: OpenedFile) throws(ReadError) -> (what: String, remedy: String)? {
  guard opened.has("ustar", at: 257) else { return nil }
  // The members may follow PAX headers, and the names start with "./".
  let membersLookedAt = 16
  let members: Set = ["sys_info", "pickle", "tensors", "storages"]
  var offset = 0
  for _ in 0..<membersLookedAt where offset <= opened.file.count - 512 {
    let header = try opened.file.bytes(offset..<offset + 512, field: "a tar header")
    var name = String(decoding: header.prefix(100).prefix { $0 != 0 }, as: UTF8.self)
    if name.hasPrefix("./") { name.removeFirst(2) }
    if members.contains(name) {
      return (
        "the file is in the tar format of PyTorch before 0.1.11",
        "Load it with torch.load and save it again with torch.save."
      )
    }
    let digits = header[124..<136].filter { (UInt8(ascii: "0")...UInt8(ascii: "7")).contains($0) }
    guard let size = Int(String(decoding: digits, as: UTF8.self), radix: 8),
      size <= opened.file.count - offset
    else { break }
    offset += 512 + (size + 511) / 512 * 512
  }
  return ("the file is a tar archive", "Unpack it and convert the checkpoint inside.")
}
