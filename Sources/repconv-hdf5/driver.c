#define _GNU_SOURCE
#include "repconv_hdf5.h"

#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// A driver of HDF5's virtual file layer: files that are open already. A link to another file finds none.

typedef struct {
  H5FD_t base;  // HDF5's own
  int descriptor;
  haddr_t allocated, end;
} open_file;

static H5FD_t *open_descriptor(const char *name, unsigned flags, hid_t access, haddr_t largest) {
  (void)flags, (void)access, (void)largest;
  int descriptor;
  if (strcmp(name, INPUT_NAME) == 0) descriptor = INPUT;
  else if (strcmp(name, OUTPUT_NAME) == 0) descriptor = OUTPUT;
  else return NULL;
  const off_t end = lseek(descriptor, 0, SEEK_END);
  open_file *file = end < 0 ? NULL : calloc(1, sizeof *file);
  if (!file) return NULL;
  file->descriptor = descriptor;
  file->end = (haddr_t)end;
  return &file->base;
}

static herr_t close_descriptor(H5FD_t *file) {
  free(file);
  return 0;
}

static int compare(const H5FD_t *first, const H5FD_t *second) {
  return ((const open_file *)first)->descriptor - ((const open_file *)second)->descriptor;
}

static herr_t query(const H5FD_t *file, unsigned long *flags) {
  (void)file;
  *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
           H5FD_FEAT_AGGREGATE_SMALLDATA;
  return 0;
}

static haddr_t get_allocated(const H5FD_t *file, H5FD_mem_t type) {
  (void)type;
  return ((const open_file *)file)->allocated;
}

static herr_t set_allocated(H5FD_t *file, H5FD_mem_t type, haddr_t address) {
  (void)type;
  ((open_file *)file)->allocated = address;
  return 0;
}

static haddr_t get_end(const H5FD_t *file, H5FD_mem_t type) {
  (void)type;
  return ((const open_file *)file)->end;
}

static herr_t read_bytes(H5FD_t *base, H5FD_mem_t type, hid_t transfer, haddr_t address, size_t count, void *buffer) {
  (void)type, (void)transfer;
  char *bytes = buffer;
  while (count > 0) {
    const ssize_t got = pread(((open_file *)base)->descriptor, bytes, count, (off_t)address);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -1;
    if (got == 0) {  // as HDF5's own driver has it behind the end
      memset(bytes, 0, count);
      return 0;
    }
    bytes += got, address += (haddr_t)got, count -= (size_t)got;
  }
  return 0;
}

static herr_t write_bytes(
    H5FD_t *base, H5FD_mem_t type, hid_t transfer, haddr_t address, size_t count, const void *buffer) {
  (void)type, (void)transfer;
  open_file *file = (open_file *)base;
  const char *bytes = buffer;
  while (count > 0) {
    const ssize_t put = pwrite(file->descriptor, bytes, count, (off_t)address);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return -1;
    bytes += put, address += (haddr_t)put, count -= (size_t)put;
  }
  if (address > file->end) file->end = address;
  return 0;
}

static herr_t cut(H5FD_t *base, hid_t transfer, hbool_t closing) {
  (void)transfer, (void)closing;
  open_file *file = (open_file *)base;
  if (file->end == file->allocated) return 0;
  if (ftruncate(file->descriptor, (off_t)file->allocated) != 0) return -1;
  file->end = file->allocated;
  return 0;
}

static const H5FD_class_t driver = {
#if H5_VERSION_GE(1, 13, 0)
    .version = H5FD_CLASS_VERSION,
    .value = 512,  // the numbers from here on are not registered
#endif
    .name = "descriptor",
    .maxaddr = INT64_MAX,
    .fc_degree = H5F_CLOSE_WEAK,
    .open = open_descriptor,
    .close = close_descriptor,
    .cmp = compare,
    .query = query,
    .get_eoa = get_allocated,
    .set_eoa = set_allocated,
    .get_eof = get_end,
    .read = read_bytes,
    .write = write_bytes,
    .truncate = cut,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

hid_t descriptor_access(void) {
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  const hid_t registered = H5FDregister(&driver);
  if (access < 0 || registered < 0 || H5Pset_driver(access, registered, NULL) < 0) {
    fail("", "the HDF5 library does not take a driver");
  }
  return access;
}
