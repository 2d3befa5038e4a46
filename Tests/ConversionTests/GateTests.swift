import CheckpointFiles
import Checkpoints
import Tensors
import TestSupport
import Testing

@testable import Conversion

/// What is said of files that somebody should look at, and refused where that is asked for.
@Suite struct GateTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  /// A RepVGG of the official code, less the tensors whose names begin so.
  func network(without prefix: String) throws -> String {
    let checkpoint = try openCheckpoint(Fixtures.path("PyTorch/plain-train.pth"))
    let dict = try #require(checkpoint.stateDicts.max { $0.tensors.count < $1.tensors.count })
    let path = folder.file("part.safetensors")
    let file = try OutputFile(path: path, replace: true)
    try SafetensorsWriter.write(
      dict.tensors.filter { !$0.name.hasPrefix(prefix) }.map {
        OutputTensor(name: $0.name, $0.tensor)
      }, to: file)
    try file.commit()
    return path
  }

  func damage(_ notes: [Note]) -> [String] {
    notes.compactMap { if case .damaged(let reason) = $0 { reason } else { nil } }
  }

  @Test(arguments: [
    ("stage2.1.rbr_identity.", "block 'stage2.1' lacks an identity branch"),
    ("stage3.", "stage 3 has no first block"), ("stage0.", "there is no block 'stage0'"),
    ("linear.", "there is no classifier after 64 channels"),
  ])
  func `a damaged network of any widths is a warning, and an error where it must be whole`(
    prefix: String, reason: String
  ) throws {
    let (path, output) = (try network(without: prefix), folder.file("out.rvd"))
    var options = FuseOptions()
    for gate in [\ReadingOptions.isStrict, \.requiresWhole] {
      options.reading = ReadingOptions()
      options.reading[keyPath: gate] = true
      #expect(throws: ConversionError.self) { try fuse(path, to: output, options: options) }
      var rewriting = RewriteOptions()
      rewriting.reading = options.reading
      #expect(throws: ConversionError.self) {
        try rewrite(path, to: folder.file("out.pth"), options: rewriting)
      }
      #expect(try folder.names() == ["part.safetensors"])
    }
    let report = try fuse(path, to: output)
    #expect(damage(report.source.notes).first?.hasPrefix(reason) == true)
    #expect(try damage(verify(path, output).train.notes).count == 1)
    let checked = try check(path)
    #expect(checked.isSound && checked.findings.contains { $0.kind == .structure })
  }

  @Test(arguments: [
    "PyTorch/plain-train.pth", "Families/repvgg-larger/pspnet/train_epoch_50.pth",
    "Families/repvgg-larger/detector-prefix/checkpoint.pth",
    "Families/yolov6/repvgg-state-dict/state_dict.pth",
  ])
  func `blocks in a network of another kind are no damage`(file: String) throws {
    let report = try fuse(Fixtures.path(file), to: folder.file("out.pth"))
    #expect(damage(report.source.notes + report.notes) == [])
    #expect(!(report.source.notes + report.notes).contains { $0.isWarning })
  }

  @Test(arguments: ["os-system.pth", "os-system.pkl"])
  func `a pickle that would have run something is a warning, and an error where these are`(
    name: String
  ) throws {
    let path = Fixtures.path("Cases/\(name)")
    let report = try fuse(path, to: folder.file("out.rvd"))
    let running = try #require(
      report.source.notes.compactMap { if case .wouldRun(let names) = $0 { names } else { nil } }
        .first)
    #expect(running.contains("posix.system"))
    #expect(try verify(path, folder.file("out.rvd")).train.notes.contains { $0.isWarning })
    var options = FuseOptions()
    options.reading.isStrict = true
    #expect {
      try fuse(path, to: folder.file("strict.rvd"), options: options)
    } throws: {
      guard case .warned(_, let notes)? = $0 as? ConversionError else { return false }
      return notes == [.wouldRun(running)]
    }
    #expect(try folder.names() == ["out.rvd"])
  }

  @Test func `a name that nobody knows is run if it is called, not if it makes an empty object`() {
    func global(_ name: Name, calls: Int, runs: Bool) -> Checkpoint {
      Checkpoint(
        path: "", container: "", family: "", byteCount: 0, stateDicts: [],
        globals: [PickledGlobal(name: name, calls: calls, runs: runs, isExpected: false)])
    }
    func notes(_ name: Name, calls: Int, runs: Bool) -> [Note] {
      global(name, calls: calls, runs: runs).allNotes
    }
    #expect(notes("lab.evil", calls: 1, runs: true) == [.wouldRun(["lab.evil"])])
    #expect(
      notes("models.yolo.Model", calls: 1, runs: false) == [.unusualGlobals(["models.yolo.Model"])])
    #expect(notes("os.system", calls: 0, runs: false) == [.wouldRun(["os.system"])])
    #expect(
      notes("pathlib.PosixPath", calls: 1, runs: true) == [.unusualGlobals(["pathlib.PosixPath"])])
    #expect(
      notes("pathlib.Path.write_text", calls: 1, runs: true) == [
        .wouldRun(["pathlib.Path.write_text"])
      ])
  }
}
