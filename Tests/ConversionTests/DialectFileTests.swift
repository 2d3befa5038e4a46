import Checkpoints
import Conversion
import Foundation
import Naming
import RVD
import Reparameterization
import Tensors
import TestSupport
import Testing

@testable import Blocks

/// Files of each project, written by a script that spells out the projects' names and shapes itself.
@Suite struct DialectFileTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  struct File: CustomTestStringConvertible, Sendable {
    var dialect: Dialect
    var model: String
    var form: String
    var path: String
    var testDescription: String { path.split(separator: "/").last.map(String.init) ?? path }

    static let all: [File] = try! String(
      contentsOfFile: Fixtures.path("Dialects/files.tsv"), encoding: .utf8
    ).split(separator: "\n").map { line in
      let fields = line.split(separator: "\t").map(String.init)
      return File(
        dialect: Dialect.named(fields[0])!, model: fields[1], form: fields[2],
        path: Fixtures.path("Dialects/\(fields[3])"))
    }

    /// PaddleClas and BaseCls leave the branches beside the deploy kernel.
    var keepsBranches: Bool { [.paddleClas, .baseCls].contains(dialect) }
  }

  @Test func `there are files of every project that has a whole RepVGG`() {
    // Those of Keras are in KerasFiles, those of other families and these two in Families.
    let elsewhere: Set = ["keras", "super-gradients", "repoptimizers-repvgg"]
    let projects = Dialect.all.filter { $0.family == .repVGG && $0.root != nil }
    #expect(Set(File.all.map(\.dialect.name)) == Set(projects.map(\.name)).subtracting(elsewhere))
    #expect(File.all.count == 30)
  }

  @Test(arguments: File.all)
  func `a file is read as its project means it`(file: File) throws {
    let expected = try readNPZ(Fixtures.path("Dialects/\(file.model)-fused.npz"))
    if file.form == "train" || file.keepsBranches {
      var options = FuseOptions()
      options.epsilon = 1e-5
      let report = try fuse(file.path, to: folder.file("out.rvd"), options: options)
      #expect(report.mapping.dialect == file.dialect.name)
      #expect(report.besideBranches.count == (file.form == "deploy" ? 7 : 0))
      #expect(report.besideBranches.allSatisfy { $0.agrees })
    } else {
      let report = try rewrite(file.path, to: folder.file("out.rvd"))
      #expect(report.mapping.dialect == file.dialect.name && report.source.form == .deploy)
    }
    let tensors = try RVDFile.open(path: folder.file("out.rvd")).tensors
    #expect(Set(tensors.map(\.name.text)) == Set(expected.keys))
    for named in tensors {
      let answer = try #require(expected[named.name])
      #expect(named.tensor.shape.dimensions == answer.shape, "\(named.name)")
      #expect(try named.tensor.doubles().map(Float.init) == answer.floats, "\(named.name)")
    }
  }

  /// In another container than the project's, and in another order; that is all that may differ.
  @Test(arguments: File.all)
  func `a file is written as its project writes it`(file: File) throws {
    let official = Fixtures.path("Dialects/official-\(file.model)-\(file.form).pth")
    var options = RewriteOptions()
    options.writing.names = file.dialect
    _ = try rewrite(official, to: folder.file("out.npz"), options: options)
    var theirs = try #require(openCheckpoint(file.path).stateDicts.first).tensors
    let ours = try #require(openCheckpoint(folder.file("out.npz")).stateDicts.first).tensors
    if file.form == "deploy" && file.keepsBranches {
      let fused = try #require(
        file.dialect.name(of: .block(BlockAddress(.repVGG, ""), .fused(.weight)))
      ).dropLast(
        "weight".count)
      theirs.removeAll {
        !$0.name.contains(fused) && !$0.name.contains(".se.") && $0.name.hasPrefix("stage")
      }
    }
    #expect(Set(ours.map(\.name)) == Set(theirs.map(\.name)))
    for named in ours {
      let other = try #require(theirs.first { $0.name == named.name }).tensor
      #expect(named.tensor.shape == other.shape, "\(named.name)")
      #expect(named.tensor.elementType == other.elementType, "\(named.name)")
      #expect(try named.tensor.bytes() == other.bytes(), "\(named.name)")
    }
  }
}
