#include <CImages.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

struct errors {
  struct jpeg_error_mgr base;
  jmp_buf out;
  struct cimages_picture *picture;
};

static void fail(j_common_ptr info) {
  struct errors *errors = (struct errors *)info->err;
  char message[JMSG_LENGTH_MAX];
  errors->base.format_message(info, message);
  snprintf(errors->picture->message, sizeof errors->picture->message, "%s", message);
  longjmp(errors->out, 1);
}

// Warnings are of harmless things, but for the end of the file, where the library makes up pixels.
static void warn(j_common_ptr info, int level) {
  if (level < 0 && info->err->msg_code == JWRN_JPEG_EOF) fail(info);
}

// (a * b) / 255, rounded.
static unsigned product(unsigned a, unsigned b) {
  unsigned x = a * b + 128;
  return ((x >> 8) + x) >> 8;
}

enum cimages_outcome cimages_decode_jpeg(
    const uint8_t *bytes, size_t count, size_t most_pixels, struct cimages_picture *picture) {
  struct jpeg_decompress_struct info = {0};
  struct errors errors;
  *picture = (struct cimages_picture){0};
  errors.picture = picture;
  info.err = jpeg_std_error(&errors.base);
  errors.base.error_exit = fail;
  errors.base.emit_message = warn;
  // volatile: they are set after setjmp and read after longjmp.
  uint8_t *volatile line = NULL;
  volatile enum cimages_outcome outcome = cimages_damaged;
  if (setjmp(errors.out) == 0) {
    jpeg_create_decompress(&info);
    // The const is missing in old headers; the bytes are only read.
    jpeg_mem_src(&info, (unsigned char *)bytes, count);
    jpeg_read_header(&info, TRUE);
    int is_cmyk =
        info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK;
    info.out_color_space = is_cmyk ? JCS_CMYK : JCS_RGB;
    picture->width = info.image_width;
    picture->height = info.image_height;
    outcome = cimages_too_large;
    if (picture->height <= most_pixels / picture->width) {
      outcome = cimages_damaged;
      jpeg_start_decompress(&info);
      size_t row = (size_t)picture->width * 3;
      outcome = cimages_out_of_memory;
      picture->pixels = malloc(row * picture->height);
      line = malloc((size_t)picture->width * 4);
      if (picture->pixels && line) {
        outcome = cimages_damaged;
        while (info.output_scanline < info.output_height) {
          uint8_t *target = picture->pixels + info.output_scanline * row;
          JSAMPROW rows[1] = {is_cmyk ? line : target};
          jpeg_read_scanlines(&info, rows, 1);
          if (!is_cmyk) continue;
          // Adobe's programs, which write such files, store the inks inverted.
          for (size_t x = 0; x < picture->width; x++) {
            unsigned black = line[4 * x + 3];
            for (int c = 0; c < 3; c++)
              target[3 * x + c] = (uint8_t)(black - product(255 - line[4 * x + c], black));
          }
        }
        jpeg_finish_decompress(&info);
        outcome = cimages_decoded;
      }
    }
  }
  jpeg_destroy_decompress(&info);
  free(line);
  if (outcome != cimages_decoded) {
    free(picture->pixels);
    picture->pixels = NULL;
  }
  return outcome;
}
