/* rvd.h - reads .rvd files, neural networks in deploy form. C99, or C++; one file, no dependencies.

   In one source file:

       #define RVD_IMPLEMENTATION
       #include "rvd.h"

   Tensors that are compressed (codec planes-zstd) need `#define RVD_ZSTD` before that, and -lzstd;
   without it they give an error that says so, and everything else works.

       rvd_file file;
       if (rvd_open_file(&file, "model.rvd")) { puts(file.error); return 1; }
       const rvd_tensor *kernel = rvd_find(&file, "stage0.weight");
       if (kernel && !rvd_floats(&file, kernel, buffer, kernel->count)) ...
       rvd_close(&file);

   Written from ../../formats/rvd.md. Opening checks header and manifest; a tensor's checksum, and its
   scales, are checked when it is first read; rvd_verify checks all there is. Not checked: the graph,
   which this header does not read (it is in `manifest`), and that fractions in the manifest have no
   more digits than they need.

   Nothing in a file is trusted. Memory: less than eight times the manifest (which has at most 16 MB,
   and mostly some 10 KB) while a file is open, 512 KB and the scales while a tensor is read. The file
   is mapped where there is mmap (`#define RVD_NO_MMAP` to read it instead), and must not be cut short
   by others meanwhile. Several threads may read one file once rvd_verify has found it sound. */

#ifndef RVD_H
#define RVD_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a function returns: 0, or why not. Those up to RVD_CONTENT are the conditions of the
   specification, whose names rvd_condition gives. */
typedef enum rvd_status {
  RVD_OK, RVD_NOT_RVD, RVD_HEADER_CHECKSUM, RVD_UNSUPPORTED_VERSION, RVD_HEADER_INVALID,
  RVD_TRUNCATED, RVD_TRAILING_BYTES, RVD_MANIFEST_CHECKSUM, RVD_MANIFEST_SYNTAX,
  RVD_MANIFEST_INVALID, RVD_UNSUPPORTED_TYPE, RVD_UNSUPPORTED_CODEC, RVD_UNSUPPORTED_LAYOUT,
  RVD_PLACEMENT, RVD_PADDING, RVD_TENSOR_CHECKSUM, RVD_SCALES, RVD_ENCODING, RVD_CONTENT,
  RVD_NEEDS_ZSTD, /* built without RVD_ZSTD */
  RVD_INACCESSIBLE, /* the file cannot be read */
  RVD_NO_MEMORY,
  RVD_ARGUMENT /* a buffer that is too small, or a type without such values */
} rvd_status;

typedef enum rvd_type {
  RVD_FLOAT64, RVD_FLOAT32, RVD_FLOAT16, RVD_BFLOAT16, RVD_FLOAT8_E4M3FN, RVD_FLOAT8_E5M2,
  RVD_INT64, RVD_INT32, RVD_INT16, RVD_INT8, RVD_UINT64, RVD_UINT32, RVD_UINT16, RVD_UINT8,
  RVD_BOOL, RVD_COMPLEX64, RVD_COMPLEX128
} rvd_type;

typedef struct rvd_tensor {
  const char *name; /* UTF-8, and a zero byte behind it; may have others in it */
  size_t name_length;
  rvd_type type;
  unsigned rank; /* at most 64 */
  const uint64_t *shape;
  uint64_t count; /* elements */
  uint64_t bytes; /* decoded */
  uint64_t offset, stored_bytes; /* in the file */
  int compressed; /* the codec is planes-zstd */
  const struct rvd_tensor *scales; /* of an int8 tensor in steps, else NULL */

  /* Private. */
  const char *frames_;
  uint32_t crc_;
  char checked_, is_scales_;
} rvd_tensor;

typedef struct rvd_file {
  rvd_tensor *tensors; /* in the order of the file, by which the graph counts them */
  size_t count;
  const char *manifest; /* JSON, and a zero byte behind it */
  size_t manifest_length;
  uint32_t version;
  char error[320]; /* what the last function that failed says, with the tensor's name */

  /* Private. */
  const unsigned char *bytes_;
  uint64_t size_;
  void *owned_;
  int mapped_;
  rvd_tensor **by_name_;
  uint64_t *shapes_;
  char *names_;
  unsigned char content_[32];
  uint32_t crc_table_[8][256];
} rvd_file;

/* Opens a file in memory, which must stay there until rvd_close, or one by its path. After an error
   there is nothing to close. */
rvd_status rvd_open_memory(rvd_file *file, const void *bytes, uint64_t size);
rvd_status rvd_open_file(rvd_file *file, const char *path);
void rvd_close(rvd_file *file);

/* The tensor of a name, or NULL. */
const rvd_tensor *rvd_find(const rvd_file *file, const char *name);

/* The elements of a tensor, in place: little-endian, at a multiple of 64 bytes from the beginning of
   the file. NULL, with file->error, if the tensor is compressed or damaged. */
const void *rvd_raw(rvd_file *file, const rvd_tensor *tensor);

/* Copies the elements of a tensor, decoded, little-endian, to a buffer of at least tensor->bytes. */
rvd_status rvd_decode(rvd_file *file, const rvd_tensor *tensor, void *buffer, uint64_t size);

/* The values of a tensor of any type but the complex ones, weights in steps times their scales, in a
   buffer for at least tensor->count. What float cannot hold is rounded. */
rvd_status rvd_floats(rvd_file *file, const rvd_tensor *tensor, float *buffer, uint64_t count);

/* Checks all bytes of the file, and the content digest. */
rvd_status rvd_verify(rvd_file *file);

const char *rvd_condition(rvd_status status); /* such as "tensor-checksum" */
const char *rvd_type_name(rvd_type type);     /* such as "float32" */
unsigned rvd_type_size(rvd_type type);        /* in bytes */
void rvd_sha256(const void *bytes, size_t size, unsigned char digest[32]);

#ifdef __cplusplus
}
#endif
#endif /* RVD_H */

#ifdef RVD_IMPLEMENTATION
#ifndef RVD_IMPLEMENTATION_
#define RVD_IMPLEMENTATION_

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef RVD_ZSTD
#include <zstd.h>
#endif
#if !defined RVD_NO_MMAP && !defined __unix__ && !defined __APPLE__
#define RVD_NO_MMAP
#endif
#ifndef RVD_NO_MMAP
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define RVD__FRAME 262144u                      /* decoded bytes that are compressed together */
#define RVD__LARGEST (((uint64_t)1 << 53) - 1)  /* of an integer in the manifest */
#define RVD__DEPTH 32

static const struct { const char *name; unsigned size; } rvd__types[] = {
  {"float64", 8}, {"float32", 4}, {"float16", 2}, {"bfloat16", 2}, {"float8_e4m3fn", 1},
  {"float8_e5m2", 1}, {"int64", 8}, {"int32", 4}, {"int16", 2}, {"int8", 1}, {"uint64", 8},
  {"uint32", 4}, {"uint16", 2}, {"uint8", 1}, {"bool", 1}, {"complex64", 8}, {"complex128", 16}
};

const char *rvd_type_name(rvd_type type) { return rvd__types[type].name; }
unsigned rvd_type_size(rvd_type type) { return rvd__types[type].size; }

const char *rvd_condition(rvd_status status) {
  static const char *const names[] = {
    "valid", "not-rvd", "header-checksum", "unsupported-version", "header-invalid", "truncated",
    "trailing-bytes", "manifest-checksum", "manifest-syntax", "manifest-invalid",
    "unsupported-type", "unsupported-codec", "unsupported-layout", "placement", "padding",
    "tensor-checksum", "scales", "encoding", "content", "needs-zstd", "inaccessible", "no-memory",
    "argument"
  };
  return names[status];
}

/* Notes an error, with the name of a tensor or the path of a file, of which control characters are
   left out and the end if it is long. */
static rvd_status rvd__fail(rvd_file *file, rvd_status status, const char *name, size_t length,
                            const char *problem) {
  char shown[161];
  size_t i, n = 0;
  for (i = 0; i < length && n < 156; i++) {
    unsigned char c = (unsigned char)name[i];
    if (n > 150 && (c & 0xC0) != 0x80) { /* not in the middle of a character */
      memcpy(shown + n, "...", 3);
      n += 3;
      break;
    }
    shown[n++] = c < 32 || c == 127 ? '?' : (char)c;
  }
  shown[n] = 0;
  snprintf(file->error, sizeof file->error, "%s%s%s%s", status < RVD_INACCESSIBLE && n ? "tensor " : "",
           shown, n ? ": " : "", problem);
  return status;
}

static rvd_status rvd__wrong(rvd_file *file, rvd_status status, const char *problem) {
  return rvd__fail(file, status, "", 0, problem);
}

static rvd_status rvd__bad(rvd_file *file, const rvd_tensor *tensor, rvd_status status,
                           const char *problem) {
  return rvd__fail(file, status, tensor->name, tensor->name_length, problem);
}

static uint32_t rvd__u32(const unsigned char *p) {
  return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t rvd__u64(const unsigned char *p) {
  return rvd__u32(p) | (uint64_t)rvd__u32(p + 4) << 32;
}

static uint64_t rvd__align(uint64_t n) { return (n + 63) / 64 * 64; }

static int rvd__zeros(const unsigned char *p, uint64_t count) {
  while (count > 0 && *p == 0) p++, count--;
  return count == 0;
}


/* CRC-32, eight bytes at a time. */

static void rvd__crc_table(rvd_file *file) {
  uint32_t i, k;
  for (i = 0; i < 256; i++) {
    uint32_t crc = i;
    for (k = 0; k < 8; k++) crc = crc >> 1 ^ (0xEDB88320u & (0u - (crc & 1)));
    file->crc_table_[0][i] = crc;
  }
  for (i = 0; i < 256; i++)
    for (k = 1; k < 8; k++) {
      uint32_t crc = file->crc_table_[k - 1][i];
      file->crc_table_[k][i] = crc >> 8 ^ file->crc_table_[0][crc & 255];
    }
}

static uint32_t rvd__crc(const rvd_file *file, const unsigned char *p, uint64_t count) {
  uint32_t crc = 0xFFFFFFFFu;
  for (; count >= 8; p += 8, count -= 8) {
    uint32_t low = crc ^ rvd__u32(p), high = rvd__u32(p + 4);
    crc = file->crc_table_[7][low & 255] ^ file->crc_table_[6][low >> 8 & 255] ^
          file->crc_table_[5][low >> 16 & 255] ^ file->crc_table_[4][low >> 24] ^
          file->crc_table_[3][high & 255] ^ file->crc_table_[2][high >> 8 & 255] ^
          file->crc_table_[1][high >> 16 & 255] ^ file->crc_table_[0][high >> 24];
  }
  for (; count > 0; p++, count--) crc = crc >> 8 ^ file->crc_table_[0][(crc ^ *p) & 255];
  return crc ^ 0xFFFFFFFFu;
}

static int rvd__sound(const rvd_file *file, const unsigned char *p, uint64_t count, uint32_t crc) {
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION /* so that fuzzers come past the checksums */
  (void)file, (void)p, (void)count, (void)crc;
  return 1;
#else
  return rvd__crc(file, p, count) == crc;
#endif
}


/* SHA-256 (FIPS 180-4). */

typedef struct rvd__sha {
  uint32_t state[8];
  uint64_t size;
  unsigned char block[64];
} rvd__sha;

static void rvd__sha_block(uint32_t state[8], const unsigned char *p) {
  static const uint32_t k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2
  };
  uint32_t w[64], s[8], a, b;
  int i;
#define RVD__ROTATE(x, n) ((x) >> (n) | (x) << (32 - (n)))
  for (i = 0; i < 16; i++)
    w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 | (uint32_t)p[4 * i + 2] << 8 |
           p[4 * i + 3];
  for (; i < 64; i++)
    w[i] = (RVD__ROTATE(w[i - 2], 17) ^ RVD__ROTATE(w[i - 2], 19) ^ w[i - 2] >> 10) + w[i - 7] +
           (RVD__ROTATE(w[i - 15], 7) ^ RVD__ROTATE(w[i - 15], 18) ^ w[i - 15] >> 3) + w[i - 16];
  memcpy(s, state, sizeof s);
  for (i = 0; i < 64; i++) {
    a = s[7] + (RVD__ROTATE(s[4], 6) ^ RVD__ROTATE(s[4], 11) ^ RVD__ROTATE(s[4], 25)) +
        ((s[4] & s[5]) ^ (~s[4] & s[6])) + k[i] + w[i];
    b = (RVD__ROTATE(s[0], 2) ^ RVD__ROTATE(s[0], 13) ^ RVD__ROTATE(s[0], 22)) +
        ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
    memmove(s + 1, s, 7 * sizeof *s);
    s[4] += a;
    s[0] = a + b;
  }
  for (i = 0; i < 8; i++) state[i] += s[i];
#undef RVD__ROTATE
}

static void rvd__sha_begin(rvd__sha *sha) {
  static const uint32_t first[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  memcpy(sha->state, first, sizeof first);
  sha->size = 0;
}

static void rvd__sha_add(rvd__sha *sha, const void *bytes, uint64_t count) {
  const unsigned char *p = (const unsigned char *)bytes;
  while (count > 0) {
    size_t used = (size_t)(sha->size % 64), part = 64 - used;
    if (used == 0 && count >= 64) {
      rvd__sha_block(sha->state, p);
      part = 64;
    } else {
      if (part > count) part = (size_t)count;
      memcpy(sha->block + used, p, part);
      if (used + part == 64) rvd__sha_block(sha->state, sha->block);
    }
    p += part, count -= part, sha->size += part;
  }
}

static void rvd__sha_number(rvd__sha *sha, uint64_t number) {
  unsigned char bytes[8];
  int i;
  for (i = 0; i < 8; i++) bytes[i] = (unsigned char)(number >> 8 * i);
  rvd__sha_add(sha, bytes, 8);
}

static void rvd__sha_end(rvd__sha *sha, unsigned char digest[32]) {
  static const unsigned char padding[64] = {128};
  unsigned char length[8];
  uint64_t bits = sha->size * 8;
  int i;
  rvd__sha_add(sha, padding, 1 + (119 - sha->size % 64) % 64);
  for (i = 0; i < 8; i++) length[i] = (unsigned char)(bits >> (56 - 8 * i));
  rvd__sha_add(sha, length, 8);
  for (i = 0; i < 32; i++) digest[i] = (unsigned char)(sha->state[i / 4] >> (24 - i % 4 * 8));
}

void rvd_sha256(const void *bytes, size_t size, unsigned char digest[32]) {
  rvd__sha sha;
  rvd__sha_begin(&sha);
  rvd__sha_add(&sha, bytes, size);
  rvd__sha_end(&sha, digest);
}


/* Canonical JSON. The text ends in a zero byte, which no string may have in it. rvd__json walks through
   all of it once, and refuses what is not canonical; the functions behind it rely on that, and take a
   pointer to the first character of a value for the value. */

/* The next character of a string, NULL if there is no sound one: its code point, and whether it ends
   the string. */
static const char *rvd__character(const char *p, uint32_t *code) {
  const unsigned char *u = (const unsigned char *)p;
  static const char escapes[] = "\"\"\\\\b\bt\tn\nf\fr\r";
  int i;
  if (u[0] < 32) return NULL;
  if (u[0] == '\\') {
    for (i = 0; escapes[i]; i += 2)
      if (p[1] == escapes[i]) return *code = (unsigned char)escapes[i + 1], p + 2;
    if (p[1] != 'u' || p[2] != '0' || p[3] != '0' || (p[4] != '0' && p[4] != '1')) return NULL;
    if (p[5] >= '0' && p[5] <= '9') *code = (uint32_t)(p[5] - '0');
    else if (p[5] >= 'a' && p[5] <= 'f') *code = (uint32_t)(p[5] - 'a' + 10);
    else return NULL;
    *code += p[4] == '1' ? 16 : 0;
    return *code && strchr("\b\t\n\f\r", (int)*code) ? NULL : p + 6; /* those have escapes of their own */
  }
  if (u[0] < 0x80) return *code = u[0], p + 1;
  if (u[0] < 0xC2 || u[0] > 0xF4 || (u[1] & 0xC0) != 0x80) return NULL;
  if (u[0] < 0xE0) return *code = (u[0] & 31u) << 6 | (u[1] & 63u), p + 2;
  if ((u[2] & 0xC0) != 0x80) return NULL;
  if (u[0] < 0xF0) {
    *code = (u[0] & 15u) << 12 | (u[1] & 63u) << 6 | (u[2] & 63u);
    return *code < 0x800 || (*code >= 0xD800 && *code < 0xE000) ? NULL : p + 3;
  }
  if ((u[3] & 0xC0) != 0x80) return NULL;
  *code = (u[0] & 7u) << 18 | (u[1] & 63u) << 12 | (u[2] & 63u) << 6 | (u[3] & 63u);
  return *code < 0x10000 || *code > 0x10FFFF ? NULL : p + 4;
}

static const char *rvd__string(const char *p) {
  uint32_t code;
  if (*p++ != '"') return NULL;
  while (p && *p != '"') p = rvd__character(p, &code);
  return p ? p + 1 : NULL;
}

/* Whether the string a is before b, by UTF-16 code units: what is coded as two units is before what
   follows the surrogates. */
static int rvd__before(const char *a, const char *b) {
  uint32_t one, other;
  for (a++, b++; *a != '"' && *b != '"';) {
    a = rvd__character(a, &one);
    b = rvd__character(b, &other);
    if (one != other) {
      if (one >= 0xE000 && one < 0x10000) one += 0x200000;
      if (other >= 0xE000 && other < 0x10000) other += 0x200000;
      return one < other;
    }
  }
  return *a == '"' && *b != '"';
}

/* A number, 0.d1d2...dk x 10^n. */
typedef struct rvd__decimal {
  char digits[18];
  int k, n, negative;
} rvd__decimal;

static int rvd__is_digit(char c) { return c >= '0' && c <= '9'; }

static void rvd__digit(rvd__decimal *d, char c) {
  if (d->k < 18) d->digits[d->k] = c;
  if (d->k < 1000) d->k++;
}

static const char *rvd__number(const char *p, rvd__decimal *d) {
  int zeros = 0, pointed = 0;
  memset(d->digits, '0', sizeof d->digits);
  d->k = d->n = 0;
  d->negative = *p == '-';
  p += d->negative;
  if (!rvd__is_digit(*p)) return NULL;
  if (*p == '0') {
    if (p[1] != '.') return d->negative ? NULL : p + 1;
    p++;
  } else {
    while (rvd__is_digit(*p) && d->n < 22) rvd__digit(d, *p++), d->n++;
    if (rvd__is_digit(*p)) return NULL;
  }
  if (*p == '.') {
    pointed = 1;
    if (!rvd__is_digit(*++p)) return NULL;
    for (; rvd__is_digit(*p); p++) {
      if (d->k == 0 && *p == '0') {
        if (++zeros > 5) return NULL;
      } else {
        rvd__digit(d, *p);
      }
    }
    if (p[-1] == '0') return NULL;
    if (d->n == 0) d->n = -zeros;
  }
  if (*p == 'e') {
    int exponent = 0, less = p[1] == '-';
    if (d->n != 1 || (p[1] != '+' && p[1] != '-') || p[2] == '0') return NULL;
    for (p += 2; rvd__is_digit(*p) && exponent < 1000; p++) exponent = 10 * exponent + (*p - '0');
    if (less ? exponent < 7 || exponent > 324 : exponent < 21 || exponent > 308) return NULL;
    d->n = less ? 1 - exponent : 1 + exponent;
  } else if (d->n > 21) {
    return NULL;
  }
  if (!pointed) /* zeros that count no digits */
    while (d->k > 0 && (d->k > 18 || d->digits[d->k - 1] == '0')) {
      if (d->k > 18) { /* of 19 to 21 digits the last must be zeros */
        const char *last = p;
        int i;
        for (i = d->k; i > 18; i--)
          if (*--last != '0') return NULL;
        d->k = 18;
      } else {
        d->k--;
      }
    }
  return d->k <= 17 ? p : NULL;
}

static const char *rvd__json(const char *p, int depth) {
  rvd__decimal number;
  const char *key, *last = NULL;
  char close = *p == '[' ? ']' : '}';
  if (*p == '"') return rvd__string(p);
  if (!strncmp(p, "null", 4) || !strncmp(p, "true", 4)) return p + 4;
  if (!strncmp(p, "false", 5)) return p + 5;
  if (*p != '[' && *p != '{') return rvd__number(p, &number);
  if (depth == RVD__DEPTH) return NULL;
  if (p[1] == close) return p + 2;
  do {
    p++;
    if (close == '}') {
      key = p;
      p = rvd__string(p);
      if (!p || *p++ != ':' || (last && !rvd__before(last, key))) return NULL;
      last = key;
    }
    p = rvd__json(p, depth + 1);
    if (!p) return NULL;
  } while (*p == ',');
  return *p == close ? p + 1 : NULL;
}

/* What follows a value. */
static const char *rvd__after(const char *p) {
  int depth = 0;
  do {
    if (*p == '"') {
      for (p++; *p != '"'; p++)
        if (*p == '\\') p++;
      p++;
    } else if (*p == '[' || *p == '{') {
      depth++, p++;
    } else if (*p == ']' || *p == '}') {
      depth--, p++;
    } else if (*p == ',' || *p == ':') {
      p++;
    } else {
      while (*p && !strchr(",:]}", *p)) p++;
    }
  } while (depth > 0);
  return p;
}

/* The elements of an array; NULL behind the last. */
static const char *rvd__first(const char *array) { return array[1] == ']' ? NULL : array + 1; }

static const char *rvd__next(const char *element) {
  const char *p = rvd__after(element);
  return *p == ',' ? p + 1 : NULL;
}

/* The value of a member of an object, NULL if there is none. Our keys need no escapes. */
static const char *rvd__member(const char *object, const char *key) {
  size_t length = strlen(key);
  const char *p = object + 1, *end;
  while (*p == '"') {
    end = rvd__after(p);
    if ((size_t)(end - p) == length + 2 && !memcmp(p + 1, key, length)) return end + 1;
    p = rvd__after(end + 1);
    if (*p == ',') p++;
  }
  return NULL;
}

static int rvd__is(const char *string, const char *text) {
  size_t length = strlen(text);
  return !strncmp(string + 1, text, length) && string[1 + length] == '"';
}

static int rvd__is_number(const char *value) { return *value == '-' || rvd__is_digit(*value); }

static int rvd__integer(const char *value, uint64_t *result) {
  uint64_t number = 0;
  if (!value || !rvd__is_digit(*value)) return 0;
  for (; rvd__is_digit(*value); value++) {
    number = 10 * number + (uint64_t)(*value - '0');
    if (number > RVD__LARGEST) return 0;
  }
  *result = number;
  return *value == ',' || *value == ']' || *value == '}';
}

/* Digits of a checksum or a digest. */
static int rvd__hexadecimal(const char *value, unsigned char *bytes, size_t count) {
  size_t i;
  if (!value || *value != '"' || strspn(value + 1, "0123456789abcdef") != 2 * count ||
      value[1 + 2 * count] != '"')
    return 0;
  memset(bytes, 0, count);
  for (i = 0; i < 2 * count; i++) {
    char c = value[1 + i];
    bytes[i / 2] = (unsigned char)(bytes[i / 2] << 4 | (c <= '9' ? c - '0' : c - 'a' + 10));
  }
  return 1;
}

/* A string without escapes, and its length in bytes; a zero byte behind it. Counts only if out is NULL. */
static size_t rvd__text(const char *value, char *out) {
  size_t n = 0;
  uint32_t code;
  const char *p = value + 1, *next;
  for (; *p != '"'; p = next) {
    next = rvd__character(p, &code);
    if (*p == '\\') {
      if (out) out[n] = (char)code;
      n++;
    } else {
      if (out) memcpy(out + n, p, (size_t)(next - p));
      n += (size_t)(next - p);
    }
  }
  if (out) out[n] = 0;
  return n;
}


/* The manifest. */

#define RVD__INVALID(condition, problem) \
  do { \
    if (!(condition)) return rvd__fail(file, RVD_MANIFEST_INVALID, name, name_length, problem); \
  } while (0)

/* The planes of a frame; of how many elements, which is what a plane has that is stored as it is. */
static rvd_status rvd__frames(rvd_file *file, const rvd_tensor *tensor, const char *name,
                              size_t name_length) {
  const char *frame, *plane;
  uint64_t rest = tensor->bytes, sum = 0, size, planes, elements;
  unsigned width = rvd_type_size(tensor->type);
  RVD__INVALID(tensor->frames_ && *tensor->frames_ == '[', "it has no frames");
  for (frame = rvd__first(tensor->frames_); frame; frame = rvd__next(frame)) {
    RVD__INVALID(rest > 0, "it has too many frames");
    RVD__INVALID(*frame == '[', "a frame that is no array");
    elements = (rest < RVD__FRAME ? rest : RVD__FRAME) / width;
    rest -= elements * width;
    planes = 0;
    for (plane = rvd__first(frame); plane; plane = rvd__next(plane), planes++) {
      RVD__INVALID(rvd__integer(plane, &size) && size >= 1 && size <= elements,
                   "a plane whose stored size is wrong");
      sum += size; /* at most the length of the manifest times the largest size */
    }
    RVD__INVALID(planes == width, "a frame with a wrong number of planes");
  }
  RVD__INVALID(rest == 0, "it has too few frames");
  RVD__INVALID(sum == tensor->stored_bytes, "its frames are not of as many bytes as are stored");
  return RVD_OK;
}

/* Reads an element of `tensors`, all but its name, shape and scales, of which it gives what they take:
   the bytes of the name, with the one behind it, and the axes. */
static rvd_status rvd__entry(rvd_file *file, const char *entry, rvd_tensor *tensor, size_t *name_size,
                             size_t *rank) {
  const char *name = "", *value, *type, *codec, *layout;
  size_t name_length = 0, i;
  uint64_t axis, count = 1;
  unsigned char crc[4];
  int empty = 0, overflow = 0, known = 0, raw;
  memset(tensor, 0, sizeof *tensor);
  *rank = 0;
  RVD__INVALID(*entry == '{', "an element of 'tensors' is no object");
  value = rvd__member(entry, "name");
  RVD__INVALID(value && *value == '"' && value[1] != '"', "a tensor without a name");
  *name_size = rvd__text(value, NULL) + 1;
  name = value + 1, name_length = (size_t)(rvd__after(value) - value - 2); /* for errors: with escapes */

  type = rvd__member(entry, "type");
  codec = rvd__member(entry, "codec");
  layout = rvd__member(entry, "layout");
  value = rvd__member(entry, "role");
  RVD__INVALID(type && *type == '"' && codec && *codec == '"' && (!layout || *layout == '"') &&
               (!value || *value == '"'), "a member is missing, or no string");
  RVD__INVALID(rvd__integer(rvd__member(entry, "offset"), &tensor->offset) &&
               rvd__integer(rvd__member(entry, "storedBytes"), &tensor->stored_bytes) &&
               rvd__integer(rvd__member(entry, "bytes"), &tensor->bytes),
               "a member is missing, or no integer");
  RVD__INVALID(rvd__hexadecimal(rvd__member(entry, "crc32"), crc, 4), "it has no checksum");
  tensor->crc_ = (uint32_t)crc[0] << 24 | (uint32_t)crc[1] << 16 | (uint32_t)crc[2] << 8 | crc[3];
  for (i = 0; i < sizeof rvd__types / sizeof *rvd__types; i++)
    if (rvd__is(type, rvd__types[i].name)) tensor->type = (rvd_type)i, known = 1;

  value = rvd__member(entry, "shape");
  RVD__INVALID(value && *value == '[', "it has no shape");
  for (value = rvd__first(value); value; value = rvd__next(value)) {
    RVD__INVALID(rvd__integer(value, &axis), "a wrong shape");
    RVD__INVALID(++*rank <= 64, "more than 64 axes");
    if (axis == 0) empty = 1;
    else if (count > RVD__LARGEST / axis) overflow = 1;
    else count *= axis;
  }
  if (layout && (rvd__is(layout, "OIHW") || rvd__is(layout, "OI")))
    RVD__INVALID(*rank == (rvd__is(layout, "OIHW") ? 4u : 2u), "a layout of other axes");
  else if (layout)
    return rvd__fail(file, RVD_UNSUPPORTED_LAYOUT, name, name_length, "an unknown layout");
  if (!known) return rvd__fail(file, RVD_UNSUPPORTED_TYPE, name, name_length, "an unknown type");

  if (empty) count = overflow = 0;
  RVD__INVALID(!overflow && count <= RVD__LARGEST / rvd_type_size(tensor->type) &&
               tensor->bytes == count * rvd_type_size(tensor->type),
               "its bytes are not those of its shape");
  tensor->count = count;
  tensor->frames_ = rvd__member(entry, "frames");
  raw = rvd__is(codec, "raw");
  tensor->compressed = !raw;
  if (!raw && !rvd__is(codec, "planes-zstd"))
    return rvd__fail(file, RVD_UNSUPPORTED_CODEC, name, name_length, "an unknown codec");
  if (!raw) return rvd__frames(file, tensor, name, name_length);
  RVD__INVALID(tensor->stored_bytes == tensor->bytes, "its stored bytes are not its bytes");
  RVD__INVALID(!tensor->frames_, "frames of a tensor that is not compressed");
  return RVD_OK;
}

/* Whether a value is an array of strings; how many, and how many of them are empty. */
static int rvd__strings(const char *array, uint64_t *count, uint64_t *empty) {
  const char *p;
  *count = *empty = 0;
  if (*array != '[') return 0;
  for (p = rvd__first(array); p; p = rvd__next(p)) {
    if (*p != '"') return 0;
    ++*count, *empty += p[1] == '"';
  }
  return 1;
}

/* Whether a value is an array of three numbers, or of positive ones. */
static int rvd__three(const char *array, int positive) {
  const char *p;
  int count = 0;
  if (!array || *array != '[') return 0;
  for (p = rvd__first(array); p; p = rvd__next(p), count++)
    if (count == 3 || !rvd__is_number(p) || (positive && (*p == '-' || (*p == '0' && p[1] != '.'))))
      return 0;
  return count == 3;
}

static int rvd__ascending(const char *array) {
  const char *p;
  rvd__decimal last, next;
  memset(&last, 0, sizeof last);
  if (!array || *array != '[') return 0;
  for (p = rvd__first(array); p; p = rvd__next(p)) {
    if (!rvd__is_number(p) || *p == '-') return 0;
    rvd__number(p, &next);
    if (p != array + 1) {
      if (next.k == 0) return 0;
      if (last.k > 0 && (next.n < last.n || (next.n == last.n && memcmp(
            last.digits, next.digits, sizeof last.digits) >= 0)))
        return 0;
    }
    last = next;
  }
  return 1;
}

/* The rest of the manifest, but for what is in the graph. */
static rvd_status rvd__rest(rvd_file *file) {
  static const char *const provenance[] = {"container", "dialect", "arithmetic", "tool"};
  static const char *const metadata[] = {"license", "homepage", "task"};
  const char *top = file->manifest, *name = "", *p, *q;
  size_t name_length = 0, i;
  uint64_t classes = 0, count, empty;
  unsigned char digest[32];

  p = rvd__member(top, "content");
  RVD__INVALID(p && *p == '{' && rvd__hexadecimal(rvd__member(p, "sha256"), file->content_, 32),
               "there is no content digest");
  p = rvd__member(top, "architecture");
  RVD__INVALID(!p || *p == '"', "'architecture' is no string");
  p = rvd__member(top, "classes");
  RVD__INVALID(!p || (rvd__integer(p, &classes) && classes >= 1), "a wrong number of classes");
  p = rvd__member(top, "graph");
  RVD__INVALID(!p || *p == '[', "'graph' is no array");
  for (p = p ? rvd__first(p) : NULL; p; p = rvd__next(p))
    RVD__INVALID(*p == '{', "a node of the graph is no object");

  p = rvd__member(top, "input");
  if (p) {
    RVD__INVALID(*p == '{', "'input' is no object");
    q = rvd__member(p, "channelOrder");
    RVD__INVALID(q && *q == '"' && (rvd__is(q, "RGB") || rvd__is(q, "BGR")), "a wrong order of channels");
    q = rvd__member(p, "scale");
    RVD__INVALID(q && rvd__is_digit(*q) && (*q != '0' || q[1] == '.'), "a wrong scale of the input");
    RVD__INVALID(rvd__three(rvd__member(p, "mean"), 0) &&
                 rvd__three(rvd__member(p, "standardDeviation"), 1), "a wrong normalisation");
    q = rvd__member(p, "size");
    RVD__INVALID(!q || (rvd__integer(q, &count) && count >= 1 && count <= 65535), "a wrong size of the input");
  }

  p = rvd__member(top, "provenance");
  if (p) {
    RVD__INVALID(*p == '{', "'provenance' is no object");
    q = rvd__member(p, "sourceSHA256");
    RVD__INVALID(!q || rvd__hexadecimal(q, digest, 32), "'sourceSHA256' is no digest");
    q = rvd__member(p, "biasCorrection");
    RVD__INVALID(!q || *q == '"', "'biasCorrection' is no string");
    for (i = 0; i < sizeof provenance / sizeof *provenance; i++) {
      q = rvd__member(p, provenance[i]);
      RVD__INVALID(q && *q == '"', "a wrong provenance");
    }
    RVD__INVALID(rvd__ascending(rvd__member(p, "epsilons")), "wrong epsilons");
  }

  p = rvd__member(top, "metadata");
  if (p) {
    RVD__INVALID(*p == '{' && p[1] != '}', "'metadata' is no object, or empty");
    q = rvd__member(p, "labels");
    RVD__INVALID(!q || (rvd__strings(q, &count, &empty) && count > 0), "wrong labels");
    RVD__INVALID(!q || !classes || count == classes, "there is not one label for each class");
    for (i = 0; i < sizeof metadata / sizeof *metadata; i++) {
      q = rvd__member(p, metadata[i]);
      RVD__INVALID(!q || (*q == '"' && q[1] != '"'), "'license', 'homepage' or 'task' is no string, or empty");
    }
    q = rvd__member(p, "authors");
    RVD__INVALID(!q || (rvd__strings(q, &count, &empty) && count > 0 && !empty), "wrong authors");
    q = rvd__member(p, "custom");
    if (q) {
      RVD__INVALID(*q == '{' && q[1] == '"', "'custom' is no object, or empty");
      for (q++; *q == '"';) {
        RVD__INVALID(q[1] != '"', "'custom' has an empty key");
        q = rvd__after(q) + 1;
        RVD__INVALID(*q == '"', "'custom' has a value that is no string");
        q = rvd__after(q);
        if (*q == ',') q++;
      }
    }
  }
  return RVD_OK;
}

static int rvd__compare(const void *a, const void *b) {
  const rvd_tensor *one = *(rvd_tensor *const *)a, *other = *(rvd_tensor *const *)b;
  size_t length = one->name_length < other->name_length ? one->name_length : other->name_length;
  int order = memcmp(one->name, other->name, length);
  if (order) return order;
  return (one->name_length > other->name_length) - (one->name_length < other->name_length);
}

static void *rvd__allocate(size_t count, size_t size) {
  if (count > SIZE_MAX / size) return NULL;
  return malloc(count * size + 1);
}

static rvd_status rvd__tensors(rvd_file *file, uint64_t start) {
  const char *array = rvd__member(file->manifest, "tensors"), *entry, *value;
  const char *name = "";
  size_t name_length = 0, count = 0, names = 0, axes = 0, size, rank, i;
  uint64_t *shape, index, end = 64;
  rvd_status status;
  rvd_tensor tensor, *t;
  char *text;

  RVD__INVALID(array && *array == '[', "there are no tensors");
  for (entry = rvd__first(array); entry; entry = rvd__next(entry)) {
    status = rvd__entry(file, entry, &tensor, &size, &rank);
    if (status) return status;
    count++, names += size, axes += rank; /* at most the length of the manifest */
  }
  file->tensors = (rvd_tensor *)rvd__allocate(count, sizeof *file->tensors);
  file->by_name_ = (rvd_tensor **)rvd__allocate(count, sizeof *file->by_name_);
  file->shapes_ = shape = (uint64_t *)rvd__allocate(axes, sizeof *file->shapes_);
  file->names_ = text = (char *)rvd__allocate(names, 1);
  if (!file->tensors || !file->by_name_ || !file->shapes_ || !file->names_)
    return rvd__wrong(file, RVD_NO_MEMORY, "out of memory");

  for (entry = rvd__first(array); entry; entry = rvd__next(entry)) {
    t = &file->tensors[file->count];
    status = rvd__entry(file, entry, t, &size, &rank);
    if (status) return status;
    t->name = text;
    t->name_length = rvd__text(rvd__member(entry, "name"), text);
    text += size;
    t->shape = shape;
    t->rank = (unsigned)rank;
    for (value = rvd__first(rvd__member(entry, "shape")); value; value = rvd__next(value))
      rvd__integer(value, shape++);
    file->by_name_[file->count++] = t;
  }
  qsort(file->by_name_, count, sizeof *file->by_name_, rvd__compare);
  for (i = 1; i < count; i++)
    if (!rvd__compare(&file->by_name_[i - 1], &file->by_name_[i]))
      return rvd__bad(file, file->by_name_[i], RVD_MANIFEST_INVALID, "the name of two tensors");

  for (entry = rvd__first(array), t = file->tensors; entry; entry = rvd__next(entry), t++) {
    rvd_tensor *scales;
    value = rvd__member(entry, "scales");
    if (!value) continue;
    name = t->name, name_length = t->name_length;
    RVD__INVALID(rvd__integer(value, &index) && index < count, "its scales are no tensor");
    RVD__INVALID(t->type == RVD_INT8 && (t->rank == 2 || t->rank == 4),
                 "it has scales, which only int8 tensors of 2 or 4 axes have");
    scales = &file->tensors[index];
    RVD__INVALID(scales->type == RVD_FLOAT32 && scales->rank == 1 && scales->shape[0] == t->shape[0],
                 "its scales are not one float32 for each output channel");
    RVD__INVALID(!scales->is_scales_, "its scales are those of another tensor too");
    scales->is_scales_ = 1;
    t->scales = scales;
  }
  status = rvd__rest(file);
  if (status) return status;

  for (t = file->tensors; t < file->tensors + count; t++) {
    uint64_t place = rvd__align(end); /* end is at most start, which is at most the file's size */
    if (t->offset != place || place > start || t->stored_bytes > start - place)
      return rvd__bad(file, t, RVD_PLACEMENT, "it is not where it belongs");
    end = place + t->stored_bytes;
  }
  if (rvd__align(end) != start)
    return rvd__wrong(file, RVD_PLACEMENT, "the manifest does not follow the last tensor");
  return RVD_OK;
}

static rvd_status rvd__open(rvd_file *file) {
  const unsigned char *bytes = file->bytes_;
  uint64_t start, length;
  uint32_t minimum;
  const char *end;
  char *text;

  if (file->size_ < 8 || memcmp(bytes, "\x89RVD\r\n\x1a\n", 8))
    return rvd__wrong(file, RVD_NOT_RVD, "not an RVD file");
  if (file->size_ < 64) return rvd__wrong(file, RVD_TRUNCATED, "cut short");
  if (!rvd__sound(file, bytes, 60, rvd__u32(bytes + 60)))
    return rvd__wrong(file, RVD_HEADER_CHECKSUM, "the header is damaged");
  file->version = rvd__u32(bytes + 8);
  minimum = rvd__u32(bytes + 12);
  if (minimum > 1) return rvd__wrong(file, RVD_UNSUPPORTED_VERSION, "needs a newer reader");
  start = rvd__u64(bytes + 24);
  length = rvd__u64(bytes + 32);
  if (minimum < 1 || minimum > file->version || rvd__u64(bytes + 16) || !rvd__zeros(bytes + 44, 16) ||
      start < 64 || start % 64 || length > (uint64_t)1 << 24)
    return rvd__wrong(file, RVD_HEADER_INVALID, "a header that no writer writes");
  if (start > file->size_ || length > file->size_ - start)
    return rvd__wrong(file, RVD_TRUNCATED, "cut short");
  if (length < file->size_ - start) return rvd__wrong(file, RVD_TRAILING_BYTES, "it is too long");
  if (file->size_ > RVD__LARGEST || (uint64_t)(size_t)file->size_ != file->size_)
    return rvd__wrong(file, RVD_NO_MEMORY, "too large for this machine");
  if (!rvd__sound(file, bytes + start, length, rvd__u32(bytes + 40)))
    return rvd__wrong(file, RVD_MANIFEST_CHECKSUM, "the manifest is damaged");

  text = (char *)malloc((size_t)length + 1);
  if (!text) return rvd__wrong(file, RVD_NO_MEMORY, "out of memory");
  file->manifest = text;
  file->manifest_length = (size_t)length;
  memcpy(text, bytes + start, (size_t)length);
  text[length] = 0;
  end = rvd__json(text, 0);
  if (!end || end != text + length)
    return rvd__wrong(file, RVD_MANIFEST_SYNTAX, "the manifest is not JSON in canonical form");
  if (*text != '{') return rvd__wrong(file, RVD_MANIFEST_INVALID, "the manifest is no object");
  return rvd__tensors(file, start);
}

static rvd_status rvd__close_after(rvd_file *file, rvd_status status) {
  char error[sizeof file->error];
  if (status) {
    memcpy(error, file->error, sizeof error);
    rvd_close(file);
    memcpy(file->error, error, sizeof error);
  }
  return status;
}

rvd_status rvd_open_memory(rvd_file *file, const void *bytes, uint64_t size) {
  memset(file, 0, sizeof *file);
  rvd__crc_table(file);
  file->bytes_ = (const unsigned char *)bytes;
  file->size_ = size;
  return rvd__close_after(file, rvd__open(file));
}

#ifndef RVD_NO_MMAP

rvd_status rvd_open_file(rvd_file *file, const char *path) {
  struct stat about;
  void *map = NULL;
  int failed, descriptor = open(path, O_RDONLY);
  memset(file, 0, sizeof *file);
  failed = descriptor < 0 || fstat(descriptor, &about) < 0;
  if (!failed && about.st_size > 0 && (uint64_t)about.st_size <= SIZE_MAX) {
    map = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    failed = map == MAP_FAILED;
  }
  if (failed) rvd__fail(file, RVD_INACCESSIBLE, path, strlen(path), strerror(errno));
  if (descriptor >= 0) close(descriptor);
  if (failed) return RVD_INACCESSIBLE;
  rvd__crc_table(file);
  file->bytes_ = (const unsigned char *)map;
  file->owned_ = map;
  file->mapped_ = 1;
  file->size_ = map ? (uint64_t)about.st_size : 0;
  return rvd__close_after(file, rvd__open(file));
}

#else

rvd_status rvd_open_file(rvd_file *file, const char *path) {
  FILE *stream = fopen(path, "rb");
  long size = -1;
  int failed;
  memset(file, 0, sizeof *file);
  failed = !stream || fseek(stream, 0, SEEK_END) || (size = ftell(stream)) < 0;
  if (!failed) {
    rewind(stream);
    file->owned_ = malloc((size_t)size + 1);
    failed = !file->owned_ || fread(file->owned_, 1, (size_t)size, stream) != (size_t)size;
  }
  if (stream) fclose(stream);
  if (failed) {
    rvd__fail(file, RVD_INACCESSIBLE, path, strlen(path), "cannot be read");
    return rvd__close_after(file, RVD_INACCESSIBLE);
  }
  rvd__crc_table(file);
  file->bytes_ = (const unsigned char *)file->owned_;
  file->size_ = (uint64_t)size;
  return rvd__close_after(file, rvd__open(file));
}

#endif

void rvd_close(rvd_file *file) {
  free(file->tensors);
  free(file->by_name_);
  free(file->shapes_);
  free(file->names_);
  free((char *)file->manifest);
#ifndef RVD_NO_MMAP
  if (file->owned_ && file->mapped_) munmap(file->owned_, (size_t)file->size_);
#else
  free(file->owned_);
#endif
  memset(file, 0, sizeof *file);
}

const rvd_tensor *rvd_find(const rvd_file *file, const char *name) {
  size_t low = 0, high = file->count;
  rvd_tensor key, *pointer = &key;
  key.name = name;
  key.name_length = strlen(name);
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    int order = rvd__compare(&pointer, &file->by_name_[middle]);
    if (order == 0) return file->by_name_[middle];
    if (order < 0) high = middle;
    else low = middle + 1;
  }
  return NULL;
}


/* Tensors. */

/* The stored bytes, or NULL if they are damaged. */
static const unsigned char *rvd__stored(rvd_file *file, const rvd_tensor *tensor) {
  const unsigned char *stored = file->bytes_ + tensor->offset;
  if (!tensor->checked_) {
    if (!rvd__sound(file, stored, tensor->stored_bytes, tensor->crc_)) {
      rvd__bad(file, tensor, RVD_TENSOR_CHECKSUM, "damaged: its checksum differs");
      return NULL;
    }
    file->tensors[tensor - file->tensors].checked_ = 1;
  }
  return stored;
}

const void *rvd_raw(rvd_file *file, const rvd_tensor *tensor) {
  if (tensor->compressed) {
    rvd__bad(file, tensor, RVD_ARGUMENT, "compressed; rvd_decode decodes it");
    return NULL;
  }
  return rvd__stored(file, tensor);
}

/* What takes the decoded bytes of a tensor, a frame or less at a time. */
typedef int rvd__sink(void *context, const unsigned char *bytes, size_t count);

#ifdef RVD_ZSTD

/* One frame of Zstandard, of which all is as it should be. */
static int rvd__plane(ZSTD_DCtx *decoder, const unsigned char *stored, size_t size, unsigned char *plane,
                      size_t count) {
  static const unsigned char magic[4] = {0x28, 0xB5, 0x2F, 0xFD};
  return size > 4 && !memcmp(stored, magic, 4) && ZSTD_getFrameContentSize(stored, size) == count &&
         ZSTD_findFrameCompressedSize(stored, size) == size &&
         ZSTD_decompressDCtx(decoder, plane, count, stored, size) == count;
}

static rvd_status rvd__inflate(rvd_file *file, const rvd_tensor *tensor, const unsigned char *stored,
                               rvd__sink *sink, void *context) {
  unsigned width = rvd_type_size(tensor->type);
  uint64_t rest = tensor->bytes, size = 0;
  unsigned char *frame = (unsigned char *)malloc(RVD__FRAME);
  unsigned char *buffer = (unsigned char *)malloc(RVD__FRAME);
  ZSTD_DCtx *decoder = ZSTD_createDCtx();
  const char *sizes = rvd__first(tensor->frames_), *next;
  rvd_status status = RVD_OK;
  if (!frame || !buffer || !decoder) status = rvd__wrong(file, RVD_NO_MEMORY, "out of memory");
  for (; !status && rest > 0; sizes = rvd__next(sizes)) {
    size_t count = (size_t)(rest < RVD__FRAME ? rest : RVD__FRAME) / width, i;
    unsigned k = 0;
    for (next = rvd__first(sizes); !status && k < width; next = rvd__next(next), k++) {
      const unsigned char *plane = stored;
      rvd__integer(next, &size);
      stored += size;
      if (size < count) {
        if (!rvd__plane(decoder, plane, (size_t)size, buffer, count))
          status = rvd__bad(file, tensor, RVD_ENCODING, "a plane is not one Zstandard frame of its size");
        plane = buffer;
      }
      if (status) break;
      if (width == 1) memcpy(frame, plane, count);
      else for (i = 0; i < count; i++) frame[i * width + k] = plane[i];
    }
    if (!status && !sink(context, frame, count * width))
      status = rvd__bad(file, tensor, RVD_SCALES, "a scale is not a finite number greater than 0");
    rest -= count * width;
  }
  ZSTD_freeDCtx(decoder);
  free(buffer);
  free(frame);
  return status;
}

#endif

static rvd_status rvd__stream(rvd_file *file, const rvd_tensor *tensor, rvd__sink *sink, void *context) {
  const unsigned char *stored = rvd__stored(file, tensor);
  uint64_t rest = tensor->bytes;
  if (!stored) return RVD_TENSOR_CHECKSUM;
  if (tensor->compressed && rest > 0) {
#ifdef RVD_ZSTD
    return rvd__inflate(file, tensor, stored, sink, context);
#else
    return rvd__bad(file, tensor, RVD_NEEDS_ZSTD,
                    "compressed, and this program was built without RVD_ZSTD (see rvd.h)");
#endif
  }
  while (rest > 0) {
    size_t part = rest < RVD__FRAME ? (size_t)rest : RVD__FRAME;
    if (!sink(context, stored, part))
      return rvd__bad(file, tensor, RVD_SCALES, "a scale is not a finite number greater than 0");
    stored += part, rest -= part;
  }
  return RVD_OK;
}

static int rvd__copy(void *context, const unsigned char *bytes, size_t count) {
  unsigned char **out = (unsigned char **)context;
  memcpy(*out, bytes, count);
  *out += count;
  return 1;
}

rvd_status rvd_decode(rvd_file *file, const rvd_tensor *tensor, void *buffer, uint64_t size) {
  unsigned char *out = (unsigned char *)buffer;
  if (size < tensor->bytes) return rvd__bad(file, tensor, RVD_ARGUMENT, "the buffer is too small");
  return rvd__stream(file, tensor, rvd__copy, &out);
}

static float rvd__float(uint32_t bits) {
  float value;
  memcpy(&value, &bits, 4);
  return value;
}

static float rvd__half(uint32_t bits) {
  uint32_t sign = (bits & 0x8000) << 16, exponent = bits >> 10 & 31, mantissa = bits & 1023;
  float small;
  if (exponent == 31) return rvd__float(sign | 0x7F800000 | mantissa << 13);
  if (exponent > 0) return rvd__float(sign | (exponent + 112) << 23 | mantissa << 13);
  small = (float)mantissa / 16777216.0f;
  return sign ? -small : small;
}

static float rvd__e4m3fn(uint32_t bits) {
  uint32_t sign = (bits & 128) << 24, exponent = bits >> 3 & 15, mantissa = bits & 7;
  float small;
  if ((bits & 127) == 127) return rvd__float(sign | 0x7FC00000);
  if (exponent > 0) return rvd__float(sign | (exponent + 120) << 23 | mantissa << 20);
  small = (float)mantissa / 512.0f;
  return sign ? -small : small;
}

static float rvd__value(rvd_type type, const unsigned char *p) {
  uint64_t bits;
  double value;
  switch (type) {
  case RVD_FLOAT64:
    bits = rvd__u64(p);
    memcpy(&value, &bits, 8);
    return (float)value;
  case RVD_FLOAT32: return rvd__float(rvd__u32(p));
  case RVD_FLOAT16: return rvd__half(p[0] | (uint32_t)p[1] << 8);
  case RVD_BFLOAT16: return rvd__float((uint32_t)p[0] << 16 | (uint32_t)p[1] << 24);
  case RVD_FLOAT8_E4M3FN: return rvd__e4m3fn(*p);
  case RVD_FLOAT8_E5M2: return rvd__half((uint32_t)*p << 8);
  case RVD_INT64: return (float)(int64_t)rvd__u64(p);
  case RVD_INT32: return (float)(int32_t)rvd__u32(p);
  case RVD_INT16: return (float)(int16_t)(uint16_t)(p[0] | (uint32_t)p[1] << 8);
  case RVD_INT8: return (float)(*p < 128 ? *p : *p - 256);
  case RVD_UINT64: return (float)rvd__u64(p);
  case RVD_UINT32: return (float)rvd__u32(p);
  case RVD_UINT16: return (float)(p[0] | (uint32_t)p[1] << 8);
  case RVD_UINT8: return (float)*p;
  case RVD_BOOL: return *p ? 1.0f : 0.0f;
  default: return 0;
  }
}

typedef struct rvd__values {
  float *out;
  const float *scale; /* of the channel, or NULL */
  uint64_t row, rest; /* elements of a channel, and of this one that are to come */
  rvd_type type;
  int only_scales;
} rvd__values;

static int rvd__convert(void *context, const unsigned char *bytes, size_t count) {
  rvd__values *values = (rvd__values *)context;
  unsigned width = rvd_type_size(values->type);
  const unsigned char *end = bytes + count;
  if (values->scale) {
    for (; bytes < end; bytes++) {
      if (values->rest == 0) values->scale++, values->rest = values->row;
      *values->out++ = *values->scale * (float)(*bytes < 128 ? *bytes : *bytes - 256);
      values->rest--;
    }
    return 1;
  }
  for (; bytes < end; bytes += width) {
    float value = rvd__value(values->type, bytes);
    if (values->only_scales && !(value > 0 && value < rvd__float(0x7F800000))) return 0;
    if (values->out) *values->out++ = value;
  }
  return 1;
}

/* Checks the scales of a tensor, and gives them, if wanted, in a buffer for as many. */
static rvd_status rvd__scales(rvd_file *file, const rvd_tensor *scales, float *buffer) {
  rvd__values values;
  memset(&values, 0, sizeof values);
  values.out = buffer;
  values.type = RVD_FLOAT32;
  values.only_scales = 1;
  return rvd__stream(file, scales, rvd__convert, &values);
}

rvd_status rvd_floats(rvd_file *file, const rvd_tensor *tensor, float *buffer, uint64_t count) {
  rvd__values values;
  float *scales = NULL;
  rvd_status status = RVD_OK;
  memset(&values, 0, sizeof values);
  values.out = buffer;
  values.type = tensor->type;
  if (count < tensor->count) return rvd__bad(file, tensor, RVD_ARGUMENT, "the buffer is too small");
  if (tensor->type == RVD_COMPLEX64 || tensor->type == RVD_COMPLEX128)
    return rvd__bad(file, tensor, RVD_ARGUMENT, "complex numbers are no float");
  if (tensor->count == 0) return RVD_OK;
  if (tensor->scales) {
    /* At most as many as the tensor has elements, so as the buffer has. */
    scales = (float *)rvd__allocate((size_t)tensor->scales->count, sizeof *scales);
    if (!scales) return rvd__wrong(file, RVD_NO_MEMORY, "out of memory");
    status = rvd__scales(file, tensor->scales, scales);
    values.scale = scales;
    values.row = values.rest = tensor->count / tensor->shape[0];
  }
  if (!status) status = rvd__stream(file, tensor, rvd__convert, &values);
  free(scales);
  return status;
}

static int rvd__hash(void *context, const unsigned char *bytes, size_t count) {
  rvd__sha_add((rvd__sha *)context, bytes, count);
  return 1;
}

rvd_status rvd_verify(rvd_file *file) {
  uint64_t end = 64, start = file->size_ - file->manifest_length;
  unsigned char digest[32];
  rvd_tensor *t, *last = file->tensors + file->count;
  rvd_status status;
  rvd__sha all, one;
  size_t i;
  unsigned axis;

  for (t = file->tensors; t < last; t++) {
    if (!rvd__zeros(file->bytes_ + end, t->offset - end))
      return rvd__bad(file, t, RVD_PADDING, "the padding before it is damaged");
    end = t->offset + t->stored_bytes;
  }
  if (!rvd__zeros(file->bytes_ + end, start - end))
    return rvd__wrong(file, RVD_PADDING, "the padding before the manifest is damaged");
  for (t = file->tensors; t < last; t++)
    if (!rvd__stored(file, t)) return RVD_TENSOR_CHECKSUM;
  for (t = file->tensors; t < last; t++)
    if (t->is_scales_ && (status = rvd__scales(file, t, NULL)) != RVD_OK) return status;

  rvd__sha_begin(&all);
  for (i = 0; i < file->count; i++) {
    t = file->by_name_[i];
    rvd__sha_begin(&one);
    rvd__sha_number(&one, t->name_length);
    rvd__sha_add(&one, t->name, t->name_length);
    rvd__sha_number(&one, strlen(rvd_type_name(t->type)));
    rvd__sha_add(&one, rvd_type_name(t->type), strlen(rvd_type_name(t->type)));
    rvd__sha_number(&one, t->rank);
    for (axis = 0; axis < t->rank; axis++) rvd__sha_number(&one, t->shape[axis]);
    status = rvd__stream(file, t, rvd__hash, &one);
    if (status) return status;
    if (t->scales) {
      rvd__sha_number(&one, t->scales->name_length);
      rvd__sha_add(&one, t->scales->name, t->scales->name_length);
    }
    rvd__sha_end(&one, digest);
    rvd__sha_add(&all, digest, 32);
  }
  rvd__sha_end(&all, digest);
  if (memcmp(digest, file->content_, 32))
    return rvd__wrong(file, RVD_CONTENT, "the content digest differs");
  return RVD_OK;
}

#undef RVD__INVALID
#undef RVD__FRAME
#undef RVD__LARGEST
#undef RVD__DEPTH

#ifdef __cplusplus
}
#endif
#endif /* RVD_IMPLEMENTATION_ */
#endif /* RVD_IMPLEMENTATION */
