internal import Checkpoints
internal import ImageFiles
public import Tensors

/// How often a network was right.
public struct Evaluation: Equatable, Sendable {
  /// Images counted.
  public var images = 0
  /// Images whose class has the largest logit.
  public var top1Right = 0
  /// Images whose class is among those of the five largest.
  public var top5Right = 0

  public init() {}

  /// Shares of the images, from 0 to 1.
  public var top1: Double { images == 0 ? 0 : Double(top1Right) / Double(images) }
  /// The share of the images whose class is among the best five, from 0 to 1.
  public var top5: Double { images == 0 ? 0 : Double(top5Right) / Double(images) }

  /// Counts one image.
  public mutating func add(_ logits: [Double], answer: Int) {
    let top = topClasses(logits, count: 5)
    images += 1
    if top.first == answer { top1Right += 1 }
    if top.contains(answer) { top5Right += 1 }
  }
}

extension RunnableNetwork {
  /// Runs the network on images of known classes.
  ///
  /// - Parameters:
  ///   - labels: the class of each image.
  ///   - progress: called with what has been counted so far.
  /// - Throws: `InferenceError`, `ReadError`.
  public func evaluate(
    _ input: NetworkInput, labels: [Int], batch: Int = 16, threads: Threads = .all,
    progress: (Evaluation) -> Void = { _ in }
  ) throws -> Evaluation {
    precondition(batch > 0 && labels.count == input.count)
    var evaluation = Evaluation()
    try forEachBatch(of: input, batch: batch, threads: threads) { logits in
      for (logits, label) in zip(logits, labels[evaluation.images...]) {
        evaluation.add(logits, answer: label)
      }
      progress(evaluation)
    }
    return evaluation
  }
}
