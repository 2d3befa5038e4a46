#include <CImages.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct input {
  const uint8_t *next;
  size_t left;
};

static void fail(png_structp png, png_const_charp message) {
  struct cimages_picture *picture = png_get_error_ptr(png);
  snprintf(picture->message, sizeof picture->message, "%s", message);
  png_longjmp(png, 1);
}

static void ignore(png_structp png, png_const_charp message) {
  (void)png;
  (void)message;
}

static void read_bytes(png_structp png, png_bytep bytes, size_t count) {
  struct input *input = png_get_io_ptr(png);
  if (count > input->left) png_error(png, "the file is cut short");
  memcpy(bytes, input->next, count);
  input->next += count;
  input->left -= count;
}

enum cimages_outcome cimages_decode_png(
    const uint8_t *bytes, size_t count, size_t most_pixels, struct cimages_picture *picture) {
  struct input input = {bytes, count};
  *picture = (struct cimages_picture){0};
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, picture, fail, ignore);
  png_infop info = png ? png_create_info_struct(png) : NULL;
  if (!info) {
    png_destroy_read_struct(&png, NULL, NULL);
    return cimages_out_of_memory;
  }
  // volatile: they are set after setjmp and read after longjmp.
  png_bytep *volatile rows = NULL;
  volatile enum cimages_outcome outcome = cimages_damaged;
  if (setjmp(png_jmpbuf(png)) == 0) {
    png_set_read_fn(png, &input, read_bytes);
    png_read_info(png, info);
    picture->width = png_get_image_width(png, info);
    picture->height = png_get_image_height(png, info);
    outcome = cimages_too_large;
    if (picture->height <= most_pixels / picture->width) {
      png_set_expand(png);
      png_set_strip_16(png);
      png_set_strip_alpha(png);
      png_set_gray_to_rgb(png);
      png_set_interlace_handling(png);
      png_read_update_info(png, info);
      size_t row = (size_t)picture->width * 3;
      outcome = cimages_damaged;
      if (png_get_rowbytes(png, info) != row) png_error(png, "unexpected pixels");
      outcome = cimages_out_of_memory;
      picture->pixels = malloc(row * picture->height);
      rows = malloc(sizeof *rows * picture->height);
      if (picture->pixels && rows) {
        for (size_t y = 0; y < picture->height; y++) rows[y] = picture->pixels + y * row;
        outcome = cimages_damaged;
        png_read_image(png, rows);
        png_read_end(png, NULL);
        outcome = cimages_decoded;
      }
    }
  }
  free(rows);
  png_destroy_read_struct(&png, &info, NULL);
  if (outcome != cimages_decoded) {
    free(picture->pixels);
    picture->pixels = NULL;
  }
  return outcome;
}
