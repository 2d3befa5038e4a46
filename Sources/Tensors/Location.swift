/// A place in a file: what every error about a file starts with.
public struct Location: Hashable, Sendable, CustomStringConvertible {
  /// The path as the user gave it.
  public var path: String
  /// The archive member or data set inside the file, if it has such, fit to be shown: see `printable`.
  public var member: String?
  /// Bytes from the start of the file, or of the member if there is one.
  public var offset: Int?

  /// A byte of a file or of its member, or the whole of it where no byte is named.
  public init(path: String, member: String? = nil, offset: Int? = nil) {
    self.path = path
    self.member = member
    self.offset = offset
  }

  /// The same file and member, at `offset`.
  public func at(_ offset: Int) -> Location {
    Location(path: path, member: member, offset: offset)
  }

  /// `model.pth(archive/data.pkl) at byte 499`
  public var description: String {
    var text = path
    if let member { text += "(\(member))" }
    if let offset { text += " at byte \(offset)" }
    return text
  }
}
