/* Fuzzes examples/c/rvd.h, from the vectors (clang with libFuzzer):

       clang -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined fuzz.c -o fuzz
       mkdir corpus && ./fuzz -timeout=10 -max_total_time=300 corpus ../../formats/vectors/valid ../../formats/vectors/invalid

   -DRVD_ZSTD and -lzstd for what is compressed. Checksums count as right (clang defines
   FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION), and the header's manifest length is made to fit. */

#define RVD_IMPLEMENTATION
#include "../../examples/c/rvd.h"

#define LARGEST 4000000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  unsigned char *copy = (unsigned char *)malloc(size + 1); /* as long as it is, so that the sanitizer sees its end */
  unsigned char *bytes = (unsigned char *)realloc(copy, size ? size : 1);
  rvd_file file;
  size_t i;
  memcpy(bytes, data, size);
  if (size >= 64) {
    uint64_t start = rvd__u64(bytes + 24);
    if (start <= size)
      for (i = 0; i < 8; i++) bytes[32 + i] = (unsigned char)((uint64_t)(size - start) >> 8 * i);
  }
  if (!rvd_open_memory(&file, bytes, size)) {
    uint64_t total = 0;
    for (i = 0; i < file.count; i++) total += file.tensors[i].bytes;
    if (total < LARGEST) rvd_verify(&file);
    for (i = 0; i < file.count; i++) {
      const rvd_tensor *tensor = &file.tensors[i];
      if (tensor->bytes < LARGEST && total < 4 * LARGEST) {
        unsigned char *decoded = (unsigned char *)malloc((size_t)tensor->bytes + 1);
        float *values = (float *)malloc((size_t)tensor->count * sizeof *values + 1);
        rvd_decode(&file, tensor, decoded, tensor->bytes);
        rvd_floats(&file, tensor, values, tensor->count);
        free(values);
        free(decoded);
      }
      if (rvd_raw(&file, tensor) && tensor->bytes > 0 &&
          ((const unsigned char *)rvd_raw(&file, tensor))[tensor->bytes - 1] == 77)
        rvd_find(&file, tensor->name);
      rvd_find(&file, "stem.weight");
    }
    rvd_close(&file);
  }
  free(bytes);
  return 0;
}
