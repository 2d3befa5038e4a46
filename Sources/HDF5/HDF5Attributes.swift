internal import Synchronization
package import Tensors

extension HDF5File {
  /// The text of an attribute, each element of an array for itself.
  ///
  /// - Parameters:
  ///   - header: of the object that has the attribute.
  ///   - path: of that object, for errors.
  /// - Returns: nil if there is no such attribute; none for an empty array, whatever its type: h5py
  ///   makes an empty list one of floats.
  package func text(
    of name: Name, in header: HDF5Header, path: Name
  ) throws(ReadError) -> [Name]? {
    guard var attribute = try attribute(name, in: header) else { return nil }
    let place = Location(
      path: location.path, member: "\(location(of: path).member!)@\(name)",
      offset: attribute.data.place.offset)
    guard let shape = attribute.extent.shape, shape.elementCount > 0 else { return [] }
    guard let kind = attribute.type.text else {
      guard case .other(let what) = attribute.type.kind else {
        throw .malformed(place, expected: "text", found: "numbers", remedy: fetchAgain)
      }
      throw .malformed(place, expected: "text", found: what, remedy: fetchAgain)
    }
    guard shape.elementCount <= attribute.data.remaining / attribute.type.size else {
      throw .malformed(
        place, expected: "\(shape.elementCount) pieces of text of \(attribute.type.size) bytes",
        found: "\(attribute.data.remaining) bytes", remedy: fetchAgain)
    }
    var result: [Name] = []
    var total = 0
    for _ in 0..<shape.elementCount {
      switch kind {
      case .fixed:
        // Padded with NULs or, in Fortran's way, with blanks.
        let bytes = try attribute.data.take(attribute.type.size, "text")
        result.append(bytes.textUntilNUL)
      case .variable:
        let length = try attribute.data.integer(4, "the length of text")
        let heap = try attribute.data.address("text")
        let index = try attribute.data.integer(4, "the number of text")
        total += length
        guard total <= source.limits[.attributeText] else {
          throw source.exceeded(.attributeText, at: place, found: "\(total) or more")
        }
        guard let heap, heap != 0, length > 0 else {
          result.append("")
          continue
        }
        let bytes = try heapObject(index, ofCollectionAt: heap)
        guard length <= bytes.count else {
          throw .malformed(
            place, expected: "text of \(length) bytes", found: "\(bytes.count)", remedy: fetchAgain)
        }
        result.append(bytes.prefix(length).textUntilNUL)
      }
    }
    return result
  }

  private struct Attribute {
    var type: HDF5Type
    var extent: HDF5Extent
    var data: HDF5Cursor
  }

  private func attribute(
    _ name: Name, in header: HDF5Header
  ) throws(ReadError) -> Attribute? {
    for message in header.messages where message.type == .attribute {
      let body =
        message.flags & 2 == 0 ? message.body : try shared(message.body, .attribute, in: self)
      if let found = try attribute(body, ifNamed: name) { return found }
    }
    guard var info = try header.message(.attributeInfo, in: self) else { return nil }
    return try denseAttribute(name, &info)
  }

  /// An attribute message:
  ///
  ///     01, 0, sizes of name, datatype and dataspace (2 each), these, each padded to 8 bytes, data
  ///     02, flags (1 and 2: datatype and dataspace are elsewhere), sizes, these, data
  ///     03, flags, sizes, character set, these, data
  private func attribute(
    _ body: HDF5Cursor, ifNamed name: Name
  ) throws(ReadError) -> Attribute? {
    var body = body
    let version = try body.integer(1, "the version of an attribute")
    guard (1...3).contains(version) else {
      throw body.malformed(
        expected: "an attribute of version 1 to 3", found: "version \(version)")
    }
    let flags = version == 1 ? 0 : try body.integer(1, "flags")
    if version == 1 { try body.skip(1, "padding") }
    let nameSize = try body.integer(2, "the length of an attribute's name")
    let typeSize = try body.integer(2, "the size of a datatype")
    let extentSize = try body.integer(2, "the size of a dataspace")
    if version == 3 { try body.skip(1, "a character set") }
    func padded(_ size: Int) -> Int { version == 1 ? (size + 7) / 8 * 8 : size }
    let found = try body.take(padded(nameSize), "the name of an attribute").textUntilNUL
    guard found == name else { return nil }
    var type = try body.part(padded(typeSize), of: "the datatype of an attribute")
    var extent = try body.part(padded(extentSize), of: "the dataspace of an attribute")
    if flags & 1 != 0 { type = try shared(type, .datatype, in: self) }
    if flags & 2 != 0 { extent = try shared(extent, .dataspace, in: self) }
    return Attribute(
      type: try HDF5Type(&type), extent: try HDF5Extent(&extent),
      data: try body.part(body.remaining, of: "an attribute"))
  }

  /// Attributes of objects that have many, in files for HDF5 1.8 and later, are in a fractal heap.
  ///
  ///     attribute info: 00, flags, [1: largest creation order (2)], fractal heap O, names' B-tree O, ...
  private func denseAttribute(
    _ name: Name, _ info: inout HDF5Cursor
  ) throws(ReadError) -> Attribute? {
    try info.skip(1, "the version of attribute info")
    let flags = try info.integer(1, "flags")
    try info.skip(flags & 1 != 0 ? 2 : 0, "a creation order")
    guard let heapAddress = try info.address("an object's attributes") else { return nil }
    var heap = try HDF5FractalHeap(at: heapAddress, in: self)
    var found: Attribute?
    try forEachRecordOfBTree2(at: info.definedAddress("an object's attributes"), type: 8) {
      (record) throws(ReadError) in
      let id = try record.take(heap.idLength, "a heap id")
      let flags = try record.integer(1, "flags")
      guard found == nil else { return }
      var body = try heap.object(id, in: self)
      if flags & 2 != 0 { body = try shared(body, .attribute, in: self) }
      found = try attribute(body, ifNamed: name)
    }
    return found
  }

  /// An object of the global heap, where text of variable length is.
  private func heapObject(
    _ index: Int, ofCollectionAt address: Int
  ) throws(ReadError) -> ArraySlice<UInt8> {
    let collection = try globalHeap.withLock { (heap) throws(ReadError) in
      try heap.collection(at: address, in: self)
    }
    guard let range = collection.objects[index] else {
      throw .malformed(
        location(at: address), expected: "object \(index) in a collection of the global heap",
        found: "none of this number", remedy: fetchAgain)
    }
    return collection.bytes[range]
  }
}

/// Objects of variable length, some together in a collection:
///
///     "GCOL", 01, 0 (3), size of the collection L, then objects: number (2; 0 is what is free),
///     references (2), 0 (4), size L, bytes padded to a multiple of 8
struct HDF5GlobalHeap {
  struct Collection {
    var bytes: [UInt8]
    var objects: [Int: Range<Int>]
  }

  /// Those read so far, by address: names of layers share few of them.
  private var collections: [Int: Collection] = [:]

  mutating func collection(at address: Int, in file: HDF5File) throws(ReadError) -> Collection {
    if let known = collections[address] { return known }
    var head = try file.block(
      at: address, count: 8 + file.lengthSize, of: "a collection of the global heap")
    try head.expect("GCOL", version: 1)
    try head.skip(3, "padding")
    let size = try head.length("the size of a collection")
    var block = try file.block(at: address, count: size, of: "a collection of the global heap")
    try block.skip(to: head.next)
    var objects: [Int: Range<Int>] = [:]
    while block.remaining >= 8 + file.lengthSize {
      let index = try block.integer(2, "the number of an object")
      try block.skip(6, "references")
      let size = try block.length("the size of an object")
      if index == 0 { break }
      let start = block.next
      try block.skip(size, "an object of the global heap")
      try block.skip(min(block.remaining, (8 - size % 8) % 8), "padding")
      objects[index] = start..<start + size
    }
    let collection = Collection(bytes: block.bytes, objects: objects)
    collections[address] = collection
    return collection
  }
}
