import ArgumentParser
import CheckpointFiles
import Checkpoints
import Conversion
import ImageFiles
import Inference
import Tensors

/// Images that a command is told to use.
struct ImageArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp("A NumPy file with the images: .npz or .npy.", valueName: "file"),
    completion: .file(extensions: ["npz", "npy"]))
  var input: String?

  @Option(
    help: ArgumentHelp("A folder of pictures instead.", valueName: "folder"), completion: .directory
  )
  var images: String?

  @OptionGroup var pictures: PictureArguments

  var areNamed: Bool { input != nil || images != nil }

  func validate() throws {
    if input != nil && images != nil {
      throw ValidationError("Name the images with either --input FILE or --images FOLDER.")
    }
  }

  /// The images, or nil if none are named.
  ///
  /// - Parameter path: the network's file, for errors.
  func select(for network: RunnableNetwork, path: String) throws -> ImageSelection? {
    if let input {
      return try ImageSelection(arrays: input, pictures.options.convention(for: network))
    }
    return try images.map { try pictures.select([$0], for: network, path: path) }
  }

  /// Images as they are named without an option: one NumPy file, or pictures and folders of pictures.
  func select(
    _ paths: [String], for network: RunnableNetwork, path: String
  ) throws -> ImageSelection {
    try ImageArguments.select(paths, pictures, for: network, path: path)
  }

  static func select(
    _ paths: [String], _ pictures: PictureArguments, for network: RunnableNetwork, path: String
  ) throws -> ImageSelection {
    for image in paths where !isFolder(image) {
      if try PictureFormat(path: image) != nil { continue }
      guard paths.count == 1, try beginsAsArrays(path: image) else {
        throw InferenceError.noImages(
          path: image, reason: "it is neither a picture (PNG or JPEG) nor a NumPy file on its own",
          remedy: "Name pictures and folders of pictures, or one .npz or .npy file.")
      }
      return try ImageSelection(arrays: image, pictures.options.convention(for: network))
    }
    return try pictures.select(paths, for: network, path: path)
  }
}

extension ImageSelection {
  /// What a report says of them.
  var rows: [String] {
    [row("images", summary)] + (convention.map { [row("input", $0.description)] } ?? [])
      + (preparation.map { [row("size", $0.summary)] } ?? [])
  }

  /// `40 images of 3x32x32, 'images' of digits.npz`
  private var summary: String {
    let images = "\(count(input.count, "image")) of \(input.shape), "
    return switch source {
    case .array(let path, ""): images + path
    case .array(let path, let name): images + "'\(name)' of \(path)"
    case .pictures(let folder, let others):
      "\(count(input.count, "picture"))\(folder.map { " in \($0)" } ?? "")"
        + (labels.map { ", of \(count(Set($0).count, "class", "classes"))" } ?? "")
        + (others > 0 ? "; \(count(others, "other file")) left alone" : "")
    case .random(let seed): images + "random numbers from -2 to 2, seed \(seed)"
    }
  }
}

/// Images that a network is calibrated with.
struct CalibrationImageArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The images: a NumPy file, or a folder of pictures, as 'repconv run' takes them.",
      valueName: "file|folder"),
    completion: .file())
  var calibrate: String

  @OptionGroup(title: "About the network's input") var pictures: PictureArguments

  /// - Parameter path: the network's file, for errors.
  func select(for network: RunnableNetwork, path: String) throws -> ImageSelection {
    try ImageArguments.select([calibrate], pictures, for: network, path: path)
  }
}

/// How much of a picture is used.
struct CropArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Scale pictures to size / ratio before cutting out their middle (default: 0.875 for 224, else 1).",
      valueName: "ratio"))
  var cropRatio: Double?

  func validate() throws {
    if let cropRatio, !(cropRatio >= 0.01 && cropRatio <= 1) {
      throw ValidationError("--crop-ratio takes a number from 0.01 to 1, not \(cropRatio).")
    }
  }
}

/// How pictures become input.
struct PictureArguments: ParsableArguments {
  @OptionGroup var givenInput: GivenInputArguments

  @OptionGroup var crop: CropArguments

  var options: PictureOptions {
    var options = PictureOptions()
    options.input = givenInput.given
    options.cropRatio = crop.cropRatio
    return options
  }

  /// - Parameters:
  ///   - paths: of pictures and folders.
  ///   - path: the network's file, for errors.
  func select(
    _ paths: [String], for network: RunnableNetwork, path: String
  ) throws -> ImageSelection {
    try ImageSelection(
      pictures: paths, try options.preparation(for: network),
      options.requireConvention(for: network, path: path))
  }
}

extension ImagePreparation {
  /// `224x224 pixels, the middle of pictures scaled to 256`
  var summary: String {
    "\(size)x\(size) pixels, the middle of pictures scaled to \(resize)"
  }
}
