// pictures: encoded pictures for tests.
#pragma once

#include <png.h>
#include <turbojpeg.h>

#include <string>

#include "compressor/base/random.h"
#include "compressor/data/image.h"

namespace compressor::data {

inline Image noise_image(std::int64_t height, std::int64_t width, std::int64_t channels, std::uint64_t seed) {
  Random random(seed);
  Image image(height, width, channels);
  for (std::uint8_t& p : image.pixels) p = static_cast<std::uint8_t>(random.below(256));
  return image;
}

inline std::string png_of(const Image& image) {
  png_image png = {};
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<png_uint_32>(image.width);
  png.height = static_cast<png_uint_32>(image.height);
  png.format = image.channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  png_alloc_size_t size = 0;
  png_image_write_to_memory(&png, nullptr, &size, 0, image.pixels.data(), 0, nullptr);
  std::string bytes(size, '\0');
  png_image_write_to_memory(&png, bytes.data(), &size, 0, image.pixels.data(), 0, nullptr);
  bytes.resize(size);
  return bytes;
}

inline std::string jpeg_of(const Image& image, int quality = 95) {
  tjhandle handle = tjInitCompress();
  unsigned char* out = nullptr;
  unsigned long size = 0;
  tjCompress2(handle, image.pixels.data(), static_cast<int>(image.width), 0, static_cast<int>(image.height),
              image.channels == 1 ? TJPF_GRAY : TJPF_RGB, &out, &size,
              image.channels == 1 ? TJSAMP_GRAY : TJSAMP_444, quality, 0);
  std::string bytes(reinterpret_cast<const char*>(out), size);
  tjFree(out);
  tjDestroy(handle);
  return bytes;
}

}  // namespace compressor::data
