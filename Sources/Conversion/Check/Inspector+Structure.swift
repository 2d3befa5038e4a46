internal import Blocks
internal import Naming
internal import Proof
internal import Reparameterization
internal import Tensors

extension Inspector {
  /// The network in a state dict; what is amiss with its structure is added.
  mutating func recognise(_ key: Name, _ prefix: Name) -> Network? {
    do {
      var reading = reading
      reading.key = key.text
      let found = try Network(recognising: checkpoint, reading)
      if network == nil { network = found }
      return found
    } catch {
      switch error {
      case .noBlocks, .noSuchKey, .ambiguous: break
      default: add(.failure, .structure, nil, printable(prefix) + firstLine(error.description))
      }
      return nil
    }
  }

  mutating func judgeBlocks(
    of network: Network, _ health: [Role: TensorHealth], _ prefix: Name
  ) {
    do {
      if network.form != .deploy || !network.unknownInBlocks.isEmpty {
        _ = try FusionPlan(network)
      }
    } catch let error as FusionError {
      // What gives no number has been found, if it was in a vector.
      let isKnown = findings.contains { $0.kind == .notFinite || $0.kind == .runningVariance }
      switch error {
      case .invalidBatchNorm where isKnown: break
      // As it should be, whatever can be made of it.
      case .undecided, .notOneConvolution:
        add(.warning, .structure, nil, firstLine(error.description))
      default: add(.failure, .structure, nil, firstLine(error.description))
      }
    } catch let error as NamingError {
      // Another kind of block, which may be as it should; but a deploy kernel in it may be anything.
      let hasKernel = network.unknownInBlocks.contains {
        network.block(at: $0.block.path)?.hasFused == true
      }
      add(
        hasKernel ? .failure : .warning, .structure, nil,
        firstLine(error.description) + (resemblance(error).map { " (\($0))" } ?? ""))
    } catch {
      // Damaged parameters have been found already.
    }
    for block in network.blocks {
      func rows(_ address: ParameterAddress) -> Set<Int>? {
        health[.block(block.address, address)].map { Set($0.zeroRows) }
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
      guard block.hasBranches,
        let branch = try? block.branch(in: network, epsilon: network.dialect.epsilon),
        let weight = block.mainKernel
      else { continue }
      let dead = branch.deadChannels { rows($0) ?? [] }
      addDead(dead.sorted(), of: weight.tensor.shape[0], prefix + block.path)
    }
  }

  /// The family whose names a block has, where it is known.
  private func resemblance(_ error: NamingError) -> String? {
    if case .unknownInBlock(_, _, _, _, _, let family?) = error { family } else { nil }
  }
}

extension Branch {
  /// Output channels that are always zero, but for a bias: those that are in every branch of a sum, by
  /// the kernel, BatchNorm's gamma or a factor.
  ///
  /// - Parameter zeroRows: of a parameter, the indices below which everything is zero.
  fileprivate func deadChannels(
    in layer: LayerAddress? = nil, _ zeroRows: (ParameterAddress) -> Set<Int>
  ) -> Set<Int> {
    switch self {
    case .convolution: layer.map { zeroRows(ParameterAddress($0, .weight)) } ?? []
    case .identity, .average, .separable, .unrolled: []
    case .batchNorm(let branch, let norm):
      branch.deadChannels(in: layer, zeroRows)
        .union(norm.gamma.indices.filter { norm.gamma[$0] == 0 })
    case .scaled(let branch, _), .shifted(let branch, _), .dilated(let branch, _):
      branch.deadChannels(in: layer, zeroRows)
    case .layer(let address, let branch): branch.deadChannels(in: address, zeroRows)
    case .then(_, let second): second.deadChannels(in: layer, zeroRows)
    case .sum(let branches):
      branches.dropFirst().reduce(branches[0].deadChannels(in: layer, zeroRows)) {
        $0.intersection($1.deadChannels(in: layer, zeroRows))
      }
    }
  }
}
