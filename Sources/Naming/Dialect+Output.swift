internal import Blocks
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
      if case .block(_, let address) = role, address.part == .batchesTracked { return nil }
      throw .noName(dialect: self.name, parameter: label(of: role))
    }
    let layouts = isShaped ? layouts : Layouts()
    guard var result = layouts.stored(tensor, as: form(of: role), groups: groups) else {
      throw .unknownGroups(dialect: self.name, parameter: name)
    }
    result.name = name
    return result
  }
}
