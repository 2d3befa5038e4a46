internal import Naming
internal import Proof
internal import Reparameterization
internal import Tensors

extension Inspector {
  /// The network in a state dict; what is amiss with its structure is added.
  mutating func recognise(_ key: String, _ prefix: String) -> Network? {
    do {
      var reading = reading
      reading.key = key
      let found = try Network(recognising: checkpoint, reading)
      if network == nil { network = found }
      return found
    } catch {
      switch error {
      case .noBlocks, .noSuchKey, .ambiguous: break
      default: add(.failure, .structure, nil, prefix + firstLine(error.description))
      }
      return nil
    }
  }

  mutating func judgeBlocks(
    of network: Network, _ health: [Role: TensorHealth], _ prefix: String
  ) {
    do {
      if network.stage != .deploy { _ = try FusionPlan(network) }
    } catch let error as FusionError {
      // What gives no number has been found, if it was in a vector.
      let isKnown = findings.contains { $0.kind == .notFinite || $0.kind == .runningVariance }
      if case .invalidBatchNorm = error, isKnown {
      } else {
        add(.failure, .structure, nil, firstLine(error.description))
      }
    } catch let error as NamingError {
      // Another kind of block, which may be as it should.
      add(.warning, .structure, nil, firstLine(error.description))
    } catch {
      // Damaged parameters have been found already.
    }
    for block in network.blocks {
      func rows(_ role: BlockRole) -> Set<Int>? {
        health[.block(path: block.path, role)].map { Set($0.zeroRows) }
      }
      if let weight = block[.fused(.weight)] {
        let count = weight.tensor.shape[0]
        if block[.fused(.bias)].map({ $0.tensor.shape != [count] }) ?? true, !block.hasBranches {
          add(
            .failure, .structure, prefix + block.path,
            "the fused convolution has no bias of \(count) values")
        }
        addDead(rows(.fused(.weight))?.sorted() ?? [], of: count, prefix + weight.originalName)
      }
      // A channel is dead if it is in every branch, by its kernel or its gamma.
      var dead: Set<Int>?
      for branch in Branch.allCases {
        guard let gamma = rows(.batchNorm(branch, .gamma)) else { continue }
        let inBranch = gamma.union(rows(.kernel(branch)) ?? [])
        dead = dead?.intersection(inBranch) ?? inBranch
      }
      if let dead, let weight = block[.kernel(.dense)] {
        addDead(dead.sorted(), of: weight.tensor.shape[0], prefix + block.path)
      }
    }
  }
}
