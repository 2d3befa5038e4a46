internal import Dispatch
internal import Synchronization
internal import Tensors

/// The threads that a network runs on, each with memory of its own, and the memory that layers reuse.
///
/// Layers are cut into tasks by their shapes alone, not by the number of threads; so results do not
/// depend on it, to the bit.
final class WorkerPool<Number: NetworkNumber> {
  private let threads: Threads
  private var memory: [NumberBuffer<Number>]
  private var spares: [NumberBuffer<Number>] = []

  init(_ threads: Threads) {
    self.threads = threads
    memory = (0..<threads.count).map { _ in NumberBuffer(0) }
  }

  /// Runs `body` once for each of the indices below `count`, several at a time, each time with room for
  /// `size` numbers that no other thread uses.
  func forEachTask(
    below count: Int, needing size: Int = 0,
    _ body: @Sendable (_ index: Int, _ memory: UnsafeMutablePointer<Number>) -> Void
  ) {
    for thread in memory.indices where memory[thread].capacity < size {
      memory[thread] = NumberBuffer(size)
    }
    let memory = memory
    let workers = min(threads.count, count)
    guard workers > 1 else {
      for index in 0..<count { unsafe body(index, memory[0].start) }
      return
    }
    let next = Atomic<Int>(0)
    DispatchQueue.concurrentPerform(iterations: workers) { thread in
      while true {
        let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
        guard index < count else { return }
        unsafe body(index, memory[thread].start)
      }
    }
  }

  /// A map of this size, whose numbers are not defined.
  func map(channels: Int, images: Int, height: Int, width: Int) -> FeatureMap<Number> {
    let size = channels * images * height * width
    let index = spares.indices.filter { spares[$0].capacity >= size }
      .min { spares[$0].capacity < spares[$1].capacity }
    return FeatureMap(
      channels: channels, images: images, height: height, width: width,
      buffer: index.map { spares.remove(at: $0) } ?? NumberBuffer(size))
  }

  /// Takes back the memory of a map that is not needed any more.
  func reuse(_ map: FeatureMap<Number>) {
    spares.append(map.buffer)
    // A layer needs one map beside its input; the smallest of more would only take room.
    if spares.count > 2 {
      spares.remove(at: spares.indices.min { spares[$0].capacity < spares[$1].capacity }!)
    }
  }
}
