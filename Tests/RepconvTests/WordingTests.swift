import Foundation
import TestSupport
import Testing

/// The words of the command line are the command line's: libraries speak of causes.
@Suite struct WordingTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  /// Lines of the libraries' sources with text that names an option or a command; comments apart.
  @Test func `no library speaks of options or commands`() throws {
    let sources = Fixtures.folder + "/../../Sources/"
    let files = try #require(FileManager.default.enumerator(atPath: sources))
    var found: [String] = []
    for case let file as String in files where file.hasSuffix(".swift") {
      if file.hasPrefix("repconv/") { continue }
      // Properties of style sheets begin with two dashes, too.
      if file == "Reporting/PageStyle.swift" { continue }
      let text = try String(contentsOfFile: sources + file, encoding: .utf8)
      for line in text.split(separator: "\n") {
        let trimmed = line.drop { $0 == " " }
        if trimmed.hasPrefix("//") { continue }
        // h5repack's options are its own.
        if line.contains("h5repack") { continue }
        if line.contains(#/--[a-z]|'repconv |leave -a/#) {
          found.append("\(file): \(trimmed)")
        }
      }
    }
    #expect(found == [])
  }

  static let plain = Fixtures.path("PyTorch/plain-train.pth")

  /// What goes wrong, and what the command line advises.
  @Test(arguments: [
    (
      ["verify", "a.rvd", plain], "Name the training checkpoint first: repconv verify TRAIN DEPLOY."
    ),
    (
      ["verify", "a.rvd", "a.rvd"],
      "Name its training checkpoint; 'repconv diff' compares two deploy files."
    ),
    (
      ["verify", plain, plain],
      "Name a deploy file; 'repconv diff' compares two training checkpoints."
    ),
    (["export", plain, "b.rvd"], "'repconv fuse' makes one from it."),
    (
      ["import", plain, "-o", "b.pth", "--from", "paddle"],
      "Leave --from out: what is found in the file decides how it is read."
    ),
    (
      ["import", Fixtures.path("Cases/one-block.pth"), "-o", "b.pth", "--channels", "bgr"],
      "Use --channels keep."
    ),
    (
      ["run", plain, "--input", Fixtures.path("Digits/digits.npz"), "--batch", "9000000000000"],
      "Use smaller images or a smaller --batch."
    ),
    (
      ["fuse", Fixtures.path("PyTorch/plain-swin-style.pth"), "b.rvd"],
      "Choose one with --key NAME."
    ),
    (
      ["fuse", "a.rvd", "b.rvd"],
      "There is nothing to fuse. 'repconv import' rewrites such a file under other names."
    ),
    (
      ["fuse", plain, "b.txt"],
      "Use one of .rvd, .pth, .safetensors, .npz, .h5, .pkl, .wts, .onnx, .mlpackage, .param, or name the format with --to."
    ),
    (["fuse", plain, "a.rvd"], "Use --force to replace it."),
  ])
  func `errors end with what to do on the command line`(
    arguments: [String], advice: String
  ) throws {
    #expect(
      try Program.run(["fuse", "-q", WordingTests.plain, "a.rvd"], in: folder.path).status == 0)
    let result = try Program.run(arguments, in: folder.path)
    #expect(result.status == 2 && result.output == "")
    let lines = result.errors.split(separator: "\n")
    #expect(lines.count == 2 && lines.last == "  \(advice)", "\(result.errors)")
    #expect(try folder.names() == ["a.rvd"])
  }
}
