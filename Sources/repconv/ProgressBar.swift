import Conversion
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// How far writing or counting has come, on the terminal behind stderr, for what takes longer than half a
/// second.
final class ProgressBar: Sendable {
  private struct State {
    var start = ContinuousClock.now
    var drawn: ContinuousClock.Instant?
    var written = 0
    var total = 0
  }
  private let state = Mutex(State())
  /// Whether a bar stands on the terminal.
  private static let isDrawn = Atomic(false)
  /// What is counted; nil for bytes.
  private let noun: String?

  private init(_ noun: String?) { self.noun = noun }

  /// What to call with the bytes written since the last call, or with how many more of `noun` are done;
  /// nil if stderr is no terminal.
  static func forTerminal(counting noun: String? = nil) -> (@Sendable (Int, Int?) -> Void)? {
    guard isatty(STDERR_FILENO) == 1 else { return nil }
    let bar = ProgressBar(noun)
    return { bar.advance($0, total: $1) }
  }

  private func advance(_ bytes: Int, total: Int?) {
    state.withLock { state in
      state.written += bytes
      if let total { state.total = total }
      let now = ContinuousClock.now
      let elapsed = now - state.start
      guard elapsed > .milliseconds(500), state.total > 0 else { return }
      let isDone = state.written >= state.total
      guard isDone || state.drawn.map({ now - $0 > .milliseconds(100) }) ?? true else { return }
      state.drawn = now
      Self.draw(isDone ? "" : Self.line(state.written, state.total, elapsed, noun))
    }
  }

  /// `  [#########           ]  46 %  204.1 MB of 443.9 MB  310.2 MB/s  0:01 left`
  static func line(_ written: Int, _ total: Int, _ elapsed: Duration, _ noun: String?) -> String {
    func amount(_ number: Int) -> String { noun.map { count(number, $0) } ?? size(number) }
    let fraction = min(1, Double(written) / Double(total))
    let seconds =
      Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) * 1e-18
    let rate = Double(written) / max(seconds, 1e-3)
    let left = rate > 0 ? Int((Double(total - written) / rate).rounded(.up)) : 0
    let filled = Int(fraction * 20)
    let bar = String(repeating: "#", count: filled) + String(repeating: " ", count: 20 - filled)
    let rest = "\(left / 60):\(left % 60 < 10 ? "0" : "")\(left % 60)"
    return
      "  [\(bar)] \(Int(fraction * 100)) %  \(amount(written)) of \(amount(total))  \(amount(Int(rate)))/s  \(rest) left"
  }

  /// Makes room for other text, if a bar stands there.
  static func clear() {
    if isDrawn.load(ordering: .relaxed) { draw("") }
  }

  /// Replaces the line the cursor stands in.
  private static func draw(_ text: String) {
    isDrawn.store(!text.isEmpty, ordering: .relaxed)
    var text = "\r\u{1B}[K" + text
    // Safe: `write` reads exactly the bytes given.
    text.withUTF8 { bytes in _ = unsafe write(STDERR_FILENO, bytes.baseAddress, bytes.count) }
  }
}
