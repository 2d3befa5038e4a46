#include "kernels.h"

#include <stddef.h>
#include <string.h>

// What lies outside an image.
static const float zeros[ckernels_block];

// 16 registers of 4 floats with SSE2, 32 with NEON.
#define NAME(name) name##_plain
#define TARGET
#define LANES 4
#ifdef __aarch64__
#define ROWS 8
#define SPAN 6
#else
#define ROWS 4
#define SPAN 3
#endif
#include "widths.h"

const struct ckernels *ckernels_plain(void) { return &table_plain; }

#ifdef __x86_64__

#include <cpuid.h>

// 16 registers of 8 floats.
#define NAME(name) name##_avx2
#define TARGET __attribute__((target("avx2,fma")))
#define LANES 8
#define ROWS 6
#define SPAN 6
#include "widths.h"

// 32 registers of 16 floats.
#define NAME(name) name##_avx512
#define TARGET \
  __attribute__((target("avx2,fma,avx512f,avx512bw,avx512cd,avx512dq,avx512vl")))
#define LANES 16
#define ROWS 14
#define SPAN 14
#include "widths.h"

const struct ckernels *ckernels_avx2(void) { return &table_avx2; }
const struct ckernels *ckernels_avx512(void) { return &table_avx512; }

bool ckernels_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t registers[4]) {
  return __get_cpuid_count(leaf, subleaf, &registers[0], &registers[1], &registers[2],
                           &registers[3]);
}

uint64_t ckernels_xcr0(void) {
  uint32_t registers[4];
  const uint32_t osxsave = 1u << 27;
  if (!ckernels_cpuid(1, 0, registers) || !(registers[2] & osxsave)) return 0;
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t)high << 32 | low;
}

#else

const struct ckernels *ckernels_avx2(void) { return NULL; }
const struct ckernels *ckernels_avx512(void) { return NULL; }
bool ckernels_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t registers[4]) {
  (void)leaf, (void)subleaf, (void)registers;
  return false;
}
uint64_t ckernels_xcr0(void) { return 0; }

#endif
