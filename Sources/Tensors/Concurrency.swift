internal import Dispatch
internal import Synchronization

/// How many threads a conversion uses.
public struct Threads: Equatable, Sendable {
  public let count: Int

  /// At least one, at most one for each processor.
  public init(_ count: Int) {
    self.count = max(1, min(count, Threads.processors))
  }

  public static let all = Threads(.max)

  private static var processors: Int { Int(max(1, sysconf(CInt(_SC_NPROCESSORS_ONLN)))) }
}

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// Memory that one thread keeps from one tensor to the next.
public struct Worker {
  public var workspace = Workspace()
  public var buffer: [UInt8] = []

  public init() {}
}

/// Runs `body` once for each of the indices below `count`, several at a time, each thread with its own
/// worker; threads take the next index when they are done with one.
///
/// - Throws: of the errors thrown, the one with the lowest index. Others stop as soon as they can.
public func forEachIndex(
  below count: Int, threads: Threads,
  _ body: @Sendable (Int, inout Worker) throws -> Void
) throws {
  let next = Atomic<Int>(0)
  let failure = Mutex<(index: Int, error: any Error)?>(nil)
  DispatchQueue.concurrentPerform(iterations: max(1, min(threads.count, count))) { _ in
    var worker = Worker()
    while true {
      let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
      guard index < count, failure.withLock({ $0 == nil }) else { return }
      do {
        try body(index, &worker)
      } catch {
        failure.withLock { failure in
          if failure == nil || failure!.index > index { failure = (index, error) }
        }
      }
    }
  }
  if let failure = failure.withLock({ $0 }) { throw failure.error }
}
