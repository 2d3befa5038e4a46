import ArgumentParser
import JSON
import Tensors

/// All commands as the argument parser describes them: what every rendering of the manual is made of.
struct ManualContents {
  struct Group {
    /// Nil for commands that are not grouped.
    let title: String?
    let commands: [CommandDescription]

    /// - Parameter described: what the parser says of all commands.
    fileprivate init(
      title: String?, _ types: [any ParsableCommand.Type], _ described: [JSONValue]
    ) {
      self.title = title
      var commands: [CommandDescription] = []
      for type in types where type.configuration.shouldDisplay {
        let command = described.first { $0["commandName"]?.string == type._commandName }
        commands.append(CommandDescription(type, command!))
      }
      self.commands = commands
    }
  }

  /// The program without a command.
  let program: CommandDescription
  /// The commands that are listed by `repconv help`.
  let groups: [Group]

  var commands: [CommandDescription] { groups.flatMap(\.commands) }

  /// - Throws: `ReadError` if what the argument parser says of the commands is no JSON.
  init() throws {
    let description = try JSONValue(
      Array(Repconv._dumpHelp().utf8), at: Location(path: "description of the commands"))
    // ArgumentParserToolInfo has the keys.
    let program = description["command"]!
    let described = program["subcommands"]!.elements!
    let configuration = Repconv.configuration
    self.program = CommandDescription(Repconv.self, program)
    groups =
      ([(nil, configuration.ungroupedSubcommands)]
      + configuration.groupedSubcommands.map { ($0.name, $0.subcommands) })
      .map { title, types in Group(title: title, types, described) }
      .filter { !$0.commands.isEmpty }
  }
}

/// One command, or the program itself.
struct CommandDescription {
  struct Group {
    var title: String
    var arguments: [ArgumentDescription]

    /// A flag and its opposite, which the parser describes one by one in the same words, become one.
    fileprivate mutating func append(_ argument: ArgumentDescription) {
      if let last = arguments.last, last.value == nil, argument.value == nil,
        last.text == argument.text
      {
        arguments[arguments.count - 1].names += argument.names
      } else {
        arguments.append(argument)
      }
    }
  }

  /// `fuse`; `repconv` for the program.
  let name: String
  let abstract: String
  /// `repconv fuse [<options>] <in> <out>`
  let usage: String
  let discussion: Discussion
  /// Arguments without a name first, options without a title last.
  let groups: [Group]

  init(_ type: any ParsableCommand.Type, _ description: JSONValue) {
    name = type._commandName
    abstract = type.configuration.abstract
    usage = Repconv.usageString(for: type)
    discussion = Discussion(type.configuration.discussion)
    // What the description does not say: which options may be without their value.
    let help = Repconv.helpMessage(for: type, columns: 200)
    var groups: [Group] = []
    var options = Group(title: "Options", arguments: [])
    for argument in description["arguments"]?.elements ?? []
    where argument["shouldDisplay"]?.bool == true {
      let title = argument["sectionTitle"]?.string
      let isPositional = argument["kind"]?.string == "positional"
      let described = ArgumentDescription(argument, help: help)
      if title == nil && !isPositional {
        options.append(described)
      } else if let index = groups.firstIndex(where: { $0.title == title ?? "Arguments" }) {
        groups[index].append(described)
      } else {
        groups.insert(
          Group(title: title ?? "Arguments", arguments: [described]),
          at: title == nil ? 0 : groups.count)
      }
    }
    self.groups = groups + [options]
  }
}

/// An argument of a command: an option, a flag, or a value by its position.
struct ArgumentDescription {
  /// `-a`, `--arch`, the short one first; none for a value by its position.
  fileprivate(set) var names: [String]
  /// `arch`; nil for a flag.
  let value: String?
  /// Whether the option may be without its value.
  let isValueOptional: Bool
  /// What it does.
  let text: String

  init(_ description: JSONValue, help: String) {
    let dashes = ["long": "--", "short": "-", "longWithSingleDash": "-"]
    let names = (description["names"]?.elements ?? []).map { name in
      (dashes[name["kind"]?.string ?? ""] ?? "") + (name["name"]?.string ?? "")
    }.sorted { $0.utf8.count < $1.utf8.count }
    self.names = names
    let value = description["kind"]?.string == "flag" ? nil : description["valueName"]?.string
    self.value = value
    let isValueOptional = names.last.map { help.contains("\($0) [<\(value ?? "")>]") } ?? false
    self.isValueOptional = isValueOptional
    var text = description["abstract"]?.string ?? ""
    if let usual = description["defaultValue"]?.string, !isValueOptional {
      text += " (default: \(usual))"
    }
    let values = description["completionKind"]?["list"]?["values"]?.elements ?? []
    let unsaid = values.compactMap(\.string).filter {
      !"\(text) \(value ?? "")".lowercased().contains($0.lowercased())
    }
    if !unsaid.isEmpty {
      text += " One of: " + values.compactMap(\.string).joined(separator: ", ") + "."
    }
    self.text = text
  }
}
