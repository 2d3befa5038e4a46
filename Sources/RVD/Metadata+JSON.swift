internal import Checkpoints
internal import JSON
internal import Tensors

extension ModelMetadata {
  var json: JSONValue {
    func strings(_ texts: [String]) -> JSONValue? {
      texts.isEmpty ? nil : .array(texts.map(JSONValue.string))
    }
    return .object(present: [
      "authors": strings(authors),
      "custom": custom.isEmpty
        ? nil : .object(custom.map { .init(Name($0.key), .string($0.value)) }),
      "homepage": homepage.map(JSONValue.string),
      "labels": strings(labels),
      "license": license.map(JSONValue.string),
      "task": task.map(JSONValue.string),
    ])
  }

  init(_ fields: Fields) throws(ManifestProblem) {
    func requireSome(_ isEmpty: Bool, _ place: String) throws(ManifestProblem) {
      if isEmpty { throw .invalid(place: place, expected: "at least one", found: "none") }
    }
    func strings(_ key: Name) throws(ManifestProblem) -> [String] {
      guard fields.has(key) else { return [] }
      let texts = try fields.strings(key)
      try requireSome(texts.isEmpty, fields.place(key))
      return texts
    }
    self.init()
    try requireSome(fields.members.isEmpty, "members of metadata")
    labels = try strings("labels")
    license = try fields.string(ifPresent: "license")
    authors = try strings("authors")
    homepage = try fields.string(ifPresent: "homepage")
    task = try fields.string(ifPresent: "task")
    guard fields.has("custom") else { return }
    let members = try fields.object("custom").members
    try requireSome(members.isEmpty, "metadata.custom")
    custom = try members.map { (member) throws(ManifestProblem) in
      guard case .string(let value) = member.value else {
        throw .invalid(
          place: "metadata.custom.\(printable(member.key))", expected: "a string",
          found: member.value.kind)
      }
      return Entry(member.key.text, value)
    }
  }

  /// The first of the format's rules, beyond the types of members and what is empty, that it breaks.
  ///
  /// - Parameter classes: how many the network tells apart, if that is known.
  func check(classes: Int?) throws(ManifestProblem) {
    for (member, text) in [("license", license), ("homepage", homepage), ("task", task)] {
      guard text != "" else {
        throw .invalid(place: "metadata.\(member)", expected: "a text", found: "an empty one")
      }
    }
    guard !authors.contains("") else {
      throw .invalid(place: "metadata.authors", expected: "names", found: "an empty one")
    }
    if let classes, !labels.isEmpty, labels.count != classes {
      throw .invalid(
        place: "metadata.labels", expected: "\(classes), as many as there are classes",
        found: "\(labels.count)")
    }
    var keys: Set<Name> = []
    for entry in custom {
      guard !entry.key.isEmpty else {
        throw .invalid(place: "metadata.custom", expected: "keys", found: "an empty one")
      }
      guard keys.insert(Name(entry.key)).inserted else {
        throw .invalid(
          place: "metadata.custom", expected: "each key once", found: "'\(entry.key)' twice")
      }
    }
  }
}
