/// The classes with the largest logits, best first; of equal ones the lower index, and NaN last.
public func topClasses(_ logits: [Double], count: Int) -> [Int] {
  func precedes(_ a: Int, _ b: Int) -> Bool {
    let (x, y) = (logits[a], logits[b])
    if x.isNaN || y.isNaN { return x.isNaN == y.isNaN ? a < b : y.isNaN }
    return x == y ? a < b : x > y
  }
  return Array(logits.indices.sorted(by: precedes).prefix(count))
}

/// What the logits amount to as probabilities (softmax).
public func probabilities(_ logits: [Double]) -> [Double] {
  let largest = logits.max() ?? 0
  let powers = logits.map { exponential($0 - largest) }
  let sum = powers.reduce(0, +)
  return powers.map { $0 / sum }
}
