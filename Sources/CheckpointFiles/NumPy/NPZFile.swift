internal import Checkpoints
internal import Tensors

/// Archives of named arrays, as `numpy.savez` and `numpy.savez_compressed` write them: a zip archive with
/// a member `<name>.npy` for each (see `NPYHeader`), stored or deflated.
///
/// Objax names its arrays `0`, `1`, ... and has their names in an array of strings, `names`, in the same
/// order (`save_var_collection` in `objax/io/ops.py`).
enum NPZFile {
  static func read(_ archive: ZipArchive) throws(ReadError) -> Checkpoint {
    var contents = Contents()
    for member in archive.members { try contents.add(member, of: archive) }
    let container: String
    if let names = contents.names, contents.hasNumbersForNames, try contents.rename(names) {
      container = "NumPy archive of Objax"
    } else {
      container = "NumPy archive"
    }
    var notes = archive.notes
    contents.longMembers.note("Arrays with bytes behind them, which were left alone", in: &notes)
    return Checkpoint(
      path: archive.file.location.path, container: container, family: "numpy",
      byteCount: archive.file.count,
      stateDicts: contents.stateDict.tensors.isEmpty ? [] : [contents.stateDict],
      notes: notes)
  }

  private struct Contents {
    var stateDict = StateDict(tensors: [])
    /// Members with more bytes than their arrays take.
    var longMembers = Examples()
    /// The array `names`, if it has no more strings than there are arrays: not read yet.
    var names: Names?

    struct Names {
      var source: any ByteSource
      var header: NPYHeader
      var characters: Int
      var order: ByteOrder
    }

    mutating func add(_ member: ZipArchive.Member, of archive: ZipArchive) throws(ReadError) {
      guard let name = member.name.dropping(suffix: ".npy") else {
        stateDict.ignored.append((member.name, "a member that is not an array"))
        return
      }
      var source = try archive.contents(of: member)
      let header = try NPYHeader(of: source)
      // A decoder stays open from one read to the next; the tensor gets one that is not open yet. Bytes
      // in place are read on from here, as their checksum demands.
      if member.isDeflated { source = try archive.contents(of: member) }
      switch header.elements {
      case .numbers(let type):
        stateDict.tensors.append(NamedTensor(name, try tensor(header, type, name, in: source)))
      case .text(let characters, let order):
        if name == "names", header.shape.rank == 1 {
          names = Names(source: source, header: header, characters: characters, order: order)
        }
        stateDict.ignored.append((name, "an array of strings"))
      case .other(let dtype):
        // It may be one of the weights.
        throw .unsupported(
          source.location, what: "'\(printable(name))' has the dtype \(dtype)",
          remedy: "Save the arrays again with plain numbers, such as float32, in its place.")
      }
    }

    private mutating func tensor(
      _ header: NPYHeader, _ type: NumPyType, _ name: Name, in source: any ByteSource
    ) throws(ReadError) -> Tensor {
      let (count, overflow) = header.shape.elementCount.multipliedReportingOverflow(
        by: type.elementType.byteCount)
      let available = source.count - header.end
      guard !overflow, count <= available else {
        throw .malformed(
          source.location(at: header.end),
          expected: "\(overflow ? "more than 2^63" : String(count)) bytes for '\(printable(name))' "
            + "(\(type.elementType.rawValue) \(header.shape))",
          found: "\(available)", remedy: fetchAgain)
      }
      if count < available {
        longMembers.add("\(available - count) behind '\(printable(name))'")
      }
      return try Tensor(
        type.elementType, shape: header.shape,
        strides: header.isColumnMajor ? header.shape.columnMajorStrides : nil,
        byteOrder: type.byteOrder, in: source, at: header.end, name: name)
    }

    /// Whether every array is called by a number.
    var hasNumbersForNames: Bool {
      !stateDict.tensors.isEmpty
        && stateDict.tensors.allSatisfy { named in
          !named.name.isEmpty
            && named.name.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        }
    }

    /// Gives each array the name that its number stands for.
    ///
    /// - Returns: false if the names are none.
    mutating func rename(_ names: Names) throws(ReadError) -> Bool {
      let place = names.source
      func malformed(_ expected: String, _ found: String) -> ReadError {
        .malformed(place.location, expected: expected, found: found, remedy: fetchAgain)
      }
      guard names.header.shape[0] == stateDict.tensors.count else {
        throw malformed(
          "a name for each of the \(stateDict.tensors.count) arrays", "\(names.header.shape[0])")
      }
      guard let strings = try strings(of: names) else { return false }
      var tensors: [Name: Tensor] = [:]
      for named in stateDict.tensors { tensors[named.name] = named.tensor }
      var seen: Set<Name> = []
      stateDict.tensors = []
      for (index, name) in strings.enumerated() {
        guard let tensor = tensors["\(index)"] else {
          throw malformed("an array '\(index)' for '\(printable(name))'", "none")
        }
        if let fault = fault(ofName: name, in: place) { throw fault }
        guard seen.insert(name).inserted else {
          throw malformed("every name once", "'\(printable(name))' twice")
        }
        stateDict.tensors.append(NamedTensor(name, tensor))
      }
      stateDict.ignored.removeAll { $0.name == "names" }
      return true
    }

    /// - Returns: nil if they are not in UTF-32.
    private func strings(of names: Names) throws(ReadError) -> [Name]? {
      let (count, size) = (names.header.shape[0], 4 * names.characters)
      guard count <= names.source.limits[.nameBytes] / max(size, 1) else {
        throw names.source.exceeded(
          .nameBytes, what: "bytes of the names of all arrays", found: "\(count) of \(size)")
      }
      let start = names.header.end
      let bytes = try names.source.bytes(start..<start + count * size, field: "the names")
      // Nothing else reads all of the member, as it is no tensor.
      try names.source.verify()
      var strings: [Name] = []
      for index in 0..<count {
        let part = bytes[index * size..<(index + 1) * size]
        guard let string = String(utf32: part, names.order) else { return nil }
        strings.append(Name(Substring(string.utf8.prefix { $0 != 0 })))
      }
      return strings
    }
  }
}

extension String {
  /// Returns nil if `bytes` are not UTF-32 in this byte order.
  init?(utf32 bytes: ArraySlice<UInt8>, _ order: ByteOrder) {
    guard bytes.count.isMultiple(of: 4) else { return nil }
    var text = String.UnicodeScalarView()
    for start in stride(from: bytes.startIndex, to: bytes.endIndex, by: 4) {
      let point = bytes[start..<start + 4].enumerated().reduce(UInt32(0)) { point, byte in
        point
          | UInt32(byte.element) << UInt32(order == .big ? 24 - 8 * byte.offset : 8 * byte.offset)
      }
      guard let scalar = UnicodeScalar(point) else { return nil }
      text.append(scalar)
    }
    self = String(text)
  }
}
