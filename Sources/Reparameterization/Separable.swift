internal import Tensors

/// A depthwise convolution and a 1x1 one after it as a single one, not yet computed:
/// `K[o,i,y,x] = sum over t of P[o, m i + t] D[m i + t, y, x]`, the channels of `D` counted from the group
/// of `o` on.
struct Separable: Sendable {
  /// `[m I, 1, height, width]`.
  let depthwise: Tensor
  /// `[O, m I/groups, 1, 1]`.
  let pointwise: Tensor
  /// Input channels of one group.
  let inputs: Int

  /// The weights of some rows: `[rows, I/groups, height, width]`.
  func weights(ofRows rows: Range<Int>) throws(ReadError) -> [Double] {
    let (area, taken) = (depthwise.shape[2] * depthwise.shape[3], pointwise.shape[1])
    let (multiplier, groups) = (taken / inputs, depthwise.shape[0] / taken)
    let rowsOfGroup = pointwise.shape[0] / groups
    var factors = [Double](repeating: 0, count: rows.count * taken)
    try pointwise.readNumbers(
      rows.lowerBound * taken..<rows.upperBound * taken, into: &factors)
    var kernels = [Double](repeating: 0, count: taken * area)
    var result = [Double](repeating: 0, count: rows.count * inputs * area)
    var groupRead = -1
    for (index, row) in rows.enumerated() {
      let group = row / rowsOfGroup
      if group != groupRead {
        let length = taken * area
        try depthwise.readNumbers(group * length..<(group + 1) * length, into: &kernels)
        groupRead = group
      }
      for channel in 0..<taken {
        let factor = factors[index * taken + channel]
        let target = (index * inputs + channel / multiplier) * area
        for tap in 0..<area { result[target + tap] += factor * kernels[channel * area + tap] }
      }
    }
    return result
  }
}
