public import Tensors

/// Whether `a` comes before `b` when runs of digits are compared as numbers: `stage1.2` before
/// `stage1.10`. MegEngine and HDF5 files are sorted as text instead.
public func naturallyPrecedes(_ a: Name, _ b: Name) -> Bool {
  let (a, b) = (Array(a.utf8), Array(b.utf8))
  let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
  var (i, j) = (0, 0)
  while i < a.count, j < b.count {
    if digits.contains(a[i]), digits.contains(b[j]) {
      let x = a[i...].prefix { digits.contains($0) }
      let y = b[j...].prefix { digits.contains($0) }
      let (u, v) = (x.drop { $0 == digits.lowerBound }, y.drop { $0 == digits.lowerBound })
      if u.count != v.count { return u.count < v.count }
      if !u.elementsEqual(v) { return u.lexicographicallyPrecedes(v) }
      (i, j) = (x.endIndex, y.endIndex)
    } else if a[i] != b[j] {
      return a[i] < b[j]
    } else {
      (i, j) = (i + 1, j + 1)
    }
  }
  return a.count - i < b.count - j
}
