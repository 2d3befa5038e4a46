internal import Tensors

/// Names that Python 3 replaces when it reads a pickle of protocol 0, 1 or 2, in which Python 2's names
/// are expected (`_compat_pickle` in its standard library); those of them that occur in checkpoints or
/// that a report on a suspicious file should show under one spelling.
enum PythonNames {
  private static let modules: [Name: Name] = [
    "__builtin__": "builtins", "copy_reg": "copyreg", "exceptions": "builtins",
    "cPickle": "pickle", "commands": "subprocess", "UserDict": "collections",
    "UserList": "collections", "UserString": "collections",
  ]

  private static let builtins: [Name: Name] = [
    "basestring": "str", "intern": "sys.intern", "long": "int", "raw_input": "input",
    "reduce": "functools.reduce", "unichr": "chr", "unicode": "str", "xrange": "range",
  ]

  /// Module and name as Python 3 spells them.
  static func modern(_ module: Name, _ name: Name) -> (module: Name, name: Name) {
    if module == "__builtin__", let new = builtins[name] {
      return (new.module ?? "builtins", new.lastPart)
    }
    return (modules[module] ?? module, name)
  }
}
