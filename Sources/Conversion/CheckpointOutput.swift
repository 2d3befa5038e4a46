internal import CheckpointFiles
internal import Checkpoints
package import Naming
package import Tensors

/// Writes tensors that were made of those of a file, in a format that holds any.
///
/// - Parameters:
///   - source: the file, of which `tensors` are verified.
/// - Throws: `ConversionError.unknownExtension`, `ReadError`, `WriteError`.
package func writeCheckpoint(
  _ result: [OutputTensor], names: Dialect, madeOf tensors: [Tensor], of source: String,
  to output: String, _ options: WritingOptions
) throws -> OutputSummary {
  let format = try OutputFormat.forPath(
    output, named: options.format, among: OutputFormat.all.filter { !$0.isForDeploy })
  try result.requireUniqueNames(path: output)
  var summary = OutputSummary(
    path: output, format: format.title, dialect: names.name, tensors: result.count)
  let model = DeployModel(tensors: result, ModelDescription())
  let (file, _) = try format.write(
    model, to: output, from: source, recording: nil, options, imageSize: 0)
  try verifySources(of: tensors)
  try file.commit(sync: options.sync)
  summary.byteCount = file.count
  return summary
}
