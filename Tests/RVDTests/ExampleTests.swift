import Foundation
import RVD
import Testing

/// The loaders in `examples/` and the script beside the vectors, where there are tools to run them.
@Suite struct ExampleTests {
  private static let root = vectorFolder.appending(path: "../..").standardized.path
  private static let hasPython = run(["/usr/bin/env", "python3", "--version"]).status == 0
  private static let hasC =
    run(["/usr/bin/env", "cc", "--version"]).status == 0
    && FileManager.default.fileExists(atPath: "/usr/include/zlib.h")

  @Test(.enabled(if: hasPython)) func `the vectors are those that the script writes`() {
    let result = Self.run(
      ["/usr/bin/env", "python3", "-B", Self.root + "/formats/vectors/make_vectors.py", "--check"])
    #expect(result.status == 0, "\(result.output)")
  }

  @Test(.enabled(if: hasPython)) func `the Python reader reads the vectors`() {
    let script = """
      import sys
      sys.path.insert(0, sys.argv[1])
      sys.dont_write_bytecode = True
      from read_rvd import read_rvd
      for path in sys.argv[2:]:
        try:
          print("read", len(read_rvd(path)[1]))
        except Exception as error:
          print("refused", repr(error))
      """
    let paths = Self.files.map { vectorFolder.appending(path: $0.file).path }
    let result = Self.run(
      ["/usr/bin/env", "python3", "-c", script, Self.root + "/examples"] + paths)
    let answers = result.output.split(separator: "\n")
    #expect(result.status == 0 && answers.count == paths.count, "\(result.output)")
    for (vector, answer) in zip(Self.files, answers) {
      #expect(
        answer.starts(with: vector.expected == "valid" ? "read" : "refused"),
        "\(vector.file): \(answer)")
    }
  }

  @Test(.enabled(if: hasC)) func `the C reader reads the vectors`() throws {
    let program = FileManager.default.temporaryDirectory
      .appending(path: "repconv-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: program) }
    let compiled = Self.run([
      "/usr/bin/env", "cc", "-O1", "-Wall", Self.root + "/examples/read_rvd.c", "-lz", "-o",
      program,
    ])
    try #require(compiled.status == 0 && compiled.output.isEmpty, "\(compiled.output)")
    for vector in Self.files {
      let result = Self.run([program, vectorFolder.appending(path: vector.file).path])
      #expect(
        result.status == (vector.expected == "valid" ? 0 : 1), "\(vector.file): \(result.output)")
    }
  }

  /// The valid vectors, and the invalid ones that every reader must refuse.
  private static let files = Vector.all.filter {
    [
      "valid", "truncated", "trailing-bytes", "not-rvd", "header-checksum", "header-invalid",
      "unsupported-version", "unsupported-codec", "unsupported-type", "unsupported-layout",
      "manifest-checksum", "placement", "padding", "tensor-checksum",
    ].contains($0.expected)
  }

  private static func run(_ command: [String]) -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = URL(filePath: command[0])
    process.arguments = Array(command.dropFirst())
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    do { try process.run() } catch { return (-1, "\(error)") }
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: output, as: UTF8.self))
  }
}
