internal import Tensors

/// An SPDX license expression: the licenses that something may be used under.
///
///     expression = license [WITH exception] | expression (AND | OR) expression | "(" expression ")"
///     license    = identifier ["+"] | ["DocumentRef-" identifier ":"] "LicenseRef-" identifier
///     exception  = identifier | ["DocumentRef-" identifier ":"] "AdditionRef-" identifier
///     identifier = letters, digits, "-" and "."
///
/// Operators and the identifiers that are known may be written in small or capital letters;
/// `description` has them as SPDX does.
///
/// <https://spdx.github.io/spdx-spec/v3.0.1/annexes/spdx-license-expressions/>
public struct LicenseExpression: Equatable, Sendable, CustomStringConvertible {
  /// Why a text is no license expression.
  public struct Problem: Error, Equatable, Sendable {
    /// In words: `expected a license, found the end`.
    public var reason: String

    public init(reason: String) { self.reason = reason }
  }

  /// `Apache-2.0 WITH LLVM-exception OR MIT`
  public let description: String
  /// Identifiers in it that are none of the common ones, and so perhaps misspelt. Licenses of one's own
  /// (`LicenseRef-`) are not among them.
  public let uncommonIdentifiers: [String]

  /// - Throws: if `text` breaks a rule of the syntax. Whether SPDX has such licenses is not looked at.
  public init(_ text: String) throws(Problem) {
    enum Expected {
      case license, exception
      case conjunction(orException: Bool)
    }
    var expected = Expected.license
    var openBrackets = 0
    var words: [String] = []
    var uncommon: [String] = []
    for token in LicenseExpression.tokens(of: text) {
      func refuse(_ expected: String) -> Problem {
        Problem(reason: "expected \(expected), found '\(printable(token))'")
      }
      switch expected {
      case .license where token == "(":
        openBrackets += 1
        words.append(token)
      case .license:
        guard let license = Identifier(license: token) else { throw refuse("a license") }
        words.append(license.spelling)
        if !license.isCommon { uncommon.append(license.spelling) }
        expected = .conjunction(orException: true)
      case .exception:
        guard let exception = Identifier(exception: token) else { throw refuse("an exception") }
        words.append(exception.spelling)
        if !exception.isCommon { uncommon.append(exception.spelling) }
        expected = .conjunction(orException: false)
      case .conjunction(let orException):
        let word = token.uppercased()
        switch word {
        case ")" where openBrackets > 0:
          openBrackets -= 1
          expected = .conjunction(orException: false)
        case "AND", "OR": expected = .license
        case "WITH" where orException: expected = .exception
        default: throw refuse(orException ? "AND, OR or WITH" : "AND or OR")
        }
        words.append(word)
      }
    }
    switch expected {
    case .license: throw Problem(reason: "expected a license, found the end")
    case .exception: throw Problem(reason: "expected an exception, found the end")
    case .conjunction: break
    }
    guard openBrackets == 0 else { throw Problem(reason: "expected ')', found the end") }
    description = words.joined(separator: " ").replacing("( ", with: "(").replacing(" )", with: ")")
    uncommonIdentifiers = uncommon
  }

  /// Words and brackets.
  private static func tokens(of text: String) -> [String] {
    text.replacing("(", with: " ( ").replacing(")", with: " ) ")
      .split(whereSeparator: \.isWhitespace).map(String.init)
  }
}

/// One license or exception.
private struct Identifier {
  /// As SPDX has it, if it is a common one.
  var spelling: String
  /// Whether it is a common one, or one of the author's own.
  var isCommon: Bool

  init?(license token: String) {
    self.init(token, own: "LicenseRef-", mayBeLater: true, common: commonLicenses)
  }

  init?(exception token: String) {
    self.init(token, own: "AdditionRef-", mayBeLater: false, common: commonExceptions)
  }

  private init?(_ token: String, own prefix: String, mayBeLater: Bool, common: [String]) {
    let operators = ["AND", "OR", "WITH"]
    guard !operators.contains(token.uppercased()) else { return nil }
    var name = token[...]
    if name.hasPrefix("DocumentRef-") {
      let parts = name.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, parts[1].hasPrefix(prefix),
        Identifier.isIdentifier(parts[0].dropFirst("DocumentRef-".count))
      else { return nil }
      name = parts[1]
    }
    if name.hasPrefix(prefix) {
      guard Identifier.isIdentifier(name.dropFirst(prefix.count)) else { return nil }
      (spelling, isCommon) = (token, true)
      return
    }
    let later = mayBeLater && name.hasSuffix("+") ? "+" : ""
    name = name.dropLast(later.count)
    guard Identifier.isIdentifier(name) else { return nil }
    let known = common.first { $0.lowercased() == name.lowercased() }
    (spelling, isCommon) = ((known ?? String(name)) + later, known != nil)
  }

  private static func isIdentifier(_ text: Substring) -> Bool {
    !text.isEmpty
      && text.utf8.allSatisfy {
        switch UnicodeScalar($0) {
        case "a"..."z", "A"..."Z", "0"..."9", "-", ".": true
        default: false
        }
      }
  }
}

/// What models, and what they are made with, are published under, as SPDX's list of licenses (3.27) spells
/// it. SPDX has some seven hundred; one that is not here is good as well.
private let commonLicenses = [
  "0BSD", "AFL-3.0", "AGPL-3.0", "AGPL-3.0-only", "AGPL-3.0-or-later", "Apache-1.1", "Apache-2.0",
  "Artistic-2.0", "BSD-2-Clause", "BSD-2-Clause-Patent", "BSD-3-Clause", "BSD-3-Clause-Clear",
  "BSD-4-Clause", "BSL-1.0", "C-UDA-1.0", "CC-BY-2.0", "CC-BY-2.5", "CC-BY-3.0", "CC-BY-4.0",
  "CC-BY-NC-2.0", "CC-BY-NC-3.0", "CC-BY-NC-4.0", "CC-BY-NC-ND-3.0", "CC-BY-NC-ND-4.0",
  "CC-BY-NC-SA-2.0", "CC-BY-NC-SA-3.0", "CC-BY-NC-SA-4.0", "CC-BY-ND-4.0", "CC-BY-SA-3.0",
  "CC-BY-SA-4.0", "CC-PDDC", "CC0-1.0", "CDLA-Permissive-1.0", "CDLA-Permissive-2.0",
  "CDLA-Sharing-1.0", "ECL-2.0", "EPL-1.0", "EPL-2.0", "EUPL-1.1", "EUPL-1.2", "GFDL-1.3",
  "GPL-2.0",
  "GPL-2.0-only", "GPL-2.0-or-later", "GPL-3.0", "GPL-3.0-only", "GPL-3.0-or-later", "ISC",
  "LGPL-2.1", "LGPL-2.1-only", "LGPL-2.1-or-later", "LGPL-3.0", "LGPL-3.0-only",
  "LGPL-3.0-or-later", "MIT", "MIT-0", "MPL-2.0", "MS-PL", "MulanPSL-2.0", "NCSA", "ODC-By-1.0",
  "ODbL-1.0", "OFL-1.1", "OSL-3.0", "PDDL-1.0", "PostgreSQL", "Python-2.0", "Unlicense", "UPL-1.0",
  "WTFPL", "Zlib",
]

/// Likewise.
private let commonExceptions = [
  "Autoconf-exception-3.0", "Bison-exception-2.2", "Classpath-exception-2.0", "GCC-exception-3.1",
  "Linux-syscall-note", "LLVM-exception", "OpenSSL-exception", "Swift-exception",
]
