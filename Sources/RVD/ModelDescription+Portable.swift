package import Checkpoints
internal import JSON
package import Tensors

// What a container that has a place for texts, and none for a graph, can carry of a description: the
// members of the manifest that are not about tensors, and `version`, that of the specification that
// they follow. `formats/safetensors.md` tells it to the world.

/// Why a description cannot be carried, or a text is none.
package struct DescriptionProblem: Error, Equatable {
  /// In words.
  package var reason: String

  package init(reason: String) {
    self.reason = reason
  }
}

extension ModelDescription {
  /// Bytes of such a text: as many as of a manifest, of which it is a part.
  package static let maximumPortableLength = Header.maximumManifestLength

  /// What it says beside the graph and the digest of the tensors, as canonical JSON; nil if that is nothing.
  ///
  /// - Throws: if it breaks a rule of the manifest, or is too long.
  package func portableText() throws(DescriptionProblem) -> String? {
    let members = members
    guard !members.isEmpty else { return nil }
    try check()
    let text: [UInt8]
    do {
      text = try JSONValue.object(
        members + [.init("version", .integer(Int(Header.version)))]
      ).canonical()
    } catch {
      throw DescriptionProblem(reason: error.description)
    }
    try Self.checkLength(text.count)
    return String(decoding: text, as: UTF8.self)
  }

  /// Likewise, for the file that is to carry it.
  ///
  /// - Throws: `WriteError.cannotExpress` if it breaks a rule of the manifest, or is too long.
  package func portableText(path: String) throws(WriteError) -> String? {
    do {
      return try portableText()
    } catch {
      throw .cannotExpress(
        path: path,
        what: "the description of the network cannot be stored: \(printable(error.reason))",
        remedy: "Correct what is said of it, or leave it out.")
    }
  }

  /// Reads what `portableText` has written, or a later version that this one understands.
  ///
  /// - Throws: if it is something else, or breaks a rule of the manifest.
  package init(portableText text: String) throws(DescriptionProblem) {
    try Self.checkLength(text.utf8.count)
    do {
      let json = try JSONValue(
        Array(text.utf8), at: Location(path: "its text"), maximumDepth: JSONValue.maximumDepth)
      let fields = try Fields(json, place: "")
      let version = try fields.integer("version")
      guard version == Header.version else {
        throw DescriptionProblem(reason: "it is of version \(version), which is not known")
      }
      try self.init(fields)
    } catch let error as ManifestProblem {
      throw DescriptionProblem(error)
    } catch let error as DescriptionProblem {
      throw error
    } catch {
      throw DescriptionProblem(reason: "it is not JSON")
    }
    try check()
  }

  /// - Throws: if a text of so many bytes is too long to be read; before it is, if they are known.
  package static func checkLength(_ count: Int) throws(DescriptionProblem) {
    guard count <= maximumPortableLength else {
      throw DescriptionProblem(reason: "it takes more than \(maximumPortableLength) bytes")
    }
  }

  /// Holds it to the rules of the manifest, as far as they do not ask for tensors.
  private func check() throws(DescriptionProblem) {
    var description = self
    description.graph = nil
    do {
      try Manifest(tensors: [], model: description).check()
    } catch {
      throw DescriptionProblem(error)
    }
  }
}

extension DescriptionProblem {
  fileprivate init(_ problem: ManifestProblem) {
    switch problem {
    case .invalid(let place, let expected, let found):
      reason = "\(place): expected \(expected), found \(found)"
    case .unsupported(_, let what): reason = what
    }
  }
}
