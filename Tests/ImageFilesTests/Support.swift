import ImageFiles
import Tensors
import TestSupport

/// What Pillow made of the pictures (see Tests/Fixtures/Images/make_images.py).
let expectedPictures = try! readNPZ(Fixtures.path("Images/expected.npz"))

func fixture(_ name: String) throws -> RGBImage {
  try RGBImage(path: Fixtures.path("Images/\(name)"))
}

extension NPZArray {
  /// Height x width x 3 bytes as a picture.
  var picture: RGBImage {
    precondition(type == "|u1" && shape.count == 3 && shape[2] == 3)
    return RGBImage(width: shape[1], height: shape[0], pixels: data)
  }
}
