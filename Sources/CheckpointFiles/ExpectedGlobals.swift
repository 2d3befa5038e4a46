internal import Checkpoints
internal import Pickle
internal import Tensors

/// The names that pickled checkpoints consist of. Readers interpret them; every other name in a file is
/// reported as unexpected. In neither case is anything called.
enum ExpectedGlobals {
  /// Whether `name` is one of them, in the spelling of Python 3.
  static func contains(_ name: Name) -> Bool {
    if names.contains(name) { return true }
    let module = name.module ?? ""
    return modules.contains { module == $0 || module.hasPrefix($0 + ".") }
      || storages.contains { name.hasPrefix($0) && name.hasSuffix("Storage") }
  }

  /// The globals of a file's pickles, each once, sorted by name.
  ///
  /// - Parameter known: names that the reader has understood from the way this file uses them.
  static func report(of graphs: [ObjectGraph], known: Set<Name> = []) -> [PickledGlobal] {
    var calls: [Name: (all: Int, news: Int)] = [:]
    for global in graphs.lazy.flatMap(\.globals) {
      calls[global.qualifiedName, default: (0, 0)].all += global.calls
      calls[global.qualifiedName, default: (0, 0)].news += global.news
    }
    return calls.sorted { $0.key < $1.key }.map { name, calls in
      PickledGlobal(
        name: name, calls: calls.all, runs: calls.all > calls.news,
        isExpected: contains(name) || known.contains(name))
    }
  }

  /// Python's own containers and numbers, and how it rebuilds objects under old protocols.
  private static let python: Set<Name> = [
    "builtins.bool", "builtins.bytearray", "builtins.bytes", "builtins.complex", "builtins.dict",
    "builtins.float", "builtins.frozenset", "builtins.int", "builtins.list", "builtins.object",
    "builtins.set", "builtins.slice", "builtins.str", "builtins.tuple",
    "collections.Counter", "collections.OrderedDict", "collections.defaultdict",
    "collections.deque",
    "_codecs.encode", "copyreg._reconstructor",
  ]

  private static let numpy: Set<Name> = [
    "numpy.dtype", "numpy.ndarray", "ml_dtypes.bfloat16", "ml_dtypes.float8_e4m3fn",
    "ml_dtypes.float8_e5m2",
    // NumPy 1, and since NumPy 2 with an underscore.
    "numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct",
    "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar",
    "numpy.core._multiarray_umath.scalar", "numpy._core._multiarray_umath.scalar",
    "numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer",
  ]

  private static let torch: Set<Name> = [
    "torch.Size", "torch.device", "torch.storage._load_from_bytes",
    "torch.serialization._get_layout",
    "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_tensor_v3", "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_parameter_with_state", "torch._utils._rebuild_parameter_v2",
    "torch._tensor._rebuild_from_type", "torch._tensor._rebuild_from_type_v2",
    "torch.tensor._rebuild_from_type", "torch._utils._rebuild_qtensor",
    "torch._utils._rebuild_sparse_tensor", "torch._utils._rebuild_sparse_csr_tensor",
    "torch._utils._rebuild_nested_tensor", "torch._utils._rebuild_meta_tensor_no_storage",
    "torch._utils._rebuild_device_tensor_from_numpy", "torch._utils._rebuild_xla_tensor",
    "torch._utils._rebuild_device_tensor_from_cpu_tensor",
    "torch._utils._rebuild_wrapper_subclass",
    "torch.Tensor", "torch.nn.parameter.Parameter", "torch.nn.parameter.Buffer",
    // The oldest tensors are made by calling their class.
    "torch.DoubleTensor", "torch.FloatTensor", "torch.HalfTensor", "torch.BFloat16Tensor",
    "torch.LongTensor", "torch.IntTensor", "torch.ShortTensor", "torch.CharTensor",
    "torch.ByteTensor", "torch.BoolTensor",
    // Element types.
    "torch.float64", "torch.float32", "torch.float16", "torch.bfloat16", "torch.float8_e4m3fn",
    "torch.float8_e5m2", "torch.complex128", "torch.complex64", "torch.int64", "torch.int32",
    "torch.int16", "torch.int8", "torch.uint64", "torch.uint32", "torch.uint16", "torch.uint8",
    "torch.bool",
  ]

  private static let names = python.union(numpy).union(torch)

  /// Modules of which every class is expected: the layers of the frameworks, whose pickles hold their
  /// attributes.
  private static let modules: [Name] = ["megengine.tensor", "megengine.module", "torch.nn.modules"]

  /// Where the classes of storages are: `torch.FloatStorage`, `torch.storage.UntypedStorage`.
  private static let storages: [Name] = ["torch.", "torch.cuda.", "torch.storage."]
}
