import Checkpoints
import Testing

@Suite struct LicenseTests {
  @Test(
    arguments: [
      ("MIT", "MIT", []), ("  apache-2.0 ", "Apache-2.0", []),
      ("GPL-2.0+", "GPL-2.0+", []), ("mit OR(apache-2.0)", "MIT OR (Apache-2.0)", []),
      (
        "(MIT AND ((BSD-3-Clause)))or Apache-2.0 with llvm-exception",
        "(MIT AND ((BSD-3-Clause))) OR Apache-2.0 WITH LLVM-exception", []
      ),
      ("LicenseRef-mine.1", "LicenseRef-mine.1", []),
      ("DocumentRef-a:LicenseRef-b AND MIT", "DocumentRef-a:LicenseRef-b AND MIT", []),
      ("MIT WITH AdditionRef-x", "MIT WITH AdditionRef-x", []),
      (
        "Apache2 OR MIT WITH some-exception", "Apache2 OR MIT WITH some-exception",
        ["Apache2", "some-exception"]
      ),
      ("openrail", "openrail", ["openrail"]),
    ] as [(String, String, [String])])
  func `expressions are read as SPDX has them`(
    text: String, spelling: String, uncommon: [String]
  ) throws {
    let license = try LicenseExpression(text)
    #expect(license.description == spelling && license.uncommonIdentifiers == uncommon)
    #expect(try LicenseExpression(license.description) == license)
  }

  @Test(arguments: [
    ("", "expected a license, found the end"), (" ( ", "expected a license, found the end"),
    ("MIT OR", "expected a license, found the end"),
    ("MIT WITH", "expected an exception, found the end"),
    ("(MIT", "expected ')', found the end"), ("MIT)", "expected AND, OR or WITH, found ')'"),
    ("()", "expected a license, found ')'"), ("AND MIT", "expected a license, found 'AND'"),
    ("MIT Apache-2.0", "expected AND, OR or WITH, found 'Apache-2.0'"),
    ("MIT/Apache-2.0", "expected a license, found 'MIT/Apache-2.0'"),
    ("MIT, Apache-2.0", "expected a license, found 'MIT,'"),
    ("(MIT) WITH LLVM-exception", "expected AND or OR, found 'WITH'"),
    ("MIT WITH a WITH b", "expected AND or OR, found 'WITH'"),
    ("MIT WITH (a)", "expected an exception, found '('"),
    ("MIT++", "expected a license, found 'MIT++'"), ("+", "expected a license, found '+'"),
    ("MIT WITH LLVM-exception+", "expected an exception, found 'LLVM-exception+'"),
    ("LicenseRef-", "expected a license, found 'LicenseRef-'"),
    ("LicenseRef-a+", "expected a license, found 'LicenseRef-a+'"),
    ("DocumentRef-a:MIT", "expected a license, found 'DocumentRef-a:MIT'"),
    ("DocumentRef-:LicenseRef-a", "expected a license, found 'DocumentRef-:LicenseRef-a'"),
    ("MIT \u{1B}[0m", "expected AND, OR or WITH, found '\\u{1b}[0m'"),
  ])
  func `what breaks the syntax is refused, with what was expected`(
    text: String, reason: String
  ) {
    #expect(throws: LicenseExpression.Problem(reason: reason)) { try LicenseExpression(text) }
  }
}
