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
  /// nil if stderr is no terminal, or one that cannot move its cursor.
  static func forTerminal(counting noun: String? = nil) -> (@Sendable (Int, Int?) -> Void)? {
    guard Terminal.errors.width != nil, !Terminal.isDumb else { return nil }
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
      let width = Terminal.errors.width ?? 80
      Self.draw(
        isDone ? "" : Self.line(state.written, state.total, elapsed, noun, width: width))
    }
  }

  /// `  [#########           ]  46 %  204.1 MB of 443.9 MB  310.2 MB/s  0:01 left`, as much of it as fits, and the
  /// time left only once there is something to tell it by.
  ///
  /// - Parameter width: of the terminal; its last column stays free, where the cursor is.
  static func line(
    _ written: Int, _ total: Int, _ elapsed: Duration, _ noun: String?, width: Int
  ) -> String {
    func amount(_ number: Int) -> String { noun.map { count(number, $0) } ?? size(number) }
    let fraction = min(1, Double(written) / Double(total))
    let rate = Double(written) / max(elapsed.seconds, 1e-3)
    let filled = Int(fraction * 20)
    let bar = String(repeating: "#", count: filled) + String(repeating: " ", count: 20 - filled)
    var parts = ["[\(bar)]", "\(Int(fraction * 100)) %", "\(amount(written)) of \(amount(total))"]
    if elapsed > .seconds(2), written > 0 {
      let left = Int((Double(total - written) / rate).rounded(.up))
      parts += [
        "\(amount(Int(rate)))/s", "\(left / 60):\(left % 60 < 10 ? "0" : "")\(left % 60) left",
      ]
    }
    var line = " "
    for part in parts where line.count + 1 + part.count < width {
      line += " " + part + (part == parts.last ? "" : " ")
    }
    return line
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
