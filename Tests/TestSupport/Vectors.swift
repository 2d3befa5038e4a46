public import Checkpoints
import RVD

/// A network of the vectors of `.rvd`.
public func vector(_ name: String) throws -> DeployModel {
  try RVDFile.open(path: Fixtures.vectorPath(name)).deployModel
}
