import Foundation

/// The folder of the test vectors, beside the specification.
let vectorFolder = URL(filePath: #filePath).deletingLastPathComponent()
  .appending(path: "../../formats/vectors").standardized
