// jpeg: JPEG pictures by libjpeg-turbo.
#include <turbojpeg.h>

#include <memory>
#include <string_view>

#include "compressor/base/error.h"
#include "data/decode.h"

namespace compressor::data {
namespace {

struct CloseJpeg {
  void operator()(void* handle) const { tjDestroy(handle); }
};
using Handle = std::unique_ptr<void, CloseJpeg>;

// Bytes between two markers are harmless and common in old cameras' files; other warnings mean lost pixels.
bool is_harmless(void* handle) {
  return tjGetErrorCode(handle) == TJERR_WARNING &&
         std::string_view(tjGetErrorStr2(handle)).find("extraneous bytes") != std::string_view::npos;
}

// Inverted CMYK, as Adobe's programs write it: what is left of each colour, times what is left of black.
Image rgb_of_cmyk(const Image& cmyk) {
  Image rgb(cmyk.height, cmyk.width, 3);
  for (std::size_t i = 0; i < rgb.pixels.size() / 3; ++i) {
    const std::uint8_t* from = &cmyk.pixels[4 * i];
    for (std::size_t c = 0; c < 3; ++c)
      rgb.pixels[3 * i + c] = static_cast<std::uint8_t>((from[c] * from[3] + 127) / 255);
  }
  return rgb;
}

}  // namespace

Image decode_jpeg(std::span<const std::byte> bytes, const std::string& name) {
  const Handle handle(tjInitDecompress());
  if (!handle) throw Error::io("{}: cannot start the JPEG decoder", name);
  const auto* source = reinterpret_cast<const unsigned char*>(bytes.data());
  int width = 0, height = 0, subsampling = 0, colours = 0;
  if (tjDecompressHeader3(handle.get(), source, bytes.size(), &width, &height, &subsampling, &colours) != 0 &&
      !is_harmless(handle.get()))
    throw Error::io("{}: damaged JPEG: {}", name, tjGetErrorStr2(handle.get()));
  check_picture_size(static_cast<std::uint64_t>(height), static_cast<std::uint64_t>(width), name);

  const bool cmyk = colours == TJCS_CMYK || colours == TJCS_YCCK;
  const int format = colours == TJCS_GRAY ? TJPF_GRAY : (cmyk ? TJPF_CMYK : TJPF_RGB);
  Image image(height, width, tjPixelSize[format]);
  if (tjDecompress2(handle.get(), source, bytes.size(), image.pixels.data(), width, 0, height, format,
                    TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS) != 0 &&
      !is_harmless(handle.get()))
    throw Error::io("{}: damaged JPEG: {}", name, tjGetErrorStr2(handle.get()));
  return cmyk ? rgb_of_cmyk(image) : image;
}

}  // namespace compressor::data
