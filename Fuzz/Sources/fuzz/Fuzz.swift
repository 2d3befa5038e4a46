import CLibFuzzer
import Foundation
import FuzzTargets

// usage:
//   fuzz targets                                  prints the names of all targets
//   FUZZ_TARGET=NAME fuzz seeds FOLDER            writes what NAME starts from
//   FUZZ_TARGET=NAME fuzz [ARGUMENTS OF LIBFUZZER]
// The target is no argument, for libFuzzer starts itself again with those it was given.

private let target = FuzzTarget.all.first {
  $0.name == ProcessInfo.processInfo.environment["FUZZ_TARGET"]
}

/// In memory where there is such a folder: a file is written for every input.
private let scratch =
  (FileManager.default.fileExists(atPath: "/dev/shm") ? "/dev/shm/" : NSTemporaryDirectory())
  + "fuzz-\(ProcessInfo.processInfo.processIdentifier)"

/// SwiftPM gives the main function of an executable target this name.
@_cdecl("fuzz_main")
public func main(
  _ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> CInt {
  let words = CommandLine.arguments.dropFirst()
  if words == ["targets"] {
    for target in FuzzTarget.all { print(target.name) }
    return 0
  }
  guard let chosen = target else {
    fatalError("FUZZ_TARGET is none of \(FuzzTarget.all.map(\.name).joined(separator: ", "))")
  }
  if words.first == "seeds", let folder = words.dropFirst().first {
    writeSeeds(of: chosen, to: folder)
    return 0
  }
  // It ends the program itself after some findings.
  atexit { unlink(scratch) }
  var (count, arguments) = (count, arguments)
  return LLVMFuzzerRunDriver(&count, &arguments, run)
}

private func writeSeeds(of target: FuzzTarget, to folder: String) {
  do {
    for (index, seed) in try target.seeds().enumerated() {
      try Data(seed).write(to: URL(filePath: "\(folder)/\(index)"))
    }
  } catch {
    fatalError("\(error)")
  }
}

@_cdecl("LLVMFuzzerTestOneInput")
public func run(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  target!.run(Array(UnsafeBufferPointer(start: bytes, count: count)), scratch: scratch)
  return 0
}

@_cdecl("LLVMFuzzerCustomMutator")
public func mutate(
  _ bytes: UnsafeMutablePointer<UInt8>, _ count: Int, _ capacity: Int, _ seed: CUnsignedInt
) -> Int {
  var mutator = Mutator(seed: UInt64(seed)) { part in
    var buffer = part.prefix(capacity) + [UInt8](repeating: 0, count: max(0, capacity - part.count))
    let result = buffer.withUnsafeMutableBufferPointer {
      LLVMFuzzerMutate($0.baseAddress, min(part.count, capacity), capacity)
    }
    return Array(buffer.prefix(result))
  }
  let input = Array(UnsafeBufferPointer(start: bytes, count: count))
  let output = target!.mutated(input, by: &mutator, capacity: capacity)
  for (index, byte) in output.enumerated() { bytes[index] = byte }
  return output.count
}
