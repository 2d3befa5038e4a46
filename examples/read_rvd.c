/* Reads an .rvd file, verifies it, and prints its tensors.

       cc -O2 -Wall read_rvd.c -lz -o read_rvd && ./read_rvd model.rvd

   Written from ../formats/rvd.md. It needs the C library and zlib's crc32, and checks all that the
   page asks of a reader that does not run the graph. After rvd_open, the elements of tensor i are at
   file.tensors[i].data, little-endian and aligned to 64 bytes. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

struct rvd_tensor {
  char *name;
  const char *type; /* one of the names in `types` */
  int rank;
  uint64_t shape[64];
  const unsigned char *data;
  uint64_t size; /* in bytes */
};

struct rvd_file {
  unsigned char *bytes;
  uint64_t size;
  char *manifest; /* JSON text, ending in a zero byte */
  struct rvd_tensor *tensors;
  size_t count;
};

static const struct { const char *name; unsigned size; } types[] = {
  {"float64", 8}, {"float32", 4}, {"float16", 2}, {"bfloat16", 2}, {"float8_e4m3fn", 1},
  {"float8_e5m2", 1}, {"int64", 8}, {"int32", 4}, {"int16", 2}, {"int8", 1}, {"uint64", 8},
  {"uint32", 4}, {"uint16", 2}, {"uint8", 1}, {"bool", 1}, {"complex64", 8}, {"complex128", 16},
};

static int fail(const char *what, const char *name) {
  fprintf(stderr, "error: %s%s%s\n", what, *name ? ": " : "", name);
  return -1;
}

static uint32_t u32(const unsigned char *p) {
  return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t u64(const unsigned char *p) { return u32(p) | (uint64_t)u32(p + 4) << 32; }

static uint64_t align64(uint64_t n) { return (n + 63) / 64 * 64; }

static int all_zero(const unsigned char *p, uint64_t count) {
  while (count > 0 && *p == 0) p++, count--;
  return count == 0;
}

/* zlib takes 32-bit lengths. */
static uint32_t checksum(const unsigned char *p, uint64_t count) {
  uint32_t crc = 0;
  while (count > 0) {
    uInt part = count > 1 << 30 ? 1 << 30 : (uInt)count;
    crc = crc32(crc, p, part);
    p += part, count -= part;
  }
  return crc;
}

/* Canonical JSON has no white space and ends in a zero byte here, so a pointer to the first character
   of a value stands for the value. A function that meets something else returns NULL. */

static const char *after_string(const char *p) {
  if (*p++ != '"') return NULL;
  while (*p != '"') {
    if (*p == '\\') p++;
    if ((unsigned char)*p++ < 32) return NULL;
  }
  return p + 1;
}

static const char *after_value(const char *p, int depth) {
  if (*p == '"') return after_string(p);
  if (*p != '[' && *p != '{') {
    const char *end = p + strspn(p, "+-.0123456789abcdefghijklmnopqrstuvwxyz");
    return end > p ? end : NULL;
  }
  char close = *p == '[' ? ']' : '}';
  if (depth == 32) return NULL;
  if (p[1] == close) return p + 2;
  do {
    p++;
    if (close == '}' && (!(p = after_string(p)) || *p++ != ':')) return NULL;
    if (!(p = after_value(p, depth + 1))) return NULL;
  } while (*p == ',');
  return *p == close ? p + 1 : NULL;
}

/* The value of a member of an object, NULL if there is none. The keys that we ask for need no escapes. */
static const char *member(const char *object, const char *key) {
  size_t length = strlen(key);
  if (!object || *object != '{' || object[1] == '}') return NULL;
  const char *p = object;
  do {
    const char *start = p + 2, *end = after_string(p + 1);
    if (!end || *end != ':') return NULL;
    if ((size_t)(end - 1 - start) == length && memcmp(start, key, length) == 0) return end + 1;
    if (!(p = after_value(end + 1, 0))) return NULL;
  } while (*p == ',');
  return NULL;
}

static int integer(const char *value, uint64_t *result) {
  if (!value || *value < '0' || *value > '9') return -1;
  char *end;
  errno = 0;
  *result = strtoull(value, &end, 10);
  return strchr(",]}", *end) && !errno && *result < (uint64_t)1 << 53 ? 0 : -1;
}

static int is(const char *value, const char *text) {
  size_t length = strlen(text);
  return value && *value == '"' && strncmp(value + 1, text, length) == 0 && value[length + 1] == '"';
}

/* A string without its quotation marks and escapes, in memory of its own. */
static char *string(const char *value) {
  const char *end = value ? after_string(value) : NULL;
  if (!end) return NULL;
  char *result = malloc(end - value), *out = result;
  for (const char *p = value + 1; result && p < end - 1; p++) {
    if (*p != '\\') { *out++ = *p; continue; }
    const char *letters = "b\bt\tn\nf\fr\r\"\"\\\\", *found = strchr(letters, *++p);
    unsigned code;
    if (*p != 'u' && found) {
      *out++ = found[1];
    } else if (*p == 'u' && sscanf(p + 1, "%4x", &code) == 1 && code > 0 && code < 32) {
      *out++ = code;
      p += 4;
    } else { /* not canonical, or U+0000, which a C string cannot hold */
      free(result);
      return NULL;
    }
  }
  if (result) *out = 0;
  return result;
}

static int read_tensor(const char *entry, struct rvd_tensor *tensor, uint64_t *offset, uint32_t *crc) {
  if (!(tensor->name = string(member(entry, "name"))) || !*tensor->name)
    return fail("a tensor without a name", "");
  if (!is(member(entry, "codec"), "raw")) return fail("unknown codec", tensor->name);
  unsigned size = 0;
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (is(member(entry, "type"), types[i].name)) tensor->type = types[i].name, size = types[i].size;
  if (!size) return fail("unknown type", tensor->name);

  const char *p = member(entry, "shape");
  if (!p || *p++ != '[') return fail("no shape", tensor->name);
  int overflow = 0, empty = 0;
  tensor->size = size;
  while (*p != ']') {
    uint64_t axis;
    if (tensor->rank == 64 || integer(p, &axis)) return fail("a wrong shape", tensor->name);
    tensor->shape[tensor->rank++] = axis;
    empty |= axis == 0;
    overflow |= __builtin_mul_overflow(tensor->size, axis, &tensor->size);
    p += strspn(p, "0123456789");
    if (*p == ',') p++;
  }
  if (empty) tensor->size = overflow = 0;
  uint64_t bytes, stored;
  if (overflow || integer(member(entry, "bytes"), &bytes) || bytes != tensor->size ||
      integer(member(entry, "storedBytes"), &stored) || stored != tensor->size)
    return fail("a wrong size", tensor->name);
  const char *layout = member(entry, "layout");
  if (layout && !(is(layout, "OIHW") && tensor->rank == 4) && !(is(layout, "OI") && tensor->rank == 2))
    return fail("a wrong layout", tensor->name);
  const char *digits = member(entry, "crc32");
  if (!digits || *digits != '"' || strspn(digits + 1, "0123456789abcdef") != 8 || digits[9] != '"')
    return fail("no checksum", tensor->name);
  *crc = (uint32_t)strtoul(digits + 1, NULL, 16);
  return integer(member(entry, "offset"), offset) ? fail("no offset", tensor->name) : 0;
}

/* Returns 0, or -1 with a message on stderr. Call rvd_close in either case. */
int rvd_open(const char *path, struct rvd_file *file) {
  memset(file, 0, sizeof *file);
  FILE *stream = fopen(path, "rb");
  if (!stream) return fail(strerror(errno), path);
  fseek(stream, 0, SEEK_END);
  file->size = (uint64_t)ftell(stream);
  rewind(stream);
  file->bytes = aligned_alloc(64, align64(file->size + 1));
  size_t got = file->bytes ? fread(file->bytes, 1, file->size, stream) : 0;
  fclose(stream);
  if (!file->bytes || got != file->size) return fail("cannot be read", path);

  const unsigned char *bytes = file->bytes;
  if (file->size < 64 || memcmp(bytes, "\x89RVD\r\n\x1a\n", 8)) return fail("not an RVD file", path);
  if (checksum(bytes, 60) != u32(bytes + 60)) return fail("the header is damaged", path);
  uint32_t version = u32(bytes + 8), minimum = u32(bytes + 12);
  if (minimum > 1 && minimum <= version) return fail("needs a newer reader", path);
  if (minimum < 1 || minimum > version || u64(bytes + 16) || !all_zero(bytes + 44, 16))
    return fail("a wrong header", path);
  uint64_t start = u64(bytes + 24), length = u64(bytes + 32);
  if (start < 64 || start % 64 || length > 1 << 24) return fail("a wrong header", path);
  if (start > file->size || length != file->size - start)
    return fail("cut short, or too long", path);
  if (checksum(bytes + start, length) != u32(bytes + 40)) return fail("the manifest is damaged", path);

  if (!(file->manifest = malloc(length + 1))) return fail("out of memory", path);
  memcpy(file->manifest, bytes + start, length);
  file->manifest[length] = 0;
  const char *end_of_json = after_value(file->manifest, 0);
  if (!end_of_json || end_of_json != file->manifest + length) return fail("not JSON", path);
  const char *entry = member(file->manifest, "tensors");
  if (!entry || *entry != '[') return fail("no tensors", path);

  uint64_t end = 64;
  while (*++entry != ']') {
    struct rvd_tensor *grown = realloc(file->tensors, (file->count + 1) * sizeof *grown);
    if (!grown) return fail("out of memory", path);
    file->tensors = grown;
    struct rvd_tensor *tensor = &grown[file->count++];
    memset(tensor, 0, sizeof *tensor);
    uint64_t offset = 0;
    uint32_t crc = 0;
    if (read_tensor(entry, tensor, &offset, &crc)) return -1;
    for (size_t i = 0; i + 1 < file->count; i++)
      if (!strcmp(grown[i].name, tensor->name)) return fail("the same name twice", tensor->name);
    uint64_t place = align64(end);
    if (offset != place || place > start || tensor->size > start - place)
      return fail("a wrong offset", tensor->name);
    if (!all_zero(bytes + end, place - end)) return fail("damaged padding before", tensor->name);
    tensor->data = bytes + place;
    if (checksum(tensor->data, tensor->size) != crc) return fail("damaged", tensor->name);
    end = place + tensor->size;
    entry = after_value(entry, 0);
    if (*entry != ',') break;
  }
  if (align64(end) != start) return fail("the manifest does not follow the last tensor", path);
  return all_zero(bytes + end, start - end) ? 0 : fail("damaged padding before the manifest", path);
}

void rvd_close(struct rvd_file *file) {
  for (size_t i = 0; i < file->count; i++) free(file->tensors[i].name);
  free(file->tensors);
  free(file->manifest);
  free(file->bytes);
}

int main(int argc, char **argv) {
  struct rvd_file file;
  if (argc != 2) return fail("usage", "read_rvd model.rvd"), 64;
  int result = rvd_open(argv[1], &file);
  for (size_t i = 0; result == 0 && i < file.count; i++) {
    printf("%-40s %-10s", file.tensors[i].name, file.tensors[i].type);
    for (int axis = 0; axis < file.tensors[i].rank; axis++)
      printf("%s%" PRIu64, axis ? "x" : " ", file.tensors[i].shape[axis]);
    printf("\n");
  }
  rvd_close(&file);
  return result ? 1 : 0;
}
