/// What no tensor shows of a network's blocks, and somebody may know and say.
public struct BlockFacts: Equatable, Sendable {
  /// Whether there is an identity that has no parameters, where shapes allow it; nil to take what the
  /// family takes for granted.
  public var hasIdentity: Bool?
  /// The height of the maps that a network of matrices works on to their width; nil for squares.
  public var mapRatio: Ratio?
  /// The norm below which a row of a compactor is taken for empty; nil for that of its authors' code.
  public var pruningThreshold: Double?
  /// Whether no block has BatchNorm.
  public var hasNoBatchNorm = false

  /// Two sizes, of which only their ratio counts.
  public struct Ratio: Equatable, Sendable {
    public var height, width: Int

    /// - Precondition: both are above 0.
    public init(height: Int, width: Int) {
      precondition(height > 0 && width > 0)
      (self.height, self.width) = (height, width)
    }

    /// Height and width of a map of so many values; nil if there is none of this ratio.
    public func size(ofArea area: Int) -> (height: Int, width: Int)? {
      guard area > 0 else { return nil }
      let exact = (Double(area) * Double(height) / Double(width)).squareRoot().rounded()
      guard let rows = Int(exactly: exact), rows > 0, area.isMultiple(of: rows) else { return nil }
      let columns = area / rows
      let (a, b) = (
        rows.multipliedReportingOverflow(by: width), columns.multipliedReportingOverflow(by: height)
      )
      return !a.overflow && a == b ? (rows, columns) : nil
    }
  }

  public init() {}

  /// Whether they make an assumption unnecessary.
  public func decide(_ assumption: Assumption) -> Bool {
    switch assumption.subject {
    case .identity: hasIdentity != nil
    case .mapRatio: mapRatio != nil
    case nil: false
    }
  }
}

/// What is taken for granted of a family's blocks, as no tensor shows it.
public struct Assumption: Equatable, Sendable, ExpressibleByStringLiteral {
  /// After "blocks of NAME are".
  public var text: String
  /// Which of `BlockFacts` it takes the place of; nil if of none.
  public var subject: Subject?
  /// Whether there are networks for which it is wrong: more than a note is due.
  public var isDoubtful = false

  /// What of `BlockFacts` can be taken for granted.
  public enum Subject: Sendable {
    case identity, mapRatio
  }

  public init(_ text: String, on subject: Subject? = nil, doubtful: Bool = false) {
    (self.text, self.subject, isDoubtful) = (text, subject, doubtful)
  }

  public init(stringLiteral text: String) { self.init(text) }
}
