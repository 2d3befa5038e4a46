internal import CThreads
internal import Dispatch
internal import Synchronization

/// How many threads a conversion uses.
public struct Threads: Equatable, Sendable {
  /// From 1 to the number of processors.
  public let count: Int

  /// At least one, at most one for each processor.
  public init(_ count: Int) {
    self.count = max(1, min(count, Threads.processors))
  }

  /// One for each processor.
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
  /// For numbers on their way from a tensor.
  public var workspace = Workspace()
  /// For bytes on their way to a file.
  public var buffer: [UInt8] = []

  public init() {}
}

/// A thread of the system that is running, or has ended and was not joined yet.
private struct RunningThread {
  private let thread: cthread

  private final class Call {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }

  /// Nil if the system has no thread to give.
  init?(_ body: @escaping @Sendable () -> Void) {
    var thread = cthread()
    let call = unsafe Unmanaged.passRetained(Call(body))
    // Safe: a thread that starts takes over the call; of one that does not, it is released here.
    let result = unsafe cthread_start(
      &thread,
      { context in
        let call = unsafe Unmanaged<Call>.fromOpaque(context!).takeRetainedValue()
        call.body()
      }, call.toOpaque())
    guard result == 0 else {
      unsafe call.release()
      return nil
    }
    self.thread = thread
  }

  func join() { cthread_join(thread) }
}

/// Runs `body` on several threads at once, of which the calling one is the first, and returns when all
/// are done.
///
/// There may be fewer threads than asked for, down to the calling one alone, if the system has no more
/// to give. So `body` takes its work from what all share, and waits for another thread at most where that
/// one has begun what it waits for.
///
/// - Parameter body: is told the number of its thread, from 0 on.
public func withThreads(_ count: Int, _ body: @Sendable (_ thread: Int) -> Void) {
  withThreads(count, limit: .max, body)
}

/// - Parameter limit: of threads that the system gives, for tests.
func withThreads(_ count: Int, limit: Int, _ body: @Sendable (_ thread: Int) -> Void) {
  withoutActuallyEscaping(body) { body in
    var others: [RunningThread] = []
    while others.count + 1 < min(count, limit) {
      let number = others.count + 1
      guard let other = RunningThread({ body(number) }) else { break }
      others.append(other)
    }
    body(0)
    for other in others { other.join() }
  }
}

/// Runs `body` once for each of the indices below `count`, several at a time, each thread with its own
/// worker; threads take the next index when they are done with one. An index that is taken is run, so
/// that `body` may wait for lower ones.
///
/// - Throws: of the errors thrown, the one with the lowest index. Others stop as soon as they can.
public func forEachIndex<Failure: Error>(
  below count: Int, threads: Threads,
  _ body: @Sendable (Int, inout Worker) throws(Failure) -> Void
) throws(Failure) {
  let next = Atomic<Int>(0)
  let failure = Mutex<(index: Int, error: Failure)?>(nil)
  withThreads(min(threads.count, count)) { _ in
    var worker = Worker()
    while failure.withLock({ $0 == nil }) {
      let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
      guard index < count else { return }
      do throws(Failure) {
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

/// What `transform` makes of each element, in the order of the elements, several at a time.
///
/// - Parameter size: how much work an element is. Threads take the largest that is left, so that they
///   end at about the same time. Without it they take the elements in their order.
/// - Throws: of the errors thrown, that of the element taken first. Others stop as soon as they can.
public func concurrentMap<Element: Sendable, Result: Sendable, Failure: Error>(
  of elements: [Element], largestFirst size: ((Element) -> Int)? = nil, threads: Threads = .all,
  _ transform: @Sendable (Element, inout Worker) throws(Failure) -> Result
) throws(Failure) -> [Result] {
  var order = Array(elements.indices)
  if let size {
    let sizes = elements.map(size)
    order.sort { (sizes[$1], $0) < (sizes[$0], $1) }
  }
  let results = Mutex([Result?](repeating: nil, count: elements.count))
  try forEachIndex(below: order.count, threads: threads) {
    [order] (position, worker) throws(Failure) in
    let index = order[position]
    let result = try transform(elements[index], &worker)
    results.withLock { $0[index] = result }
  }
  // All are there, or an error was thrown.
  return results.withLock { $0.map { $0! } }
}

/// A value that threads change one after the other, in the order of the numbers that they come with, from
/// 0 on.
///
/// `@unchecked Sendable`: `value` is touched by the one thread whose turn it is, and each turn ends under
/// the lock under which the next one begins.
package final class InTurn<Value>: @unchecked Sendable {
  private var value: Value
  private let turns = Mutex((next: 0, waiting: [Int: DispatchSemaphore]()))

  package init(_ value: sending Value) { self.value = value }

  /// Waits until the turns of all lower numbers are over, and runs `body`. The turn ends with it, also by
  /// an error: who has a number takes its turn, whatever came before.
  package func take<Result, Failure: Error>(
    _ number: Int, _ body: (inout Value) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let semaphore = turns.withLock { turns -> DispatchSemaphore? in
      if turns.next == number { return nil }
      let semaphore = DispatchSemaphore(value: 0)
      turns.waiting[number] = semaphore
      return semaphore
    }
    semaphore?.wait()
    defer {
      turns.withLock { turns in
        turns.next += 1
        return turns.waiting.removeValue(forKey: turns.next)
      }?.signal()
    }
    return try body(&value)
  }

  /// The value when all turns are over.
  package var final: Value { value }
}

/// Objects that are costly to make, each used by one thread at a time and kept for the next.
package final class Pool<Object: Sendable>: Sendable {
  private let make: @Sendable () -> Object
  private let idle = Mutex<[Object]>([])

  package init(_ make: @escaping @Sendable () -> Object) { self.make = make }

  package func withObject<Result, Failure: Error>(
    _ body: (Object) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let object = idle.withLock { $0.popLast() } ?? make()
    defer { idle.withLock { $0.append(object) } }
    return try body(object)
  }
}
