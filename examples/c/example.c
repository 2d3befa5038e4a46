/* Lists the tensors of an .rvd file, with their least and greatest values, and verifies it.

       cc -O2 example.c -o example                       compressed tensors cannot be read
       cc -O2 -DRVD_ZSTD example.c -lzstd -o example

       ./example model.rvd */

#define RVD_IMPLEMENTATION
#include "rvd.h"

int main(int argc, char **argv) {
  rvd_file file;
  size_t i;
  if (argc != 2) {
    fprintf(stderr, "usage: example FILE\n");
    return 2;
  }
  if (rvd_open_file(&file, argv[1])) {
    fprintf(stderr, "error: %s: %s\n", argv[1], file.error);
    return 1;
  }
  for (i = 0; i < file.count; i++) {
    const rvd_tensor *tensor = &file.tensors[i];
    float *values = (float *)malloc((size_t)tensor->count * sizeof *values + 1);
    unsigned axis;
    printf("%-40s %-10s ", tensor->name, rvd_type_name(tensor->type));
    for (axis = 0; axis < tensor->rank; axis++)
      printf("%s%llu", axis ? "x" : "", (unsigned long long)tensor->shape[axis]);
    if (values && !rvd_floats(&file, tensor, values, tensor->count)) {
      float least = 0, greatest = 0;
      uint64_t k;
      for (k = 0; k < tensor->count; k++) {
        if (k == 0 || values[k] < least) least = values[k];
        if (k == 0 || values[k] > greatest) greatest = values[k];
      }
      printf("  %g to %g%s", least, greatest, tensor->scales ? ", in steps" : "");
    }
    printf("\n");
    free(values);
  }
  if (rvd_verify(&file)) {
    fprintf(stderr, "error: %s: %s\n", argv[1], file.error);
    rvd_close(&file);
    return 1;
  }
  printf("%s: sound, %lu tensors\n", argv[1], (unsigned long)file.count);
  rvd_close(&file);
  return 0;
}
