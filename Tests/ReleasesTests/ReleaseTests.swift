import JSON
import Releases
import TestSupport
import Testing

@Suite struct ReleaseTests {
  @Test(arguments: [
    ("runs/a0.pth", "a0"), ("model_best.pth.tar", "model_best"), ("-x y.pkl", "x-y"),
    ("é.pth", "model"), (".pth", "pth"), ("a/b.onnx", "b"), ("run.7.ckpt", "run.7"),
  ])
  func `files are called as the training checkpoint, in letters that files may have everywhere`(
    path: String, name: String
  ) {
    #expect(ReleaseOptions.name(for: path) == name)
    #expect(ReleaseOptions.isName(name))
  }

  @Test(arguments: ["", ".a", "-a", "a/b", "a b", "ä", "a\n", String(repeating: "a", count: 101)])
  func `other names are none`(name: String) { #expect(!ReleaseOptions.isName(name)) }

  @Test(arguments: 1...7)
  func `parts are disjoint and together the whole`(count: Int) throws {
    let shards = try (1...count).map { try #require(Shard("\($0)/\(count)")) }
    for position in 0..<40 {
      #expect(shards.filter { $0.contains(position) }.count == 1)
    }
    let sizes = shards.map { shard in (0..<40).count { shard.contains($0) } }
    #expect(sizes.max()! - sizes.min()! <= 1)
  }

  @Test func `Markdown of any text shows the text`() {
    #expect(markdown("a_b*c|d") == #"a\_b\*c\|d"#)
    #expect(markdown("a\nb\u{2028}") == #"a\\u\{a\}b\\u\{2028\}"#)
    #expect(markdown("日本 é") == "日本 é")
  }

  /// What TOML says these are; <https://toml.io/en/v1.0.0>.
  @Test func `strings, numbers and arrays are read as TOML has them`() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write(
      Array(
        #"""
        [[model]]
        a = "tab\tquote\" \u00e9 \U0001F600 # no comment" # a comment
        b = 'C:\path'
        c = -1.5e3
        d = +17
        e = 2.0
        f = true
        g = [ "x" , 1,
          # between
          'y',
        ]
        h = []
        """#.utf8), to: "list.toml")
    let entries = try ReleaseList(path: path).models[0].entries
    #expect(entries.map(\.key) == ["a", "b", "c", "d", "e", "f", "g", "h"])
    #expect(
      entries.map(\.value) == [
        "tab\tquote\" é 😀 # no comment", #"C:\path"#, -1500, 17, 2, true, ["x", 1, "y"], [],
      ])
    #expect(entries.map { $0.line! } == [2, 3, 4, 5, 6, 7, 8, 12])
  }
}
