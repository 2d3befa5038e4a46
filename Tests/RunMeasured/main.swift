// Runs a program and writes down what it took: run-measured FILE PROGRAM ARGUMENTS...
//
// FILE gets the microseconds of the processor's time and the largest number of bytes in memory. The system
// counts to a process's memory what its parent had when it started it, so the tests, which take hundreds of
// megabytes, do not start it themselves: this does, which takes few.

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

func fail(_ reason: String) -> Never {
  print("run-measured: \(reason)")
  exit(125)
}

guard CommandLine.arguments.count >= 3 else { fail("name a file and a program") }
let (record, program) = (CommandLine.arguments[1], CommandLine.arguments[2])
// Safe: each is a text that C made and that is never freed; the array ends with nil.
let arguments = unsafe CommandLine.arguments.dropFirst(2).map { unsafe strdup($0) } + [nil]
var process: pid_t = 0
let error = unsafe posix_spawn(&process, program, nil, nil, arguments, environ)
guard error == 0 else { fail("\(program) does not start: error \(error)") }
var status: CInt = 0
var usage = rusage()
while unsafe wait4(process, &status, 0, &usage) < 0 {
  guard errno == EINTR else { fail("waiting for \(program) failed: error \(errno)") }
}
let microseconds = [usage.ru_utime, usage.ru_stime].map {
  Int($0.tv_sec) * 1_000_000 + Int($0.tv_usec)
}
#if canImport(Darwin)
  let peak = Int(usage.ru_maxrss)
#else
  let peak = Int(usage.ru_maxrss) << 10
#endif
guard let file = unsafe fopen(record, "w") else { fail("\(record) cannot be written") }
unsafe fputs("\(microseconds[0] + microseconds[1]) \(peak)\n", file)
unsafe fclose(file)
// As it ended.
if status & 0x7F != 0 { kill(getpid(), status & 0x7F) }
exit(status >> 8 & 0xFF)
