public import Checkpoints

/// How a picture of any size becomes one that a network takes, as torchvision does for evaluation:
/// scaled until its shorter side is `resize` pixels long, then cut to the square in its middle.
public struct ImagePreparation: Equatable, Sendable {
  /// Height and width of the square.
  public var size: Int
  /// The shorter side before cutting.
  public var resize: Int

  /// - Parameter cropRatio: what part of the shorter side is kept: 0.875 makes 224 of 256.
  public init(size: Int, cropRatio: Double = 0.875) {
    precondition(size > 0 && cropRatio > 0 && cropRatio <= 1)
    self.size = size
    resize = max(size, Int(Double(size) / cropRatio))
  }

  /// Scales and cuts a picture.
  public func apply(to image: RGBImage) -> RGBImage {
    // As torchvision's Resize and CenterCrop round: the longer side down, the margin half to even.
    let shorter = min(image.width, image.height)
    let (width, height) = (resize * image.width / shorter, resize * image.height / shorter)
    func middle(_ length: Int) -> Range<Int> {
      let margin = Int((Double(length - size) / 2).rounded(.toNearestOrEven))
      return margin..<margin + size
    }
    return image.resized(
      width: width, height: height, columns: middle(width), rows: middle(height))
  }
}

extension InputConvention {
  /// Writes a picture as the numbers that a network of this convention takes: three planes, in its
  /// order of colours.
  ///
  /// - Parameter numbers: room for `3 * width * height` from `start` on.
  public func write(_ image: RGBImage, to numbers: inout [Float], at start: Int) {
    let area = image.width * image.height
    let pixels = image.pixels.span
    var output = numbers.mutableSpan
    for plane in 0..<3 {
      let color = channelOrder == .rgb ? plane : 2 - plane
      let values = values(ofPlane: plane).span
      for index in 0..<area {
        output[start + plane * area + index] = values[Int(pixels[3 * index + color])]
      }
    }
  }

  /// What each byte becomes in one of the planes.
  public func values(ofPlane plane: Int) -> [Float] {
    (0..<256).map { byte in
      Float((Double(byte) / 255 * scale - mean[plane]) / standardDeviation[plane])
    }
  }
}
