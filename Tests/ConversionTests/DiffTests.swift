import Conversion
import Proof
import Tensors
import TestSupport
import Testing

@Suite struct DiffTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  func file(_ name: String) -> String { Fixtures.path(name) }

  func copies(_ first: String, _ second: String, key: String? = nil) throws -> (
    DiffReport, CopyComparison
  ) {
    var options = ComparisonOptions()
    options.reading.key = key
    let report = try diff(first, second, options: options)
    guard case .copies(let copies) = report.relation else {
      throw ConversionError.notComparable(path: first, .notFused)
    }
    return (report, copies)
  }

  @Test(arguments: Fixture.all)
  func `files of one model are the same network, in any container, dialect and type`(
    fixture: Fixture
  ) throws {
    let (report, copies) = try copies(
      fixture.path, file("PyTorch/\(fixture.model)-train.pth"), key: fixture.key)
    #expect(report.areSame, "\(copies.tensors[0])")
    let relations = Set(copies.tensors.map(\.relation))
    if fixture.significantBits != nil {
      #expect(relations == [.castBack, .same])  // The counters are integers.
    } else if fixture.name.contains("double") || fixture.name.contains("f64") {
      #expect(relations == [.cast, .same])
    } else {
      #expect(relations == [.same])
    }
    if fixture.name.contains("renamed") { #expect(copies.renamed > 80) }
    #expect(copies.onlyInFirst.isEmpty && copies.onlyInSecond.allSatisfy(copies.unneeded.contains))
  }

  @Test func `one is the other, fused, whichever comes first`() throws {
    let train = file("MegEngine/g4-renamed.pkl")
    _ = try fuse(train, to: folder.file("g4.rvd"))
    let forward = try diff(train, folder.file("g4.rvd"))
    guard case .secondFused(let proof) = forward.relation else {
      Issue.record("not fused")
      return
    }
    #expect(forward.areSame && proof.grade == .exact)
    let backward = try diff(folder.file("g4.rvd"), train)
    guard case .firstFused = backward.relation else {
      Issue.record("not fused")
      return
    }
    #expect(backward.areSame)
  }

  @Test func `fused and in float16 at once`() throws {
    let train = file("PyTorch/plain-train.pth")
    var state = try DeployState(fusing: train)
    state.cast(to: .float16)
    let report = try diff(train, state.write(to: folder.file("half.pth")))
    #expect(report.areSame && report.second.kernelTypes == [.float16])
    #expect(report.first.kernelTypes == [.float32])
  }

  @Test func `networks of other structure differ, and of other values`() throws {
    let (structure, copies) = try copies(
      file("PyTorch/se-train.pth"), file("PyTorch/plain-train.pth"))
    #expect(!structure.areSame && copies.onlyInFirst.count == 32 && copies.onlyInSecond.isEmpty)
    let (values, all) = try self.copies(
      file("PyTorch/g2-train.pth"), file("PyTorch/g4-train.pth"))
    #expect(!values.areSame)
    // Those of other shapes first, then the largest difference.
    #expect(all.tensors[0].cause == .otherShape(expected: [16, 8, 3, 3], found: [16, 4, 3, 3]))
    let differences = all.tensors.compactMap { $0.difference?.largestAbsolute }
    #expect(differences == differences.sorted(by: >))
  }

  @Test func `colours in another order are another network, and are recognised`() throws {
    var options = RewriteOptions()
    options.channels = .rgb
    _ = try rewrite(
      file("MegEngine/plain-basecls.pkl"), to: folder.file("rgb.pth"), options: options)
    let (report, copies) = try copies(
      file("MegEngine/plain-basecls.pkl"), folder.file("rgb.pth"))
    #expect(!report.areSame)
    let wrong = copies.tensors.filter { !$0.isAlike }
    #expect(wrong.count == 2 && wrong.allSatisfy { $0.cause == .rearranged(.reversedInput) })
    _ = try fuse(folder.file("rgb.pth"), to: folder.file("rgb.rvd"))
    let fused = try diff(file("MegEngine/plain-basecls.pkl"), folder.file("rgb.rvd"))
    guard case .secondFused(let proof) = fused.relation else {
      Issue.record("not fused")
      return
    }
    #expect(!fused.areSame && proof.blocks[0].cause == .rearranged(.reversedInput))
    #expect(proof.blocks.count { $0.grade == .different } == 1)
  }

  @Test func `files without blocks are compared by name`() throws {
    let path = file("Cases/no-blocks.pth")
    let (report, copies) = try copies(path, path)
    #expect(report.areSame && report.first.dialect == nil && copies.tensors.count == 2)
    let (other, none) = try self.copies(path, file("Cases/one-block.pth"))
    #expect(!other.areSame && none.tensors.isEmpty)
  }

  @Test func `a tolerance covers what it says`() throws {
    let train = file("PyTorch/plain-train.pth")
    var state = try DeployState(fusing: train)
    let right = try state.write(to: folder.file("right.pth"))
    state["linear.weight"].values[5] *= 1 + 1e-5
    let wrong = try state.write(to: folder.file("wrong.pth"))
    for (tolerance, isCovered) in [
      (Tolerance.rounding, false), (.ulps(1), false), (.ulps(1000), true), (.relative(1e-6), false),
      (.relative(1e-4), true),
    ] {
      var options = ComparisonOptions()
      options.tolerance = tolerance
      #expect(try diff(right, wrong, options: options).areSame == isCovered, "\(tolerance)")
      #expect(try verify(train, wrong, options: options).holds == isCovered, "\(tolerance)")
    }
  }
}
