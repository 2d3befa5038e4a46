internal import Checkpoints
internal import Tensors

extension PickledGlobal {
  /// Whether a call of this name from Python's standard library, or one that the frameworks have for
  /// the purpose, can run code, programs, or change files. What other names do nobody can tell.
  var canRunAnything: Bool {
    if PickledGlobal.harmlessNames.contains(name) { return false }
    var parts = name.parts()
    // Python 2's spelling, which protocols from 3 on do not translate.
    if parts.first == "__builtin__" { parts[0] = "builtins" }
    let name = parts.joined(separator: ".")
    return PickledGlobal.dangerousModules.contains(parts.first ?? "")
      || PickledGlobal.dangerousNames.contains(name)
      || PickledGlobal.dangerousPrefixes.contains { name.hasPrefix($0) }
      // Maps a file into memory, and makes or lengthens it.
      || name.hasPrefix("torch.") && parts.last == "from_file"
      // From protocol 4 on a name has as many dots as it likes, and so leads through one module to
      // what that has imported: `torch.serialization.os.system`.
      || parts.dropFirst().dropLast().contains(where: PickledGlobal.importedModules.contains)
  }

  /// Whether loading the file in Python would run more than what weights need. Of a class that is no part
  /// of Python's library an empty object is not counted as that: so modules are saved as a whole.
  var wouldRun: Bool {
    !isExpected && !PickledGlobal.harmlessNames.contains(name) && (runs || canRunAnything)
  }

  /// Values that people keep beside weights, and that do nothing but hold what they are given.
  private static let harmlessNames: Set<Name> = [
    "argparse.Namespace", "datetime.date", "datetime.datetime", "datetime.time",
    "datetime.timedelta", "datetime.timezone", "decimal.Decimal", "fractions.Fraction",
    "pathlib.Path", "pathlib.PosixPath", "pathlib.PurePath", "pathlib.PurePosixPath",
    "pathlib.PureWindowsPath", "pathlib.WindowsPath", "types.SimpleNamespace", "uuid.UUID",
  ]

  private static let dangerousModules: Set<Name> = [
    "asyncio", "bdb", "cProfile", "code", "codeop", "commands", "concurrent", "ctypes", "dill",
    "doctest", "ftplib", "functools", "http", "imp", "importlib", "inspect", "io", "joblib",
    "linecache", "marshal", "multiprocessing", "nt", "ntpath", "operator", "os", "pathlib", "pdb",
    "pickle", "_pickle", "pip", "pkgutil", "platform", "popen2", "posix", "posixpath", "profile",
    "pty", "pydoc", "runpy", "shelve", "shutil", "signal", "site", "smtplib", "socket",
    "socketserver", "sqlite3", "ssl", "subprocess", "sys", "sysconfig", "tempfile", "threading",
    "timeit", "trace", "types", "urllib", "urllib2", "venv", "webbrowser", "xmlrpc", "zipimport",
    "cloudpickle", "requests", "_thread", "_posixsubprocess", "_xxsubinterpreters",
  ]

  /// Of the dangerous modules those that many import, and that are no words people call their own by.
  private static let importedModules: Set<Name> = [
    "_pickle", "_thread", "builtins", "ctypes", "importlib", "marshal", "multiprocessing", "nt",
    "os",
    "pickle", "posix", "pty", "runpy", "shutil", "socket", "subprocess", "sys", "tempfile",
    "threading",
    "__builtins__", "__globals__",
  ]

  private static let dangerousPrefixes: [Name] = [
    "torch.hub.", "torch.utils.cpp_extension.", "torch.serialization.load",
    "torch.serialization._load", "torch.serialization._legacy_load", "torch.package.",
  ]

  private static let dangerousNames: Set<Name> = [
    "builtins.__import__", "builtins.breakpoint", "builtins.compile", "builtins.delattr",
    "builtins.eval", "builtins.exec", "builtins.execfile", "builtins.exit", "builtins.getattr",
    "builtins.globals", "builtins.help", "builtins.input", "builtins.locals", "builtins.map",
    "builtins.open", "builtins.quit", "builtins.setattr", "builtins.vars", "torch.load",
    "torch.jit.load", "torch.save", "torch._dynamo.optimize", "numpy.load", "numpy.save",
    "numpy.fromfile", "numpy.lib.npyio.load", "numpy.lib._npyio_impl.load", "numpy.memmap",
    "numpy.core.memmap.memmap", "numpy._core.memmap.memmap",
    "numpy.testing._private.utils.runstring",
  ]
}
