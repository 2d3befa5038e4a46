public import Tensors

/// What a pickled module says of itself beside its tensors. Nil where it does not.
public struct ModuleAttributes: Equatable, Sendable {
  /// The class, as `torch.nn.modules.batchnorm.BatchNorm2d`.
  public var className: String
  /// BatchNorm's epsilon.
  public var epsilon: Double?
  /// Of a convolution: vertical and horizontal.
  public var stride: [Int]?
  /// Of a convolution: vertical and horizontal.
  public var padding: [Int]?
  /// Of a convolution: vertical and horizontal.
  public var dilation: [Int]?
  /// Of a convolution.
  public var groups: Int?

  /// A module of which nothing but its class is known.
  public init(className: String) {
    self.className = className
  }
}

/// One mapping from names to tensors in a file, in the file's order.
public struct StateDict: Sendable {
  /// The keys that lead to it from the file's root: `["state_dict"]`, or none.
  public var path: [Name]
  /// In the file's order.
  public var tensors: [NamedTensor]
  /// Attributes of modules by their path (`stage0.rbr_dense.bn`), if the file holds whole modules.
  public var modules: [Name: ModuleAttributes]
  /// Paths of all modules that the dict was taken from, those without parameters too; nil if the file does
  /// not list them.
  public var modulePaths: Set<Name>?
  /// Entries that are no tensors, with what they are instead; they are counted and left alone.
  public var ignored: [(name: Name, what: String)]
  /// Those of them that should be tensors and cannot be read, with the error for whoever needs them.
  public var unreadable: [(name: Name, error: ReadError)] = []

  public init(
    path: [Name] = [], tensors: [NamedTensor], modules: [Name: ModuleAttributes] = [:],
    modulePaths: Set<Name>? = nil, ignored: [(name: Name, what: String)] = []
  ) {
    self.path = path
    self.tensors = tensors
    self.modules = modules
    self.modulePaths = modulePaths
    self.ignored = ignored
  }

  /// Whether there is a module at a path; nil if the file does not list its modules.
  public func hasModule(at path: Name) -> Bool? {
    modules.isEmpty ? modulePaths?.contains(path) : modules[path] != nil
  }

  /// `state_dict`, `student.model`, or `the file's root`.
  public var pathDescription: String {
    path.isEmpty ? "the file's root" : printable(path.joined(separator: "."))
  }
}

/// A name that a pickle refers to, such as `torch._utils._rebuild_tensor_v2` or `os.system`.
public struct PickledGlobal: Equatable, Sendable {
  /// With its module, in the spelling of Python 3.
  public var name: Name
  /// How often it would have been called by Python.
  public var calls: Int
  /// Whether Python would run it as a function, or as a class with arguments: more than making an empty
  /// object of a class.
  public var runs: Bool
  /// Whether it is one of the names that checkpoints consist of, which repconv interprets itself.
  public var isExpected: Bool

  public init(name: Name, calls: Int, runs: Bool = false, isExpected: Bool) {
    self.name = name
    self.calls = calls
    self.runs = runs
    self.isExpected = isExpected
  }
}

extension Checkpoint {
  /// Globals that checkpoints do not consist of.
  public var unusualGlobals: [PickledGlobal] { globals.filter { !$0.isExpected } }
}

/// Everything a reader found in a file. Holds no weights, only where they are.
public struct Checkpoint: Sendable {
  /// Of the file, as the user gave it.
  public var path: String
  /// The file, which stays open: another one may get its path meanwhile. Nil of what was read from elsewhere.
  public var file: (any ByteSource)?
  /// The container, as a person would name it: `PyTorch zip`.
  public var container: String
  /// What `--from` calls it: `pytorch`, `megengine`.
  public var family: String
  /// Every mapping from names to tensors; `select` chooses among them.
  public var stateDicts: [StateDict]
  /// The globals of its pickles, sorted by name. None was called.
  public var globals: [PickledGlobal]
  /// Things a user should know that are not errors.
  public var notes: [String]
  /// Bytes of the file.
  public var byteCount: Int
  /// What the file says of the network that its tensors are; the graph's operands are indices into those
  /// of the one state dict. Nil in containers that hold tensors only.
  public var model: ModelDescription?
  /// Reads the whole file and checks all that its container vouches for, every tensor's checksum among
  /// it. Nil where there is nothing beside the checksums of the tensors' sources.
  public var verifyWhole: (@Sendable () throws(ReadError) -> Void)?

  public init(
    path: String, container: String, family: String, byteCount: Int, stateDicts: [StateDict],
    globals: [PickledGlobal] = [], notes: [String] = [], model: ModelDescription? = nil,
    verifyWhole: (@Sendable () throws(ReadError) -> Void)? = nil
  ) {
    self.path = path
    self.container = container
    self.family = family
    self.byteCount = byteCount
    self.model = model
    self.verifyWhole = verifyWhole
    self.stateDicts = stateDicts
    self.globals = globals
    self.notes = notes
  }
}
