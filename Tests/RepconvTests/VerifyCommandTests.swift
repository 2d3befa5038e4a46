import Foundation
import TestSupport
import Testing

/// `repconv verify`, and `fuse --verify`, as a user runs them.
@Suite struct VerifyCommandTests {
  let folder: TemporaryFolder
  let train = Fixtures.path("PyTorch/plain-train.pth")
  let arrays = Fixtures.path("Expected/plain-logits.npz")
  init() throws {
    folder = try TemporaryFolder()
    #expect(try run("fuse", "-q", train, "out.rvd").status == 0)
  }

  func run(_ arguments: String...) throws -> Program.Result {
    try Program.run(arguments, in: folder.path)
  }

  func report(_ arguments: [String]) throws -> [String: Any] {
    let result = try Program.run(["verify", train, "--json"] + arguments, in: folder.path)
    #expect(result.errors == "")
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
    #expect((object["same"] as? Bool) == (result.status == 0))
    return object
  }

  func networks(_ arguments: String...) throws -> [String: Any] {
    try #require(try report(arguments)["networks"] as? [String: Any])
  }

  func runs(_ networks: [String: Any]) throws -> [[String: Any]] {
    try #require(networks["runs"] as? [[String: Any]])
  }

  @Test func `both forms are run, and the report says what that shows`() throws {
    let result = try run("verify", train, "out.rvd", "--size", "32")
    #expect(result.status == 0 && result.errors == "")
    for expected in [
      "out.rvd is \(train), fused\n",
      "\n  blocks        8 recomputed in float64: every value is the nearest float32\n",
      "\n  images        2 images of 3x32x32, random numbers from -2 to 2, seed 0\n",
      "\n  float64       logits differ by at most ", "; the same class for 2 of 2\n",
      " of the largest, which is ",
    ] {
      #expect(result.output.contains(expected), "\(expected)")
    }
    #expect(try run("verify", train, "out.rvd", "--size", "32").output == result.output)
  }

  @Test func `arrays, pictures and random numbers can be the images`() throws {
    let ofArrays = try networks("out.rvd", "--input", arrays)
    let logits = try readNPZ(arrays)["logits64"]!
    #expect(ofArrays["images"] as? Int == logits.shape[0])
    let largest = try #require(try runs(ofArrays)[0]["largestLogit"] as? Double)
    #expect((largest - logits.doubles.map(\.magnitude).max()!).magnitude < 1e-10)
    #expect(try runs(ofArrays).map { $0["arithmetic"] as? String } == ["float64", "float32"])

    let ofPictures = try networks(
      "out.rvd", "--images", Fixtures.path("Digits/3"), "--size", "32", "--batch", "3")
    #expect(ofPictures["shape"] as? [Int] == [3, 32, 32])
    #expect(
      try runs(ofPictures).allSatisfy { $0["sameClass"] as? Int == ofPictures["images"] as? Int })

    let random = try networks("out.rvd", "--size", "32", "--batch", "5", "--seed", "7")
    #expect(random["images"] as? Int == 5)
    let images = try report(["out.rvd", "--size", "32", "--seed", "7"])["images"] as? [String: Any]
    #expect(images?["source"] as? String == "random" && images?["seed"] as? Int == 7)
    let other = try networks("out.rvd", "--size", "32", "--batch", "5", "--seed", "8")
    #expect(
      try runs(random)[0]["largestLogit"] as? Double != runs(other)[0]["largestLogit"] as? Double)
  }

  @Test func `what cannot be run is said, and the algebra decides`() throws {
    let part = Fixtures.path("Cases/larger-network.pth")
    #expect(try run("fuse", "-q", part, "part.pth").status == 0)
    let result = try run("verify", part, "part.pth")
    #expect(result.status == 0)
    #expect(result.output.contains("\n  networks      not run: \(part): "))
    let asked = try run("verify", part, "part.pth", "--input", arrays)
    #expect(asked.status == 2 && asked.output == "")
    #expect(asked.errors.hasPrefix("repconv: error: \(part): the network cannot be run: "))

    #expect(try report(["out.rvd", "--algebra-only"])["networksNotRun"] as? String == "as asked")
    var bytes = try folder.read("out.rvd")
    bytes[164] ^= 1  // in the first tensor
    try folder.write(bytes, to: "damaged.rvd")
    #expect(try report(["damaged.rvd"])["networksNotRun"] as? String == "a file is damaged")
  }

  @Test(arguments: [
    (["--algebra-only", "--input", "x.npz"], "--algebra-only runs nothing"),
    (["--images", "x", "--input", "x.npz"], "either --input FILE or --images FOLDER"),
    (["--batch", "0"], "--batch takes a number of at least 1"),
    (["--size", "0"], "--size takes a number from 1 to 65535"),
    (["--seed", "-1"], "--seed"),
  ])
  func `odd arguments are told apart`(arguments: [String], message: String) throws {
    let result = try Program.run(["verify", train, "out.rvd"] + arguments, in: folder.path)
    #expect(result.status == 64 && result.output == "")
    #expect(result.errors.contains(message))
  }

  @Test(arguments: [["--size", "65535"], ["--batch", "1000000000000"]])
  func `more images than memory has room for are refused`(arguments: [String]) throws {
    let result = try Program.run(["verify", train, "out.rvd"] + arguments, in: folder.path)
    #expect(result.status == 2 && result.output == "")
    #expect(result.errors.contains(" are too many numbers at once.\n"))
  }

  @Test(arguments: ["rvd", "pth", "safetensors", "npz", "h5", "pkl", "wts"])
  func `fuse proves what it wrote`(format: String) throws {
    let result = try run("fuse", train, "proved.\(format)", "--verify")
    #expect(result.status == 0 && result.errors == "")
    #expect(
      result.output.contains(
        "\n  verified      8 recomputed in float64: every value is the nearest float32\n"))
  }

  // MARK: ONNX

  private func verifyONNX(_ file: String, _ more: String...) throws -> Program.Result {
    try Program.run(
      [
        "verify", Fixtures.path("ONNX/repvgg-train.pth"), "--key", "state_dict",
        Fixtures.path("ONNX/\(file)"),
      ] + more, in: folder.path)
  }

  @Test(arguments: [
    (
      "repvgg-deploy-dynamo.onnx", 0,
      [
        "7 recomputed in float64: every value is the nearest float32",
        "16 nodes, 8 layers known by their places in it",
        "logits differ by at most",
      ]
    ),
    (
      "repvgg-qdq.onnx", 0,
      [
        "every value is the nearest step of int8",
        "8 layers in int8 for each channel; a step is from ",
        "not run: ", "operation QuantizeLinear is not known",
      ]
    ),
    (
      "repvgg-unfused-onnxslim.onnx", 1,
      [
        "7 blocks branch by branch: stage0, ",
        "The branches are right, but not fused: the network computes the same, in more steps.",
      ]
    ),
    (
      "fault-training-mode.onnx", 1,
      [
        "16 BatchNormalization set to compute as in training",
        "It was exported in training mode: what it computes depends on the batch.",
      ]
    ),
    (
      "fault-epsilon.onnx", 1,
      ["Every block that differs (7): fused with epsilon 0.001."]
    ),
    ("fault-ema.onnx", 1, ["--key state_dict_ema"]),
  ])
  func `the verdict on an ONNX file is told in words`(
    _ file: String, status: Int32, sentences: [String]
  ) throws {
    let result = try verifyONNX(file, "--size", "32")
    #expect(result.status == status && result.errors == "")
    for sentence in sentences { #expect(result.output.contains(sentence), "\(sentence)") }
  }

  @Test func `an ONNX file that is damaged is an error`() throws {
    let bytes = try Fixtures.bytes("ONNX/repvgg-deploy-dynamo.onnx")
    let path = try folder.write(Array(bytes.dropLast(5000)), to: "cut.onnx")
    let result = try run("verify", train, path)
    #expect(result.status == 1 && result.errors.contains("the file ends inside the model"))
  }
}
