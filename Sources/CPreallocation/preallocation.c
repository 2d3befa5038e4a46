#define _GNU_SOURCE
#include "preallocation.h"

#include <errno.h>
#include <fcntl.h>

int preallocate(int descriptor, off_t offset, off_t length) {
#ifdef __linux__
  int result;
  do {
    result = fallocate(descriptor, 0, offset, length);
  } while (result != 0 && errno == EINTR);
  return result == 0 ? 0 : errno;
#else
  (void)descriptor, (void)offset, (void)length;
  return EOPNOTSUPP;
#endif
}
