import Foundation
import TestSupport
import Testing

/// What 'make install' and 'make uninstall' do with a folder of files.
@Suite struct InstallTests {
  static let scripts = URL(filePath: Fixtures.folder).appending(path: "../../scripts").standardized

  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  func run(_ script: String, _ arguments: String...) throws -> Program.Result {
    try Program.run(
      arguments, in: folder.path, program: Self.scripts.appending(path: script).path)
  }

  func write(_ path: String) throws {
    let url = URL(filePath: folder.path + "/" + path)
    try FileManager.default.createDirectory(
      at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(path.utf8).write(to: url)
  }

  /// Files and folders below the prefix.
  func installed() throws -> [String] {
    try FileManager.default.subpathsOfDirectory(atPath: folder.path + "/the prefix").sorted()
  }

  @Test func `what is installed is removed, and nothing else`() throws {
    for file in ["bin/repconv", "share/doc/repconv/README.md", "share/man/man1/repconv.1"] {
      try write("stage/" + file)
    }
    try write("the prefix/share/man/man1/other.1")
    let before = try installed()

    #expect(try run("install", "stage", "the prefix").status == 0)
    let all = try installed()
    #expect(all.contains("bin/repconv") && all.contains("share/man/man1/other.1"))
    // A version that has less, over the first.
    try FileManager.default.removeItem(atPath: folder.path + "/stage/share/man")
    #expect(try run("install", "stage", "the prefix").status == 0)
    #expect(try installed() == all.filter { $0 != "share/man/man1/repconv.1" })

    // What somebody else puts there meanwhile.
    try write("the prefix/bin/other")
    let removed = try run("uninstall", "the prefix")
    #expect(
      removed.status == 0 && removed.output == "uninstall: the prefix/bin is not empty, and stays\n"
    )
    #expect(try installed() == (before + ["bin", "bin/other"]).sorted())

    let again = try run("uninstall", "the prefix")
    #expect(again.status == 1 && again.errors.contains("has not installed repconv in the prefix"))
  }
}
