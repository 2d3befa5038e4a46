import Foundation
import RVD
import Testing

/// The readers in `examples/` and the script beside the vectors, where there are tools to run them.
@Suite struct ExampleTests {
  private static let root = vectorFolder.appending(path: "../..").standardized.path
  private static let hasPython = run(["python3", "--version"]).status == 0
  private static let hasNumPy = run(["python3", "-c", "import numpy"]).status == 0
  private static let hasC = run(["cc", "--version"]).status == 0

  @Test(.enabled(if: hasPython)) func `the vectors are those that the script writes`() {
    let result = Self.run(
      ["python3", "-B", Self.root + "/formats/vectors/make_vectors.py", "--check"])
    #expect(result.status == 0, "\(result.output)")
  }

  @Test(.enabled(if: hasNumPy)) func `the Python reader reads the vectors`() throws {
    let hasZstandard = ["zstandard", "compression.zstd"].contains {
      Self.run(["python3", "-c", "import \($0)"]).status == 0
    }
    try Self.check(["python3", Self.root + "/Tests/Readers/vectors.py"]) { vector, condition in
      condition == vector.expected || !hasZstandard && condition == "needs-zstd"
    }
    if !hasZstandard {
      print("Compressed vectors were not read in Python: it has no zstandard (pip install it)")
    }
  }

  @Test(.enabled(if: hasNumPy)) func `the Python reader is a command`() {
    func status(_ file: String) -> (status: Int32, output: String) {
      Self.run([
        "env", "PYTHONPATH=\(Self.root)/examples/python", "python3", "-B", "-m", "rvd",
        vectorFolder.appending(path: file).path,
      ])
    }
    let sound = status("valid/quantized.rvd")
    #expect(sound.status == 0 && sound.output.contains("sound, 10 tensors"), "\(sound.output)")
    let damaged = status("invalid/tensor-bit.rvd")
    #expect(
      damaged.status == 1 && damaged.output.contains("tensor 'b': damaged"), "\(damaged.output)")
  }

  @Test(.enabled(if: hasC)) func `the C reader reads the vectors`() throws {
    let hasZstd = Self.run(["cc", "-fsyntax-only", "-include", "zstd.h", "-x", "c", "/dev/null"])
    let options = hasZstd.status == 0 ? ["-DRVD_ZSTD"] : []
    let libraries = hasZstd.status == 0 ? ["-lzstd"] : []
    try Self.compiled("Tests/Readers/vectors.c", options, libraries) { program in
      try Self.check([program]) { vector, condition in
        // What the header says that it does not check: the graph, and the digits of fractions.
        let mayPass =
          vector.graph == true
          || ["invalid/number-not-shortest.rvd", "invalid/number-inexact.rvd"].contains(vector.file)
        return condition == vector.expected || mayPass && condition == "valid"
          || hasZstd.status != 0 && condition == "needs-zstd"
      }
    }
    if hasZstd.status != 0 {
      print("Compressed vectors were not read in C: there is no zstd.h (libzstd-dev)")
    }
  }

  @Test(.enabled(if: hasC)) func `the example in C builds, and lists a file`() throws {
    for options in [[], ["-DRVD_NO_MMAP"], ["-x", "c++", "-std=c++11"]] {
      if options.contains("c++") && Self.run(["c++", "--version"]).status != 0 { continue }
      try Self.compiled("examples/c/example.c", options) { program in
        let sound = Self.run([program, vectorFolder.appending(path: "valid/quantized.rvd").path])
        #expect(sound.status == 0 && sound.output.contains("sound, 10 tensors"), "\(sound.output)")
        let damaged = Self.run([
          program, vectorFolder.appending(path: "invalid/tensor-bit.rvd").path,
        ])
        #expect(damaged.status == 1 && damaged.output.contains("tensor b: damaged"))
      }
    }
  }

  /// Runs a reader on all vectors at once, and compares what it prints (see `Tests/Readers`): the condition
  /// by `isRight`, and of a valid file its tensors.
  private static func check(_ command: [String], isRight: (Vector, String) -> Bool) throws {
    let paths = Vector.all.map { vectorFolder.appending(path: $0.file).path }
    let result = run(command + paths)
    var lines = result.output.split(separator: "\n")[...]
    for (vector, path) in zip(Vector.all, paths) {
      let first = lines.popFirst()
      let line = try #require(first, "\(vector.file): \(result.output.suffix(2000))")
      try #require(line.hasPrefix(path + ": "), "\(vector.file): \(line)")
      let condition = String(line.dropFirst(path.count + 2))
      #expect(isRight(vector, condition), "\(vector.file) is \(condition), not \(vector.expected)")
      var tensors: [String] = []
      while let line = lines.first, !line.contains(": ") {
        tensors.append(String(line))
        lines.removeFirst()
      }
      guard vector.expected == "valid", condition == "valid" else { continue }
      let expected = vector.tensors!.map { tensor in
        let name = tensor.name.utf8.map { String(format: "%02x", $0) }.joined()
        let shape = tensor.shape.map(String.init).joined(separator: "x")
        return "\(name) \(tensor.type) \(shape) \(tensor.digest)"
      }
      #expect(tensors == expected, "\(vector.file)")
    }
    #expect(result.status == 0 && lines.isEmpty)
  }

  /// A program in C, compiled without a warning.
  private static func compiled(
    _ source: String, _ options: [String] = [], _ libraries: [String] = [],
    body: (String) throws -> Void
  ) throws {
    let program = FileManager.default.temporaryDirectory
      .appending(path: "repconv-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: program) }
    let standard = options.contains("c++") ? [] : ["-std=c99"]
    let result = run(
      ["cc"] + standard + ["-O1", "-Wall", "-Wextra", "-pedantic"] + options
        + ["\(root)/\(source)", "-o", program] + libraries)
    try #require(result.status == 0 && result.output.isEmpty, "\(result.output)")
    try body(program)
  }

  private static func run(_ command: [String]) -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = command
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    do { try process.run() } catch { return (-1, "\(error)") }
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: output, as: UTF8.self))
  }
}
