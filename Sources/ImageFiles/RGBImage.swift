public import Tensors

/// A picture in memory: 8 bits for each of red, green and blue.
public struct RGBImage: Equatable, Sendable {
  /// In pixels.
  public let width, height: Int
  /// Row by row, three to a pixel.
  public let pixels: [UInt8]

  /// - Precondition: there are `3 * width * height` pixels, and at least one.
  public init(width: Int, height: Int, pixels: [UInt8]) {
    precondition(width > 0 && height > 0 && pixels.count == 3 * width * height)
    self.width = width
    self.height = height
    self.pixels = pixels
  }

  /// More than any camera takes; decoded, 400 MB.
  public static let mostPixels = 1 << 27

  /// Decodes a PNG or JPEG file, told apart by its first bytes.
  ///
  /// As Pillow's `convert("RGB")`: grey and palettes become RGB, transparency is left out, CMYK is taken
  /// to be inverted as Adobe writes it, colour profiles and the orientation that cameras note are not
  /// applied.
  ///
  /// - Throws: `ReadError`.
  public init(path: String) throws(ReadError) {
    let file = try InputFile(path: path)
    try self.init(file.bytes(0..<file.count, field: "the image"), at: file.location)
  }
}

/// The kinds of pictures that are read, told apart by their first bytes.
public enum PictureFormat: String, CaseIterable, Sendable {
  case png = "PNG"
  case jpeg = "JPEG"

  private var signature: [UInt8] {
    switch self {
    case .png: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
    case .jpeg: [0xFF, 0xD8, 0xFF]
    }
  }

  /// The format of a file that begins so; nil if it is no picture.
  public init?(_ bytes: [UInt8]) {
    guard let format = Self.allCases.first(where: { bytes.starts(with: $0.signature) }) else {
      return nil
    }
    self = format
  }

  /// - Throws: `ReadError` if the file cannot be read.
  public init?(path: String) throws(ReadError) {
    let file = try InputFile(path: path)
    self.init(try file.bytes(0..<min(8, file.count), field: "the first bytes"))
  }
}
