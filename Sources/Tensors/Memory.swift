#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

// A Swift program that gets no memory ends at once, without a word that helps. So memory whose size comes
// from a file is asked for before it is used, and what is small has the reserve.

/// What small things may need beside the large one that is asked for.
private let memoryReserve = 16 << 20

/// Whether the system lets this process have so many bytes at once. Whether the machine has them, too, is
/// known only when they are used.
package func hasMemory(for byteCount: Int) -> Bool {
  guard byteCount >= 1 << 20 else { return true }
  let (size, overflow) = byteCount.addingReportingOverflow(memoryReserve)
  // Safe: nobody else knows of this memory, and nobody touches it.
  guard !overflow,
    let memory = unsafe mmap(
      nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0),
    unsafe memory != MAP_FAILED
  else { return false }
  unsafe munmap(memory, size)
  return true
}

/// What to say of memory that there is not: `not enough memory: it takes 411 MB at once`.
package func memoryShortage(_ byteCount: Int) -> String {
  "not enough memory: it takes \(byteCount / 1_000_000 + 1) MB at once"
}

/// What can be done about that.
package let memoryRemedy =
  "Raise the limit of this process (ulimit -v), or use a machine with more memory."

/// Bytes of so many elements; as many as can be counted where they are more.
package func clampedByteCount<Element>(of count: Int, _: Element.Type) -> Int {
  let (bytes, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<Element>.stride)
  return overflow ? .max : bytes
}

/// Throws unless there is memory for so many elements of what is at a place of a file.
package func requireMemory<Element>(
  for count: Int, _ type: Element.Type, at location: Location
) throws(ReadError) {
  let byteCount = clampedByteCount(of: count, type)
  guard hasMemory(for: byteCount) else { throw .noMemory(location, byteCount: byteCount) }
}
