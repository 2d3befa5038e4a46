import Foundation
import TestSupport
import Testing

/// What SECURITY.md promises of memory and time, held against the worst that could be thought of.
///
/// What counts is the processor's time and the memory of the program alone, so that it does not matter what
/// else the machine does.
@Suite(.serialized) struct GrowthTests {
  /// Bytes beyond those that the program takes for a file of some bytes.
  static let memory = 64 << 20
  /// Likewise, for each byte of a file.
  static let memoryPerByte = 256
  /// Of the long file's time to the short one's: 8 if they are as their lengths, 64 as the squares of them.
  static let time = 24.0
  /// Seconds below which nothing can be said of a long file's time.
  static let leastTime = 1.0

  static let idle: Program.Usage = {
    let folder = try! TemporaryFolder()
    let path = try! folder.write(safetensors(["a"]), to: "small")
    return try! Program.measure(["check", path], in: folder.path).usage
  }()

  @Test(
    arguments: Growth.pickles + Growth.names + Growth.patterns + Growth.texts + Growth.archives
      + Growth.models + Growth.trees)
  func `what a file takes grows no faster than it`(_ growth: Growth) throws {
    let folder = try TemporaryFolder()
    try folder.write(Growth.hardNames, to: "named")
    func usage(_ command: [String], _ name: String, _ bytes: [UInt8]) throws -> Program.Usage {
      let arguments = command.map { word in
        switch word {
        case "FILE": folder.file(name)
        case "NAMED": folder.file("named")
        case "PATTERN": String(decoding: bytes, as: UTF8.self)
        default: word
        }
      }
      let (result, usage) = try Program.measure(arguments, in: folder.path)
      #expect([0, 1, 2].contains(result.status), "\(command): \(result)")
      return usage
    }
    let (short, long) = (growth.bytes(growth.units), growth.bytes(Growth.factor * growth.units))
    try folder.write(short, to: "short")
    try folder.write(long, to: "long")
    for command in growth.commands {
      let first = try usage(command, "long", long)
      guard !isSanitized else { continue }
      let memory = first.peakMemory - Self.idle.peakMemory
      #expect(
        memory <= Self.memory + Self.memoryPerByte * long.count,
        "\(command) takes \(memory) bytes of memory for \(long.count)")
      guard first.seconds - Self.idle.seconds > Self.leastTime else { continue }
      // The best of two: what else the machine does costs some of the processor's time, too.
      func seconds(_ name: String, _ bytes: [UInt8]) throws -> Double {
        try (0..<2).map { _ in try usage(command, name, bytes).seconds }.min()! - Self.idle.seconds
      }
      let times = (short: try seconds("short", short), long: try seconds("long", long))
      #expect(
        times.long < max(Self.leastTime, Self.time * times.short),
        "\(command) takes \(times.short) s, and \(times.long) s for \(Growth.factor) times as much")
    }
  }
}
