public import Tensors

extension Dialect {
  /// A tensor under this project's name and in its shape.
  ///
  /// - Parameters:
  ///   - tensor: in the shape used inside this program; its name is replaced.
  ///   - groups: of the convolution it belongs to; nil if that is not known.
  ///   - isShaped: whether it also gets this project's shape.
  /// - Returns: nil for BatchNorm's step counter if this project keeps none.
  /// - Throws: `NamingError.noName`, `.unknownGroups`.
  public func output(
    _ tensor: OutputTensor, as role: Role, groups: Int?, isShaped: Bool = true
  ) throws(NamingError) -> OutputTensor? {
    guard let name = name(of: role) else {
      switch role {
      case .block(_, .batchNorm(_, .batchesTracked)), .auxiliary(_, .batchNorm(.batchesTracked)):
        return nil
      default: throw .noName(dialect: self.name, parameter: label(of: role))
      }
    }
    let layouts = isShaped ? layouts : Layouts()
    guard var result = layouts.outside(tensor, as: Form(role), groups: groups) else {
      throw .unknownGroups(dialect: self.name, parameter: name)
    }
    result.name = name
    return result
  }
}
