/// Every opcode of pickle protocols 0 to 5, under the names of Python's `pickletools`.
///
/// A pickle is a program for a stack machine: an opcode is one byte, its argument follows at once.
/// Arguments: `u1 u2 u4 u8 i4` are little-endian integers, `line` is text up to `\n`, and `n x u4`
/// is a length `u4` and then as many bytes. "From mark" means all that was pushed since the last MARK.
enum Opcode: UInt8 {
  // Protocol 0: text.
  case mark = 0x28  // (
  case stop = 0x2E  // .  the top of the stack is the result
  case pop = 0x30  // 0  removes the top, or a mark if that is on top
  case popMark = 0x31  // 1
  case dup = 0x32  // 2
  case float = 0x46  // F  line
  case int = 0x49  // I  line; `00` and `01` are False and True
  case long = 0x4C  // L  line ending in `L`
  case string = 0x53  // S  line: a quoted Python 2 byte string with escapes
  case unicode = 0x56  // V  line: raw-unicode-escape
  case none = 0x4E  // N
  case persid = 0x50  // P  line
  case reduce = 0x52  // R  pops a tuple of arguments and a callable
  case append = 0x61  // a
  case build = 0x62  // b  pops a state and sets it on the top
  case setitem = 0x73  // s
  case global = 0x63  // c  line, line: module and name
  case inst = 0x69  // i  line, line: as GLOBAL, called with what is from mark
  case dict = 0x64  // d  from mark
  case list = 0x6C  // l  from mark
  case tuple = 0x74  // t  from mark
  case get = 0x67  // g  line
  case put = 0x70  // p  line

  // Protocol 1: binary.
  case emptyTuple = 0x29  // )
  case emptyList = 0x5D  // ]
  case emptyDict = 0x7D  // }
  case appends = 0x65  // e  from mark
  case setitems = 0x75  // u  from mark
  case binint = 0x4A  // J  i4
  case binint1 = 0x4B  // K  u1
  case binint2 = 0x4D  // M  u2
  case binstring = 0x54  // T  n x i4 (signed)
  case shortBinstring = 0x55  // U  n x u1
  case binunicode = 0x58  // X  n x u4
  case binfloat = 0x47  // G  big-endian double
  case binpersid = 0x51  // Q  pops the id
  case binget = 0x68  // h  u1
  case longBinget = 0x6A  // j  u4
  case binput = 0x71  // q  u1
  case longBinput = 0x72  // r  u4
  case obj = 0x6F  // o  from mark: a class, then arguments

  // Protocol 2.
  case proto = 0x80  // u1
  case newobj = 0x81  // pops a tuple of arguments and a class
  case ext1 = 0x82  // u1
  case ext2 = 0x83  // u2
  case ext4 = 0x84  // i4
  case tuple1 = 0x85
  case tuple2 = 0x86
  case tuple3 = 0x87
  case newtrue = 0x88
  case newfalse = 0x89
  case long1 = 0x8A  // n x u1: two's complement
  case long4 = 0x8B  // n x i4

  // Protocol 3.
  case binbytes = 0x42  // B  n x u4
  case shortBinbytes = 0x43  // C  n x u1

  // Protocol 4.
  case shortBinunicode = 0x8C  // n x u1
  case binunicode8 = 0x8D  // n x u8
  case binbytes8 = 0x8E  // n x u8
  case emptySet = 0x8F
  case additems = 0x90  // from mark
  case frozenset = 0x91  // from mark
  case newobjEx = 0x92  // pops keyword arguments, a tuple of arguments and a class
  case stackGlobal = 0x93  // pops name and module
  case memoize = 0x94  // memo[number of entries] = top
  case frame = 0x95  // u8: a hint of how many bytes to read ahead

  // Protocol 5.
  case bytearray8 = 0x96  // n x u8
  case nextBuffer = 0x97  // a buffer from outside the pickle
  case readonlyBuffer = 0x98  // makes the top read-only

  /// As Python spells it: `SHORT_BINUNICODE`.
  var name: String {
    var result = ""
    for character in String(describing: self) {
      if character.isUppercase { result.append("_") }
      result += character.uppercased()
    }
    return result
  }
}
