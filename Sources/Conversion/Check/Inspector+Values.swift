internal import Blocks
internal import Checkpoints
internal import Naming
internal import Proof
internal import Tensors

/// From where on values are taken for what a diverged run, a wrong byte order or a misread type leaves.
public enum ValueLimits {
  /// Of the weights and biases of blocks and classifiers. Trained ones stay below a thousand, even
  /// where a small variance has been folded in.
  public static let weight = 1e6
  /// Of everything else: running statistics of images in 0...255 reach millions.
  public static let other = 1e10
}

extension Inspector {
  /// Reads the tensors of a state dict.
  mutating func examine(_ dict: StateDict, isOnly: Bool, _ threads: Threads) throws {
    let key = dict.path.joined(separator: ".")
    let prefix = isOnly || key.isEmpty ? "" : key + ": "
    let network = recognise(key, prefix)
    var roles: [Name: Role] = [:]
    for parameter in network?.parameters ?? [] { roles[parameter.originalName] = parameter.role }

    let list = dict.tensors
    let results = concurrentMap(of: list, largestFirst: \.tensor.byteCount, threads: threads) {
      named, _ in
      Result { () throws(ReadError) in
        try TensorHealth(of: named.tensor, name: prefix + named.name)
      }
    }
    var health: [Role: TensorHealth] = [:]
    for (named, result) in zip(list, results) {
      do throws(ReadError) {
        let tensor = try result.get()
        tensors.append(tensor)
        let role = roles[named.name] ?? .other(name: named.name)
        health[role] = tensor
        judge(tensor, role)
      } catch {
        guard error.isCorruption else { throw error }
        add(.failure, .checksum, prefix + named.name, firstLine(error.description))
      }
    }
    if let network { judgeBlocks(of: network, health, prefix) }
  }

  private mutating func judge(_ tensor: TensorHealth, _ role: Role) {
    guard tensor.isMeasured else { return }
    if let first = tensor.firstNotFinite {
      let count = tensor.nans + tensor.infinities
      let what = [(tensor.nans, "not a number"), (tensor.infinities, "infinite")]
        .filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }.joined(separator: ", ")
      add(
        .failure, .notFinite, tensor.name,
        "\(count) of \(tensor.shape.elementCount) values: \(what); the first at \(first)")
    }
    let isVariance = role.isRunningVariance
    if isVariance {
      if tensor.negatives > 0 {
        add(
          .failure, .runningVariance, tensor.name,
          "\(channels(tensor.negatives)) below zero, which no variance is; the smallest is \(tensor.smallest!)"
        )
      }
      if tensor.zeros > 0 {
        add(
          .warning, .runningVariance, tensor.name,
          "\(channels(tensor.zeros)) at zero: constant in training, or too small for the stored type"
        )
      }
    }
    let limit = role.isWeight ? ValueLimits.weight : ValueLimits.other
    if tensor.largestMagnitude > limit {
      add(
        .failure, .range, tensor.name,
        "values up to \(Float(tensor.largestMagnitude)), beyond \(Float(limit)): the run diverged, or the bytes are misread"
      )
    }
    if tensor.overflowingHalf > 0 {
      add(
        .warning, .float16, tensor.name,
        "\(tensor.overflowingHalf) value\(tensor.overflowingHalf == 1 ? "" : "s") would be infinite in float16; the largest is \(Float(tensor.largestMagnitude))"
      )
    }
    // Channels of blocks are judged with all their branches.
    switch role {
    case .classifier(.weight): break
    case .block(let block, let address)
    where address.part == .weight && !block.family.isOwn(address.layer) && address.layer != .fused:
      break
    case .other where tensor.shape.rank == 4: break
    default: return
    }
    addDead(tensor.zeroRows, of: tensor.shape[0], tensor.name)
  }

  private func channels(_ count: Int) -> String { "\(count) channel\(count == 1 ? "" : "s")" }

  mutating func addDead(_ rows: [Int], of count: Int, _ subject: Name) {
    guard !rows.isEmpty else { return }
    let list =
      rows.prefix(8).map(String.init).joined(separator: ", ") + (rows.count > 8 ? ", …" : "")
    add(
      .warning, .deadChannels, subject,
      rows.count == count
        ? "all \(count) output channels have no weight but zero"
        : "\(rows.count) of \(count) output channels have no weight but zero: \(list)")
  }
}

extension Role {
  fileprivate var isRunningVariance: Bool {
    switch self {
    case .block(_, let address): address.part == .runningVariance
    case .other(let name): name == "running_var" || name.hasSuffix(".running_var")
    default: false
    }
  }

  /// Whether it is multiplied with activations, or added to them.
  fileprivate var isWeight: Bool {
    switch self {
    case .block(_, let address): address.part.isTrainable
    case .classifier: true
    case .other: false
    }
  }
}
