internal import Blocks
internal import Naming
internal import Tensors

/// A network without the channels that ResRep's compactors have emptied: rows of a compactor whose norm is
/// below a threshold go, and with them the input channels of whatever takes them (arXiv:2007.03260, 3.3).
///
/// That is exact where a row is zero: its channel is zero, also behind a ReLU. Which layer takes the
/// channels is in no file; it is known by the names that the authors' networks have: the next of the
/// convolutions that are numbered beside each other, or the first linear layer behind the last of a chain.
struct Pruning {
  /// What is left: tensors are views of the file's.
  private(set) var network: Network
  /// What should be said.
  private(set) var notes: [String] = []

  /// The threshold of the authors' code (`CONVERSION_EPSILON`).
  static let usualThreshold = 1e-5

  private static let compactor = ParameterAddress("compactor", .weight)
  private static let kernel = ParameterAddress("conv", .weight)

  /// - Throws: `FusionError.unknownSuccession`, `ReadError`.
  init(of network: Network) throws {
    self.network = network
    let blocks = network.blocks.filter { $0.family == .resRep && $0.hasBranches }
    let compactors = blocks.filter { $0[Pruning.compactor] != nil }
    guard !compactors.isEmpty else { return }
    let threshold = network.facts.pruningThreshold ?? Pruning.usualThreshold
    var (removed, rows, largest) = (0, 0, 0.0)
    var counts: [Name: Int] = [:]
    for block in compactors {
      let tensor = block[Pruning.compactor]!.tensor
      guard tensor.shape.rank == 4, tensor.shape.elementCount > 0 else { continue }
      let norms = try Pruning.norms(of: tensor)
      var kept = norms.indices.filter { !(norms[$0] < threshold) }
      if kept.isEmpty {
        // One channel has to stay: the largest, the last of equals.
        kept = [norms.indices.max { (norms[$0], $0) < (norms[$1], $1) }!]
      }
      rows += norms.count
      counts[block.path] = kept.count
      guard kept.count < norms.count else { continue }
      removed += norms.count - kept.count
      for row in Set(norms.indices).subtracting(kept) { largest = max(largest, norms[row]) }
      try replace(.block(block.address, Pruning.compactor)) {
        try $0.selecting(kept, axis: 0, name: $1)
      }
      try prune(after: block, among: blocks, to: kept, of: norms.count)
    }
    if removed > 0 { try count(blocks, counts) }
    notes.append(
      "compactors: \(removed) of \(rows) rows have a norm below \(threshold), and go with the channels that they make"
        + (largest > 0
          ? "; the largest is \(Float(largest)), not zero, so that the network's answers change a little"
          : ""))
  }

  /// Of the rows of a compactor.
  private static func norms(of compactor: Tensor) throws(ReadError) -> [Double] {
    let length = compactor.shape.elementCount / compactor.shape[0]
    var row = [Double](repeating: 0, count: length)
    var norms: [Double] = []
    for index in 0..<compactor.shape[0] {
      try compactor.readNumbers(index * length..<(index + 1) * length, into: &row)
      norms.append(row.reduce(0) { $0 + $1 * $1 }.squareRoot())
    }
    return norms
  }

  /// Puts another tensor in the place of a parameter's.
  private mutating func replace(
    _ role: Role, _ change: (Tensor, _ name: Name) throws -> Tensor
  ) throws {
    guard let index = network.parameters.firstIndex(where: { $0.role == role }) else { return }
    let parameter = network.parameters[index]
    let tensor = try change(parameter.tensor, parameter.originalName)
    network.parameters[index].tensor = tensor
    guard case .block(let block, let address) = role,
      let place = network.blocks.firstIndex(where: { $0.path == block.path })
    else { return }
    network.blocks[place].parameters[address]!.tensor = tensor
  }

  /// Tensors outside the blocks, and what they are called.
  private var others: [(name: Name, parameter: Parameter)] {
    network.parameters.compactMap { parameter in
      if case .other(let name) = parameter.role { (name, parameter) } else { nil }
    }
  }

  /// Takes input channels off whatever follows a block.
  private mutating func prune(
    after block: Block, among blocks: [Block], to kept: [Int], of channels: Int
  ) throws {
    func unknown(_ reason: String) -> FusionError {
      .unknownSuccession(
        path: network.path, block: block.path, channels: channels - kept.count, of: channels,
        reason: reason)
    }
    if others.contains(where: { $0.name.prefix(before: "align_opr.") != nil }) {
      throw unknown("the file has layers that align the channels of several")
    }
    guard let place = NumberedPath(block.path) else {
      throw unknown("its name has no number")
    }
    if let next = blocks.first(where: { $0.path == place.next.path }) {
      let shape = next[Pruning.kernel]?.tensor.shape
      guard let shape, shape.rank == 4, shape[1] == channels else {
        throw unknown(
          "'\(printable(next.path))', the next by its name, has \(shape.map { "a kernel of \($0)" } ?? "no kernel")"
        )
      }
      return try replace(.block(next.address, Pruning.kernel)) {
        try $0.selecting(kept, axis: 1, name: $1)
      }
    }
    // The last of a chain, and not one beside others.
    let places = blocks.compactMap { NumberedPath($0.path) }
    guard places.count == blocks.count, places.allSatisfy({ $0.isBeside(place) }),
      Set(places.map(\.number)) == Set(place.number - places.count + 1...place.number)
    else {
      throw unknown(
        "there is no '\(printable(place.next.path))', and the network is no chain that ends with it"
      )
    }
    let linear = others.filter {
      $0.parameter.tensor.shape.rank == 2 && $0.parameter.tensor.isWeight
    }
    .min { naturallyPrecedes($0.name, $1.name) }?.parameter
    guard let linear else {
      throw unknown("there is neither '\(printable(place.next.path))' nor a linear layer")
    }
    let (outputs, inputs) = (linear.tensor.shape[0], linear.tensor.shape[1])
    guard inputs > 0, inputs.isMultiple(of: channels) else {
      throw unknown("'\(printable(linear.originalName))' takes \(inputs) values")
    }
    try replace(linear.role) {
      try $0.reshaped(to: [outputs, channels, inputs / channels])
        .selecting(kept, axis: 1, name: $1)
        .reshaped(to: [outputs, kept.count * (inputs / channels)])
    }
  }

  /// Counts the channels of each convolution anew, where the file does, in the order of the authors' code:
  /// what stands in a part itself before what stands in its parts.
  private mutating func count(_ blocks: [Block], _ counts: [Name: Int]) throws {
    let role = Role.other(name: "deps")
    guard let deps = network[role] else { return }
    let ordered = blocks.sorted { Pruning.precedes($0.path, $1.path) }
    let channels = ordered.map { $0[Pruning.kernel]?.tensor.shape.dimensions.first ?? 0 }
    guard deps.tensor.elementType == .int64,
      try deps.tensor.int64s() == channels.map({ Int64($0) })
    else {
      throw FusionError.mismatchedShapes(
        path: network.path, block: deps.originalName, family: BlockFamily.resRep.name,
        what: "it counts other channels than the convolutions of the file have")
    }
    let left = zip(ordered, channels).map { Int64(counts[$0.path] ?? $1) }
    try replace(role) { try Tensor(int64: left, shape: $0.shape, name: $1) }
  }

  private static func precedes(_ a: Name, _ b: Name) -> Bool {
    let (a, b) = (a.parts(), b.parts())
    for (depth, (x, y)) in zip(a, b).enumerated() where x != y {
      // By the first part in which they differ: a layer before a part that has layers.
      let (isLayer, isOtherLayer) = (depth == a.count - 1, depth == b.count - 1)
      if isLayer != isOtherLayer { return isLayer }
      return naturallyPrecedes(x, y)
    }
    return a.count < b.count
  }
}

/// A path that ends with a number: `stem.conv3`.
private struct NumberedPath {
  var base: Name
  var number: Int

  init?(_ path: Name) {
    let digits = path.utf8.reversed().prefix { (0x30...0x39).contains($0) }.count
    guard let number = Int(Substring(path.utf8.suffix(digits))), number < Int.max else {
      return nil
    }
    (base, self.number) = (Name(Substring(path.utf8.dropLast(digits))), number)
  }

  var next: NumberedPath {
    var next = self
    next.number += 1
    return next
  }

  func isBeside(_ other: NumberedPath) -> Bool { base == other.base }
  var path: Name { "\(base)\(number)" }
}
