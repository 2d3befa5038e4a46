import ArgumentParser
import Blocks
import Conversion
import ImageFiles
import Inference
import Reparameterization
import Tensors

/// The network to run, and how.
struct ModelArguments: ParsableArguments {
  @Argument(
    help:
      "A network known as a whole, such as those of 'repconv archs', in training or deploy form, in any file that can be read; or an .rvd that has a graph.",
    completion: .file())
  var model: String

  @Flag(help: "Compute in float64 instead of float32.")
  var double = false

  @Option(help: ArgumentHelp("Compute this many images at a time.", valueName: "n"))
  var batch = 16

  @OptionGroup var threads: ThreadArguments
  @OptionGroup(title: "Reading") var epsilon: EpsilonArguments
  @OptionGroup(title: "Reading") var inputOptions: InputOptions
  @OptionGroup(title: "Printing") var print: PrintArguments

  func validate() throws {
    if batch < 1 { throw ValidationError("--batch takes a number of at least 1, not \(batch).") }
  }

  var threadsToUse: Threads { threads.chosen ?? .all }

  func open() throws -> RunnableNetwork {
    var options = try inputOptions.reading()
    epsilon.apply(to: &options)
    return try RunnableNetwork.open(
      path: model, options: options, arithmetic: double ? .float64 : .float32,
      epsilon: epsilon.epsilon)
  }
}

extension NetworkSummary {
  /// `RepVGG-A0, deploy form, float32`
  var summary: String {
    "\(architecture ?? "network of \(count(blocks, "convolution"))"), \(form.rawValue) form, \(arithmetic.rawValue)"
  }
}

extension Evaluation {
  var rows: [String] {
    [
      row("top-1", "\(percent(top1)), \(grouped(top1Right)) right"),
      row("top-5", "\(percent(top5)), \(grouped(top5Right)) right"),
    ]
  }
}

extension Duration {
  var seconds: Double {
    Double(components.seconds) + Double(components.attoseconds) * 1e-18
  }
}

/// `16 images in 0.15 s, 105.3 images/s`
func pace(_ images: Int, _ seconds: Double) -> String {
  func tenths(_ value: Double, _ power: Double) -> String { "\((value * power).rounded() / power)" }
  return "\(count(images, "image")) in \(tenths(seconds, 100)) s, "
    + "\(tenths(Double(images) / max(seconds, 1e-6), 10)) images/s"
}
