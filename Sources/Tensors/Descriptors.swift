#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// Why the operating system would not read or write any more.
package struct TransferError: Error {
  /// Of the system's errors.
  package var number: CInt
  /// Bytes that went through before.
  package var done: Int

  /// In the system's words, fit for the middle of a sentence.
  package var reason: String { lowercasedReason(number) }
}

/// Writes all of `bytes`, in as many parts as the system takes them in.
///
/// - Parameter offset: where in the file; nil for what has no places, like a pipe.
package func writeAll(
  _ bytes: UnsafeRawBufferPointer, to descriptor: CInt, at offset: Int? = nil
) throws(TransferError) {
  let done = try transfer(bytes.count) { done in
    // Safe: the kernel reads at most the given count of bytes, all inside `bytes`.
    let (start, count) = unsafe (bytes.baseAddress! + done, bytes.count - done)
    return if let offset {
      unsafe pwrite(descriptor, start, count, off_t(offset + done))
    } else {
      unsafe write(descriptor, start, count)
    }
  }
  // No device takes nothing for ever.
  guard done == bytes.count else { throw TransferError(number: EIO, done: done) }
}

/// Fills `buffer`, in as many parts as the system has them in, or as much of it as there is.
///
/// - Parameter offset: where in the file; nil for what has no places, like a pipe.
/// - Returns: how many bytes there were: fewer than asked for at the end.
package func readAll(
  into buffer: UnsafeMutableRawBufferPointer, from descriptor: CInt, at offset: Int? = nil
) throws(TransferError) -> Int {
  try transfer(buffer.count) { done in
    // Safe: the kernel writes at most the given count of bytes, all inside `buffer`.
    let (start, count) = unsafe (buffer.baseAddress! + done, buffer.count - done)
    return if let offset {
      unsafe pread(descriptor, start, count, off_t(offset + done))
    } else {
      unsafe read(descriptor, start, count)
    }
  }
}

/// Calls `part` until `count` bytes went through, or there are no more.
///
/// - Parameter part: is told how many went through before; returns how many did now, or less than 0 with
///   `errno`.
private func transfer(_ count: Int, _ part: (_ done: Int) -> Int) throws(TransferError) -> Int {
  var done = 0
  while done < count {
    let moved = part(done)
    if moved < 0 {
      guard errno == EINTR else { throw TransferError(number: errno, done: done) }
    } else if moved == 0 {
      break
    } else {
      done += moved
    }
  }
  return done
}
