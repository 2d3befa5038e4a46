public import Checkpoints
internal import Naming
public import Proof
internal import Reparameterization
public import Tensors

/// What `check` should look at.
public struct CheckOptions: Sendable {
  public var reading = ReadingOptions()
  public var threads = Threads.all

  public init() {}
}

/// What is wrong with a file, or may be.
public struct Finding: Equatable, Sendable {
  public enum Severity: String, Sendable {
    /// The file should not be used.
    case failure
    /// Somebody should look at it; trained networks can be like that.
    case warning
  }
  public enum Kind: String, Sendable {
    case checksum, structure, global
    case notFinite = "not finite"
    case runningVariance = "running variance"
    case range
    case deadChannels = "dead channels"
    case float16
  }
  public var severity: Severity
  public var kind: Kind
  /// The tensor or block it is about.
  public var subject: String?
  public var text: String
}

/// The state of a file: whether its bytes are what they were, and its values what a network can use.
public struct CheckReport: Sendable {
  public var file: ComparedFile
  /// Every tensor of every state dict, in the file's order.
  public var tensors: [TensorHealth]
  public var stateDicts: Int
  public var globals: [PickledGlobal]
  /// Failures first.
  public var findings: [Finding]

  public var isSound: Bool { !findings.contains { $0.severity == .failure } }
}

/// From where on values are taken for what a diverged run, a wrong byte order or a misread type leaves.
public enum ValueLimits {
  /// Of the weights and biases of blocks and classifiers. Trained ones stay below a thousand, even
  /// where a small variance has been folded in.
  public static let weight = 1e6
  /// Of everything else: running statistics of images in 0...255 reach millions.
  public static let other = 1e10
}

/// Reads all of a file and judges it; memory does not grow with the file.
///
/// - Throws: `ReadError` if the file cannot be opened, or its directory is damaged; `NamingError`,
///   `ConversionError`.
public func check(_ path: String, options: CheckOptions = CheckOptions()) throws -> CheckReport {
  let checkpoint = try openCheckpoint(path, family: options.reading.family)
  let key = options.reading.key
  let dicts = checkpoint.stateDicts.filter { key == nil || $0.isCalled(key) }
  guard !dicts.isEmpty || key == nil else {
    throw NamingError.noSuchKey(
      path: path, key: key ?? "", candidates: checkpoint.stateDicts.map(\.pathDescription))
  }
  var inspector = Inspector(checkpoint, options.reading)
  for dict in dicts { try inspector.examine(dict, isAlone: dicts.count == 1, options.threads) }
  try inspector.verifyChecksums(dicts.flatMap(\.tensors).map(\.tensor), options.threads)
  inspector.examineGlobals()
  return inspector.report(stateDicts: dicts.count)
}

/// Gathers findings.
private struct Inspector {
  let checkpoint: Checkpoint
  let reading: ReadingOptions
  var findings: [Finding] = []
  var tensors: [TensorHealth] = []
  /// The first recognised.
  var network: Network?

  init(_ checkpoint: Checkpoint, _ reading: ReadingOptions) {
    self.checkpoint = checkpoint
    self.reading = reading
  }

  func report(stateDicts: Int) -> CheckReport {
    var file = ComparedFile(checkpoint, network, tensors: checkpoint.stateDicts.flatMap(\.tensors))
    // Globals are findings here.
    file.notes = checkpoint.notes + (network?.notes ?? [])
    return CheckReport(
      file: file, tensors: tensors, stateDicts: stateDicts, globals: checkpoint.globals,
      findings: findings.filter { $0.severity == .failure }
        + findings.filter { $0.severity == .warning })
  }

  mutating func add(
    _ severity: Finding.Severity, _ kind: Finding.Kind, _ subject: String?, _ text: String
  ) {
    findings.append(Finding(severity: severity, kind: kind, subject: subject, text: text))
  }

  // MARK: Values

  /// Reads the tensors of a state dict.
  mutating func examine(_ dict: StateDict, isAlone: Bool, _ threads: Threads) throws {
    let key = dict.path.joined(separator: ".")
    let prefix = isAlone || key.isEmpty ? "" : key + ": "
    let network = recognise(key, prefix)
    var roles: [String: Role] = [:]
    for parameter in network?.parameters ?? [] { roles[parameter.originalName] = parameter.role }

    let results = concurrentMap(
      of: dict.tensors, largestFirst: \.tensor.byteCount, threads: threads
    ) { named, _ in
      Result { () throws(ReadError) in
        try TensorHealth(of: named.tensor, name: prefix + named.name)
      }
    }
    var health: [Role: TensorHealth] = [:]
    for (named, result) in zip(dict.tensors, results) {
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
    case .classifier(.weight), .block(_, .squeeze(_, .weight)), .block(_, .excite(_, .weight)):
      break
    case .other where tensor.shape.rank == 4: break
    default: return
    }
    addDead(tensor.zeroRows, of: tensor.shape[0], tensor.name)
  }

  private func channels(_ count: Int) -> String { "\(count) channel\(count == 1 ? "" : "s")" }

  private mutating func addDead(_ rows: [Int], of count: Int, _ subject: String) {
    guard !rows.isEmpty else { return }
    let list =
      rows.prefix(8).map(String.init).joined(separator: ", ") + (rows.count > 8 ? ", …" : "")
    add(
      .warning, .deadChannels, subject,
      rows.count == count
        ? "all \(count) output channels have no weight but zero"
        : "\(rows.count) of \(count) output channels have no weight but zero: \(list)")
  }

  // MARK: Structure

  /// The network in a state dict; what is amiss with its structure is added.
  private mutating func recognise(_ key: String, _ prefix: String) -> Network? {
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

  private mutating func judgeBlocks(
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

  // MARK: Bytes

  /// Compares every storage with the checksum that the file records for it, and if these are right, all
  /// else that the container vouches for.
  mutating func verifyChecksums(_ tensors: [Tensor], _ threads: Threads) throws {
    var seen: Set<ObjectIdentifier> = []
    let sources = tensors.map(\.source).filter { seen.insert(ObjectIdentifier($0)).inserted }
    let failures = try concurrentMap(of: sources, largestFirst: \.count, threads: threads) {
      (source, _) throws(ReadError) -> ReadError? in
      do throws(ReadError) {
        try source.verify()
        return nil
      } catch {
        guard error.isCorruption else { throw error }
        return error
      }
    }
    for error in failures.compactMap(\.self) {
      add(.failure, .checksum, nil, firstLine(error.description))
    }
    guard let verifyWhole = checkpoint.verifyWhole,
      !findings.contains(where: { $0.kind == .checksum })
    else { return }
    do {
      try verifyWhole()
    } catch {
      guard error.isCorruption else { throw error }
      add(.failure, .checksum, nil, firstLine(error.description))
    }
  }

  // MARK: Globals

  mutating func examineGlobals() {
    for global in checkpoint.unusualGlobals {
      let text =
        global.calls == 0
        ? "loading it in Python imports it"
        : "loading it in Python calls it \(global.calls) time\(global.calls == 1 ? "" : "s")"
      if PickledGlobal.canRunAnything(global.name) {
        add(.failure, .global, global.name, text + ": it can run any code")
      } else {
        add(.warning, .global, global.name, text)
      }
    }
  }

  private func firstLine(_ text: String) -> String {
    var line = text.split(separator: "\n").first.map(String.init) ?? text
    if line.hasPrefix(checkpoint.path + ": ") { line.removeFirst(checkpoint.path.count + 2) }
    return line
  }
}

extension Role {
  fileprivate var isRunningVariance: Bool {
    switch self {
    case .block(_, .batchNorm(_, .runningVariance)), .auxiliary(_, .batchNorm(.runningVariance)):
      true
    case .other(let name): name == "running_var" || name.hasSuffix(".running_var")
    default: false
    }
  }

  /// Whether it is multiplied with activations, or added to them.
  fileprivate var isWeight: Bool {
    switch self {
    case .block(_, .batchNorm(_, .runningMean)), .block(_, .batchNorm(_, .runningVariance)),
      .auxiliary(_, .batchNorm(.runningMean)), .auxiliary(_, .batchNorm(.runningVariance)), .other:
      false
    default: true
    }
  }
}

extension PickledGlobal {
  /// Whether a call of this name from Python's standard library, or one that the frameworks have for
  /// the purpose, can run code, programs, or change files. What other names do nobody can tell.
  static func canRunAnything(_ name: String) -> Bool {
    let module = name.prefix { $0 != "." }
    return dangerousModules.contains(String(module)) || dangerousNames.contains(name)
      || name.hasPrefix("torch.hub.") || name.hasPrefix("torch.utils.cpp_extension.")
  }

  private static let dangerousModules: Set = [
    "asyncio", "bdb", "cProfile", "code", "codeop", "commands", "concurrent", "ctypes", "dill",
    "doctest", "ftplib", "functools", "http", "imp", "importlib", "inspect", "io", "joblib",
    "linecache", "marshal", "multiprocessing", "nt", "ntpath", "operator", "os", "pathlib", "pdb",
    "pickle", "_pickle", "pip", "pkgutil", "platform", "popen2", "posix", "posixpath", "profile",
    "pty", "pydoc", "runpy", "shelve", "shutil", "signal", "site", "smtplib", "socket",
    "socketserver", "sqlite3", "ssl", "subprocess", "sys", "sysconfig", "tempfile", "threading",
    "timeit", "trace", "types", "urllib", "urllib2", "venv", "webbrowser", "xmlrpc", "zipimport",
    "cloudpickle", "requests", "_thread", "_posixsubprocess", "_xxsubinterpreters",
  ]

  private static let dangerousNames: Set = [
    "builtins.__import__", "builtins.breakpoint", "builtins.compile", "builtins.delattr",
    "builtins.eval", "builtins.exec", "builtins.execfile", "builtins.exit", "builtins.getattr",
    "builtins.globals", "builtins.help", "builtins.input", "builtins.locals", "builtins.map",
    "builtins.open", "builtins.quit", "builtins.setattr", "builtins.vars", "torch.load",
    "torch.jit.load", "torch.save", "torch._dynamo.optimize", "numpy.load", "numpy.save",
    "numpy.fromfile", "numpy.testing._private.utils.runstring",
  ]
}
