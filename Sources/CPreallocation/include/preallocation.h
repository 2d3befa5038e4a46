#ifndef PREALLOCATION_H
#define PREALLOCATION_H

#include <sys/types.h>

/// fallocate(2), which Swift does not see, and which unlike posix_fallocate writes nothing where a file
/// system cannot do it. Returns 0 or an error number; EOPNOTSUPP where there is none.
int preallocate(int descriptor, off_t offset, off_t length);

#endif
