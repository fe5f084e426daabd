// augment: flip, crop with padding, cutout.
#include "data/augment.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "compressor/base/error.h"
#include "compressor/base/suggest.h"

namespace compressor {
namespace data {
namespace {

void flip(Image& image, Geometry& geometry) {
  for (std::int64_t y = 0; y < image.height; ++y) {
    std::uint8_t* row = image.row(y);
    for (std::int64_t a = 0, b = image.width - 1; a < b; ++a, --b)
      std::swap_ranges(row + a * image.channels, row + (a + 1) * image.channels, row + b * image.channels);
  }
  geometry.mirrored = !geometry.mirrored;
}

std::int64_t draw(Random& random, std::int64_t low, std::int64_t high) {
  return low + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(high - low + 1)));
}

void shift(Image& image, Geometry& geometry, std::int64_t down, std::int64_t right) {
  Image result(image.height, image.width, image.channels);
  const std::int64_t x0 = std::max<std::int64_t>(0, right),
                     x1 = image.width + std::min<std::int64_t>(0, right);
  for (std::int64_t y = 0; y < image.height && x0 < x1; ++y) {
    if (y - down < 0 || y - down >= image.height) continue;
    std::memcpy(result.row(y) + x0 * image.channels, image.row(y - down) + (x0 - right) * image.channels,
                static_cast<std::size_t>((x1 - x0) * image.channels));
  }
  image = std::move(result);
  geometry.offset_y += static_cast<double>(down);
  geometry.offset_x += static_cast<double>(right);
}

void cut_out(Image& image, std::int64_t side, const std::vector<std::uint8_t>& colour, Random& random) {
  const std::int64_t top = draw(random, 0, image.height - 1) - side / 2;
  const std::int64_t left = draw(random, 0, image.width - 1) - side / 2;
  for (std::int64_t y = std::max<std::int64_t>(0, top); y < std::min(image.height, top + side); ++y) {
    for (std::int64_t x = std::max<std::int64_t>(0, left); x < std::min(image.width, left + side); ++x)
      std::copy(colour.begin(), colour.end(), image.row(y) + x * image.channels);
  }
}

}  // namespace

void augment(Image& image, Geometry& geometry, const Augment& what,
             const std::vector<std::uint8_t>& mean_colour, Random& random) {
  // The shift comes first: Geometry mirrors after it moves.
  if (what.crop_pad > 0) {
    const std::int64_t down = draw(random, -what.crop_pad, what.crop_pad);
    const std::int64_t right = draw(random, -what.crop_pad, what.crop_pad);
    shift(image, geometry, down, right);
  }
  if (what.flip && random.below(2) == 1) flip(image, geometry);
  if (what.cutout > 0) cut_out(image, what.cutout, mean_colour, random);
}

std::vector<std::uint8_t> mean_colour(const Preprocess& preprocess, std::int64_t channels) {
  std::vector<std::uint8_t> colour;
  for (std::size_t c = 0; c < static_cast<std::size_t>(channels); ++c) {
    const double scale = preprocess.scale[std::min(c, preprocess.scale.size() - 1)];
    const double mean = preprocess.mean[std::min(c, preprocess.mean.size() - 1)];
    const double pixel = scale == 0 ? 0 : mean / scale;
    colour.push_back(static_cast<std::uint8_t>(std::clamp(std::nearbyint(pixel), 0.0, 255.0)));
  }
  return colour;
}

}  // namespace data

Augment Augment::parse(std::string_view text, const std::string& where) {
  const std::vector<std::string> names = {"flip", "crop", "cutout", "none"};
  Augment augment;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    const std::string_view item = text.substr(0, comma);
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    const std::size_t equals = item.find('=');
    const std::string key(item.substr(0, equals));
    if (std::find(names.begin(), names.end(), key) == names.end()) {
      throw Error::usage("{}: unknown augmentation '{}'{}; known: flip, crop=N, cutout=N", where, key,
                         did_you_mean(key, names));
    }
    if (key == "none") {
      augment = {};
      continue;
    }
    if (key == "flip") {
      if (equals != std::string_view::npos)
        throw Error::usage("{}: found '{}', expected flip without a value", where, item);
      augment.flip = true;
      continue;
    }
    const std::string_view value = equals == std::string_view::npos ? "" : item.substr(equals + 1);
    std::int64_t n = 0;
    const auto [stop, error] = std::from_chars(value.data(), value.data() + value.size(), n);
    if (error != std::errc() || stop != value.data() + value.size() || n < 0 || n > 4096)
      throw Error::usage("{}: {}: found '{}', expected pixels from 0 to 4096", where, key, value);
    (key == "crop" ? augment.crop_pad : augment.cutout) = n;
  }
  return augment;
}

std::string Augment::text() const {
  std::string all;
  const auto add = [&all](const std::string& item) { all += (all.empty() ? "" : ",") + item; };
  if (flip) add("flip");
  if (crop_pad > 0) add(fmt::format("crop={}", crop_pad));
  if (cutout > 0) add(fmt::format("cutout={}", cutout));
  return all;
}

}  // namespace compressor
