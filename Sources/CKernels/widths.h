// The kernels for vectors of LANES floats, included once for each instruction set, with
//   NAME(name)  what a function is called,
//   TARGET      its attribute,
//   ROWS        rows of a product at a time: times two vectors, they fill most registers,
//   SPAN        positions of a depthwise convolution at a time, of ckernels_block channels each.

#define VECTOR NAME(vector)
#define BLOCK NAME(block)
#define INLINE TARGET static inline __attribute__((always_inline))
#define UNROLL _Pragma("clang loop unroll(full)")

typedef float VECTOR __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef float BLOCK __attribute__((vector_size(4 * ckernels_block), aligned(4), may_alias));

// Zero where it is negative; NaN stays NaN.
#define RECTIFIED(type, x) \
  ((type)(~((x) < (type){0}) & (__typeof__((x) < (type){0}))(x)))

// Stores the first `count` numbers.
INLINE void NAME(store)(float *target, VECTOR numbers, long count) {
  if (count >= LANES)
    *(VECTOR *)target = numbers;
  else if (count > 0)
    memcpy(target, &numbers, 4 * (size_t)count);
}

INLINE VECTOR NAME(load)(const float *source, long count) {
  VECTOR numbers = {0};
  if (count >= LANES)
    numbers = *(const VECTOR *)source;
  else if (count > 0)
    memcpy(&numbers, source, 4 * (size_t)count);
  return numbers;
}

// MARK: Products

// So many rows and vectors of a product, of `depth` steps. `rows` and `vectors` are constants where this is
// inlined, and all sums are in registers.
INLINE void NAME(tile)(const int rows, const int vectors, long columns, long depth, const float *a,
                       long a_stride, const float *b, float *c, long c_stride, bool adds,
                       const float *bias, bool rectifies) {
  VECTOR sums[ROWS][2];
  UNROLL for (int row = 0; row < rows; row++) {
    UNROLL for (int v = 0; v < vectors; v++) sums[row][v] = (VECTOR){0};
  }
  for (long k = 0; k < depth; k++) {
    VECTOR factors[2];
    UNROLL for (int v = 0; v < vectors; v++)
      factors[v] = *(const VECTOR *)(b + (k * vectors + v) * LANES);
    UNROLL for (int row = 0; row < rows; row++) {
      VECTOR number = a[row * a_stride + k] - (VECTOR){0};
      UNROLL for (int v = 0; v < vectors; v++) sums[row][v] += number * factors[v];
    }
  }
  UNROLL for (int v = 0; v < vectors; v++) {
    long count = columns - v * LANES;
    VECTOR shift = bias ? NAME(load)(bias + v * LANES, count) : (VECTOR){0};
    UNROLL for (int row = 0; row < rows; row++) {
      VECTOR sum = sums[row][v];
      if (adds) sum += NAME(load)(c + row * c_stride + v * LANES, count);
      if (bias) sum += shift;
      if (rectifies) sum = RECTIFIED(VECTOR, sum);
      NAME(store)(c + row * c_stride + v * LANES, sum, count);
    }
  }
}

#define TILES(rows_at_once)                                                                     \
  for (; rows - row >= rows_at_once; row += rows_at_once) {                                     \
    if (vectors == 2)                                                                           \
      NAME(tile)(rows_at_once, 2, columns, depth, a + row * a_stride, a_stride, b,              \
                 c + row * c_stride, c_stride, adds, bias, rectifies);                          \
    else                                                                                        \
      NAME(tile)(rows_at_once, 1, columns, depth, a + row * a_stride, a_stride, b,              \
                 c + row * c_stride, c_stride, adds, bias, rectifies);                          \
  }

// All rows of a panel.
TARGET static void NAME(panel)(int vectors, long rows, long columns, long depth, const float *a,
                               long a_stride, const float *b, float *c, long c_stride, bool adds,
                               const float *bias, bool rectifies) {
  long row = 0;
  TILES(ROWS)
#if ROWS > 8
  TILES(8)
#endif
#if ROWS > 4
  TILES(4)
#endif
  TILES(2)
  TILES(1)
}

#undef TILES

TARGET static void NAME(product)(long rows, long columns, long depth, const float *a, long a_stride,
                                 const float *b, float *c, long c_stride, const float *bias,
                                 bool rectifies) {
  // What is used again and again, a panel's part and some rows, stays in the caches; and sums of parts are
  // more exact than one long sum.
  const long deepest = 256, most = 8 * ROWS;
  long first = 0;
  do {
    long steps = depth - first < deepest ? depth - first : deepest;
    bool ends = first + steps == depth;
    for (long row = 0; row < rows; row += most) {
      long height = rows - row < most ? rows - row : most;
      for (long column = 0; column < columns; column += 2 * LANES) {
        int vectors = columns - column > LANES ? 2 : 1;
        NAME(panel)(vectors, height, columns - column, steps, a + row * a_stride + first, a_stride,
                    b + column * depth + first * vectors * LANES, c + row * c_stride + column,
                    c_stride, first > 0, ends && bias ? bias + column : NULL, ends && rectifies);
      }
    }
    first += steps;
  } while (first < depth);
}

// MARK: Winograd

TARGET static void NAME(winograd_input)(const struct ckernels_tiling *tiling, const float *map,
                                        long first, long count, long channels, float *matrices,
                                        long stride, long matrix) {
  for (long index = 0; index < count; index++) {
    long line = (first + index) / tiling->columns, image = line / tiling->rows;
    long top = 2 * (line - image * tiling->rows) - tiling->padding_y;
    long left = 2 * (first + index - line * tiling->columns) - tiling->padding_x;
    // Where each position's channels are, and how far apart: nowhere for those outside the image.
    const float *positions[4][4];
    long steps[4][4];
    for (int y = 0; y < 4; y++) {
      for (int x = 0; x < 4; x++) {
        bool inside = top + y >= 0 && top + y < tiling->height && left + x >= 0 &&
                      left + x < tiling->width;
        long position = (image * tiling->height + top + y) * tiling->width + left + x;
        positions[y][x] = inside ? map + position * tiling->channels : zeros;
        steps[y][x] = inside;
      }
    }
    float *target = matrices + index * stride;
    for (long channel = 0; channel < channels; channel += LANES) {
      VECTOR rows[4][4];
      UNROLL for (int x = 0; x < 4; x++) {
        VECTOR d[4];
        UNROLL for (int y = 0; y < 4; y++)
          d[y] = *(const VECTOR *)(positions[y][x] + channel * steps[y][x]);
        rows[0][x] = d[0] - d[2];
        rows[1][x] = d[1] + d[2];
        rows[2][x] = d[2] - d[1];
        rows[3][x] = d[1] - d[3];
      }
      UNROLL for (int y = 0; y < 4; y++) {
        const VECTOR *d = rows[y];
        const VECTOR numbers[4] = {d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]};
        UNROLL for (int x = 0; x < 4; x++)
          *(VECTOR *)(target + (4 * y + x) * matrix + channel) = numbers[x];
      }
    }
  }
}

TARGET static void NAME(winograd_output)(const struct ckernels_tiling *tiling, const float *matrices,
                                         long stride, long matrix, long first, long count,
                                         long channels, const float *bias, bool rectifies,
                                         float *map) {
  for (long index = 0; index < count; index++) {
    long line = (first + index) / tiling->columns, image = line / tiling->rows;
    long top = 2 * (line - image * tiling->rows);
    long left = 2 * (first + index - line * tiling->columns);
    float *target =
        map + ((image * tiling->height + top) * tiling->width + left) * tiling->channels;
    bool below = top + 1 < tiling->height, beside = left + 1 < tiling->width;
    for (long channel = 0; channel < channels; channel += LANES) {
      const float *source = matrices + index * stride + channel;
      VECTOR rows[2][4];
      UNROLL for (int x = 0; x < 4; x++) {
        VECTOR m[4];
        UNROLL for (int y = 0; y < 4; y++)
          m[y] = *(const VECTOR *)(source + (4 * y + x) * matrix);
        rows[0][x] = m[0] + m[1] + m[2];
        rows[1][x] = m[1] - m[2] - m[3];
      }
      VECTOR shift = bias ? NAME(load)(bias + channel, channels - channel) : (VECTOR){0};
      UNROLL for (int y = 0; y < 2; y++) {
        const VECTOR *m = rows[y];
        const VECTOR numbers[2] = {m[0] + m[1] + m[2], m[1] - m[2] - m[3]};
        UNROLL for (int x = 0; x < 2; x++) {
          if ((y == 0 || below) && (x == 0 || beside)) {
            VECTOR number = numbers[x];
            if (bias) number += shift;
            if (rectifies) number = RECTIFIED(VECTOR, number);
            NAME(store)(target + (y * tiling->width + x) * tiling->channels + channel, number,
                        channels - channel);
          }
        }
      }
    }
  }
}

// MARK: Depthwise

INLINE void NAME(span)(const int count, const struct ckernels_sweep *sweep, const float *window,
                       const float *weights, const float *bias, float *result) {
  BLOCK sums[SPAN];
  UNROLL for (int i = 0; i < count; i++) sums[i] = *(const BLOCK *)bias;
  for (long y = 0; y < sweep->height; y++) {
    const float *line = window + y * sweep->tap_y;
    for (long x = 0; x < sweep->width; x++) {
      BLOCK weight = *(const BLOCK *)(weights + (y * sweep->width + x) * ckernels_block);
      UNROLL for (int i = 0; i < count; i++)
        sums[i] += weight * *(const BLOCK *)(line + i * sweep->step);
      line += sweep->tap_x;
    }
  }
  UNROLL for (int i = 0; i < count; i++) {
    BLOCK sum = sums[i];
    if (sweep->rectifies) sum = RECTIFIED(BLOCK, sum);
    if (sweep->channels == ckernels_block)
      *(BLOCK *)(result + i * sweep->stride) = sum;
    else
      memcpy(result + i * sweep->stride, &sum, 4 * (size_t)sweep->channels);
  }
}

#define SPANS(positions)                                                                        \
  for (; sweep->count - position >= positions; position += positions)                           \
    NAME(span)(positions, sweep, window + position * sweep->step, weights, bias,                \
               result + position * sweep->stride);

TARGET static void NAME(sweep)(const struct ckernels_sweep *sweep, const float *window,
                               const float *weights, const float *bias, float *result) {
  long position = 0;
  SPANS(SPAN)
#if SPAN > 7
  SPANS(7)
#endif
#if SPAN > 3
  SPANS(3)
#endif
  SPANS(1)
}

#undef SPANS

static const struct ckernels NAME(table) = {
    2 * LANES, ROWS, NAME(product), NAME(winograd_input), NAME(winograd_output), NAME(sweep)};

#undef VECTOR
#undef BLOCK
#undef INLINE
#undef UNROLL
#undef RECTIFIED
#undef NAME
#undef TARGET
#undef LANES
#undef ROWS
#undef SPAN
