// decode: the picture formats behind decode_image.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "compressor/data/image.h"

namespace compressor::data {

bool is_png(std::span<const std::byte> bytes);
bool is_jpeg(std::span<const std::byte> bytes);

enum class PngColours : std::uint8_t {
  kExpand,   ///< palettes to their colours, all to grey or RGB
  kIndices,  ///< palettes to their indices; colours are an error
};
/// Both throw Error::io that begins with `name`.
Image decode_png(std::span<const std::byte> bytes, const std::string& name, PngColours colours);
Image decode_jpeg(std::span<const std::byte> bytes, const std::string& name);

/// Throws Error::io for no pixels or more than 2^27.
void check_picture_size(std::uint64_t height, std::uint64_t width, const std::string& name);

}  // namespace compressor::data
