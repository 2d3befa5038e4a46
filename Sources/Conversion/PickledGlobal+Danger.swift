internal import Checkpoints

extension PickledGlobal {
  /// Whether a call of this name from Python's standard library, or one that the frameworks have for
  /// the purpose, can run code, programs, or change files. What other names do nobody can tell.
  var canRunAnything: Bool {
    if PickledGlobal.harmlessNames.contains(name) { return false }
    let module = name.prefix { $0 != "." }
    return PickledGlobal.dangerousModules.contains(String(module))
      || PickledGlobal.dangerousNames.contains(name)
      || name.hasPrefix("torch.hub.") || name.hasPrefix("torch.utils.cpp_extension.")
  }

  /// Whether loading the file in Python would run more than what weights need. Of a class that is no part
  /// of Python's library an empty object is not counted as that: so modules are saved as a whole.
  var wouldRun: Bool {
    !isExpected && !PickledGlobal.harmlessNames.contains(name) && (runs || canRunAnything)
  }

  /// Values that people keep beside weights, and that do nothing but hold what they are given.
  private static let harmlessNames: Set = [
    "argparse.Namespace", "datetime.date", "datetime.datetime", "datetime.time",
    "datetime.timedelta", "datetime.timezone", "decimal.Decimal", "fractions.Fraction",
    "pathlib.Path", "pathlib.PosixPath", "pathlib.PurePath", "pathlib.PurePosixPath",
    "pathlib.PureWindowsPath", "pathlib.WindowsPath", "types.SimpleNamespace", "uuid.UUID",
  ]

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
