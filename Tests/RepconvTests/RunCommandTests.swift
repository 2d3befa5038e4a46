import Foundation
import TestSupport
import Testing

/// `repconv run` and `repconv eval` as a user runs them.
@Suite struct RunCommandTests {
  let folder: TemporaryFolder
  let digits = Fixtures.path("Digits/digits.npz")
  let train = Fixtures.path("PyTorch/plain-train.pth")
  init() throws { folder = try TemporaryFolder() }

  func run(_ arguments: String...) throws -> Program.Result {
    try Program.run(arguments, in: folder.path)
  }

  func json(_ result: Program.Result) throws -> [String: Any] {
    try #require(
      try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
  }

  func largestDifference(_ array: NPZArray, _ expected: NPZArray) -> Double {
    guard array.shape == expected.shape else { return .infinity }
    return zip(array.doubles, expected.doubles).map { ($0 - $1).magnitude }.max() ?? .infinity
  }

  @Test func `both forms give PyTorch's logits, from pixels and from numbers`() throws {
    #expect(try run("fuse", "-q", train, "plain.rvd").status == 0)
    #expect(try run("fuse", "-q", train, "plain-deploy.pth").status == 0)
    let pixels = try readNPZ(digits)["logits64"]!
    let numbers = try readNPZ(Fixtures.path("Expected/plain-logits.npz"))["logits64"]!
    for model in [train, "plain.rvd", "plain-deploy.pth"] {
      let single = try run("run", model, "--input", digits, "-o", "single.npz", "--force")
      #expect(single.status == 0 && single.errors == "")
      let logits = try #require(try readNPZ(folder.file("single.npz"))["logits"])
      #expect(logits.type == "<f4")
      #expect(largestDifference(logits, pixels) < 1e-4)

      let double = try run(
        "run", model, "--input", Fixtures.path("Expected/plain-logits.npz"), "-o", "double.npz",
        "--force", "--double", "--batch", "5", "--threads", "1")
      #expect(double.status == 0)
      let exact = try #require(try readNPZ(folder.file("double.npz"))["logits"])
      #expect(exact.type == "<f8")
      #expect(largestDifference(exact, numbers) < (model == train ? 1e-10 : 1e-5))
    }
  }

  @Test func `the best classes are shown, with their names and the accuracy`() throws {
    try folder.write(
      Array("zero\none\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\n".utf8), to: "names.txt")
    let result = try run(
      "run", train, "--input", digits, "--labels", "names.txt", "--topk", "2", "-o", "out.npz")
    #expect(result.status == 0 && result.errors == "")
    let lines = result.output.split(separator: "\n", omittingEmptySubsequences: false)
    #expect(
      lines[0]
        == "\(train): custom RepVGG (2,2,2,1 blocks; 16,16,32,64,64 channels), train form, float32")
    #expect(lines[1] == "  images        40 images of 3x32x32, 'images' of \(digits)")
    #expect(result.output.contains("  top-1         97.50 %, 39 right\n"))
    #expect(result.output.contains("  wrote         out.npz, logits 40x10\n"))
    #expect(result.output.contains("\n  image  label  best"))
    #expect(result.output.contains("\n     12  3      three 100.0 %"))
    #expect(try folder.names() == ["names.txt", "out.npz"])
  }

  @Test func `a single array, and one in column-major order, are read as well`() throws {
    // What numpy.save writes, of zeros: 2 x 3 x 32 x 32.
    for (order, type, size) in [("False", "<f2", 2), ("True", "<f8", 8)] {
      var header = "{'descr': '\(type)', 'fortran_order': \(order), 'shape': (2, 3, 32, 32), }"
      header += String(repeating: " ", count: 117 - header.utf8.count) + "\n"
      let bytes = [0x93] + Array("NUMPY".utf8) + [1, 0, 118, 0] + Array(header.utf8)
      try folder.write(bytes + [UInt8](repeating: 0, count: 2 * 3 * 32 * 32 * size), to: "x.npy")
      let result = try run("run", train, "--input", "x.npy", "--json")
      #expect(result.status == 0 && result.errors == "")
      #expect((try json(result)["answers"] as? [Any])?.count == 2)
    }
  }

  @Test func `pictures of a folder are run in the order of their names`() throws {
    let result = try run(
      "run", train, "--images", Fixtures.path("Digits"), "--size", "32", "--topk", "1", "--json",
      "--batch", "7")
    #expect(result.status == 0 && result.errors == "")
    let images = try #require(try json(result)["answers"] as? [[String: Any]])
    #expect(images.count == 40)
    let best = images.map { (($0["top"] as! [[String: Any]])[0]["logit"] as! NSNumber).doubleValue }
    let expected = try readNPZ(digits)["logits64"]!.doubles
    for (index, logit) in best.enumerated() {
      let row = expected[index * 10..<(index + 1) * 10]
      #expect((logit - row.max()!).magnitude < 1e-4)
      #expect((images[index]["path"] as! String).hasSuffix("Digits/\(index / 4)/\(index % 4).png"))
    }
  }

  @Test func `pictures are named one by one, with folders between, and get the names of classes`()
    throws
  {
    let examples = Fixtures.folder + "/../../examples"
    try folder.write(try Fixtures.bytes("Digits/3/0.png"), to: "seven.jpg")
    #expect(
      try run(
        "fuse", "-q", train, "plain.rvd", "--size", "32", "--labels", examples + "/digits.txt"
      ).status == 0)
    // A picture is known by its bytes, not by its name.
    let one = try run("run", "plain.rvd", "seven.jpg", "--topk", "2")
    #expect(one.status == 0 && one.errors == "")
    #expect(one.output.contains("  images        1 picture\n"))
    #expect(one.output.contains("\n  seven.jpg  three 100.0 %"))

    let several = try run(
      "run", "plain.rvd", "seven.jpg", examples + "/digits", Fixtures.path("Digits/7/1.png"),
      "--topk", "1", "--json")
    #expect(several.status == 0 && several.errors == "")
    let object = try json(several)
    let answers = try #require(object["answers"] as? [[String: Any]])
    let paths = answers.map { $0["path"] as! String }
    let names = answers.map { ($0["top"] as! [[String: Any]])[0]["name"] as! String }
    #expect(paths.count == 22 && names.first == "three" && names.last == "seven")
    #expect(paths[1].hasSuffix("digits/0-0.png") && paths[20].hasSuffix("digits/9-1.png"))
    #expect((object["images"] as? [String: Any])?["path"] is NSNull)
    let digits = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    let right = zip(names[1...20], digits.flatMap { [$0, $0] }).count { $0 == $1 }
    #expect(right == 20)
  }

  @Test func `a file of arrays is known by its bytes`() throws {
    try folder.write(try Fixtures.bytes("Digits/digits.npz"), to: "digits.png")
    let named = try run("run", train, "digits.png", "-o", "named.npz")
    #expect(named.status == 0 && named.output.contains("40 images of 3x32x32, 'images' of digits"))
    #expect(try run("run", train, "--input", digits, "-o", "input.npz").status == 0)
    let (a, b) = (try readNPZ(folder.file("named.npz")), try readNPZ(folder.file("input.npz")))
    #expect(a["logits"]?.doubles == b["logits"]?.doubles && a["logits"]?.shape == [40, 10])
  }

  @Test func `accuracy is measured on class folders`() throws {
    #expect(try run("fuse", "-q", train, "plain.rvd").status == 0)
    for model in [train, "plain.rvd"] {
      let result = try run("eval", model, Fixtures.path("Digits"), "--size", "32", "--batch", "11")
      #expect(result.status == 0 && result.errors == "")
      #expect(
        result.output.contains(
          "  images        40 pictures in \(Fixtures.path("Digits")), of 10 classes\n"))
      #expect(
        result.output.contains(
          "  size          32x32 pixels, the middle of pictures scaled to 32\n"))
      #expect(result.output.contains("  top-1         97.50 %, 39 right\n"))
      #expect(result.output.contains("  top-5         100.00 %, 40 right\n"))
    }
    let object = try json(
      try run(
        "eval", train, Fixtures.path("Digits"), "--size", "32", "--json", "--at-least", "97.5"))
    let evaluation = try #require(object["evaluation"] as? [String: Any])
    #expect(evaluation["top1Right"] as? Int == 39 && evaluation["top5Right"] as? Int == 40)
    #expect(evaluation["top1"] as? Double == 97.5)
    let gated = try run(
      "eval", train, Fixtures.path("Digits"), "--size", "32", "--at-least", "97.6")
    #expect(gated.status == 1)
    #expect(gated.output.contains("97.50 %"))
    #expect(
      gated.errors == "repconv: error: \(train): top-1 is 97.50 %, below the 97.60 % asked for.\n")
  }

  @Test func `the colours are in the order that the file's names imply`() throws {
    // The same weights under MegEngine's names take BGR: a tenth of red becomes blue.
    let rgb = try run("run", train, "--input", digits, "-o", "rgb.npz")
    let bgr = try run(
      "run", Fixtures.path("MegEngine/plain-basecls.pkl"), "--input", digits, "-o", "bgr.npz")
    #expect(rgb.status == 0 && bgr.status == 0)
    #expect(bgr.output.contains("  input         BGR, values 0…255, mean 103.53 116.28 123.675"))
    let (a, b) = (
      try readNPZ(folder.file("rgb.npz"))["logits"]!, try readNPZ(folder.file("bgr.npz"))["logits"]!
    )
    #expect(largestDifference(a, b) > 0.01)
  }

  @Test func `folders may be a part of the classes if these are named`() throws {
    let picture = try Fixtures.bytes("Digits/3/0.png")
    try folder.write(picture, to: "val/three/0.png", makingFolders: true)
    let without = try run("eval", train, "val", "--size", "32")
    #expect(without.status == 2)
    #expect(without.errors.contains("val: it has 1 folder, the network 10 classes."))
    let names = "zero\r\none\r\ntwo\r\nthree\r\nfour\r\nfive\r\nsix\r\nseven\r\neight\r\nnine"
    try folder.write(Array(names.utf8), to: "names.txt")
    let with = try run("eval", train, "val", "--size", "32", "--labels", "names.txt")
    #expect(with.status == 0 && with.output.contains("  top-1         100.00 %, 1 right\n"))
    try folder.write(picture, to: "val/drei/0.png", makingFolders: true)
    let wrong = try run("eval", train, "val", "--size", "32", "--labels", "names.txt")
    #expect(wrong.status == 2)
    #expect(wrong.errors.contains("the folder 'drei' is not among the names of names.txt"))
  }

  // MARK: What is wrong

  @Test func `what cannot be run is diagnosed, and nothing is written`() throws {
    try folder.write(Array("one\ntwo\n".utf8), to: "names.txt")
    try folder.write([], to: "there.npz")
    try folder.write([], to: "empty/readme.txt", makingFolders: true)
    try folder.write(Array("no picture".utf8), to: "bad/a/0.png", makingFolders: true)
    try folder.write(
      Array(try Fixtures.bytes("Images/420.jpg").prefix(700)), to: "cut/0.jpg", makingFolders: true)
    let files = try folder.names()
    for (arguments, status, text) in [
      ([train, "--input", "none.npz"], 2, "none.npz: no such file or directory"),
      ([train, "--input", train], 2, "it is not a file of NumPy arrays"),
      (
        [train, "--input", Fixtures.path("Expected/plain-state.npz")], 2,
        "no array is called 'images'"
      ),
      ([train, "--images", "empty"], 2, "empty: there are no pictures in the folder"),
      ([train, "none.png"], 2, "none.png: no such file or directory"),
      ([train, "empty"], 2, "empty: there are no pictures in the folder"),
      ([train, Fixtures.path("Digits/3/0.png"), "empty"], 2, "empty: there are no pictures"),
      (
        [train, "names.txt"], 2,
        "names.txt: it is neither a picture (PNG or JPEG) nor a NumPy file on its own"
      ),
      (
        [train, Fixtures.path("Digits/3/0.png"), digits], 2,
        "digits.npz: it is neither a picture (PNG or JPEG) nor a NumPy file on its own.\n  Name pictures and folders of pictures, or one .npz or .npy file."
      ),
      ([train, "cut/0.jpg"], 1, "cut/0.jpg: expected a JPEG image that can be decoded"),
      ([train, "--images", "bad"], 2, "bad/a/0.png: it is neither a PNG nor a JPEG image"),
      ([train, "--images", "cut"], 1, "cut/0.jpg: expected a JPEG image that can be decoded"),
      (
        [train, "--input", digits, "--labels", "names.txt"], 2,
        "names.txt: it has 2 labels, the network 10 classes.\n  Give a name to each class, in their order, with --labels FILE."
      ),
      ([train, "--input", digits, "-o", "there.npz"], 2, "there.npz: the file exists"),
      (
        [Fixtures.path("Cases/larger-network.pth"), "--input", digits], 2,
        "the network cannot be run: "
      ),
      ([train, "--input", digits, "--from", "megengine"], 2, "it is not a megengine file"),
    ] as [([String], Int32, String)] {
      let result = try Program.run(["run"] + arguments, in: folder.path)
      #expect(result.status == status, "\(arguments): \(result.errors)")
      #expect(result.output == "")
      #expect(
        result.errors.hasPrefix("repconv: error: ") && result.errors.contains(text),
        "\(result.errors)")
    }
    #expect(try folder.names() == files)
    #expect(try run("eval", train, "none").status == 2)
    #expect(try run("eval", train, "empty").errors.contains("there is no picture"))
  }

  @Test(
    arguments: [
      ["run", "x.rvd"], ["run", "x.rvd", "a.png", "--input", "a.npz"],
      ["run", "x.rvd", "a.png", "--images", "b"],
      ["run", "x.rvd", "--input", "a.npz", "--images", "b"],
      ["run", "--input", "a.npz"],
      ["run", "x.rvd", "--input", "a.npz", "--topk", "0"],
      ["run", "x.rvd", "--input", "a.npz", "-o", "a.txt"],
      ["run", "x.rvd", "--input", "a.npz", "--batch", "0"],
      ["run", "x.rvd", "--images", "b", "--size", "0"],
      ["run", "x.rvd", "--images", "b", "--crop-ratio", "1.5"], ["eval", "x.rvd"],
      ["eval", "x.rvd", "b", "--at-least", "101"], ["eval", "x.rvd", "b", "--bn-eps", "-1"],
    ])
  func `wrong usage exits with 64`(arguments: [String]) throws {
    let result = try Program.run(arguments, in: folder.path)
    #expect(result.status == 64 && result.output == "" && result.errors.contains("Usage: "))
  }

  @Test(arguments: ["run", "eval"])
  func `help has examples`(command: String) throws {
    let result = try run("help", command)
    #expect(result.status == 0 && result.output.contains("EXAMPLES\n  repconv \(command) "))
  }
}
