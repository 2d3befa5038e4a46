internal import Checkpoints
internal import Tensors

extension Inspector {
  mutating func examineGlobals() {
    for global in checkpoint.unusualGlobals {
      let text =
        global.calls == 0
        ? "loading it in Python imports it"
        : "loading it in Python calls it \(global.calls) time\(global.calls == 1 ? "" : "s")"
      if global.canRunAnything {
        add(.failure, .global, global.name, text + ": it can run any code")
      } else {
        add(.warning, .global, global.name, text)
      }
    }
  }
}
