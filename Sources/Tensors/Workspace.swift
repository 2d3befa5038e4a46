/// Memory that reading and computing reuse from one piece to the next; one for each thread.
public struct Workspace {
  package var floats: [Float] = []
  package var doubles: [Double] = []
  package var accumulator: [Double] = []

  public init() {}
}
