internal import Checkpoints
internal import Tensors

extension Inspector {
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
