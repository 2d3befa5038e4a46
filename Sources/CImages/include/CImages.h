// Decoding of PNG and JPEG from memory. In C, because both libraries report errors with longjmp.
#ifndef CIMAGES_H
#define CIMAGES_H

#include <stddef.h>
#include <stdint.h>

// Pixels of three bytes, red, green and blue, row by row without gaps.
struct cimages_picture {
  uint32_t width, height;
  // From malloc; NULL if decoding failed.
  uint8_t *pixels;
  // Why it failed.
  char message[256];
};

enum cimages_outcome { cimages_decoded, cimages_damaged, cimages_too_large, cimages_out_of_memory };

// Transparency is left out, not blended with anything; grey, palettes, 16 bits and CMYK are converted.
enum cimages_outcome cimages_decode_png(
    const uint8_t *bytes, size_t count, size_t most_pixels, struct cimages_picture *picture);
enum cimages_outcome cimages_decode_jpeg(
    const uint8_t *bytes, size_t count, size_t most_pixels, struct cimages_picture *picture);

#endif
