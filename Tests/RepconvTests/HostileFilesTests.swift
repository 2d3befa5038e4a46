import Foundation
import TestSupport
import Testing

/// Files made to harm a reader (`Fixtures/Hostile/make_hostile.py`): what is said of each is known, and
/// neither time nor memory is lost on any.
@Suite struct HostileFilesTests {
  /// Of the processor's time for a command, in seconds; each takes some hundredths.
  static let longest = 5.0
  /// Of memory, in bytes: the program itself takes a fifth of it.
  static let largest = 100 << 20

  struct Case: CustomTestStringConvertible, Sendable {
    var file: String
    var status: Int32
    var message: String
    var testDescription: String { file }
  }

  static let cases: [Case] = {
    let rows = try! Fixtures.table("Hostile/expected.tsv")
    return rows.map { Case(file: $0[0], status: Int32($0[1])!, message: $0[2]) }
  }()

  @Test func `all files are in the table`() {
    let names = Fixtures.names(
      in: "Hostile", suffixes: [".pth", ".pkl", ".safetensors", ".npy", ".npz"])
    #expect(Self.cases.map(\.file) == names)
  }

  @Test(arguments: cases)
  func `a file is read or refused, and nothing else happens`(_ hostile: Case) throws {
    let folder = try TemporaryFolder()
    let path = Fixtures.path("Hostile/\(hostile.file)")
    func run(_ arguments: [String]) throws -> Program.Result {
      let (result, usage) = try Program.measure(arguments, in: folder.path)
      #expect(usage.seconds < Self.longest || isSanitized, "\(arguments[0])")
      #expect(usage.peakMemory < Self.largest || isSanitized, "\(arguments[0])")
      return result
    }
    let check = try run(["check", path])
    #expect(check.status == hostile.status)
    let said = (check.output + check.errors).replacing(path, with: hostile.file)
    #expect(said.contains(hostile.message), "\(said)")
    for arguments in [["inspect", path], ["digest", path], ["import", path, "-o", "out.npz"]] {
      let result = try run(arguments)
      #expect([0, 1, 2].contains(result.status), "\(arguments[0]): \(result.errors)")
      if arguments[0] == "import", result.status != 0 { #expect(try folder.names() == []) }
    }
  }

  @Test func `a limit can be raised, and the refusal says how`() throws {
    let folder = try TemporaryFolder()
    let path = Fixtures.path("Hostile/long-name.safetensors")
    let refused = try Program.run(["inspect", path], in: folder.path)
    #expect(refused.status == 2)
    #expect(refused.errors.contains("raise the limit with --limits name-length=VALUE"))
    let raised = try Program.run(
      ["inspect", path, "--limits", "name-length=70000"], in: folder.path)
    #expect(raised.status == 0, "\(raised.errors)")
    for text in ["name-length", "name-length=x", "name-length=-1", "weights=1"] {
      #expect(try Program.run(["inspect", path, "--limits", text], in: folder.path).status == 64)
    }
  }
}
