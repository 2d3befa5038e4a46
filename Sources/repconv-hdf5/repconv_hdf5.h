#ifndef REPCONV_HDF5_H
#define REPCONV_HDF5_H

// What repconv does not read of HDF5 itself, the HDF5 library reads here: in a program of its own, which may crash.
// It may call functions of HDF5 1.10, also in later versions.
#define H5_USE_110_API
#include <hdf5.h>

#include <stdint.h>

// The program inherits all that it works with:
enum {
  INPUT = 0,   // the file to read
  OUTPUT = 1,  // an empty file, to be written and read
  REPORT = 2,  // where records go: a kind, a path in the file with a NUL, text with a NUL
};

enum record {
  FAILED = 'F',   // the file cannot be rewritten, and why; the last record
  LEFT = 'L',     // an object is left out, and why
  FILLED = 'P',   // a dataset was written in part; the rest has its fill value
};

/// Writes a record.
void report(enum record kind, const char *path, const char *format, ...) __attribute__((format(printf, 3, 4)));

/// Writes a record of kind FAILED, and ends the program with 2.
_Noreturn void fail(const char *path, const char *format, ...) __attribute__((format(printf, 2, 3)));

/// The names under which the driver opens INPUT, to be read, and OUTPUT, to be written.
// Absolute, so that nobody asks for the current folder.
#define INPUT_NAME "/input"
#define OUTPUT_NAME "/output"

/// How HDF5 shall access files: those two, through the descriptors, and no others.
hid_t descriptor_access(void);

/// Bytes that OUTPUT may take for an INPUT of so many.
uint64_t largest_output(uint64_t input_size);

/// Sets the limits of the process and gives up all system calls but those that computing, and reading and writing
/// open files takes. Returns why that failed, or NULL.
const char *enter_sandbox(uint64_t input_size);

/// Does what the sandbox is there to prevent, and returns 1 if it could. What: `open`, `memory`, `size` or `time`.
int try_to_escape(const char *what);

/// Writes the groups and datasets of INPUT to OUTPUT, every dataset in one piece.
///
/// - Parameter limit: bytes that all datasets together may take.
void rewrite(hid_t access, uint64_t limit);

#endif
