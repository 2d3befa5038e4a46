package import Tensors

/// What links lead to from the root of a file, each group once; what soft links lead to as well, but for
/// groups.
package struct HDF5Tree {
  package struct Node {
    /// Its name in the group, and its path from the root.
    package var name: Name
    package var path: Name
    package var content: Content

    /// The members of a group; none of anything else.
    package var members: [Node] { group?.members ?? [] }

    package func member(_ name: Name) -> Node? {
      guard let group, let index = group.indices[name] else { return nil }
      return group.members[index]
    }

    package var group: Group? { if case .group(let group) = content { group } else { nil } }

    /// The error for those who need what cannot be read; nil of anything else.
    package func refusal(in file: HDF5File) -> ReadError? {
      guard case .unreadable(let what, let remedy) = content else { return nil }
      return .unsupported(file.location(of: path), what: what, remedy: remedy)
    }

    package var dataset: HDF5Dataset? {
      if case .dataset(let dataset) = content { dataset } else { nil }
    }
  }

  package struct Group {
    /// Of the group's object, where its attributes are.
    package let header: HDF5Header
    package fileprivate(set) var members: [Node] = []
    /// In `members`, by the bytes of the name.
    fileprivate var indices: [Name: Int] = [:]
  }

  package enum Content {
    case group(Group)
    case dataset(HDF5Dataset)
    /// A dataset, or what a link leads to, that cannot be read, and why.
    case unreadable(what: String, remedy: String)
    /// None of these, and what it is.
    case other(String)
  }

  package private(set) var root: Node

  /// Soft links on the way to an object, as the C library has it; those that go round in circles end here.
  private static let maximumSoftLinks = 16

  /// - Parameter unreadable: objects that are not in the file but belong there, by their paths, and why
  ///   they cannot be read.
  /// - Throws: `ReadError.unsupported` for what the HDF5 library may read.
  package init(
    _ file: HDF5File, unreadable: [(path: Name, what: String, remedy: String)] = []
  ) throws(ReadError) {
    var walker = Walker(file: file)
    root = try walker.visit(file.root, name: "", path: "", depth: 0)
    try file.checkRegions(of: walker.datasets.sorted { $0.key < $1.key }.map(\.value))
    for (path, what, remedy) in unreadable {
      var names = parts(ofPath: path)[...]
      guard let last = names.popLast() else { continue }
      root.add(
        Node(name: last, path: path, content: .unreadable(what: what, remedy: remedy)), in: names)
    }
  }

  private struct Walker {
    let file: HDF5File
    /// The paths of the groups visited, by their addresses.
    var groups: [Int: Name] = [:]
    /// The datasets visited, by their addresses, under the path that led there first.
    var datasets: [Int: HDF5Dataset] = [:]
    /// The links of groups on the way of soft links, by address; nil of what is no group.
    var linksByGroup: [Int: [Name: HDF5Link.Target]?] = [:]
    /// Names that were looked up along soft links.
    var steps = 0
    var count = 0
    /// Bytes of all paths.
    var pathBytes = 0

    mutating func visit(
      _ address: Int, name: Name, path: Name, depth: Int
    ) throws(ReadError) -> Node {
      if let first = groups[address] {
        return Node(
          name: name, path: path,
          content: .other("the group '\(first.isEmpty ? "/" : printable(first))' again"))
      }
      func node(_ dataset: HDF5Dataset) -> Node {
        let content =
          dataset.refusal.map { Content.unreadable(what: $0.what, remedy: $0.remedy) }
          ?? .dataset(dataset)
        return Node(name: name, path: path, content: content)
      }
      if var dataset = datasets[address] {
        dataset.path = path
        return node(dataset)
      }
      switch try file.object(at: address, path: path) {
      case .dataset(let dataset):
        datasets[address] = dataset
        return node(dataset)
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
      of group: HDF5Group, path: Name, depth: Int
    ) throws(ReadError) -> Group {
      let limits = file.source.limits
      guard depth <= limits[.groupDepth] else {
        throw file.source.exceeded(.groupDepth, at: file.location, found: "\(depth) or more")
      }
      count += group.links.count
      guard count <= limits[.links] else {
        throw file.source.exceeded(.links, at: file.location, found: "\(count) or more")
      }
      var result = Group(header: group.header)
      for link in group.links {
        let memberPath = path.isEmpty ? link.name : "\(path)/\(link.name)"
        if let fault = fault(ofName: memberPath, in: file.source) { throw fault }
        pathBytes += memberPath.utf8.count
        guard pathBytes <= limits[.nameBytes] else {
          throw file.source.exceeded(
            .nameBytes, at: file.location, what: "bytes of all paths", found: "\(pathBytes) or more"
          )
        }
        let location = file.location(of: memberPath)
        // The C library would end a name at a NUL.
        guard !link.name.isEmpty, !link.name.utf8.contains(where: { $0 == 0 || $0 == 0x2F }),
          result.indices.updateValue(result.members.count, forKey: link.name) == nil
        else {
          throw .malformed(
            location, expected: "names without '/' and NUL, each once in its group",
            found: "'\(printable(link.name))'", remedy: fetchAgain)
        }
        switch link.target {
        case .object(let address):
          result.members.append(
            try visit(address, name: link.name, path: memberPath, depth: depth))
        case .soft(let target):
          result.members.append(
            try follow(
              target, from: group.header.address, name: link.name, path: memberPath, depth: depth))
        case .external, .userDefined:
          result.members.append(
            Node(name: link.name, path: memberPath, content: Self.outside(link.target)))
        }
      }
      return result
    }

    /// What a link out of the file, or of a kind of its own, is.
    private static func outside(_ target: HDF5Link.Target) -> Content {
      if case .external(let other) = target {
        return .unreadable(
          what: "the link leads to another file, '\(printable(other))', which is not opened",
          remedy: "If you trust both, copy what it leads to with h5py's Group.copy.")
      }
      return .unreadable(
        what: "the link is of a kind of its own, and is not followed",
        remedy: "Copy what it leads to into a new file with the program that wrote it.")
    }

    /// What the path of a soft link leads to. Groups stay where they are.
    private mutating func follow(
      _ target: Name, from group: Int, name: Name, path: Name, depth: Int
    ) throws(ReadError) -> Node {
      let shown = printable(target)
      func node(_ content: Content) -> Node { Node(name: name, path: path, content: content) }
      var linksLeft = HDF5Tree.maximumSoftLinks
      switch try resolve(target, from: group, &linksLeft) {
      case nil where linksLeft < 0:
        return node(
          .other("a link that leads through more than \(HDF5Tree.maximumSoftLinks) others"))
      case nil: return node(.other("a link to '\(shown)', where nothing is"))
      case .object(let address)?:
        guard try links(at: address) == nil else {
          return node(.other("a link to the group '\(shown)'"))
        }
        return try visit(address, name: name, path: path, depth: depth)
      case let other?: return node(Self.outside(other))
      }
    }

    /// - Parameter linksLeft: how many soft links may still be followed; negative if they were too many.
    /// - Returns: where the path leads to, or a link out of the file on the way; nil if to nothing.
    private mutating func resolve(
      _ path: Name, from group: Int, _ linksLeft: inout Int
    ) throws(ReadError) -> HDF5Link.Target? {
      linksLeft -= 1
      guard linksLeft >= 0 else { return nil }
      var address = path.hasPrefix("/") ? file.root : group
      for name in parts(ofPath: path) where name != "." {
        steps += 1
        guard steps <= file.source.limits[.links] else {
          throw file.source.exceeded(
            .links, at: file.location, what: "steps along soft links", found: "\(steps) or more")
        }
        var target = try links(at: address)?[name]
        if case .soft(let path)? = target {
          target = try resolve(path, from: address, &linksLeft)
        }
        guard case .object(let next)? = target else { return target }
        address = next
      }
      return .object(address)
    }

    /// The links of a group by the bytes of their names; nil of anything else.
    private mutating func links(
      at address: Int
    ) throws(ReadError) -> [Name: HDF5Link.Target]? {
      if let known = linksByGroup[address] { return known }
      guard case .group(let group) = try file.object(at: address, path: "") else {
        linksByGroup[address] = .some(nil)
        return nil
      }
      let links = Dictionary(
        group.links.map { ($0.name, $0.target) },
        uniquingKeysWith: { first, _ in first })
      linksByGroup[address] = links
      return links
    }
  }
}

/// The names that a path goes through.
private func parts(ofPath path: Name) -> [Name] {
  path.parts(separator: "/").filter { !$0.isEmpty }
}

extension HDF5Tree {
  /// The errors for those who need what cannot be read.
  package func refusals(in file: HDF5File) -> [ReadError] {
    var refusals: [ReadError] = []
    func visit(_ node: Node) {
      if let refusal = node.refusal(in: file) { refusals.append(refusal) }
      for member in node.members { visit(member) }
    }
    visit(root)
    return refusals
  }
}

extension HDF5Tree.Node {
  /// Adds a node in the group that the names lead to, if they do.
  fileprivate mutating func add(_ node: HDF5Tree.Node, in names: ArraySlice<Name>) {
    guard case .group(var group) = content else { return }
    if let first = names.first {
      guard let index = group.indices[first] else { return }
      group.members[index].add(node, in: names.dropFirst())
    } else {
      guard group.indices.updateValue(group.members.count, forKey: node.name) == nil
      else { return }
      group.members.append(node)
    }
    content = .group(group)
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
