internal import Blocks
internal import Tensors

// What the proof asks of a tree of branches, by code of its own.
extension Branch {
  /// Height and width of its kernel.
  var size: (height: Int, width: Int) {
    switch self {
    case .convolution(let weight, _): return (weight.shape[2], weight.shape[3])
    case .identity: return (1, 1)
    case .average(let size): return (size, size)
    case .separable(let depthwise, _): return (depthwise.shape[2], depthwise.shape[3])
    case .unrolled: return (1, 1)
    case .batchNorm(let branch, _), .scaled(let branch, _), .shifted(let branch, _),
      .layer(_, let branch):
      return branch.size
    case .dilated(let branch, let rate):
      let size = branch.size
      return ((size.height - 1) * rate + 1, (size.width - 1) * rate + 1)
    case .then(let first, let second):
      let (a, b) = (first.size, second.size)
      return (a.height + b.height - 1, a.width + b.width - 1)
    case .sum(let branches):
      let sizes = branches.map(\.size)
      return (sizes.map(\.height).max()!, sizes.map(\.width).max()!)
    }
  }

  /// Output channels, if a kernel or BatchNorm tells.
  var outputs: Int? {
    switch self {
    case .convolution(let weight, _): weight.shape[0]
    case .identity, .average: nil
    case .separable(_, let pointwise): pointwise.shape[0]
    case .unrolled(let branch, let height, let width): branch.outputs.map { $0 * height * width }
    case .batchNorm(_, let norm): norm.channelCount
    case .shifted(_, let shifts): shifts.shape.elementCount
    case .then(let first, let second): second.outputs ?? first.outputs
    default: children.lazy.compactMap(\.outputs).first
    }
  }

  /// Input channels of a group, if a kernel tells.
  var inputs: Int? {
    switch self {
    case .convolution(let weight, _): weight.shape[1]
    case .identity, .average, .separable: nil
    case .unrolled(_, let height, let width): height * width
    default: children.lazy.compactMap(\.inputs).first
    }
  }

  /// Whether every output channel is one input channel, scaled or shifted.
  var isDiagonal: Bool {
    switch self {
    case .identity: true
    case .batchNorm(let branch, _), .scaled(let branch, _), .shifted(let branch, _),
      .layer(_, let branch):
      branch.isDiagonal
    default: false
    }
  }

  /// How many roundings of a plain program a weight or a bias goes through at most: each is off by that
  /// many units of roundoff of the magnitudes it is added up from.
  ///
  /// With `u` the unit of roundoff, `variance + epsilon` is off by a factor of at most `1 + 2u` (epsilon
  /// itself is rounded; both are positive, so nothing cancels). Its root halves that and rounds once:
  /// `2u`; dividing: `3u`, multiplying: `4u`. The bias multiplies the running mean and subtracts the
  /// result: `5u`. Adding `n` branches rounds `n - 1` times more, in whatever order. A product of kernels
  /// is a sum of `n` products: `n u` at most, and hardly ever more than some times the root of that
  /// (Higham and Mary, SIAM J. Sci. Comput. 41, 2019: with near certainty below `6 sqrt(n) u`). One more
  /// is for the products of errors.
  ///
  /// - Parameter inputs: input channels of a group, where no kernel tells.
  func roundings(inputs: Int) -> Double {
    func count(_ branch: Branch) -> Double {
      switch branch {
      case .convolution, .identity: return 0
      case .average: return 1
      case .separable(_, let pointwise):
        // As many products as the depthwise convolution makes channels of one.
        return 1 + Double(pointwise.shape[1] / max(1, inputs))
      case .batchNorm(let branch, _): return count(branch) + 5
      case .scaled(let branch, _), .shifted(let branch, _): return count(branch) + 1
      case .dilated(let branch, _), .layer(_, let branch), .unrolled(let branch, _, _):
        return count(branch)
      case .sum(let branches):
        return branches.map(count).max()! + Double(branches.count - 1)
      case .then(let first, let second):
        let (a, b) = (first.size, second.size)
        let terms = Double(
          (second.inputs ?? 1) * max(b.height * b.width, a.height * a.width))
        return count(first) + count(second) + 1 + min(terms, 6 * terms.squareRoot())
      }
    }
    return count(self) + 1
  }

  /// The branches with these numbers, in the order of `all`, replaced; those that nothing takes the
  /// place of are left out of their sums. Nil if that leaves nothing.
  func replacing(_ numbers: Set<Int>, with change: (Branch) -> Branch?) -> Branch? {
    func edit(_ branch: Branch, _ number: inout Int) -> Branch? {
      let own = number
      number += 1
      if numbers.contains(own) {
        number = own + branch.all.count
        return change(branch)
      }
      switch branch {
      case .convolution, .identity, .average, .separable: return branch
      case .unrolled(let inner, let height, let width):
        return edit(inner, &number).map { .unrolled($0, height: height, width: width) }
      case .batchNorm(let inner, let norm):
        return edit(inner, &number).map { .batchNorm($0, norm) }
      case .scaled(let inner, let factors):
        return edit(inner, &number).map { .scaled($0, by: factors) }
      case .shifted(let inner, let shifts):
        return edit(inner, &number).map { .shifted($0, by: shifts) }
      case .dilated(let inner, let rate): return edit(inner, &number).map { .dilated($0, by: rate) }
      case .layer(let address, let inner): return edit(inner, &number).map { .layer(address, $0) }
      case .then(let first, let second):
        let (a, b) = (edit(first, &number), edit(second, &number))
        return a.flatMap { a in b.map { .then(a, $0) } }
      case .sum(let branches):
        let kept = branches.compactMap { edit($0, &number) }
        return kept.isEmpty ? nil : kept.count == 1 ? kept[0] : .sum(kept)
      }
    }
    var number = 0
    return edit(self, &number)
  }

  /// Every BatchNorm changed.
  func changingNorms(_ change: (inout BatchNorm) -> Void) -> Branch {
    switch self {
    case .convolution, .identity, .average, .separable: return self
    case .unrolled(let branch, let height, let width):
      return .unrolled(branch.changingNorms(change), height: height, width: width)
    case .batchNorm(let branch, var norm):
      change(&norm)
      return .batchNorm(branch.changingNorms(change), norm)
    case .scaled(let branch, let factors): return .scaled(branch.changingNorms(change), by: factors)
    case .shifted(let branch, let shifts): return .shifted(branch.changingNorms(change), by: shifts)
    case .dilated(let branch, let rate): return .dilated(branch.changingNorms(change), by: rate)
    case .layer(let address, let branch): return .layer(address, branch.changingNorms(change))
    case .then(let first, let second):
      return .then(first.changingNorms(change), second.changingNorms(change))
    case .sum(let branches): return .sum(branches.map { $0.changingNorms(change) })
    }
  }

  /// A branch inside this one: its number in the order of `all`, what to call it, and itself.
  struct Place {
    var number: Int
    var name: String
    var branch: Branch
  }

  /// All branches inside that `isWanted`, called by the layer that they are or are part of.
  func places(where isWanted: (_ branch: Branch, _ parent: Branch?) -> Bool) -> [Place] {
    var places: [Place] = []
    var number = 0
    func visit(_ branch: Branch, _ parent: Branch?, _ name: String) {
      var name = name
      switch branch {
      case .layer(let address, _): name = address.description
      case .identity where parent?.isSum == true: name = "identity"
      default: break
      }
      if isWanted(branch, parent) {
        places.append(Place(number: number, name: name, branch: branch))
      }
      number += 1
      for child in branch.children { visit(child, branch, name) }
    }
    visit(self, nil, "only")
    return places
  }

  var isSum: Bool { if case .sum = self { true } else { false } }
}
