import Tensors
import Testing

@Suite struct PrintableTests {
  @Test func `what moves the cursor is spelled out, the rest stays`() {
    #expect(printable("a\u{1B}[2Jé\u{202E}b") == "a\\u{1b}[2Jé\\u{202e}b")
  }

  @Test(.timeLimit(.minutes(1)))
  func `long text takes time in proportion`() {
    let end = String(repeating: "\\u{1}", count: 20)
    #expect(printable(String(repeating: "\u{1}", count: 1_000_000)) == "\(end)...\(end)")
  }
}
