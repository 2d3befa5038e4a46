import Checkpoints
import ImageFiles
import Tensors
import TestSupport
import Testing

@Suite struct ImageTests {
  static let names = expectedPictures.keys.filter { !$0.contains("/") }.sorted()

  @Test func `there are pictures of every kind`() {
    #expect(Self.names.count == 15)
  }

  @Test(arguments: names)
  func `a picture is decoded as Pillow does`(name: String) throws {
    #expect(try fixture(name) == expectedPictures[name]!.picture)
  }

  /// `rgb.png/37x13`
  @Test(arguments: expectedPictures.keys.filter { $0.contains("x") && $0.contains("/") }.sorted())
  func `a picture is resized as Pillow does, to the byte`(key: String) throws {
    let expected = expectedPictures[key]!.picture
    let image = try fixture(String(key.prefix { $0 != "/" }))
    #expect(image.resized(width: expected.width, height: expected.height) == expected)
  }

  @Test(arguments: [(7, 9), (40, 30), (20, 61), (64, 5)])
  func `a part of a resized picture is as in the whole`(width: Int, height: Int) throws {
    let image = try fixture("rgb.png")
    let whole = image.resized(width: width, height: height)
    var random = SeededGenerator(seed: 1)
    for _ in 0..<20 {
      let (left, top) = (
        Int.random(in: 0..<width, using: &random), Int.random(in: 0..<height, using: &random)
      )
      let (right, bottom) = (
        Int.random(in: left + 1...width, using: &random),
        Int.random(in: top + 1...height, using: &random)
      )
      let part = image.resized(
        width: width, height: height, columns: left..<right, rows: top..<bottom)
      let rows = (top..<bottom).map { y in
        whole.pixels[3 * (y * width + left)..<3 * (y * width + right)]
      }
      #expect(part.width == right - left && part.height == bottom - top)
      #expect(part.pixels == Array(rows.joined()))
    }
  }

  /// Of a strip that is scaled to millions of pixels only the middle is computed.
  @Test func `a strip is prepared without what is cut off`() {
    let strip = RGBImage(
      width: 1, height: 1 << 20, pixels: (0..<3 << 20).map { UInt8(truncatingIfNeeded: $0 / 3) })
    let middle = ImagePreparation(size: 2, cropRatio: 0.01).apply(to: strip)
    // Of 2^20 x 200 rows those in the middle, between rows of 255 and 0.
    #expect(
      middle.width == 2
        && middle.pixels == [128, 128, 128, 128, 128, 128, 127, 127, 127, 127, 127, 127])
  }

  /// `rgb.png/28/32`
  @Test(arguments: expectedPictures.keys.filter { $0.split(separator: "/").count == 3 }.sorted())
  func `a picture is prepared as torchvision does`(key: String) throws {
    let parts = key.split(separator: "/")
    var preparation = ImagePreparation(size: Int(parts[1])!)
    preparation.resize = Int(parts[2])!
    #expect(preparation.apply(to: try fixture(String(parts[0]))) == expectedPictures[key]!.picture)
  }

  @Test func `the shorter side follows from the crop ratio`() {
    #expect(ImagePreparation(size: 224) == ImagePreparation(size: 224, cropRatio: 224 / 256))
    #expect(ImagePreparation(size: 224).resize == 256)
    #expect(ImagePreparation(size: 320).resize == 365)
    #expect(ImagePreparation(size: 320, cropRatio: 1).resize == 320)
  }

  @Test func `pictures become planes in the convention's order and scale`() {
    let image = RGBImage(width: 2, height: 1, pixels: [255, 0, 51, 0, 102, 255])
    let rgb = InputConvention(
      channelOrder: .rgb, scale: 1, mean: [0.5, 0, 0], standardDeviation: [0.5, 1, 2])
    var numbers = [Float](repeating: 9, count: 7)
    rgb.write(image, to: &numbers, at: 1)
    #expect(numbers == [9, 1, -1, 0, 0.4, 0.1, 0.5])
    let bgr = InputConvention(
      channelOrder: .bgr, scale: 255, mean: [0, 2, 55], standardDeviation: [1, 1, 100])
    bgr.write(image, to: &numbers, at: 0)
    #expect(numbers == [51, 255, -2, 100, 2, -0.55, 0.5])
  }

  // MARK: Files that are no pictures

  @Test(arguments: ["rgb.png", "interlaced.png", "420.jpg", "progressive.jpg", "cmyk.jpg"])
  func `a picture cut short is rejected, wherever it is cut`(name: String) throws {
    let bytes = try Fixtures.bytes("Images/\(name)")
    let place = Location(path: name)
    for length in 0..<bytes.count - 2 {
      #expect(throws: ReadError.self, "\(length) of \(bytes.count) bytes") {
        try RGBImage(Array(bytes[..<length]), at: place)
      }
    }
  }

  @Test(arguments: names)
  func `a flipped bit is an error or another picture, never a trap`(name: String) throws {
    let bytes = try Fixtures.bytes("Images/\(name)")
    for index in bytes.indices {
      var damaged = bytes
      damaged[index] ^= 1 << UInt8(index % 8)
      let result = Result { () throws(ReadError) in
        try RGBImage(damaged, at: Location(path: name))
      }
      // Every chunk of a PNG has a checksum; those of no consequence are allowed to fail it.
      if name == "rgb.png", case .success(let image) = result {
        #expect(image == expectedPictures[name]!.picture)
      }
    }
  }

  @Test func `errors say what is wrong with which file`() throws {
    let folder = try TemporaryFolder()
    let text = try folder.write(Array("no picture".utf8), to: "a.png")
    #expect(
      throws: ReadError.unsupported(
        Location(path: text), what: "it is neither a PNG nor a JPEG image",
        remedy: "Convert it to one of them, or leave it out.")
    ) { try RGBImage(path: text) }

    let half = try folder.write(
      Array(try Fixtures.bytes("Images/rgb.png").prefix(200)), to: "b.png")
    let error = #expect(throws: ReadError.self) { try RGBImage(path: half) }
    #expect(error?.isCorruption == true)
    #expect(
      error?.description.hasPrefix("\(half): expected a PNG image that can be decoded") == true)
  }

  @Test func `a picture larger than any camera takes is refused`() throws {
    // The header says 65535 x 65535; width and height follow the first eight bytes of IHDR.
    var bytes = try Fixtures.bytes("Images/420.jpg")
    let frame = try #require(bytes.indices.first { bytes[$0] == 0xFF && bytes[$0 + 1] == 0xC0 })
    bytes.replaceSubrange(frame + 5..<frame + 9, with: [0xFF, 0xDC, 0xFF, 0xDC])
    let error = #expect(throws: ReadError.self) {
      try RGBImage(bytes, at: Location(path: "large.jpg"))
    }
    guard case .limitExceeded? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  // MARK: Folders

  @Test func `folders are walked in the order of names`() throws {
    let folder = try TemporaryFolder()
    let picture = try Fixtures.bytes("Images/rgb.png")
    for name in ["b/2.PNG", "b/10.png", "B/x.jpeg", "a/deep/er/1.jpg", "a/0.jpg", "é/1.png"] {
      try folder.write(picture, to: name, makingFolders: true)
    }
    for name in ["a/notes.txt", "readme.md", "a/.hidden.png", ".cache/1.png"] {
      try folder.write([], to: name, makingFolders: true)
    }
    let classes = try ClassFolders(path: folder.path)
    #expect(classes.classes == ["B", "a", "b", "é"])
    #expect(
      classes.images.map { "\($0.classIndex) \($0.path.dropFirst(folder.path.count + 1))" } == [
        "0 B/x.jpeg", "1 a/0.jpg", "1 a/deep/er/1.jpg", "2 b/10.png", "2 b/2.PNG", "3 é/1.png",
      ])
    #expect(classes.otherFiles == 1)
    let all = try ImageFolder(path: folder.path + "/")
    #expect(all.images.count == 6 && all.otherFiles == 2)
    #expect(all.images[0] == folder.path + "/B/x.jpeg")
    #expect(throws: ReadError.self) { try ClassFolders(path: folder.file("none")) }
  }
}
