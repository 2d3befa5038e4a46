extension NetworkReport {
  /// The drawing alone, a document in SVG; nil if the network is not known as a whole.
  public var svg: String? { drawing?.svg(title: "\(name): \(kind)") }
}
