import Conversion
import Foundation
import Naming
import Proof
import Reporting
import Tensors
import TestSupport
import Testing

#if canImport(FoundationXML)
  import FoundationXML
#endif

/// What a report says, against numbers that NumPy or a pencil came to.
@Suite struct ReportTests {
  static let plain = Fixtures.path("PyTorch/plain-train.pth")
  static let g2 = Fixtures.path("PyTorch/g2-train.pth")

  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  /// The deploy form of a fixture, in a file.
  func fused(_ path: String, to name: String = "deploy.rvd") throws -> String {
    _ = try fuse(path, to: folder.file(name))
    return folder.file(name)
  }

  static func isNear(_ a: Double?, _ text: String, _ tolerance: Double = 1e-9) -> Bool {
    guard let a, let b = Double(text) else { return false }
    return (a - b).magnitude <= tolerance * max(a.magnitude, b.magnitude)
  }

  @Test(arguments: ["plain", "g2"])
  func `weights are told of as NumPy finds them`(state: String) throws {
    let report = try report(Fixtures.path("PyTorch/\(state)-train.pth"))
    let rows = try Fixtures.table("Expected/report-weights.tsv").filter { $0[0] == state }
    #expect(rows.count == 8)
    for row in rows {
      let layer = try #require(report.layers.first { $0.name == row[1] })
      let weights = layer.weights
      #expect(Self.isNear(weights.extent.smallest, row[2]), "\(row[1])")
      #expect(Self.isNear(weights.extent.largest, row[3]), "\(row[1])")
      #expect(Self.isNear(weights.rootMeanSquare, row[4]), "\(row[1])")
      #expect(Self.isNear(weights.float16, row[5]), "\(row[1])")
      #expect(Self.isNear(weights.int8PerChannel, row[6], 1e-6), "\(row[1])")
      #expect(Self.isNear(weights.int8PerTensor, row[7], 1e-6), "\(row[1])")
      #expect(weights.histogram?.counts.map(String.init).joined(separator: " ") == row[8])
      #expect(layer.trained?.histogram?.counts.map(String.init).joined(separator: " ") == row[9])
    }
  }

  @Test(arguments: ["plain", "g2"])
  func `branches add what NumPy finds, and up to all of it`(state: String) throws {
    let report = try report(Fixtures.path("PyTorch/\(state)-train.pth"))
    for row in try Fixtures.table("Expected/report-branches.tsv") where row[0] == state {
      let block = try #require(report.blocks.first { $0.path == row[1] })
      let branch = try #require(block.branches.first { $0.layers == [row[2]] })
      #expect(branch.isIdentity == (row[2] == "identity"))
      #expect(Self.isNear(branch.norm, row[3]), "\(row)")
      #expect(Self.isNear(branch.share, row[4]), "\(row)")
      #expect((block.branches.map(\.share).reduce(0, +) - 1).magnitude < 1e-12)
    }
    #expect(report.blocks.map(\.branches.count).reduce(0, +) == 19)
  }

  /// Blocks 2, 2, 2, 1 of 16, 32, 64, 64 channels behind a stem of 16, on images of 32x32: each first one at
  /// half the size of the map before.
  @Test func `costs are those that a pencil comes to`() throws {
    var options = ReportingOptions()
    options.imageSize = 32
    let report = try report(Self.plain, options: options)
    let maps =
      [(3, 16, 16), (16, 16, 8), (16, 16, 8), (16, 32, 4), (32, 32, 4), (32, 64, 2)]
      + [(64, 64, 2), (64, 64, 1)]
    let costs = maps.map { inputs, outputs, size in 9 * inputs * outputs * size * size } + [640]
    #expect(report.layers.map(\.multiplyAdds) == costs)
    #expect(report.multiplyAdds == costs.reduce(0, +) && report.imageSize == 32)
    #expect(report.layers.map(\.parameters).reduce(0, +) == 111_978)
    #expect(report.parameters == 125_450 && report.deployParameters == 111_978)
    options.imageSize = nil
    #expect(try Reporting.report(Self.plain, options: options).imageSize == 224)
  }

  @Test func `a fused file and its training checkpoint are told of together`() throws {
    let report = try report(fused(Self.plain), training: Self.plain)
    #expect(report.isProven == true && report.blocks.count == 8)
    #expect(report.blocks.allSatisfy { $0.proof?.grade == .exact && $0.branches.count > 1 })
    #expect(report.layers.map(\.block) == report.blocks.map(\.path) + [nil])
    #expect(report.layers.dropLast().allSatisfy { $0.trained?.histogram != nil })
    #expect(report.layers.last?.trained == nil)
    let alone = try Reporting.report(Self.plain)
    #expect(
      report.layers.map(\.trained?.histogram?.counts)
        == alone.layers.map(\.trained?.histogram?.counts))
    #expect(report.digest.count == 64 && report.trainDigest == alone.digest)
    #expect(report.html.contains("deploy.rvd is plain-train.pth, fused."))
    #expect(report.markdown.contains("✅"))
  }

  @Test func `a file that is another network is told of as that`() throws {
    let report = try report(fused(Self.g2), training: Self.plain)
    #expect(report.isProven == false)
    #expect(report.html.contains("deploy.rvd is NOT plain-train.pth, fused."))
    #expect(report.markdown.contains("❌ **deploy.rvd is NOT plain-train.pth, fused.**"))
  }

  /// Files that are known very differently well.
  static let files = [
    plain, g2, Fixtures.path("Cases/no-blocks.pth"), Fixtures.path("Cases/nan-weight.pth"),
    Fixtures.path("Cases/larger-network.pth"), Fixtures.path("ONNX/repvit-deploy-timm.onnx"),
    Fixtures.path("ONNX/repvgg-qdq.onnx"),
    Fixtures.path("Families/fastvit/apple-sa12-like/fastvit.pth.tar"),
    Fixtures.path("Families/unireplknet/13-11-9-7-5-3/checkpoint-best.pth"),
    Fixtures.path("Families/yolov9/gelan-tiny/best.pt"),
  ]

  @Test(arguments: files)
  func `pages and drawings are well-formed, and the same for any number of threads`(
    path: String
  ) throws {
    var options = ReportingOptions()
    options.threads = Threads(1)
    let report = try report(path, options: options)
    for text in [report.html, report.svg].compactMap(\.self) {
      let parser = XMLParser(data: Data(text.utf8))
      #expect(parser.parse(), "\(String(describing: parser.parserError)) in \(parser.lineNumber)")
    }
    let other = try Reporting.report(path)
    #expect(report.html == other.html && report.markdown == other.markdown)
    #expect(report.svg == other.svg)
    #expect((report.svg == nil) == (report.drawing == nil))
    #expect((report.drawing == nil) == (report.reason != nil))
    #expect(!report.html.contains("<script") && !report.html.contains("<link"))
  }

  @Test func `weights that are no numbers are counted, and not drawn`() throws {
    let report = try report(Fixtures.path("Cases/nan-weight.pth"))
    let damaged = report.layers.filter { $0.weights.extent.notFinite > 0 }
    #expect(damaged.count == 1)
    #expect(report.html.contains("not finite"))
    let kernel = damaged[0].weights
    #expect(kernel.histogram?.counts.reduce(0, +) == kernel.extent.count - kernel.extent.notFinite)
  }

  @Test func `names in a file are text, whatever they look like`() throws {
    let name = "x</title><script>alert(1)</script>'\"&\u{202e}\u{1b}|`a`\n# b [c](http://d)"
    var options = ReportingOptions()
    options.reading.renames = [try Correspondence("linear.*=\(name).*")]
    let odd = folder.file("odd.safetensors")
    var rewriting = RewriteOptions()
    rewriting.reading.renames = options.reading.renames
    _ = try rewrite(Self.plain, to: odd, options: rewriting)
    let report = try report(odd)
    for text in [report.html, report.markdown] {
      #expect(!text.contains("<script") && !text.contains("</title><script"))
      #expect(!text.unicodeScalars.contains { $0 == "\u{202e}" || $0 == "\u{1b}" })
      #expect(text.contains("x&lt;/title&gt;&lt;script&gt;alert(1)"))
    }
    #expect(report.html.contains("\\u{202e}\\u{1b}|`a`\\u{a}# b"))
    #expect(XMLParser(data: Data(report.html.utf8)).parse())
    let row = try #require(
      report.markdown.split(separator: "\n").first { $0.hasPrefix("| x&lt;/title") })
    #expect(
      row.contains(
        ##"\\u\{202e\}\\u\{1b\}\|\`a\`\\u\{a\}\# b \[c\](http&#58;//d)"##))
    #expect(row.replacing(#"\|"#, with: "").split(separator: "|").count == 8)
  }
}
