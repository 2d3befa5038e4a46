internal import Checkpoints
internal import Pickle
internal import RVD
internal import Tensors

/// Files that `torch.save` writes since PyTorch 1.6.
///
/// Members, all below one folder of any name:
///
///     data.pkl     the object as one pickle, in which storages are persistent ids (see `TorchStorage`)
///     data/<key>   the bytes of a storage; keys are opaque (`0`, or a memory address in 1.6)
///     byteorder    `little` or `big`; little if absent
///     extra/repconv.json    what this program knows of the network (`formats/pytorch.md`)
///     version      of the format, in digits; up to 10 (caffe2/serialize/versions.h)
///     .data/serialization_id, .format_version, .storage_alignment    of no interest
///
/// Members are stored and hold their bytes in place, unless a zip program made the archive again.
enum PyTorchZip {
  /// The member below the top folder that says what is known of the network. `extra/` is where archives of
  /// `torch.jit` have the files of their users; other programs' are not looked at.
  static let descriptionMember: Name = "extra/repconv.json"

  /// The newest version of the format that PyTorch reads.
  private static let newestVersion = 10

  static func read(_ archive: ZipArchive) throws(ReadError) -> Checkpoint {
    let file = archive.file
    let root = try root(of: archive)
    guard let pickleMember = archive.member(root + "data.pkl") else {
      throw .malformed(
        file.location, expected: "the member '\(printable(root))data.pkl'", found: "none",
        remedy: fetchAgain)
    }
    try checkVersion(of: archive, root: root)
    try archive.checkPickle(pickleMember)
    var notes = archive.notes
    let pickle = try archive.contents(of: pickleMember)
    // Before it is parsed, so that damage is called damage.
    try pickle.verify()
    let graph = try Unpickler.parse(pickle)
    if graph.end < pickle.count {
      notes.append(
        "\(pickle.count - graph.end) bytes follow the pickle in data.pkl and were left alone.")
    }

    var storages: [Name: any ByteSource] = [:]
    // Fits: a million members at most, each no larger than 256 MiB or 100 times the file.
    let storedBytes = archive.members.reduce(0) { $0 + $1.size }
    let tensors = TorchTensors(
      graph, byteOrder: try byteOrder(of: archive, root: root), storedBytes: storedBytes,
      allowsViews: false
    ) { (storage) throws(ReadError) in
      let name: Name = "\(root)data/\(storage.key)"
      guard let member = archive.member(name) else {
        throw .malformed(
          file.location, expected: "the member '\(printable(name))', which a tensor refers to",
          found: "none", remedy: fetchAgain)
      }
      guard let size = storage.byteCount, member.size == size else {
        throw .malformed(
          archive.location(of: member),
          expected: "\(storage.elementCount) elements of \(printable(storage.className))",
          found: "\(member.size) bytes", remedy: fetchAgain)
      }
      if let source = storages[name] { return source }
      let source = try archive.contents(of: member)
      storages[name] = source
      return source
    }
    let unused = unusedStorages(archive, graph, root: root)
    if unused > 0 {
      notes.append("\(unused) members hold storages that data.pkl does not refer to.")
    }
    var container = "PyTorch zip"
    if graph.pickleProtocol != 2 { container += " (protocol \(graph.pickleProtocol))" }
    let model = takeDescription(from: archive, root: root, &notes)
    var checkpoint = try torchCheckpoint(
      graph, tensors, path: file.location.path, container: container, byteCount: file.count,
      notes: notes)
    checkpoint.model = model
    return checkpoint
  }

  /// What the archive says of its network.
  private static func takeDescription(
    from archive: ZipArchive, root: Name, _ notes: inout [String]
  ) -> ModelDescription? {
    guard let member = archive.member(root + descriptionMember) else { return nil }
    do {
      return try ModelDescription(portableText: text(of: member, in: archive))
    } catch {
      notes.append(error.note(on: "'\(printable(member.name))'"))
      return nil
    }
  }

  /// The whole of a member that nothing depends on, so that its damage is no error.
  private static func text(
    of member: ZipArchive.Member, in archive: ZipArchive
  ) throws(DescriptionProblem) -> String {
    try ModelDescription.checkLength(member.size)
    let bytes: [UInt8]
    do {
      let source = try archive.contents(of: member)
      try source.verify()
      bytes = try source.bytes(0..<source.count, field: "what is known of the network")
    } catch {
      throw DescriptionProblem(reason: "it is damaged")
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw DescriptionProblem(reason: "it is not UTF-8")
    }
    return text
  }

  /// Members `data/<key>` whose key no persistent id has.
  private static func unusedStorages(
    _ archive: ZipArchive, _ graph: ObjectGraph, root: Name
  ) -> Int {
    let keys = Set(
      graph.values.indices.compactMap { index in
        TorchStorage.key(ObjectGraph.Handle(index), in: graph)
      })
    return archive.members.count { member in
      member.name.dropping(prefix: "\(root)data/").map { !keys.contains($0) } ?? false
    }
  }

  /// The folder of all members, with its slash. PyTorch takes it from the first one.
  private static func root(of archive: ZipArchive) throws(ReadError) -> Name {
    let first = archive.members.first?.name ?? ""
    guard let slash = first.utf8.firstIndex(of: UInt8(ascii: "/")) else {
      throw .malformed(
        archive.file.location, expected: "members in one folder",
        found: "'\(printable(first))' in none",
        remedy: "Zip the folder that holds data.pkl, not what is in it.")
    }
    let root = Name(first.text[...slash])
    if let stranger = archive.members.first(where: { !$0.name.hasPrefix(root) }) {
      throw .malformed(
        archive.file.location, expected: "all members in the folder '\(printable(root))'",
        found: "'\(printable(stranger.name))'", remedy: fetchAgain)
    }
    return root
  }

  private static func byteOrder(of archive: ZipArchive, root: Name) throws(ReadError) -> ByteOrder {
    guard let (text, location) = try note("byteorder", of: archive, root: root) else {
      return .little
    }
    switch text {
    case "little": return .little
    case "big": return .big
    default:
      throw .malformed(
        location, expected: "'little' or 'big'", found: "'\(printable(text))'", remedy: fetchAgain)
    }
  }

  /// Refuses files of a format to come.
  private static func checkVersion(of archive: ZipArchive, root: Name) throws(ReadError) {
    guard let (text, location) = try note("version", of: archive, root: root) else { return }
    let digits = text.hasSuffix("\n") ? String(text.dropLast()) : text
    guard let version = Int(digits), version > 0 else {
      throw .malformed(
        location, expected: "the version of the format in digits", found: "'\(printable(text))'",
        remedy: fetchAgain)
    }
    guard version <= newestVersion else {
      throw .unsupported(
        location,
        what:
          "the file has version \(version) of PyTorch's zip format, newer than \(newestVersion)",
        remedy: "Load the checkpoint with PyTorch and save the weights as safetensors.")
    }
  }

  /// What one of the short members beside the pickle says, and where it is.
  private static func note(
    _ name: Name, of archive: ZipArchive, root: Name
  ) throws(ReadError) -> (text: String, location: Location)? {
    guard let member = archive.member(root + name) else { return nil }
    let longest = 16
    let source = try archive.contents(of: member)
    try source.verify()
    let bytes = try source.bytes(0..<min(source.count, longest), field: name.text)
    return (String(decoding: bytes, as: UTF8.self), archive.location(of: member))
  }
}
