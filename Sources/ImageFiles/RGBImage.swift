internal import CImages
public import Tensors

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// A picture in memory: 8 bits for each of red, green and blue.
public struct RGBImage: Equatable, Sendable {
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

  /// Decodes the bytes of a PNG or JPEG file.
  ///
  /// - Parameter location: where the bytes are from, for errors.
  public init(_ bytes: [UInt8], at location: Location) throws(ReadError) {
    let format: String
    var picture = unsafe cimages_picture()
    // Safe: the decoders read the given bytes only; what they allocate is freed below.
    let outcome: cimages_outcome
    if bytes.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) {
      format = "PNG"
      outcome = unsafe cimages_decode_png(bytes, bytes.count, RGBImage.mostPixels, &picture)
    } else if bytes.starts(with: [0xFF, 0xD8, 0xFF]) {
      format = "JPEG"
      outcome = unsafe cimages_decode_jpeg(bytes, bytes.count, RGBImage.mostPixels, &picture)
    } else {
      throw .unsupported(
        location, what: "it is neither a PNG nor a JPEG image",
        remedy: "Convert it to one of them, or leave it out.")
    }
    defer { unsafe free(picture.pixels) }
    let (width, height) = unsafe (Int(picture.width), Int(picture.height))
    switch outcome {
    case cimages_decoded:
      self.init(
        width: width, height: height,
        pixels: unsafe Array(UnsafeBufferPointer(start: picture.pixels, count: 3 * width * height)))
    case cimages_too_large:
      throw .limitExceeded(
        location, what: "pixels of an image", limit: RGBImage.mostPixels,
        found: "\(width)x\(height)")
    case cimages_out_of_memory:
      throw .unsupported(
        location, what: "there is not enough memory for an image of \(width)x\(height) pixels",
        remedy: "Scale it down.")
    default:
      let message = unsafe withUnsafeBytes(of: picture.message) { bytes in
        unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      throw .malformed(
        location, expected: "a \(format) image that can be decoded",
        found: "an error ('\(message)')", remedy: fetchAgain)
    }
  }
}
