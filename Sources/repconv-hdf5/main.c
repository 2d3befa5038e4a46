#define _GNU_SOURCE
#include "repconv_hdf5.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void write_all(const char *bytes, size_t count) {
  while (count > 0) {
    ssize_t put = write(REPORT, bytes, count);
    if (put <= 0) _exit(2);  // nobody listens any more
    bytes += put;
    count -= (size_t)put;
  }
}

static void write_record(enum record kind, const char *path, const char *format, va_list values) {
  char text[1024];
  vsnprintf(text, sizeof text, format, values);
  const char letter = (char)kind;
  write_all(&letter, 1);
  write_all(path, strlen(path) + 1);
  write_all(text, strlen(text) + 1);
}

void report(enum record kind, const char *path, const char *format, ...) {
  va_list values;
  va_start(values, format);
  write_record(kind, path, format, values);
  va_end(values);
}

void fail(const char *path, const char *format, ...) {
  va_list values;
  va_start(values, format);
  write_record(FAILED, path, format, values);
  va_end(values);
  _exit(2);
}

static const char usage[] =
    "usage: repconv-hdf5 <INPUT 1<>OUTPUT 2>REPORT\n"
    "       repconv-hdf5 --try open|memory|size|time <INPUT\n"
    "\n"
    "Rewrites an HDF5 file with all datasets in one piece. repconv starts it for files that take the HDF5\n"
    "library, whose errors it keeps away: it can open no file and use little memory and time.\n"
    "--try does what it must not, to see that the system ends it.\n";

int main(int argc, char **argv) {
  const int is_trial = argc == 3 && strcmp(argv[1], "--try") == 0;
  struct stat status;
  if (!(argc == 1 || is_trial) || fstat(INPUT, &status) != 0 || !S_ISREG(status.st_mode)) {
    const int is_help = argc == 2 && strcmp(argv[1], "--help") == 0;
    fputs(usage, is_help ? stdout : stderr);
    return is_help ? 0 : 64;
  }
  // No code from elsewhere for filters that the library does not know.
  H5PLset_loading_state(0);
  if (H5open() < 0 || H5Eset_auto2(H5E_DEFAULT, NULL, NULL) < 0) fail("", "the HDF5 library cannot be started");
  const hid_t access = descriptor_access();
  const uint64_t size = (uint64_t)status.st_size;
  const char *problem = enter_sandbox(size);
  if (problem) fail("", "there is no sandbox for the HDF5 library: %s", problem);
  if (is_trial) _exit(try_to_escape(argv[2]));
  rewrite(access, largest_output(size));
  // At exit the library would clean up, which a damaged file may have made impossible.
  _exit(0);
}
