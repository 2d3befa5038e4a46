#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// Whether the tests, and the programs beside them, are built with a sanitizer (`make sanitize`), which has
/// time, memory and addresses of its own.
public let isSanitized: Bool = {
  let program = unsafe dlopen(nil, RTLD_NOW)
  return unsafe dlsym(program, "__asan_init") != nil || dlsym(program, "__tsan_init") != nil
}()
