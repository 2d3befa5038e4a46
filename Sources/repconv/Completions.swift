import ArgumentParser

/// The scripts by which shells complete command lines, as the argument parser writes them, and what these leave
/// out: the names of the commands behind `repconv help`.
enum Completions {
  /// What a script has at the place, in bash, zsh and fish, and what it is to have there.
  private static var additions: [(place: String, replacement: String)] {
    let commands = Repconv.configuration.subcommands.filter { $0.configuration.shouldDisplay }
      .map { $0._commandName }.joined(separator: " ")
    let bash = "_repconv_help() {\n    repeating_flags=()\n"
    let zsh = "'*:subcommands:'"
    let fish = "\"repconv help\" version'"
    return [
      (bash, bash + "    COMPREPLY+=($(compgen -W '\(commands)' -- \"${cur}\"))\n"),
      (zsh, "'*:subcommands:(\(commands))'"),
      (
        "complete -c 'repconv' -n '__repconv_should_offer_completions_for_flags_or_options \(fish)",
        """
        complete -c 'repconv' -n '__repconv_should_offer_completions_for_positional "repconv help" -eq 1' -fka '\(commands)'
        complete -c 'repconv' -n '__repconv_should_offer_completions_for_flags_or_options \(fish)
        """
      ),
    ]
  }

  /// The script with the names of the commands, if `text` is one that lacks them; nil if it is anything else.
  static func script(_ text: String) -> String? {
    let script = additions.reduce(text) { $0.replacing($1.place, with: $1.replacement) }
    return script == text ? nil : script
  }
}
