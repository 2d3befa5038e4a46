/* Reads files with examples/c/rvd.h, and prints of each what vectors.py prints. */

#define RVD_IMPLEMENTATION
#include "../../examples/c/rvd.h"

static void print_hexadecimal(const void *bytes, size_t count) {
  size_t i;
  for (i = 0; i < count; i++) printf("%02x", ((const unsigned char *)bytes)[i]);
}

static rvd_status read_all(rvd_file *file, int print) {
  rvd_status status = RVD_OK;
  size_t i;
  unsigned axis;
  for (i = 0; i < file->count && !status; i++) {
    const rvd_tensor *tensor = &file->tensors[i];
    unsigned char *bytes = (unsigned char *)malloc((size_t)tensor->bytes + 1), digest[32];
    float *values = (float *)malloc((size_t)tensor->count * sizeof *values + 1);
    status = rvd_decode(file, tensor, bytes, tensor->bytes);
    if (!status && rvd_type_size(tensor->type) <= 8 && tensor->type != RVD_COMPLEX64)
      status = rvd_floats(file, tensor, values, tensor->count);
    if (!status && strlen(tensor->name) == tensor->name_length && rvd_find(file, tensor->name) != tensor)
      status = RVD_ARGUMENT;
    if (!status && !tensor->compressed && tensor->bytes > 0 &&
        memcmp(rvd_raw(file, tensor), bytes, (size_t)tensor->bytes))
      status = RVD_ARGUMENT;
    if (print && !status) {
      print_hexadecimal(tensor->name, tensor->name_length);
      printf(" %s ", rvd_type_name(tensor->type));
      for (axis = 0; axis < tensor->rank; axis++)
        printf("%s%llu", axis ? "x" : "", (unsigned long long)tensor->shape[axis]);
      rvd_sha256(bytes, (size_t)tensor->bytes, digest);
      printf(" ");
      print_hexadecimal(digest, 32);
      printf("\n");
    }
    free(values);
    free(bytes);
  }
  return status;
}

int main(int argc, char **argv) {
  int i;
  for (i = 1; i < argc; i++) {
    rvd_file file;
    rvd_status status = rvd_open_file(&file, argv[i]);
    if (!status) {
      status = rvd_verify(&file);
      if (!status) status = read_all(&file, 0);
      printf("%s: %s\n", argv[i], rvd_condition(status));
      if (!status) read_all(&file, 1);
      rvd_close(&file);
    } else {
      printf("%s: %s\n", argv[i], rvd_condition(status));
    }
  }
  return 0;
}
