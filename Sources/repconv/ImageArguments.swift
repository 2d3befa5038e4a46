import ArgumentParser
import Checkpoints
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
  func select(for network: RunnableNetwork, path: String) throws -> SelectedImages? {
    if let input {
      return try SelectedImages(InputArrays(path: input), path: input, network)
    }
    return try images.map { images in
      try SelectedImages(
        ImageFolder(path: images), pictures.preparation(for: network),
        try network.requireInput(path: path))
    }
  }
}

/// Images for a network, and what is to be said of them.
struct SelectedImages {
  var input: NetworkInput
  /// `40 images of 3x32x32, 'images' of digits.npz`
  var source: String
  /// If they are pictures.
  var paths: [String]?
  /// If they were normalised.
  var convention: InputConvention?
  /// If they were scaled.
  var preparation: ImagePreparation?
  /// The right answers.
  var labels: [Int]?
  /// If they are random numbers.
  var seed: UInt64?

  init(_ arrays: InputArrays, path: String, _ network: RunnableNetwork) throws {
    let images = try arrays.batch(network.input)
    input = NetworkInput(images)
    source =
      "\(count(images.count, "image")) of \(input.shape), "
      + (arrays.name.isEmpty ? path : "'\(arrays.name)' of \(path)")
    if arrays.arePixels { convention = network.input }
    labels = arrays.labels
  }

  init(
    _ folder: ImageFolder, _ preparation: ImagePreparation, _ convention: InputConvention
  ) throws(InferenceError) {
    guard !folder.images.isEmpty else {
      throw .noImages(
        path: folder.path, reason: "there is no picture in the folder",
        remedy: "Pictures are files that end in \(ImageFolder.extensions.joined(separator: ", ")).")
    }
    input = NetworkInput(pictures: folder.images, preparation, convention)
    source = "\(count(folder.images.count, "picture")) in \(folder.path)"
    paths = folder.images
    self.convention = convention
    self.preparation = preparation
  }

  /// Random numbers instead of images.
  init(randomOf shape: Shape, seed: UInt64) throws(InferenceError) {
    input = try NetworkInput(randomOf: shape, seed: seed)
    source =
      "\(count(input.count, "image")) of \(input.shape), random numbers from -2 to 2, seed \(seed)"
    self.seed = seed
  }

  /// What a report says of them.
  var rows: [String] {
    [row("images", source)] + (convention.map { [row("input", $0.summary)] } ?? [])
      + (preparation.map { [row("size", $0.summary)] } ?? [])
  }
}

/// How pictures become input.
struct PictureArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Height and width of the images, in pixels (default: what the file says; else 320 for D2se and L2pse, 224 for others).",
      valueName: "pixels"))
  var size: Int?

  @Option(
    help: ArgumentHelp(
      "Scale pictures to size / ratio before cutting out their middle (default: 0.875 for 224, else 1).",
      valueName: "ratio"))
  var cropRatio: Double?

  func validate() throws {
    if let size, !(1...65535).contains(size) {
      throw ValidationError("--size takes a number from 1 to 65535, not \(size).")
    }
    if let cropRatio, !(cropRatio >= 0.01 && cropRatio <= 1) {
      throw ValidationError("--crop-ratio takes a number from 0.01 to 1, not \(cropRatio).")
    }
  }

  func preparation(for network: RunnableNetwork) -> ImagePreparation {
    var preparation = network.preparation
    if let size { preparation = ImagePreparation(usualFor: size) }
    if let cropRatio {
      preparation = ImagePreparation(size: preparation.size, cropRatio: cropRatio)
    }
    return preparation
  }
}

extension ImagePreparation {
  /// `224x224 pixels, the middle of pictures scaled to 256`
  var summary: String {
    "\(size)x\(size) pixels, the middle of pictures scaled to \(resize)"
  }
}

extension RunnableNetwork {
  /// How pictures become its input, or an error that it is not known.
  func requireInput(path: String) throws(InferenceError) -> InputConvention {
    guard let input else {
      throw .noImages(
        path: path, reason: "the file does not say how pictures become the network's input",
        remedy: "Give the images normalised, as an array, with 'repconv run --input'.")
    }
    return input
  }
}
