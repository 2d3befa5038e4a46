/// How much of what people call JSON a reader takes.
package enum JSONForm: Sendable {
  /// Canonical JSON (RFC 8785, "JCS"), and nothing else: byte for byte what `JSONValue.canonical`
  /// would write.
  case canonical
  /// JSON (RFC 8259): no comments, no trailing commas, no byte order mark, no control characters in
  /// strings, no halves of surrogate pairs, no numbers beyond a double.
  case standard
  /// As `standard`, but with the `NaN`, `Infinity` and `-Infinity` that Python writes.
  case python
}
