#ifndef KERNELS_H
#define KERNELS_H

#include <stdbool.h>
#include <stdint.h>

// The inner loops of convolutions in float32, compiled for several instruction sets, and what CPUID says
// of which of them the processor has.
//
// Each number of a result is computed by one sequence of operations, whatever lies beside it: results do
// not depend on how the work was cut. They do depend on the instruction set, which may or may not round
// between a multiplication and an addition.

// Channels of a position that lie together: what kernels read beyond the last is not used, but has to be
// readable.
enum { ckernels_block = 16 };

// How 2 x 2 tiles cover maps, N x H x W x C. What a tile sees begins 'padding' before it.
struct ckernels_tiling {
  long height, width, channels;
  long padding_y, padding_x;
  // Tiles of an image, below and beside each other.
  long rows, columns;
};

// One row of positions of a depthwise convolution, of up to ckernels_block channels.
struct ckernels_sweep {
  // Of the kernel; and how far its taps, and one window and the next, are from each other, in numbers.
  long height, width, tap_y, tap_x, step;
  // Positions, and from one to the next of the result, in numbers; channels that there are.
  long count, stride, channels;
  bool rectifies;
};

struct ckernels {
  // Columns of a panel; the last may be half as wide. Rows that are computed at a time.
  long panel, rows;

  // c = a b, and then, if there is a bias, plus that of the column, and what is negative made zero if asked
  // for. Rows of a and c lie strides apart; b is made of panels, each `depth` rows of its columns.
  void (*product)(long rows, long columns, long depth, const float *a, long a_stride, const float *b,
                  float *c, long c_stride, const float *bias, bool rectifies);

  // Winograd's F(2x2, 3x3), arXiv:1509.09308: the 4 x 4 positions that each of `count` tiles sees, as 16
  // numbers of a channel, each in a matrix of its own: a row for each tile, a column for each channel.
  void (*winograd_input)(const struct ckernels_tiling *tiling, const float *map, long first, long count,
                         long channels, float *matrices, long stride, long matrix);

  // The 2 x 2 positions of each tile from the 16 products, with bias and ReLU as in `product`.
  void (*winograd_output)(const struct ckernels_tiling *tiling, const float *matrices, long stride,
                          long matrix, long first, long count, long channels, const float *bias,
                          bool rectifies, float *map);

  // Depthwise convolution: `weights` and `bias` have ckernels_block numbers for each tap, and in all.
  void (*sweep)(const struct ckernels_sweep *sweep, const float *window, const float *weights,
                const float *bias, float *result);
};

// The kernels that any processor of this architecture runs; those that need AVX2 and FMA, and AVX-512 F, BW,
// CD, DQ and VL; null where there are none, on another architecture.
const struct ckernels *ckernels_plain(void);
const struct ckernels *ckernels_avx2(void);
const struct ckernels *ckernels_avx512(void);

// What CPUID gives in EAX, EBX, ECX and EDX; false if there is no such leaf, or no such instruction.
bool ckernels_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t registers[4]);

// XCR0: the registers that the operating system saves; zero if CPUID does not say that it can be read.
uint64_t ckernels_xcr0(void);

#endif
