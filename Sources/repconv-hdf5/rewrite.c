#define _GNU_SOURCE
#include "repconv_hdf5.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// What nobody needs, and a damaged file may have.
enum { LARGEST_DEPTH = 100, LARGEST_COUNT = 1000000 };
// Elements are copied in pieces of so many bytes, and chunks of so many are kept for the next piece.
static const hsize_t piece_size = 16 << 20, cache_size = 128 << 20;
// Attributes hold names and configurations.
static const size_t largest_attribute = 64 << 20;
// What an attribute message may hold, less its name and type.
static const size_t largest_in_message = 60000;

// An object with several names, and where it was written first.
struct known {
  haddr_t address;
  char *path;
};

static struct known *known_objects;
static size_t known_count, object_count;
static uint64_t bytes_left;

static void *allocate(size_t count, size_t size) {
  void *memory = calloc(count ? count : 1, size ? size : 1);
  if (!memory) fail("", "its objects take more memory than there is for them");
  return memory;
}

static char *join(const char *path, const char *name) {
  const size_t size = strlen(path) + strlen(name) + 2;
  char *joined = allocate(size, 1);
  snprintf(joined, size, *path ? "%s/%s" : "%s%s", path, name);
  return joined;
}

static herr_t keep_reason(unsigned number, const H5E_error2_t *error, void *data) {
  const char **reason = data;
  if (number == 0 && error->desc) *reason = error->desc;
  return 0;
}

// What the library says of its last error.
static const char *last_error(void) {
  const char *reason = "it does not say why";
  // From the innermost function outwards: the first says most.
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_reason, &reason);
  return reason;
}

static _Noreturn void fail_in_library(const char *path) {
  fail(path, "%s", last_error());
}

// A result that is negative if the library failed.
#define CHECKED(path, call) checked((path), (int64_t)(call))
static int64_t checked(const char *path, int64_t result) {
  if (result < 0) fail_in_library(path);
  return result;
}

// Whether elements of a type are what they are wherever they lie: no references to the file they are in.
static int is_plain(const char *path, hid_t type) {
  switch (H5Tget_class(type)) {
    case H5T_INTEGER:
    case H5T_FLOAT:
    case H5T_BITFIELD:
    case H5T_OPAQUE:
    case H5T_ENUM:
      return 1;
    case H5T_COMPOUND:
    case H5T_ARRAY:
      return !CHECKED(path, H5Tdetect_class(type, H5T_VLEN)) && !CHECKED(path, H5Tdetect_class(type, H5T_REFERENCE)) &&
             !CHECKED(path, H5Tdetect_class(type, H5T_STRING));
    default:
      return 0;
  }
}

// ---- Attributes ----

struct place {
  hid_t object, copy;
  const char *path;
};

static herr_t copy_attribute(hid_t object, const char *name, const H5A_info_t *info, void *data) {
  (void)info;
  const struct place *place = data;
  const char *path = place->path;
  const hid_t attribute = CHECKED(path, H5Aopen(object, name, H5P_DEFAULT));
  const hid_t type = CHECKED(path, H5Aget_type(attribute));
  const hid_t space = CHECKED(path, H5Aget_space(attribute));
  const int is_text = H5Tget_class(type) == H5T_STRING;
  const int is_variable = is_text && CHECKED(path, H5Tis_variable_str(type)) > 0;
  const hssize_t count = CHECKED(path, H5Sget_simple_extent_npoints(space));
  const size_t size = H5Tget_size(type);
  if (size == 0) fail_in_library(path);
  if ((is_text || is_plain(path, type)) && (uint64_t)count <= largest_attribute / size) {
    hid_t stored = type;
    char *values = allocate((size_t)count, size);
    if (count > 0) CHECKED(path, H5Aread(attribute, type, values));
    char **texts = NULL;
    if (is_text && !is_variable && (size_t)count * size > largest_in_message) {
      // Text of variable length is elsewhere, and may be longer.
      stored = CHECKED(path, H5Tcopy(type));
      CHECKED(path, H5Tset_size(stored, H5T_VARIABLE));
      texts = allocate((size_t)count, sizeof *texts);
      for (hssize_t i = 0; i < count; i++) {
        texts[i] = allocate(size + 1, 1);
        memcpy(texts[i], values + (size_t)i * size, size);
      }
    }
    const hid_t copy = CHECKED(path, H5Acreate2(place->copy, name, stored, space, H5P_DEFAULT, H5P_DEFAULT));
    if (count > 0) CHECKED(path, H5Awrite(copy, stored, texts ? (void *)texts : values));
    H5Aclose(copy);
    if (texts) {
      for (hssize_t i = 0; i < count; i++) free(texts[i]);
      free(texts);
      H5Tclose(stored);
    }
    if (is_variable) H5Dvlen_reclaim(type, space, H5P_DEFAULT, values);
    free(values);
  }
  H5Sclose(space);
  H5Tclose(type);
  H5Aclose(attribute);
  return 0;
}

static void copy_attributes(hid_t object, hid_t copy, const char *path) {
  struct place place = {object, copy, path};
  hsize_t start = 0;
  CHECKED(path, H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_NATIVE, &start, copy_attribute, &place));
}

// ---- Datasets ----

// Why the elements may not be read, wherever they come from; NULL if they may.
static const char *what_forbids(const char *path, hid_t dataset, hid_t properties, int depth) {
  static char text[512];
  if (CHECKED(path, H5Pget_external_count(properties)) > 0) {
    return "the dataset keeps its numbers in another file (external storage), which is not opened";
  }
  if (H5Pget_layout(properties) == H5D_VIRTUAL) {
    const hid_t file = CHECKED(path, H5Iget_file_id(dataset));
    size_t count = 0;
    CHECKED(path, H5Pget_virtual_count(properties, &count));
    if (depth == 0 || count > LARGEST_COUNT) return "the dataset is put together from too many others";
    for (size_t i = 0; i < count; i++) {
      char name[512];
      CHECKED(path, H5Pget_virtual_filename(properties, i, name, sizeof name));
      if (strcmp(name, ".") != 0) {
        snprintf(text, sizeof text, "the dataset is put together from another file, '%.300s', which is not opened", name);
        return text;
      }
      CHECKED(path, H5Pget_virtual_dsetname(properties, i, name, sizeof name));
      // Where there is none, or its name is a pattern, the library would show nothing in its place.
      const hid_t source = CHECKED(path, H5Dopen2(file, name, H5P_DEFAULT));
      const hid_t source_properties = CHECKED(path, H5Dget_create_plist(source));
      const char *reason = what_forbids(path, source, source_properties, depth - 1);
      H5Pclose(source_properties);
      H5Dclose(source);
      if (reason) return reason;
    }
    H5Fclose(file);
    return NULL;
  }
  const int filters = (int)CHECKED(path, H5Pget_nfilters(properties));
  for (int i = 0; i < filters; i++) {
    size_t none = 0;
    const H5Z_filter_t id =
        (H5Z_filter_t)CHECKED(path, H5Pget_filter2(properties, (unsigned)i, NULL, &none, NULL, 0, NULL, NULL));
    if (CHECKED(path, H5Zfilter_avail(id)) > 0) continue;
    snprintf(text, sizeof text, "the dataset is compressed with filter %d, which the HDF5 library lacks", (int)id);
    return text;
  }
  return NULL;
}

// Copies the elements in pieces: whole rows along one axis, as many as fit, and whole chunks if they do.
static void copy_elements(
    const char *path, hid_t dataset, hid_t copy, hid_t type, size_t size, int rank, const hsize_t *shape,
    const hsize_t *chunk) {
  hsize_t row = size;  // bytes of an index of `axis`
  int axis = rank - 1;
  while (axis > 0 && row * shape[axis] <= piece_size) row *= shape[axis--];
  hsize_t step = piece_size / row ? piece_size / row : 1;
  if (chunk[axis] > 0 && step > chunk[axis]) step -= step % chunk[axis];
  char *elements = allocate((size_t)(step < shape[axis] ? step : shape[axis]), (size_t)row);
  hsize_t start[H5S_MAX_RANK] = {0}, count[H5S_MAX_RANK];
  for (int i = 0; i < rank; i++) count[i] = i < axis ? 1 : shape[i];
  const hid_t there = CHECKED(path, H5Screate_simple(rank, shape, NULL));
  for (;;) {
    count[axis] = shape[axis] - start[axis] < step ? shape[axis] - start[axis] : step;
    CHECKED(path, H5Sselect_hyperslab(there, H5S_SELECT_SET, start, NULL, count, NULL));
    const hid_t here = CHECKED(path, H5Screate_simple(rank, count, NULL));
    CHECKED(path, H5Dread(dataset, type, here, there, H5P_DEFAULT, elements));
    CHECKED(path, H5Dwrite(copy, type, here, there, H5P_DEFAULT, elements));
    H5Sclose(here);
    start[axis] += count[axis];
    int i = axis;
    while (i > 0 && start[i] == shape[i]) {
      start[i--] = 0;
      start[i]++;
    }
    if (start[0] == shape[0]) break;
  }
  H5Sclose(there);
  free(elements);
}

// Whether any of the elements were ever written. (`H5Dget_storage_size` is 0 for none and for an error.)
static int is_written(hid_t dataset, const char *path) {
  H5D_space_status_t status;
  CHECKED(path, H5Dget_space_status(dataset, &status));
  return status != H5D_SPACE_STATUS_NOT_ALLOCATED;
}

static void copy_dataset(hid_t dataset, hid_t group, const char *name, const char *path) {
  const hid_t properties = CHECKED(path, H5Dget_create_plist(dataset));
  const hid_t stored_type = CHECKED(path, H5Dget_type(dataset));
  // Without the name that a type may have in the file.
  const hid_t type = CHECKED(path, H5Tcopy(stored_type));
  const char *reason = what_forbids(path, dataset, properties, 8);
  const hid_t space = CHECKED(path, H5Dget_space(dataset));
  hsize_t shape[H5S_MAX_RANK] = {0}, chunk[H5S_MAX_RANK] = {0};
  const int rank = (int)CHECKED(path, H5Sget_simple_extent_dims(space, shape, NULL));
  const hssize_t count = CHECKED(path, H5Sget_simple_extent_npoints(space));
  const size_t size = H5Tget_size(type);
  if (size == 0) fail_in_library(path);
  const H5D_layout_t layout = H5Pget_layout(properties);
  if (layout == H5D_CHUNKED) CHECKED(path, H5Pget_chunk(properties, H5S_MAX_RANK, chunk));
  const int is_empty = count == 0 || !is_plain(path, type) || (layout != H5D_VIRTUAL && !is_written(dataset, path));
  if (!reason && !is_empty && (uint64_t)count > bytes_left / size) {
    reason = "the dataset is many times larger than what the file holds of it";
  }
  if (reason) {
    report(LEFT, path, "%s", reason);
  } else {
    const hid_t creation = CHECKED(path, H5Pcreate(H5P_DATASET_CREATE));
    if (!is_empty) CHECKED(path, H5Pset_fill_time(creation, H5D_FILL_TIME_NEVER));
    CHECKED(path, H5Pset_obj_track_times(creation, 0));
    H5D_fill_value_t fill;
    CHECKED(path, H5Pfill_value_defined(properties, &fill));
    if (fill == H5D_FILL_VALUE_USER_DEFINED && is_plain(path, type)) {
      void *value = allocate(1, size);
      CHECKED(path, H5Pget_fill_value(properties, type, value));
      CHECKED(path, H5Pset_fill_value(creation, type, value));
      free(value);
    }
    hid_t extent = space;  // of a shape that may grow, only the shape; of no shape, that
    if (H5Sget_simple_extent_type(space) == H5S_SIMPLE) {
      extent = CHECKED(path, H5Screate_simple(rank, shape, NULL));
    }
    const hid_t copy = CHECKED(path, H5Dcreate2(group, name, type, extent, H5P_DEFAULT, creation, H5P_DEFAULT));
    copy_attributes(dataset, copy, path);
    if (!is_empty) {
      bytes_left -= (uint64_t)count * size;
      if (layout == H5D_CHUNKED) {
        hsize_t written, needed = 1;  // at most one for each element
        CHECKED(path, H5Dget_num_chunks(dataset, space, &written));
        for (int i = 0; i < rank; i++) needed *= shape[i] / chunk[i] + (shape[i] % chunk[i] != 0);
        if (written < needed) report(FILLED, path, "%s", "");
      }
      if (rank == 0) {
        void *element = allocate(1, size);
        CHECKED(path, H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, element));
        CHECKED(path, H5Dwrite(copy, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, element));
        free(element);
      } else {
        copy_elements(path, dataset, copy, type, size, rank, shape, chunk);
      }
    }
    H5Dclose(copy);
    if (extent != space) H5Sclose(extent);
    H5Pclose(creation);
  }
  H5Sclose(space);
  H5Tclose(type);
  H5Tclose(stored_type);
  H5Pclose(properties);
}

// ---- Groups and links ----

struct link {
  char *name;
  H5L_type_t type;
  int64_t order;
  size_t value_size;
};

struct links {
  struct link *all;
  size_t count, capacity;
};

static herr_t add_link(hid_t group, const char *name, const H5L_info_t *info, void *data) {
  (void)group;
  struct links *links = data;
  if (++object_count > LARGEST_COUNT) fail("", "it has more than %d links", LARGEST_COUNT);
  if (links->count == links->capacity) {
    links->capacity = links->capacity ? 2 * links->capacity : 64;
    links->all = realloc(links->all, links->capacity * sizeof *links->all);
    if (!links->all) fail("", "its links take more memory than there is for them");
  }
  struct link link = {join("", name), info->type, info->corder_valid ? info->corder : 0, 0};
  if (info->type != H5L_TYPE_HARD) link.value_size = info->u.val_size;
  links->all[links->count++] = link;
  return 0;
}

static int compare_orders(const void *first, const void *second) {
  const int64_t a = ((const struct link *)first)->order, b = ((const struct link *)second)->order;
  return (a > b) - (a < b);
}

static void copy_members(hid_t group, hid_t copy, const char *path, int depth);

// Whether a group tracks in which order its links were made.
static int tracks_order(const char *path, hid_t group) {
  unsigned flags = 0;
  const hid_t properties = CHECKED(path, H5Gget_create_plist(group));
  CHECKED(path, H5Pget_link_creation_order(properties, &flags));
  H5Pclose(properties);
  return (flags & H5P_CRT_ORDER_TRACKED) != 0;
}

static void copy_group(hid_t group, hid_t parent, const char *name, const char *path, int depth) {
  if (depth > LARGEST_DEPTH) fail(path, "its groups are in one another more than %d deep", LARGEST_DEPTH);
  const hid_t creation = CHECKED(path, H5Pcreate(H5P_GROUP_CREATE));
  if (tracks_order(path, group)) CHECKED(path, H5Pset_link_creation_order(creation, H5P_CRT_ORDER_TRACKED));
  const hid_t copy = CHECKED(path, H5Gcreate2(parent, name, H5P_DEFAULT, creation, H5P_DEFAULT));
  copy_members(group, copy, path, depth);
  H5Gclose(copy);
  H5Pclose(creation);
}

static void copy_hard(hid_t group, hid_t copy, const char *name, const char *path, int depth) {
  const hid_t object = H5Oopen(group, name, H5P_DEFAULT);
  if (object < 0) {  // damaged, or of a later version
    report(LEFT, path, "the HDF5 library cannot open it: %s", last_error());
    return;
  }
  H5O_info_t info;
  CHECKED(path, H5Oget_info2(object, &info, H5O_INFO_BASIC));
  for (size_t i = 0; i < known_count; i++) {
    if (known_objects[i].address != info.addr) continue;
    // What was left out has no other name, either.
    const hid_t file = CHECKED(path, H5Iget_file_id(copy));
    if (H5Lexists(file, known_objects[i].path, H5P_DEFAULT) > 0) {
      CHECKED(path, H5Lcreate_hard(file, known_objects[i].path, copy, name, H5P_DEFAULT, H5P_DEFAULT));
    } else {
      report(LEFT, path, "it is '%s', which is left out", known_objects[i].path);
    }
    H5Fclose(file);
    H5Oclose(object);
    return;
  }
  // Every group, as they may be in themselves; of others, those with several names.
  if (info.rc > 1 || info.type == H5O_TYPE_GROUP) {
    if (known_count % 64 == 0) {
      known_objects = realloc(known_objects, (known_count + 64) * sizeof *known_objects);
      if (!known_objects) fail("", "its objects take more memory than there is for them");
    }
    known_objects[known_count++] = (struct known){info.addr, join("", path)};
  }
  switch (info.type) {
    case H5O_TYPE_GROUP:
      copy_group(object, copy, name, path, depth + 1);
      break;
    case H5O_TYPE_DATASET: {
      // Open it anew: the chunks that are kept are for whoever opened it first.
      H5Oclose(object);
      const hid_t access = CHECKED(path, H5Pcreate(H5P_DATASET_ACCESS));
      CHECKED(path, H5Pset_chunk_cache(access, 12421, cache_size, 1));
      const hid_t dataset = CHECKED(path, H5Dopen2(group, name, access));
      copy_dataset(dataset, copy, name, path);
      H5Dclose(dataset);
      H5Pclose(access);
      return;
    }
    case H5O_TYPE_NAMED_DATATYPE: {
      const hid_t type = CHECKED(path, H5Tcopy(object));
      CHECKED(path, H5Tcommit2(copy, name, type, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
      H5Tclose(type);
      break;
    }
    default:
      report(LEFT, path, "it is neither a group, a dataset nor a datatype");
  }
  H5Oclose(object);
}

static void copy_link(hid_t group, hid_t copy, const struct link *link, const char *path, int depth) {
  if (link->type == H5L_TYPE_HARD) {
    copy_hard(group, copy, link->name, path, depth);
  } else if (link->type == H5L_TYPE_SOFT) {
    char *target = allocate(link->value_size + 1, 1);
    CHECKED(path, H5Lget_val(group, link->name, target, link->value_size, H5P_DEFAULT));
    CHECKED(path, H5Lcreate_soft(target, copy, link->name, H5P_DEFAULT, H5P_DEFAULT));
    free(target);
  } else {
    report(LEFT, path, "the link leads to another file, or is of a kind of its own, and is not followed");
  }
}

static void copy_members(hid_t group, hid_t copy, const char *path, int depth) {
  copy_attributes(group, copy, path);
  struct links links = {0};
  hsize_t start = 0;
  CHECKED(path, H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, &start, add_link, &links));
  if (tracks_order(path, group)) qsort(links.all, links.count, sizeof *links.all, compare_orders);
  for (size_t i = 0; i < links.count; i++) {
    char *member = join(path, links.all[i].name);
    copy_link(group, copy, &links.all[i], member, depth);
    free(member);
    free(links.all[i].name);
  }
  free(links.all);
}

void rewrite(hid_t access, uint64_t limit) {
  bytes_left = limit;
  const hid_t input = CHECKED("", H5Fopen(INPUT_NAME, H5F_ACC_RDONLY, access));
  const hid_t root = CHECKED("", H5Gopen2(input, "/", H5P_DEFAULT));
  const hid_t creation = CHECKED("", H5Pcreate(H5P_FILE_CREATE));
  if (tracks_order("", root)) CHECKED("", H5Pset_link_creation_order(creation, H5P_CRT_ORDER_TRACKED));
  const hid_t output = CHECKED("", H5Fcreate(OUTPUT_NAME, H5F_ACC_TRUNC, creation, access));
  const hid_t copy = CHECKED("", H5Gopen2(output, "/", H5P_DEFAULT));
  H5O_info_t info;
  CHECKED("", H5Oget_info2(root, &info, H5O_INFO_BASIC));
  known_objects = allocate(64, sizeof *known_objects);
  known_objects[known_count++] = (struct known){info.addr, join("", "/")};
  copy_members(root, copy, "", 0);
  H5Gclose(copy);
  CHECKED("", H5Fclose(output));
}
