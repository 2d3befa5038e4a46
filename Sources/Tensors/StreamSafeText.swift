/// Whether a text has no more than 30 combining marks in a row: the Stream-Safe Text Format of Unicode
/// Standard Annex 15, section 12.
///
/// Swift compares and hashes text by its canonical form, for which marks in a row are sorted, in a time
/// that grows with the square of their number. No language has more than a few.
package func isStreamSafe(_ text: String) -> Bool {
  if text.utf8.allSatisfy({ $0 < 0x80 }) { return true }
  var marks = 0
  for scalar in text.unicodeScalars {
    marks = scalar.properties.canonicalCombiningClass == .notReordered ? 0 : marks + 1
    if marks > 30 { return false }
  }
  return true
}

/// What is wrong with the name of a tensor or a module; nil if nothing is.
package func fault(ofName name: String, in source: any ByteSource) -> ReadError? {
  let limit = source.limits[.nameLength]
  if name.utf8.count > limit { return source.exceeded(.nameLength, found: "\(name.utf8.count)") }
  if isStreamSafe(name) { return nil }
  return .malformed(
    source.location, expected: "names without more than 30 combining marks in a row",
    found: "a name of \(name.utf8.count) bytes with more", remedy: fetchAgain)
}
