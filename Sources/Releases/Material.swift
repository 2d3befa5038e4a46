internal import Checksums
internal import Conversion
internal import ImageFiles
internal import JSON
internal import Tensors

/// A file, or a folder of pictures, that a release is made from.
struct Material: Equatable, Sendable {
  /// The parameter that names it: `path`, `labels`.
  let parameter: String
  /// The last part of its path.
  let name: String
  /// Of its digest, in the words of in-toto's DigestSet: `sha256` of a file, `dirHash` of a folder.
  let algorithm: String
  /// In hexadecimal.
  let digest: String

  /// - Throws: `ReadError`.
  init(parameter: String, path: String) throws {
    self.parameter = parameter
    name = lastPart(of: path)
    if isFolder(path) {
      (algorithm, digest) = ("dirHash", try Material.pictureDigest(ofFolder: path))
    } else {
      (algorithm, digest) = ("sha256", try fileDigest(path))
    }
  }

  /// SHA-256 over what `sha256sum` prints of the pictures in the folder, in the order of their names' bytes:
  /// the Hash1 of Go's modules, <https://pkg.go.dev/golang.org/x/mod/sumdb/dirhash>, in hexadecimal.
  private static func pictureDigest(ofFolder path: String) throws -> String {
    let prefix = path.hasSuffix("/") ? path : path + "/"
    let pictures = try ImageFolder(path: path).images
      .map { part(of: $0, in: prefix) }
      .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    var hash = SHA256()
    for name in pictures {
      hash.update(Array("\(try fileDigest(prefix + name))  \(name)\n".utf8))
    }
    return hash.finalize().hexadecimal
  }

  /// A ResourceDescriptor, <https://github.com/in-toto/attestation/blob/main/spec/v1/resource_descriptor.md>.
  var descriptor: JSONValue {
    [
      "name": .string(name), "digest": [Name(algorithm): .string(digest)],
      "annotations": ["parameter": .string(parameter)],
    ]
  }
}
