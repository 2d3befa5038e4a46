package import Tensors

/// What hard links lead to from the root of a file, each group once.
package struct HDF5Tree {
  package struct Node {
    /// Its name in the group, and its path from the root.
    package var name: String
    package var path: String
    package var content: Content

    /// The members of a group; none of anything else.
    package var members: [Node] { group?.members ?? [] }

    package func member(_ name: String) -> Node? {
      guard let group, let index = group.indices[Array(name.utf8)] else { return nil }
      return group.members[index]
    }

    package var group: Group? { if case .group(let group) = content { group } else { nil } }

    package var dataset: HDF5Dataset? {
      if case .dataset(let dataset) = content { dataset } else { nil }
    }
  }

  package struct Group {
    /// Of the group's object, where its attributes are.
    package let header: HDF5Header
    package fileprivate(set) var members: [Node] = []
    /// In `members`, by the bytes of the name.
    fileprivate var indices: [[UInt8]: Int] = [:]
  }

  package enum Content {
    case group(Group)
    case dataset(HDF5Dataset)
    /// Neither, and what it is.
    case other(String)
  }

  package let root: Node

  /// Groups in one another. Networks nest some ten deep.
  private static let maximumDepth = 100
  /// Links in all. A network has some thousand tensors.
  private static let maximumCount = 1_000_000

  /// - Throws: `ReadError.unsupported` for whatever would lead out of the file or out of the tree: soft
  ///   and external links, external storage, virtual datasets.
  package init(_ file: HDF5File) throws(ReadError) {
    var walker = Walker(file: file)
    root = try walker.visit(file.root, name: "", path: "", depth: 0)
  }

  private struct Walker {
    let file: HDF5File
    /// The paths of the groups visited, by their addresses.
    var groups: [Int: String] = [:]
    var count = 0

    mutating func visit(
      _ address: Int, name: String, path: String, depth: Int
    ) throws(ReadError) -> Node {
      if let first = groups[address] {
        return Node(
          name: name, path: path,
          content: .other("the group '\(first.isEmpty ? "/" : first)' again"))
      }
      switch try file.object(at: address, path: path) {
      case .dataset(let dataset):
        try dataset.checkIsSelfContained(in: file)
        return Node(name: name, path: path, content: .dataset(dataset))
      case .namedDatatype:
        return Node(name: name, path: path, content: .other("a datatype"))
      case .group(let group):
        groups[address] = path
        return Node(
          name: name, path: path,
          content: .group(try members(of: group, path: path, depth: depth + 1)))
      }
    }

    private mutating func members(
      of group: HDF5Group, path: String, depth: Int
    ) throws(ReadError) -> Group {
      guard depth <= HDF5Tree.maximumDepth else {
        throw .limitExceeded(
          file.location, what: "groups in one another", limit: HDF5Tree.maximumDepth,
          found: "\(depth) or more")
      }
      count += group.links.count
      guard count <= HDF5Tree.maximumCount else {
        throw .limitExceeded(
          file.location, what: "links", limit: HDF5Tree.maximumCount, found: "\(count) or more")
      }
      var result = Group(header: group.header)
      for link in group.links {
        let memberPath = path.isEmpty ? link.name : "\(path)/\(link.name)"
        let location = file.location(of: memberPath)
        guard !link.name.isEmpty, !link.name.contains("/"),
          result.indices.updateValue(result.members.count, forKey: Array(link.name.utf8)) == nil
        else {
          throw .malformed(
            location, expected: "names without '/', each once in its group",
            found: "'\(printable(link.name))'", remedy: fetchAgain)
        }
        switch link.target {
        case .object(let address):
          result.members.append(
            try visit(address, name: link.name, path: memberPath, depth: depth))
        case .soft(let target):
          throw .unsupported(
            location,
            what:
              "the link is soft: it stands for the path '\(printable(target))', and is not followed",
            remedy: "In Python, replace it by what it leads to, as with h5py's Group.copy.")
        case .external(let other):
          throw .unsupported(
            location,
            what: "the link leads to another file, '\(printable(other))', which is not opened",
            remedy: "If you trust both, copy what it leads to with h5py's Group.copy.")
        case .userDefined(let type):
          throw .unsupported(
            location, what: "the link is of a kind of its own (\(type)), and is not followed",
            remedy: "Copy what it leads to into a new file with the program that wrote it.")
        }
      }
      return result
    }
  }
}

extension HDF5Dataset {
  /// What the dataset is if it is no tensor: `text`, `a compound`. Nil if it is of numbers.
  package var whatInstead: String? {
    switch type.kind {
    case .element, .oddNumber: shape == nil ? "a dataset without elements" : nil
    case .other(let what): what
    }
  }
}
