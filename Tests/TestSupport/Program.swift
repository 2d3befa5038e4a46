import Foundation

/// The built `repconv`, run as a user would; and the other programs that are built with it.
public enum Program {
  public struct Result: Sendable {
    public var status: Int32
    /// The number of the signal that ended it; nil if it ended by itself.
    public var signal: Int32?
    public var output: String
    public var errors: String
  }

  public static let path = path(of: "repconv")

  /// Beside the test bundle, where SwiftPM puts every product.
  public static func path(of name: String) -> String {
    #if os(macOS)
      let bundle = Bundle.allBundles.first { $0.bundlePath.hasSuffix(".xctest") }!.bundleURL
    #else
      let bundle = URL(fileURLWithPath: CommandLine.arguments[0])
    #endif
    return bundle.deletingLastPathComponent().appendingPathComponent(name).path
  }

  /// - Parameters:
  ///   - folder: the current folder of the program.
  ///   - environment: variables that it has beside those of the tests.
  ///   - program: another program to run instead.
  ///   - shell: what a shell does first; its last words are to run the arguments that follow: `ulimit -n 4; exec`.
  public static func run(
    _ arguments: [String], in folder: String, environment: [String: String] = [:],
    program: String = path, under shell: String? = nil
  ) throws -> Result {
    try start(arguments, in: folder, environment: environment, program: program, under: shell)
      .wait()
  }

  /// What a run took.
  public struct Usage: Sendable {
    /// Of the processor, whatever else the machine did meanwhile.
    public var seconds: Double
    /// The most bytes that were in memory at a time.
    public var peakMemory: Int
  }

  /// Runs the program and measures it.
  public static func measure(
    _ arguments: [String], in folder: String
  ) throws -> (result: Result, usage: Usage) {
    let log = try TemporaryFolder()
    let result = try run(
      [log.file("usage"), path] + arguments, in: folder, program: path(of: "run-measured"))
    let numbers = String(decoding: try log.read("usage"), as: UTF8.self).split { !$0.isNumber }
    guard numbers.count == 2, let microseconds = Double(numbers[0]), let peak = Int(numbers[1])
    else { throw CocoaError(.fileReadCorruptFile) }
    return (result, Usage(seconds: microseconds / 1e6, peakMemory: peak))
  }

  /// Begins a run, which goes on meanwhile.
  public static func start(
    _ arguments: [String], in folder: String, environment: [String: String] = [:],
    program: String = path, under shell: String? = nil
  ) throws -> Running {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: shell == nil ? program : "/bin/sh")
    process.arguments = (shell.map { ["-c", $0 + " \"$0\" \"$@\"", program] } ?? []) + arguments
    process.currentDirectoryURL = URL(fileURLWithPath: folder)
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    // Files rather than pipes: no output is too long for them.
    let log = try TemporaryFolder()
    func handle(_ name: String) throws -> FileHandle {
      try log.write([], to: name)
      return try FileHandle(forWritingTo: URL(fileURLWithPath: log.file(name)))
    }
    process.standardOutput = try handle("out")
    process.standardError = try handle("err")
    process.standardInput = FileHandle.nullDevice
    try process.run()
    return Running(process: process, log: log)
  }

  /// A run that has not been waited for.
  public struct Running {
    let process: Process
    let log: TemporaryFolder

    /// Sends it a signal.
    public func send(_ signal: Int32) { kill(process.processIdentifier, signal) }

    public func wait() throws -> Result {
      process.waitUntilExit()
      func text(_ name: String) throws -> String {
        String(decoding: try log.read(name), as: UTF8.self)
      }
      return Result(
        status: process.terminationStatus,
        signal: process.terminationReason == .uncaughtSignal ? process.terminationStatus : nil,
        output: try text("out"), errors: try text("err"))
    }
  }
}
