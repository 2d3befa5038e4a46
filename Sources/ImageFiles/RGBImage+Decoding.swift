public import Tensors

// Pictures is a trait of the package (see Package.swift): whether libpng and libjpeg are there.
#if Pictures
  internal import CImages
  #if canImport(Glibc)
    internal import Glibc
  #elseif canImport(Musl)
    internal import Musl
  #else
    internal import Darwin
  #endif
#endif

extension RGBImage {
  /// Decodes the bytes of a PNG or JPEG file.
  ///
  /// - Parameter location: where the bytes are from, for errors.
  /// - Throws: `ReadError`; always, if the package was built without the trait Pictures.
  public init(_ bytes: [UInt8], at location: Location) throws(ReadError) {
    #if Pictures
      self = try RGBImage.decoded(bytes, at: location)
    #else
      throw .unsupported(
        location, what: "this program was built without libpng and libjpeg, which read pictures",
        remedy: "Pass the images as .npz or .npy, or build it with the package trait Pictures.")
    #endif
  }

  #if Pictures
    private static func decoded(
      _ bytes: [UInt8], at location: Location
    ) throws(ReadError) -> RGBImage {
      guard let format = PictureFormat(bytes) else {
        throw .unsupported(
          location, what: "it is neither a PNG nor a JPEG image",
          remedy: "Convert it to one of them, or leave it out.")
      }
      var picture = unsafe cimages_picture()
      // Safe: the decoders read the given bytes only; what they allocate is freed below.
      let outcome =
        switch format {
        case .png:
          unsafe cimages_decode_png(bytes, bytes.count, RGBImage.mostPixels, &picture)
        case .jpeg:
          unsafe cimages_decode_jpeg(bytes, bytes.count, RGBImage.mostPixels, &picture)
        }
      defer { unsafe free(picture.pixels) }
      let (width, height) = unsafe (Int(picture.width), Int(picture.height))
      switch outcome {
      case cimages_decoded:
        return RGBImage(
          width: width, height: height,
          pixels: unsafe Array(
            UnsafeBufferPointer(start: picture.pixels, count: 3 * width * height)))
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
          location, expected: "a \(format.rawValue) image that can be decoded",
          found: "an error ('\(message)')", remedy: fetchAgain)
      }
    }
  #endif
}
