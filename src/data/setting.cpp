// setting: reads what one key=value of --preprocess says.
#include "data/setting.h"

#include <charconv>
#include <cmath>

#include "compressor/base/error.h"
#include "compressor/base/suggest.h"

namespace compressor::data {

void Setting::fail(const std::string& expected) const {
  throw Error::usage("{}: {}: found '{}', expected {}", where, key, value, expected);
}

void Setting::fail_of(const std::vector<std::string>& words) const {
  std::string all;
  for (const std::string& w : words) all += (all.empty() ? "" : ", ") + w;
  fail("one of " + all + did_you_mean(value, words));
}

std::optional<double> Setting::number(std::string_view text) {
  double v = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), v);
  if (error != std::errc() || !std::isfinite(v)) return std::nullopt;
  const std::string_view rest(stop, static_cast<std::size_t>(text.data() + text.size() - stop));
  if (rest.empty()) return v;
  if (rest[0] != '/') return std::nullopt;
  const auto below = number(rest.substr(1));
  if (!below || *below == 0 || rest.find('/', 1) != std::string_view::npos) return std::nullopt;
  return v / *below;
}

Numbers Setting::numbers() const {
  Numbers list;
  std::string_view rest = value;
  for (;;) {
    const std::size_t colon = rest.find(':');
    const auto v = number(rest.substr(0, colon));
    if (!v) fail("a number, a fraction such as 1/255, or several separated by : or ,");
    list.push_back(*v);
    if (colon == std::string_view::npos) return list;
    rest.remove_prefix(colon + 1);
  }
}

std::int64_t Setting::count(std::string_view text, std::int64_t least) const {
  constexpr std::int64_t kMostPixels = 16384;
  std::int64_t v = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), v);
  if (error != std::errc() || stop != text.data() + text.size() || v < least || v > kMostPixels)
    fail("a size in pixels up to 16384, such as 224 or 240x320");
  return v;
}

std::int64_t Setting::whole(std::string_view text, std::int64_t most) const {
  std::int64_t v = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), v);
  if (error != std::errc() || stop != text.data() + text.size() || v < 1 || v > most)
    fail(fmt::format("a whole number from 1 to {}", most));
  return v;
}

std::pair<std::int64_t, std::int64_t> Setting::size() const {
  const std::size_t x = value.find('x');
  if (x == std::string::npos) return {count(value, 1), 0};
  return {count(std::string_view(value).substr(0, x), 1), count(std::string_view(value).substr(x + 1), 1)};
}

}  // namespace compressor::data
