import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct ReadingLimitsTests {
  @Test func `the documentation has just the limits there are`() throws {
    let page = Fixtures.folder + "/../../formats/limits.md"
    let rows = try String(contentsOfFile: page, encoding: .utf8)
      .split(separator: "\n").filter { $0.hasPrefix("| `") }.map(String.init)
    let thousands = { (number: Int) in
      var digits = Array(String(number))
      for place in stride(from: digits.count - 3, to: 0, by: -3) { digits.insert(",", at: place) }
      return String(digits)
    }
    #expect(
      rows
        == ReadingLimits.all.map {
          "| `\($0.name)` | \(thousands($0.usual)) | \($0.counts) | \($0.reason) |"
        })
  }

  @Test func `every limit has a name of its own, and its usual value until it is changed`() {
    var limits = ReadingLimits()
    #expect(Set(ReadingLimits.all.map(\.name)).count == ReadingLimits.all.count)
    for limit in ReadingLimits.all {
      #expect(limits[limit] == limit.usual)
      limits[limit] = 7
      #expect(limits[limit] == 7)
    }
  }
}
