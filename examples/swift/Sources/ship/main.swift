// Fuses a training checkpoint, proves that the result is the same network, and says who it is: what a tool that ships
// models would do.

import Conversion
import Foundation

guard CommandLine.arguments.count == 3 else {
  print("usage: ship CHECKPOINT DEPLOY.rvd")
  exit(64)
}
let (checkpoint, deploy) = (CommandLine.arguments[1], CommandLine.arguments[2])

do {
  var options = FuseOptions()
  options.reading.isStrict = true  // a pickle that would run code is an error
  options.writing.replace = true
  let fused = try fuse(checkpoint, to: deploy, options: options)
  let proof = try verify(checkpoint, deploy)

  print("network     \(fused.source.architecture ?? "unknown")")
  print("parameters  \(fused.trainParameters) before, \(fused.deployParameters) after")
  print("bytes       \(fused.output.byteCount ?? 0)")
  print("digest      \(fused.output.contentDigest ?? "")")
  print("proof       \(proof.holds ? "the same network" : "NOT the same network")")
  exit(proof.holds ? EXIT_SUCCESS : EXIT_FAILURE)
} catch {
  print("ship: \(error)")
  exit(2)
}
