import TestSupport
import Testing

/// `repconv report`: what is written where, and what the exit code says.
@Suite struct ReportCommandTests {
  static let train = Fixtures.path("PyTorch/plain-train.pth")
  static let other = Fixtures.path("PyTorch/g2-train.pth")

  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  func run(_ arguments: String...) throws -> Program.Result {
    try Program.run(arguments, in: folder.path)
  }

  func text(_ name: String) throws -> String {
    String(decoding: try folder.read(name), as: UTF8.self)
  }

  @Test func `the extension says the format, unless it is told`() throws {
    #expect(try run("fuse", "-q", Self.train, "a.rvd").status == 0)
    for (name, beginning) in [
      ("a.html", "<!DOCTYPE html>"), ("a.svg", "<?xml"), ("a.md", "# a.rvd"),
      ("a.txt", "<!DOCTYPE html>"),
    ] {
      let result = try run("report", "a.rvd", "-o", name)
      #expect(result.status == 0 && result.output.hasPrefix("a.rvd → \(name)\n"), "\(result)")
      #expect(try text(name).hasPrefix(beginning))
    }
    let streamed = try run("report", "a.rvd", Self.train, "--format", "markdown", "-o", "-", "-q")
    #expect(streamed.status == 0 && streamed.errors == "")
    #expect(streamed.output.contains("✅ **a.rvd is plain-train.pth, fused.**"))
    #expect(try run("report", "a.rvd", "--format", "svg", "-o", "-", "-q").output == text("a.svg"))
  }

  @Test func `an output that is there, or is an input, is left alone`() throws {
    try folder.write([1], to: "a.html")
    let refused = try run("report", Self.train, "-o", "a.html")
    #expect(refused.status == 2 && refused.errors.contains("Use --force to replace it."))
    #expect(try folder.read("a.html") == [1])
    #expect(try run("report", Self.train, "-o", "a.html", "--force").status == 0)
    #expect(try text("a.html").hasPrefix("<!DOCTYPE"))
    try folder.write(Fixtures.bytes("PyTorch/plain-train.pth"), to: "b.pth")
    let itself = try run("report", "b.pth", "-o", "b.pth", "--force")
    #expect(itself.status == 2)
    #expect(try folder.read("b.pth") == Fixtures.bytes("PyTorch/plain-train.pth"))
  }

  @Test func `another network is told of, and is a failure`() throws {
    #expect(try run("fuse", "-q", Self.other, "a.rvd").status == 0)
    let result = try run("report", "a.rvd", Self.train, "-o", "a.html", "-q")
    #expect(result.status == 1 && result.output == "" && result.errors == "")
    #expect(try text("a.html").contains("a.rvd is NOT plain-train.pth, fused."))
  }

  @Test func `a damaged file is a failure, and nothing is written`() throws {
    #expect(try run("fuse", "-q", Self.train, "a.rvd").status == 0)
    var bytes = try folder.read("a.rvd")
    bytes[bytes.count / 2] ^= 1
    try folder.write(bytes, to: "a.rvd")
    #expect(try run("report", "a.rvd", "-o", "a.html").status == 1)
    #expect(try run("report", "a.rvd", Self.train, "-o", "a.html").status == 1)
    #expect(try folder.names() == ["a.rvd"])
  }

  @Test func `what is not known as a whole is not drawn`() throws {
    let path = Fixtures.path("Cases/no-blocks.pth")
    let drawing = try run("report", path, "-o", "a.svg")
    #expect(drawing.status == 2 && drawing.errors.contains("SVG files say how the network"))
    #expect(try folder.names() == [])
    #expect(try run("report", path, "-o", "a.html").status == 0)
    #expect(try text("a.html").contains("It is not known as a whole, so it is not drawn"))
  }

  @Test(arguments: [
    ["report", train], ["report", train, "-o", "a.html", "--size", "0"],
    ["report", train, "-o", "a.html", "--format", "pdf"], ["report", train, "--json", "-q"],
    ["report", train, "-o", "a.html", "--tolerance", "much"],
  ])
  func `a wrong command line is one`(arguments: [String]) throws {
    #expect(try Program.run(arguments, in: folder.path).status == 64)
    #expect(try folder.names() == [])
  }

  @Test func `images that the network does not take are an error`() throws {
    #expect(try run("report", Self.train, "-o", "a.html", "--size", "1").status == 0)
    let path = Fixtures.path("Families/acnet/cfqk-5x5/train.hdf5")
    let result = try run("report", path, "-o", "b.html", "--size", "7")
    #expect(result.status == 2, "\(result)")
    #expect(result.errors.contains("it does not take images of 7x7: node "))
    #expect(result.errors.hasSuffix("  Choose another --size, or leave it out.\n"))
    #expect(try folder.names() == ["a.html"])
  }
}
