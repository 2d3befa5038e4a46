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
