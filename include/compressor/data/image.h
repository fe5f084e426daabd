// image: a picture in memory, and reading one from a JPEG or PNG file.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace compressor {

/// Rows, columns, channels; 8 bits each. One channel is grey (or a class index per pixel), three are RGB.
struct Image {
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::int64_t channels = 0;
  std::vector<std::uint8_t> pixels;  ///< [H, W, C]

  Image() = default;
  Image(std::int64_t h, std::int64_t w, std::int64_t c, std::uint8_t value = 0)
      : height(h), width(w), channels(c), pixels(static_cast<std::size_t>(h * w * c), value) {}
  bool empty() const { return pixels.empty(); }
  std::size_t row_size() const { return static_cast<std::size_t>(width * channels); }
  const std::uint8_t* row(std::int64_t y) const {
    return pixels.data() + static_cast<std::size_t>(y) * row_size();
  }
  std::uint8_t* row(std::int64_t y) { return pixels.data() + static_cast<std::size_t>(y) * row_size(); }
  bool operator==(const Image&) const = default;
};

/// Decodes JPEG or PNG, told apart by the first bytes: grey stays grey, all else becomes RGB (alpha is
/// dropped, CMYK converted, 16 bits cut to 8). `name` is what errors call it. Throws Error::io when the bytes
/// are neither, damaged or cut short, or when the picture has more than 2^27 pixels.
Image decode_image(std::span<const std::byte> bytes, const std::string& name);
/// The same from a file.
Image read_image(const std::string& path);
/// A PNG whose pixels are class indices: grey as it is, a palette's indices (not its colours). Throws
/// Error::io as above, and for a PNG with colours.
Image read_mask(const std::string& path);
/// True for names that end in .jpg, .jpeg or .png in any case.
bool is_image_name(const std::string& path);

}  // namespace compressor
