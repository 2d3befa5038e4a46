public import Checkpoints
public import ImageFiles
public import Tensors

/// How often a network was right.
public struct Evaluation: Equatable, Sendable {
  public var images = 0
  /// Images whose class has the largest logit.
  public var right = 0
  /// Images whose class is among the five largest.
  public var rightInFive = 0

  public init() {}

  /// Shares of the images, from 0 to 1.
  public var top1: Double { images == 0 ? 0 : Double(right) / Double(images) }
  public var top5: Double { images == 0 ? 0 : Double(rightInFive) / Double(images) }

  /// Counts one image.
  public mutating func add(_ logits: [Double], answer: Int) {
    let top = topClasses(logits, count: 5)
    images += 1
    if top.first == answer { right += 1 }
    if top.contains(answer) { rightInFive += 1 }
  }
}

extension RunnableNetwork {
  /// Runs the network on every picture of a folder.
  ///
  /// - Parameters:
  ///   - classes: the network's class for each of the folders.
  ///   - convention: how pictures become numbers.
  ///   - progress: called with what has been counted so far.
  /// - Throws: `InferenceError`, `ReadError`.
  public func evaluate(
    _ folders: ClassFolders, classes: [Int], _ preparation: ImagePreparation,
    _ convention: InputConvention, batch: Int = 16, threads: Threads = .all,
    progress: (Evaluation) -> Void = { _ in }
  ) throws -> Evaluation {
    precondition(batch > 0 && classes.count == folders.classes.count)
    var evaluation = Evaluation()
    let pictures = NetworkInput(pictures: folders.images.map(\.path), preparation, convention)
    try forEachBatch(of: pictures, batch: batch, threads: threads) { logits in
      for (logits, image) in zip(logits, folders.images[evaluation.images...]) {
        evaluation.add(logits, answer: classes[image.classIndex])
      }
      progress(evaluation)
    }
    return evaluation
  }
}
