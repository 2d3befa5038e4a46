internal import Synchronization
internal import Tensors

/// What the bytes of a file are, as far as it has been read: no byte is two things.
///
/// Structures may be read more than once and in parts, and so overlap each other. The elements of a
/// dataset overlap nothing: else the superblock could become weights.
struct HDF5Regions {
  private var structures: [Range<Int>] = []
  /// Bytes of structures that were read, each as often as it was, and chunks of datasets that were listed.
  var structureBytes = 0
  var chunkCount = 0

  mutating func note(structureAt range: Range<Int>) { structures.append(range) }

  /// - Parameter datasets: where the elements of each are, by addresses.
  /// - Returns: an overlap, if there is one: which dataset has elements where something else is.
  func overlap(with datasets: [(path: Name, regions: [Range<Int>])]) -> (path: Name, at: Int)? {
    // Structures that touch make one, so that of all these regions no two may overlap.
    var all: [(region: Range<Int>, dataset: Int?)] = []
    for region in structures.sorted(by: { $0.lowerBound < $1.lowerBound }) where !region.isEmpty {
      if let last = all.last?.region, region.lowerBound <= last.upperBound {
        let end = max(last.upperBound, region.upperBound)
        all[all.count - 1].region = last.lowerBound..<end
      } else {
        all.append((region, nil))
      }
    }
    for (number, dataset) in datasets.enumerated() {
      all += dataset.regions.lazy.filter { !$0.isEmpty }.map { ($0, number) }
    }
    all.sort { ($0.region.lowerBound, $0.dataset ?? -1) < ($1.region.lowerBound, $1.dataset ?? -1) }
    for (first, second) in zip(all, all.dropFirst())
    where second.region.lowerBound < first.region.upperBound {
      return (datasets[second.dataset ?? first.dataset!].path, second.region.lowerBound)
    }
    return nil
  }
}

extension HDF5Dataset {
  /// Where the elements are in the file, by addresses.
  fileprivate var regions: [Range<Int>] {
    switch storage {
    case .contiguous(let address?, let byteCount): [Self.region(address, byteCount)]
    case .chunked(let chunks): chunks.stored.map { Self.region($0.address, $0.size) }
    case .contiguous(nil, _), .compact, .virtual, .external: []
    }
  }

  /// Up to the largest address, if the file says more.
  private static func region(_ address: Int, _ byteCount: Int) -> Range<Int> {
    let end = address.addingReportingOverflow(max(0, byteCount))
    return address..<(end.overflow ? .max : end.partialValue)
  }
}

extension HDF5File {
  /// Throws if the elements of a dataset are where those of another or a structure that was read are.
  ///
  /// - Parameter datasets: all that the file has, each once.
  func checkRegions(of datasets: [HDF5Dataset]) throws(ReadError) {
    let places = datasets.map { ($0.path, $0.regions) }
    guard let (path, address) = regions.withLock({ $0.overlap(with: places) }) else { return }
    throw .malformed(
      location(of: path).at(base + address),
      expected: "elements where nothing else of the file is", found: "something else there",
      remedy: fetchAgain)
  }
}
