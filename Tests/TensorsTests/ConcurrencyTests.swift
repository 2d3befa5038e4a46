import Foundation
import Synchronization
import Testing

@testable import Tensors

@Suite struct ConcurrencyTests {
  struct Failure: Error, Equatable { var index: Int }

  @Test(arguments: [1, 2, 7])
  func `every thread has its number, the first is the caller's`(count: Int) {
    let thread = Thread.current
    let caller = ObjectIdentifier(thread)
    let isCaller = Mutex<[Int: Bool]>([:])
    withThreads(count) { number in
      isCaller.withLock { $0[number] = ObjectIdentifier(Thread.current) == caller }
    }
    withExtendedLifetime(thread) {}
    let found = isCaller.withLock { $0 }
    #expect(found == Dictionary(uniqueKeysWithValues: (0..<count).map { ($0, $0 == 0) }))
  }

  @Test func `threads run side by side`() {
    // Each waits for the other, so this ends only if there are two.
    let arrived = Atomic<Int>(0)
    withThreads(2) { _ in
      arrived.wrappingAdd(1, ordering: .relaxed)
      while arrived.load(ordering: .relaxed) < 2 {}
    }
    #expect(arrived.load(ordering: .relaxed) == 2)
  }

  @Test(arguments: [0, 1, 2, 3])
  func `where threads cannot be had, fewer do the work`(limit: Int) {
    let numbers = Mutex<[Int]>([])
    withThreads(4, limit: limit) { number in numbers.withLock { $0.append(number) } }
    #expect(numbers.withLock { $0.sorted() } == Array(0..<max(1, limit)))
  }

  @Test(arguments: [0, 1, 2, 100], [1, 2])
  func `results come in the order of the elements`(count: Int, threads: Int) {
    let elements = (0..<count).map { ($0 &* 37) % 101 }
    let results = concurrentMap(
      of: elements, largestFirst: \.self, threads: Threads(threads)
    ) { element, _ in element * element }
    #expect(results == elements.map { $0 * $0 })
  }

  @Test func `the largest element is taken first, of equal ones the first`() {
    let taken = Mutex<[String]>([])
    _ = concurrentMap(
      of: ["b", "ccc", "a", "dd", "eee"], largestFirst: \.count, threads: Threads(1)
    ) { element, _ in taken.withLock { $0.append(element) } }
    #expect(taken.withLock { $0 } == ["ccc", "eee", "dd", "b", "a"])
  }

  @Test func `a thread keeps its memory from one element to the next`() {
    let counts = concurrentMap(of: [1, 2, 3], threads: Threads(1)) { element, worker in
      worker.buffer.append(0)
      return worker.buffer.count
    }
    #expect(counts == [1, 2, 3])
  }

  @Test(arguments: [1, 2])
  func `the error of the element that is taken first is thrown`(threads: Int) {
    let last = Mutex(0)
    #expect(throws: Failure(index: 3)) {
      try concurrentMap(of: Array(0..<100_000), threads: Threads(threads)) {
        (index, _) throws(Failure) in
        last.withLock { $0 = max($0, index) }
        if index >= 3 { throw Failure(index: index) }
      }
    }
    // Nobody goes on after the first error.
    #expect(last.withLock { $0 } < 99_999)
  }
}

@Suite struct InTurnTests {
  @Test(arguments: [1, 2])
  func `threads take their turns in the order of their numbers`(threads: Int) throws {
    let taken = InTurn([Int]())
    forEachIndex(below: 1000, threads: Threads(threads)) { index, _ in
      taken.take(index) { $0.append(index) }
    }
    #expect(taken.final == Array(0..<1000))
  }

  @Test(arguments: [1, 2])
  func `a turn that ends with an error is over`(threads: Int) {
    let taken = InTurn([Int]())
    #expect(throws: ConcurrencyTests.Failure(index: 7)) {
      try forEachIndex(below: 100, threads: Threads(threads)) {
        (index, _) throws(ConcurrencyTests.Failure) in
        try taken.take(index) { (numbers) throws(ConcurrencyTests.Failure) in
          if index >= 7 { throw ConcurrencyTests.Failure(index: index) }
          numbers.append(index)
        }
      }
    }
    #expect(taken.final == Array(0..<7))
  }

  @Test func `objects of a pool are used by one at a time, and again`() {
    final class Object: Sendable { let isUsed = Atomic(false) }
    let made = Mutex(0)
    let pool = Pool {
      made.withLock { $0 += 1 }
      return Object()
    }
    forEachIndex(below: 1000, threads: Threads(2)) { _, _ in
      pool.withObject { object in
        let wasUsed = object.isUsed.exchange(true, ordering: .relaxed)
        #expect(!wasUsed)
        object.isUsed.store(false, ordering: .relaxed)
      }
    }
    #expect((1...2).contains(made.withLock { $0 }))
  }
}
