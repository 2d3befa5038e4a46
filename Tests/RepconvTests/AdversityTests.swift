import Foundation
import TestSupport
import Testing

/// Whether a command of the system can be had: as one that asks for a right.
private func works(_ command: String...) -> Bool {
  let process = Process()
  process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
  process.arguments = command
  process.standardOutput = FileHandle.nullDevice
  process.standardError = FileHandle.nullDevice
  guard (try? process.run()) != nil else { return false }
  process.waitUntilExit()
  return process.terminationReason == .exit && process.terminationStatus == 0
}

private let isLinux: Bool = {
  #if os(Linux)
    true
  #else
    false
  #endif
}()

/// What the system may deny: threads, descriptors, memory, room. The answer is fewer threads, or an error with
/// status 2 that says which limit it was; nothing is left, and what was there before still is.
@Suite(.enabled(if: isLinux)) struct LimitTests {
  let folder: TemporaryFolder
  static let train = Fixtures.path("PyTorch/se-train.pth")
  let train = Self.train
  init() throws {
    folder = try TemporaryFolder()
    #expect(try Program.run(["fuse", "-q", train, "a.rvd"], in: folder.path).status == 0)
  }

  func run(_ arguments: [String], under shell: String) throws -> Program.Result {
    try Program.run(arguments, in: folder.path, under: "\(shell); exec timeout 120")
  }

  /// Of one user there may be a single thread: this program's own.
  @Test(
    .enabled(
      if: works(
        "prlimit", "--nproc=1", "setpriv", "--reuid=65534", "--clear-groups", Program.path,
        "--version")),
    arguments: [
      ["inspect", "a.rvd"], ["check", "a.rvd"], ["fuse", "IN", "b.rvd"],
      ["fuse", "IN", "b.rvd", "--compress"], ["fuse", "IN", "b.onnx", "--verify"],
      ["import", "IN", "-o", "b.pth"], ["verify", "IN", "a.rvd", "--size", "32"],
      ["export", "a.rvd", "b.safetensors"], ["digest", "a.rvd"],
    ])
  func `where there is no other thread the calling one does it all`(arguments: [String]) throws {
    let input = folder.file("in.pth")
    try FileManager.default.copyItem(atPath: train, toPath: input)
    try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: folder.path)
    let arguments = arguments.map { $0 == "IN" ? "in.pth" : $0 }
    let result = try Program.run(
      arguments, in: folder.path,
      under: "exec timeout 120 prlimit --nproc=1 setpriv --reuid=65534 --clear-groups")
    #expect(result.status == 0 && result.errors == "")
    let made = try folder.names().filter { $0.hasPrefix("b.") }
    for name in made {
      let bytes = try folder.read(name)
      try FileManager.default.removeItem(atPath: folder.file(name))
      let again = try Program.run(arguments, in: folder.path)
      #expect(again.status == 0 && again.output == result.output)
      #expect(try folder.read(name) == bytes)
    }
  }

  @Test(
    arguments: [
      ["fuse", train, "b.rvd"], ["fuse", train, "b.onnx", "--verify"], ["check", "a.rvd"],
      ["fuse", train, "b.rvd", "--compress"], ["import", train, "-o", "b.pth"],
      ["verify", train, "a.rvd", "--algebra-only"],
    ], 4...8)
  func `too few descriptors are an error that says so`(arguments: [String], limit: Int) throws {
    let result = try run(arguments, under: "ulimit -n \(limit)")
    let names = try folder.names()
    if result.status == 0 {
      #expect(limit > 4 || arguments[0] == "check")
      #expect(names.count == (arguments.contains { $0.hasPrefix("b.") } ? 2 : 1))
    } else {
      #expect(result.status == 2 && result.signal == nil)
      #expect(result.errors.contains("too many open files.\n  "))
      #expect(result.errors.contains("limit of open files (ulimit -n)"))
      #expect(names == ["a.rvd"])
    }
  }

  @Test(arguments: [
    "b.rvd", "b.pth", "b.safetensors", "b.npz", "b.h5", "b.wts", "b.pkl", "b.onnx", "b.param",
    "b.mlpackage",
  ])
  func `a file that may not grow is an error, and leaves nothing`(name: String) throws {
    let result = try run(["fuse", train, name], under: "ulimit -f 8")
    #expect(result.status == 2 && result.signal == nil)
    #expect(result.errors.contains(" failed: file too large.\n  "))
    #expect(result.errors.contains("(ulimit -f)"))
    #expect(try folder.names() == ["a.rvd"])
  }

  @Test func `what cannot be replaced stays`() throws {
    let before = try folder.read("a.rvd")
    let result = try run(["fuse", train, "a.rvd", "--force"], under: "ulimit -f 8")
    #expect(result.status == 2)
    #expect(try folder.names() == ["a.rvd"] && folder.read("a.rvd") == before)
  }

  /// The least address space, in MB, in which the program does anything at all.
  func leastMemory() throws -> Int {
    try #require(
      try (2...40).map { 10 * $0 }.first {
        try run(["inspect", "a.rvd"], under: "ulimit -v \($0 << 10)").status == 0
      })
  }

  @Test(.disabled(if: isSanitized, "sanitizers take terabytes of addresses"))
  func `too little memory is an error that says so`() throws {
    let least = try leastMemory()
    var statuses: [Int32] = []
    for more in [0, 20, 60, 100, 140, 180, 260] {
      for arguments in [
        ["verify", train, "a.rvd", "--size", "32"], ["fuse", train, "b.rvd", "--force"],
      ] {
        let result = try run(arguments, under: "ulimit -v \((least + more) << 10)")
        statuses.append(result.status)
        guard result.status != 0 else { continue }
        #expect(result.status == 2 && result.signal == nil, "\(arguments) \(least) + \(more)")
        #expect(result.errors.contains("not enough memory: "))
      }
    }
    #expect(statuses.contains(0))
  }

  @Test(.disabled(if: isSanitized, "sanitizers take terabytes of addresses"))
  func `images that do not fit into memory are an error`() throws {
    let sizes = [1, 3, 2400, 2400]
    var header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 2400, 2400), }"
    header += String(repeating: " ", count: 117 - header.utf8.count) + "\n"
    try folder.write(
      [0x93] + Array("NUMPY".utf8) + [1, 0, 118, 0] + Array(header.utf8), to: "images.npy")
    let path = folder.file("images.npy")
    // Zeros that take no room on the disk.
    try FileHandle(forWritingTo: URL(fileURLWithPath: path)).truncate(
      atOffset: UInt64(128 + 4 * sizes.reduce(1, *)))
    let result = try run(
      ["run", "a.rvd", "images.npy"], under: "ulimit -v \((try leastMemory() + 40) << 10)")
    #expect(result.status == 2 && result.signal == nil)
    #expect(result.errors.contains("not enough memory: "))
    #expect(result.errors.contains("(ulimit -v)"))
  }

  @Test(.enabled(if: works("unshare", "-m", "sh", "-c", "mount -t tmpfs none /tmp")))
  func `a full disk is an error, and leaves nothing`() throws {
    try FileManager.default.createDirectory(
      atPath: folder.file("disk"), withIntermediateDirectories: true)
    for name in ["b.rvd", "b.pth", "b.wts", "b.h5", "b.mlpackage"] {
      let result = try Program.run(
        ["fuse", train, "disk/\(name)"], in: folder.path,
        under: "exec unshare -m sh -c 'mount -t tmpfs -o size=16k none disk || exit 99; "
          + "\"$@\"; status=$?; ls -A disk; exit $status' --")
      #expect(result.status == 2 && result.output == "", "\(name)")
      #expect(result.errors.contains("no space left on device.\n"))
    }
  }

  @Test(arguments: ["/proc/b.rvd", "/proc/b.mlpackage", "/proc/self/b.pth"])
  func `a folder that takes no files is an error`(path: String) throws {
    let result = try Program.run(["fuse", train, path], in: folder.path)
    #expect(result.status == 2)
    #expect(result.errors.hasPrefix("repconv: error: \(path): creating it failed: "))
  }
}

/// What happens to a run while it goes on: signals, other runs, changes of its input.
@Suite(.enabled(if: isLinux)) struct InterruptionTests {
  /// A `.safetensors` file of blocks of RepVGG, large enough that a run takes a while; all numbers are 0.5.
  private static func checkpoint(blocks: Int, channels: Int) -> [UInt8] {
    var tensors: [(name: String, shape: [Int])] = []
    for block in 0..<blocks {
      for (branch, size) in [("rbr_dense", 3), ("rbr_1x1", 1)] {
        let path = "layers.\(block).\(branch)"
        tensors.append(("\(path).conv.weight", [channels, channels, size, size]))
        for part in ["weight", "bias", "running_mean", "running_var"] {
          tensors.append(("\(path).bn.\(part)", [channels]))
        }
      }
    }
    var end = 0
    let entries = tensors.map { name, shape in
      let start = end
      end += 4 * shape.reduce(1, *)
      return #""\#(name)":{"dtype":"F32","shape":\#(shape),"data_offsets":[\#(start),\#(end)]}"#
    }
    let text = "{\(entries.joined(separator: ","))}"
    let header = Array((text + String(repeating: " ", count: (8 - text.utf8.count % 8) % 8)).utf8)
    let length = (0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) }
    let half: [UInt8] = [0, 0, 0, 0x3F]
    return length + header + (0..<end).map { half[$0 % 4] }
  }

  static let checkpoint = checkpoint(blocks: 6, channels: 192)
  /// What a run makes of it, and the seconds that takes.
  static let undisturbed: (output: [UInt8], seconds: Double) = {
    let folder = try! TemporaryFolder()
    try! folder.write(checkpoint, to: "in.safetensors")
    let start = Date()
    let result = try! Program.run(["fuse", "-q", "in.safetensors", "out.rvd"], in: folder.path)
    precondition(result.status == 0, result.errors)
    return (try! folder.read("out.rvd"), Date().timeIntervalSince(start))
  }()

  let folder: TemporaryFolder
  let old = Array("old".utf8)

  init() throws {
    folder = try TemporaryFolder()
    try folder.write(Self.checkpoint, to: "in.safetensors")
    try folder.write(old, to: "out.rvd")
  }

  func start(_ more: String...) throws -> Program.Running {
    try Program.start(["fuse", "-q", "in.safetensors", "out.rvd"] + more, in: folder.path)
  }

  /// Waits for a part of what a run takes.
  func pass(_ part: Double) { usleep(UInt32(part * Self.undisturbed.seconds * 1e6)) }

  @Test(arguments: [SIGINT, SIGTERM, SIGHUP, SIGKILL])
  func `whenever a signal ends it, the target is the old or the new file`(signal: Int32) throws {
    var generator = SeededGenerator(seed: UInt64(signal))
    for _ in 0..<4 {
      let run = try start("--force")
      pass(Double.random(in: 0..<1.1, using: &generator))
      run.send(signal)
      let result = try run.wait()
      #expect(result.signal == signal || result.signal == nil && result.status == 0)
      let found = try folder.read("out.rvd")
      #expect(found == old || found == Self.undisturbed.output)
      #expect(result.signal != nil || found == Self.undisturbed.output)
      // Where files have to have names, nobody is left to remove one after SIGKILL but the next run.
      let names = try folder.names().filter { signal != SIGKILL || !$0.hasSuffix(".partial") }
      #expect(names == ["in.safetensors", "out.rvd"])
      try folder.write(old, to: "out.rvd")
    }
    #expect(try start("--force").wait().status == 0)
    #expect(try folder.names() == ["in.safetensors", "out.rvd"])
    #expect(try folder.read("out.rvd") == Self.undisturbed.output)
  }

  @Test(arguments: [0.2, 0.5, 0.8])
  func `an input that is cut short meanwhile is an error, or was read before`(part: Double) throws {
    let run = try start("--force")
    pass(part)
    try FileHandle(forWritingTo: URL(fileURLWithPath: folder.file("in.safetensors")))
      .truncate(atOffset: 1000)
    let result = try run.wait()
    let found = try folder.read("out.rvd")
    if result.status == 0 {
      #expect(found == Self.undisturbed.output)
    } else {
      #expect(result.signal == nil && (result.status == 1 || result.status == 2))
      #expect(result.errors.hasPrefix("repconv: error: in.safetensors") && found == old)
    }
    #expect(try folder.names() == ["in.safetensors", "out.rvd"])
  }

  @Test(arguments: [0.2, 0.5, 0.8])
  func `an input that is replaced meanwhile is read to its end`(part: Double) throws {
    let run = try start("--force")
    pass(part)
    try folder.write(old, to: "other")
    #expect(unsafe rename(folder.file("other"), folder.file("in.safetensors")) == 0)
    let result = try run.wait()
    // Before it was opened it was no checkpoint any more.
    #expect(result.status == 0 || part < 0.5 && result.status == 2)
    #expect(try folder.read("out.rvd") == (result.status == 0 ? Self.undisturbed.output : old))
  }

  @Test func `of runs that write one file at a time one wins`() throws {
    try FileManager.default.removeItem(atPath: folder.file("out.rvd"))
    let results = try (0..<3).map { _ in try start() }.map { try $0.wait() }
    #expect(results.map(\.status).sorted() == [0, 2, 2])
    for result in results where result.status == 2 {
      #expect(result.errors.contains("out.rvd: the file exists.\n"))
    }
    #expect(try folder.read("out.rvd") == Self.undisturbed.output)
    #expect(
      try (0..<3).map { _ in try start("--force") }.map { try $0.wait().status } == [0, 0, 0])
    #expect(try folder.read("out.rvd") == Self.undisturbed.output)
    #expect(try folder.names() == ["in.safetensors", "out.rvd"])
  }

  @Test(arguments: ["in.safetensors", "./in.safetensors", "hard", "soft"])
  func `an output that would be the input is refused`(name: String) throws {
    #expect(unsafe link(folder.file("in.safetensors"), folder.file("hard")) == 0)
    #expect(unsafe symlink("in.safetensors", folder.file("soft")) == 0)
    let result = try Program.run(
      ["fuse", "in.safetensors", name, "--to", "safetensors", "--force"], in: folder.path)
    #expect(result.status == 2 && result.errors.contains("the output would be the input"))
    #expect(try folder.read("in.safetensors") == Self.checkpoint)
  }

  @Test(arguments: [["inspect", "--all"], ["fuse", "--to", "rvd"], ["inspect", "--json"]])
  func `a pipe that is closed ends it, or is an error`(arguments: [String]) throws {
    let arguments =
      [arguments[0], "in.safetensors"] + (arguments[0] == "fuse" ? ["-"] : [])
      + arguments.dropFirst()
    for (trap, expected) in [("", ["141\n", "2\n"]), ("trap '' PIPE; ", ["2\n"])] {
      // When the program begins, nobody is left to read.
      let shell =
        "\(trap)status() { sleep 1; \"$@\"; echo $? >status; }; run() { status \"$@\" | :; }; run"
      let result = try Program.run(arguments, in: folder.path, under: shell)
      let status = String(decoding: try folder.read("status"), as: UTF8.self)
      #expect(expected.contains(status))
      if status == "2\n" {
        #expect(result.errors.contains("standard output") && result.errors.contains("broken pipe"))
      }
    }
  }
}
