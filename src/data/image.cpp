// image: pictures told apart by their first bytes.
#include "compressor/data/image.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>

#include "compressor/base/error.h"
#include "compressor/base/memory_map.h"
#include "data/decode.h"

namespace compressor {
namespace data {
namespace {

constexpr std::array<std::uint8_t, 8> kPng = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
constexpr std::array<std::uint8_t, 3> kJpeg = {0xFF, 0xD8, 0xFF};

template <std::size_t N>
bool begins_with(std::span<const std::byte> bytes, const std::array<std::uint8_t, N>& magic) {
  return bytes.size() >= N && std::equal(magic.begin(), magic.end(), bytes.begin(), [](auto m, std::byte b) {
           return std::to_integer<std::uint8_t>(b) == m;
         });
}

}  // namespace

bool is_png(std::span<const std::byte> bytes) {
  return begins_with(bytes, kPng);
}
bool is_jpeg(std::span<const std::byte> bytes) {
  return begins_with(bytes, kJpeg);
}

void check_picture_size(std::uint64_t height, std::uint64_t width, const std::string& name) {
  constexpr std::uint64_t kMostPixels = std::uint64_t{1} << 27U;
  if (height == 0 || width == 0) throw Error::io("{}: picture of {}x{} pixels", name, height, width);
  if (height > kMostPixels / width) {
    throw Error::io("{}: picture of {}x{} pixels, expected at most {} in all", name, height, width,
                    kMostPixels);
  }
}

}  // namespace data

Image decode_image(std::span<const std::byte> bytes, const std::string& name) {
  if (data::is_jpeg(bytes)) return data::decode_jpeg(bytes, name);
  if (data::is_png(bytes)) return data::decode_png(bytes, name, data::PngColours::kExpand);
  throw Error::io("{}: not a picture: found {} bytes that begin like neither JPEG nor PNG", name,
                  bytes.size());
}

Image read_image(const std::string& path) {
  return decode_image(MappedFile::open(path)->bytes(), path);
}

Image read_mask(const std::string& path) {
  const auto file = MappedFile::open(path);
  if (!data::is_png(file->bytes())) throw Error::io("{}: not a PNG, expected a mask of class indices", path);
  return data::decode_png(file->bytes(), path, data::PngColours::kIndices);
}

bool is_image_name(const std::string& path) {
  std::string extension = std::filesystem::path(path).extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png";
}

}  // namespace compressor
