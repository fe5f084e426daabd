// synthetic: pictures of dead leaves, and slow noise.
#include "passes/quantize/ranges/synthetic.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "compressor/analysis/model_data.h"
#include "compressor/base/error.h"
#include "compressor/base/random.h"

namespace compressor::quantize {
namespace {

constexpr std::int64_t kBatch = 8;
constexpr double kGrain = 0.02;  ///< noise of every pixel, in shares of the range

/// One picture [C, H, W] in [0, 1], every channel a plane of `size` numbers.
void draw(std::span<float> out, std::int64_t channels, std::int64_t height, std::int64_t width,
          Random& random) {
  const auto plane = static_cast<std::size_t>(height * width);
  const double smallest = 1.5, largest = 0.5 * static_cast<double>(std::min(height, width));
  const double brightness = random.uniform(), contrast = 0.3 + 0.7 * random.uniform();
  const auto colour = [&] {
    std::vector<float> c(static_cast<std::size_t>(channels));
    const double light = brightness + contrast * (random.uniform() - brightness);
    for (float& v : c) v = static_cast<float>(std::clamp(light + 0.25 * (random.uniform() - 0.5), 0.0, 1.0));
    return c;
  };
  const auto paint = [&](std::size_t at, const std::vector<float>& c) {
    for (std::size_t k = 0; k < c.size(); ++k) out[k * plane + at] = c[k];
  };
  const std::vector<float> ground = colour();
  for (std::size_t i = 0; i < plane; ++i) paint(i, ground);
  const int leaves = 60 + static_cast<int>(random.below(200));
  for (int i = 0; i < leaves; ++i) {
    // Radii with density r^-3 between the two.
    const double share = random.uniform() * (1 - std::pow(smallest / largest, 2));
    const double radius = smallest / std::sqrt(1 - share);
    const double y = random.uniform() * static_cast<double>(height);
    const double x = random.uniform() * static_cast<double>(width);
    const bool box = random.below(2) == 0;
    const std::vector<float> c = colour();
    const auto low = [](double v) {
      return std::max<std::int64_t>(0, static_cast<std::int64_t>(std::ceil(v)));
    };
    for (std::int64_t v = low(y - radius); v < height && static_cast<double>(v) <= y + radius; ++v) {
      for (std::int64_t u = low(x - radius); u < width && static_cast<double>(u) <= x + radius; ++u) {
        const double dy = static_cast<double>(v) - y, dx = static_cast<double>(u) - x;
        if (box || dy * dy + dx * dx <= radius * radius) paint(static_cast<std::size_t>(v * width + u), c);
      }
    }
  }
  for (float& v : out) v = std::clamp(v + static_cast<float>(kGrain * random.normal()), 0.0F, 1.0F);
}

/// Normal noise in which neighbours are alike, around the middle of [0, 1].
void drift(std::span<float> out, std::size_t row, Random& random) {
  double at = random.normal();
  for (std::size_t i = 0; i < out.size(); ++i) {
    at = i % row == 0 ? random.normal() : 0.8 * at + 0.6 * random.normal();
    out[i] = static_cast<float>(std::clamp(0.5 + 0.2 * at, 0.0, 1.0));
  }
}

Dims shape_of(const Value& input, const std::map<std::string, std::vector<std::int64_t>>& shapes) {
  const Type& type = input.type();
  if (type.kind != Type::Kind::kTensor || type.dtype != DType::kFloat)
    throw Error::usage("--input-range: input '{}' is no tensor of float32", input.name());
  if (const auto given = shapes.find(input.name()); given != shapes.end()) return given->second;
  Dims dims;
  for (std::size_t i = 0; i < type.dims.size(); ++i) {
    if (!type.dims[i].known() && i > 0)
      throw Error::usage("--input-range: the shape of input '{}' is open; give it by --input-shape",
                         input.name());
    dims.push_back(type.dims[i].known() ? type.dims[i].value : kBatch);
  }
  return dims;
}

double number(std::string_view text, const std::string& whole) {
  double v = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), v);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(v))
    throw Error::usage("--input-range: found '{}', expected LOW,HIGH or name=LOW,HIGH", whole);
  return v;
}

}  // namespace

std::map<std::string, InputRange> parse_input_ranges(const Model& model,
                                                     const std::vector<std::string>& texts) {
  std::map<std::string, InputRange> ranges;
  const std::vector<const Value*> inputs = open_inputs(model);
  for (const std::string& text : texts) {
    const std::size_t equals = text.rfind('=');
    const std::string name = equals == std::string::npos ? "" : text.substr(0, equals);
    const std::string pair = equals == std::string::npos ? text : text.substr(equals + 1);
    const std::size_t comma = pair.find(',');
    const InputRange r{
        number(std::string_view(pair).substr(0, comma), text),
        number(comma == std::string::npos ? "" : std::string_view(pair).substr(comma + 1), text)};
    if (r.low >= r.high) throw Error::usage("--input-range {}: low is not below high", text);
    constexpr double kMost = std::numeric_limits<float>::max();
    if (r.low < -kMost || r.high > kMost)
      throw Error::usage("--input-range {}: no float32 is as large", text);
    bool found = false;
    for (const Value* v : inputs) {
      if (!name.empty() && v->name() != name) continue;
      if (!name.empty() || !ranges.contains(v->name())) ranges[v->name()] = r;
      found = true;
    }
    if (!found) throw Error::usage("--input-range: the model has no input '{}'", name);
  }
  return ranges;
}

PassContext::Batches synthetic_batches(const Model& model, const std::map<std::string, InputRange>& ranges,
                                       const std::map<std::string, std::vector<std::int64_t>>& shapes,
                                       std::uint64_t seed, std::int64_t samples) {
  std::map<std::string, std::pair<Dims, InputRange>> plan;
  std::int64_t at_a_time = 1;
  for (const Value* v : open_inputs(model)) {
    const auto r = ranges.find(v->name());
    if (r == ranges.end()) throw Error::usage("--input-range: no range for input '{}'", v->name());
    plan[v->name()] = {shape_of(*v, shapes), r->second};
    const Dims& dims = plan[v->name()].first;
    if (!dims.empty()) at_a_time = std::max(at_a_time, dims[0]);
  }
  return [plan, seed, rounds = (samples + at_a_time - 1) / at_a_time](
             const std::function<void(const PassContext::Inputs&)>& visit) {
    Random random(seed);
    for (std::int64_t round = 0; round < rounds; ++round) {
      PassContext::Inputs inputs;
      for (const auto& [name, what] : plan) {
        const auto& [dims, range] = what;
        std::vector<float> x(num_elements(dims));
        if (dims.size() == 4 && dims[1] <= 4) {
          const std::size_t each = x.size() / static_cast<std::size_t>(dims[0]);
          for (std::size_t i = 0; i < x.size(); i += each)
            draw(std::span(x).subspan(i, each), dims[1], dims[2], dims[3], random);
        } else {
          drift(x, dims.empty() ? 1 : static_cast<std::size_t>(dims.back()), random);
        }
        for (float& v : x)
          v = static_cast<float>(range.low + (range.high - range.low) * static_cast<double>(v));
        inputs.emplace(name, Tensor::of(dims, std::span<const float>(x)));
      }
      visit(inputs);
    }
  };
}

}  // namespace compressor::quantize
