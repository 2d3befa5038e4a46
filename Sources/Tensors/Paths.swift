#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Whether there is a folder at a path.
package func isFolder(_ path: String) -> Bool {
  var status = stat()
  // Safe: the kernel writes one `stat`.
  return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
}

/// `b` of `a/b` and of `a/b/`.
package func lastPart(of path: String) -> String {
  path.split(separator: "/").last.map(String.init) ?? path
}
