import Foundation
import Tensors
import Testing

@Suite struct OutputFileTests {
  let folder: String

  init() throws {
    folder = NSTemporaryDirectory() + "repconv-tests-\(UUID().uuidString)/"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  }

  func names() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
  }

  @Test(arguments: [false, true])
  func `a file appears only when it is committed`(isHidden: Bool) throws {
    let file = try OutputFile(path: folder + "a", replace: false, isHidden: isHidden)
    try file.append([1, 2, 3])
    try file.pad(to: 8)
    try file.overwrite([9], at: 1)
    // A file system may have no files without names.
    let hidden = [".a.\(getpid()).partial"]
    #expect(try names() == hidden || names().isEmpty && !isHidden)
    #expect(
      try Data(contentsOf: URL(fileURLWithPath: file.partialPath))
        == Data([1, 9, 3, 0, 0, 0, 0, 0]))
    try file.commit(sync: true)
    #expect(try names() == ["a"])
    #expect(
      try Data(contentsOf: URL(fileURLWithPath: folder + "a")) == Data([1, 9, 3, 0, 0, 0, 0, 0]))
  }

  @Test(arguments: [false, true])
  func `a file that is given up leaves nothing behind`(isHidden: Bool) throws {
    do {
      let file = try OutputFile(path: folder + "b", replace: false, isHidden: isHidden)
      try file.append([1])
    }
    #expect(try names() == [])
  }

  @Test func `what a process that was killed left behind is removed`() throws {
    for name in [".d.1.partial", ".d.999999999.partial", ".d.x.partial", ".dd.1.partial", "d"] {
      try Data([1]).write(to: URL(fileURLWithPath: folder + name))
    }
    // One that somebody is writing.
    let other = try OutputFile(path: folder + "d", replace: true, isHidden: true)
    let names = [".d.\(getpid()).partial", ".d.x.partial", ".dd.1.partial", "d"]
    #expect(try self.names() == names.sorted())
    #expect(throws: WriteError.self) {
      try OutputFile(path: folder + "d", replace: true, isHidden: true)
    }
    #expect(try self.names() == names.sorted())
    other.discard()
    #expect(try self.names() == names.dropFirst().sorted())
  }

  @Test func `an existing file is replaced only on demand`() throws {
    try Data("old".utf8).write(to: URL(fileURLWithPath: folder + "c"))
    #expect(throws: WriteError.exists(path: folder + "c")) {
      try OutputFile(path: folder + "c", replace: false)
    }
    let file = try OutputFile(path: folder + "c", replace: true)
    try file.append(Array("new".utf8))
    #expect(try String(contentsOfFile: folder + "c", encoding: .utf8) == "old")
    try file.commit()
    #expect(try String(contentsOfFile: folder + "c", encoding: .utf8) == "new")
  }

  @Test(arguments: [false, true])
  func `what is no file is not replaced, whatever leave is given`(replace: Bool) throws {
    try #require(unsafe mkfifo(folder + "pipe", 0o600) == 0)
    let error = #expect(throws: WriteError.self) {
      try OutputFile(path: folder + "pipe", replace: replace)
    }
    #expect(error == .notAFile(path: folder + "pipe", what: "not a regular file"))
    #expect(try names() == ["pipe"])
    // Nor is a link to it; one to a file is replaced, and not the file.
    try FileManager.default.createSymbolicLink(atPath: folder + "link", withDestinationPath: "pipe")
    let linked = #expect(throws: WriteError.self) {
      try OutputFile(path: folder + "link", replace: replace)
    }
    #expect(
      linked == .notAFile(path: folder + "link", what: "a link to what is not a regular file"))
    try Data("old".utf8).write(to: URL(fileURLWithPath: folder + "file"))
    try FileManager.default.removeItem(atPath: folder + "link")
    try FileManager.default.createSymbolicLink(atPath: folder + "link", withDestinationPath: "file")
    try OutputFile(path: folder + "link", replace: true).commit()
    #expect(try names() == ["file", "link", "pipe"])
    var status = stat()
    #expect(unsafe lstat(folder + "link", &status) == 0 && status.st_mode & S_IFMT == S_IFREG)
    #expect(try String(contentsOfFile: folder + "file", encoding: .utf8) == "old")
  }

  @Test func `a file that appeared meanwhile is not replaced`() throws {
    let file = try OutputFile(path: folder + "d", replace: false)
    try Data("other".utf8).write(to: URL(fileURLWithPath: folder + "d"))
    #expect(throws: WriteError.exists(path: folder + "d")) { try file.commit() }
    #expect(try String(contentsOfFile: folder + "d", encoding: .utf8) == "other")
    #expect(try names() == ["d"])
  }

  @Test(arguments: [String(repeating: "x", count: 255), String(repeating: "é", count: 127)])
  func `a name may be as long as names can be`(name: String) throws {
    let file = try OutputFile(path: folder + name, replace: false)
    try file.append([1])
    try file.commit()
    #expect(try names() == [name])
  }

  @Test(arguments: [false, true])
  func `two files get their names together`(isThere: Bool) throws {
    func contents(_ name: String) -> String? {
      try? String(contentsOfFile: folder + name, encoding: .utf8)
    }
    if isThere { try Data("old".utf8).write(to: URL(fileURLWithPath: folder + "a.data")) }
    do {
      let file = try OutputFile(path: folder + "a", replace: true)
      try file.append(Array("one".utf8))
      try file.makeCompanion(suffix: ".data").append(Array("two".utf8))
      // What is in the way of the first only when both are complete.
      try FileManager.default.createDirectory(
        atPath: folder + "a", withIntermediateDirectories: false)
      #expect(throws: WriteError.self) { try file.commit() }
    }
    #expect(try names() == (isThere ? ["a", "a.data"] : ["a"]))
    #expect(contents("a.data") == (isThere ? "old" : nil))
    try FileManager.default.removeItem(atPath: folder + "a")

    do {
      let file = try OutputFile(path: folder + "a", replace: true)
      _ = try file.makeCompanion(suffix: ".data")
    }
    #expect(try names() == (isThere ? ["a.data"] : []))

    let file = try OutputFile(path: folder + "a", replace: true)
    try file.append(Array("one".utf8))
    try file.makeCompanion(suffix: ".data").append(Array("two".utf8))
    try file.commit(sync: true)
    #expect(try names() == ["a", "a.data"])
    #expect(contents("a") == "one" && contents("a.data") == "two")
  }

  @Test func `a file beside another is no input of it, and is replaced only on demand`() throws {
    try Data("old".utf8).write(to: URL(fileURLWithPath: folder + "a.data"))
    #expect(throws: WriteError.exists(path: folder + "a.data")) {
      try OutputFile(path: folder + "a", replace: false).makeCompanion(suffix: ".data")
    }
    let file = try OutputFile(path: folder + "a", replace: true, from: [folder + "a.data"])
    let error = #expect(throws: WriteError.self) { try file.makeCompanion(suffix: ".data") }
    #expect(error?.isInput == true)
  }

  @Test func `a folder that is not there is an error`() {
    #expect(throws: WriteError.self) { try OutputFile(path: folder + "no/x", replace: false) }
    #expect(throws: WriteError.self) { try OutputFile(path: folder, replace: true) }
  }
}
