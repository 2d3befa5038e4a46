/// What is wrong with the name of a tensor or a module; nil if nothing is.
package func fault(ofName name: Name, in source: any ByteSource) -> ReadError? {
  let limit = source.limits[.nameLength]
  return name.utf8.count > limit ? source.exceeded(.nameLength, found: "\(name.utf8.count)") : nil
}
