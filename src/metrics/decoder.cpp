// decoder: the table of detection heads, and what they share.
#include "metrics/decoder.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace compressor::metrics {

void register_all(DecoderTable& table);  // made by CMake from decoders/

const DecoderTable& decoders() {
  static const DecoderTable kTable = [] {
    DecoderTable t;
    register_all(t);
    return t;
  }();
  return kTable;
}

void Decoder::ready(const std::string& /*where*/) {}

Choices box_forms() {
  return {{"corners", "corners-yx", "centre", "corner-size"}};
}

BoxForm box_form(const std::string& word) {
  if (word == "corners") return BoxForm::kCorners;
  if (word == "corners-yx") return BoxForm::kCornersYx;
  if (word == "centre") return BoxForm::kCentre;
  CHECK(word == "corner-size", "box form '{}'", word);
  return BoxForm::kCorner;
}

Box box_of(BoxForm form, double a, double b, double c, double d) {
  switch (form) {
    case BoxForm::kCorners:
      return {.x1 = a, .y1 = b, .x2 = c, .y2 = d};
    case BoxForm::kCornersYx:
      return {.x1 = b, .y1 = a, .x2 = d, .y2 = c};
    case BoxForm::kCentre:
      return {.x1 = a - c / 2, .y1 = b - d / 2, .x2 = a + c / 2, .y2 = b + d / 2};
    case BoxForm::kCorner:
      break;
  }
  return {.x1 = a, .y1 = b, .x2 = a + c, .y2 = b + d};
}

void add_classes(const Box& box, std::span<const float> scores, double factor, bool best_only,
                 double threshold, std::vector<Detection>& found) {
  const auto add = [&](std::size_t c) {
    const double score = factor * static_cast<double>(scores[c]);
    if (!(score >= threshold)) return;
    Detection d{.box = box, .score = score};
    d.box.label = static_cast<std::int64_t>(c);
    found.push_back(d);
  };
  if (best_only)
    return add(static_cast<std::size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin()));
  for (std::size_t c = 0; c < scores.size(); ++c) add(c);
}

std::vector<std::int64_t> parse_strides(const std::string& where, const std::string& text) {
  std::vector<std::int64_t> strides;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    std::int64_t stride = 0;
    const auto [next, error] = std::from_chars(at, end, stride);
    if (error != std::errc{} || stride < 1 || (next != end && *next != ',')) break;
    strides.push_back(stride);
    at = next == end ? end : next + 1;
    if (at == end) return strides;
  }
  throw Error::usage("{}: strides: found '{}', expected whole numbers such as 8,16,32", where, text);
}

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

}  // namespace compressor::metrics
