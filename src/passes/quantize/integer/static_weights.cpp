// static_weights: the weight and the bias of a convolution or product whose input has a scale.
//
//   W  ==>  int8 -> DequantizeLinear(s_w by channel)
//   b  ==>  int32 -> DequantizeLinear(s_x s_w by channel)      b' = round(b / (s_x s_w))
//
// Where products saturate in pairs, codes are chosen so that no pair can (pair_safe.h). A bias that does not
// fit 32 bits (a channel of next to no weights) widens s_w until it does.
#include <algorithm>
#include <cmath>
#include <limits>

#include "compressor/base/error.h"
#include "compressor/base/threads.h"
#include "compressor/codec/storage.h"
#include "passes/quantize/grid/fit.h"
#include "passes/quantize/integer/pair_safe.h"
#include "passes/quantize/integer/static_qdq.h"
#include "passes/quantize/rounding/static_rounding.h"

namespace compressor::quantize {
namespace {

constexpr double kLargestBias = 1 << 30;

/// [channels, values of a channel] of a weight with channels along `axis`.
std::vector<std::vector<float>> channels_of(const Tensor& weight, std::int64_t axis) {
  const std::vector<float> all = to_floats(weight);
  const auto channels = static_cast<std::size_t>(weight.shape[static_cast<std::size_t>(axis)]);
  std::size_t inner = 1;
  for (auto i = static_cast<std::size_t>(axis) + 1; i < weight.shape.size(); ++i)
    inner *= static_cast<std::size_t>(weight.shape[i]);
  std::vector<std::vector<float>> result(channels);
  for (std::size_t i = 0; i < all.size(); ++i) result[i / inner % channels].push_back(all[i]);
  return result;
}

codec::Blocks blocks_along(const Dims& shape, std::int64_t axis) {
  codec::Blocks b;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const auto n = static_cast<std::uint64_t>(shape[i]);
    const auto at = static_cast<std::size_t>(axis);
    b.dims[i < at ? 0 : i == at ? 1 : 2] *= n;
  }
  b.block = {b.dims[0], 1, b.dims[2]};
  return b;
}

constexpr CodeRange kCodes{-127, 127};

std::vector<std::int32_t> nearest_codes(std::span<const float> values, float scale) {
  std::vector<std::int32_t> codes(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float q = std::nearbyint(values[i] / scale);
    codes[i] = static_cast<std::int32_t>(
        std::clamp(q, static_cast<float>(kCodes.low), static_cast<float>(kCodes.high)));
  }
  return codes;
}

/// The codes of channels, and what they share or not.
class ChannelCodes {
 public:
  ChannelCodes(const Tensor& weight, const WeightSpot& spot, const StaticOptions& options)
      : spot_(spot),
        safe_(options.target.saturates && spot.paired),
        channels_(channels_of(weight, spot.axis)) {
    const FitOptions free{kCodes, true, options.weight_clip};
    const auto fitted = [&](std::span<const float> values) {
      const auto [low, high] = std::minmax_element(values.begin(), values.end());
      return fit_block(values, *low, *high, free).scale;
    };
    scales_.resize(channels_.size());
    if (!options.target.per_channel) {
      std::fill(scales_.begin(), scales_.end(), safe_scale(fitted(to_floats(weight)), channels_));
      return;
    }
    parallel_for(static_cast<std::int64_t>(channels_.size()), [&](std::int64_t c) {
      const auto i = static_cast<std::size_t>(c);
      scales_[i] = safe_scale(fitted(channels_[i]), std::span(&channels_[i], 1));
    });
  }

  std::size_t size() const { return channels_.size(); }
  const std::vector<float>& scales() const { return scales_; }
  /// A bias may need more.
  void widen(std::size_t channel, float scale) { scales_[channel] = std::max(scales_[channel], scale); }

  std::vector<std::int32_t> codes(std::size_t channel) const {
    return codes_at(channels_[channel], scales_[channel]);
  }
  /// In the order of the weight's elements.
  Bytes encode(const codec::Blocks& blocks) const {
    std::vector<std::vector<std::int32_t>> all(size());
    parallel_for(static_cast<std::int64_t>(size()), [&](std::int64_t c) {
      all[static_cast<std::size_t>(c)] = codes(static_cast<std::size_t>(c));
    });
    std::vector<std::size_t> next(size());
    std::vector<std::byte> out(size() == 0 ? 0 : size() * channels_[0].size());
    blocks.each_run(0, out.size(),
                    [&](std::uint64_t first, std::uint64_t n, std::uint64_t s, std::uint64_t step) {
                      for (std::uint64_t i = 0; i < n; ++i) {
                        const std::uint64_t channel = s + i * step;
                        out[first + i] = static_cast<std::byte>(all[channel][next[channel]++] & 0xFF);
                      }
                    });
    return Bytes::own(std::move(out));
  }
  RowCodes ranges(std::size_t channel) const {
    return safe_ ? pair_safe_ranges(codes(channel), spot_.positions) : RowCodes{.range = kCodes};
  }

 private:
  std::vector<std::int32_t> codes_at(std::span<const float> values, float scale) const {
    std::vector<std::int32_t> codes = nearest_codes(values, scale);
    if (safe_) make_pair_safe(codes, spot_.positions);
    return codes;
  }
  /// `scale`, or up to twice as much where fewer codes have to be lowered then: the least squared error.
  float safe_scale(float scale, std::span<const std::vector<float>> channels) const {
    if (!safe_) return scale;
    constexpr int kSteps = 12;
    float best = scale;
    double least = INFINITY;
    for (int step = 0; step <= kSteps; ++step) {
      const float s = scale * (1 + static_cast<float>(step) / kSteps);
      double error = 0;
      bool moved = false;
      for (const std::vector<float>& values : channels) {
        std::vector<std::int32_t> codes = nearest_codes(values, s);
        moved |= make_pair_safe(codes, spot_.positions);
        for (std::size_t i = 0; i < values.size(); ++i)
          error += std::pow(static_cast<double>(values[i]) - static_cast<double>(s) * codes[i], 2);
      }
      if (error < least) least = error, best = s;
      if (!moved) break;  // a larger one is only coarser
    }
    return best;
  }

  WeightSpot spot_;
  bool safe_;
  std::vector<std::vector<float>> channels_;
  std::vector<float> scales_;
};

/// Codes by what the node takes in, each channel within its own range and safe in pairs where that counts.
std::string round_by_inputs(const Node& node, const Tensor& weight, const ChannelCodes& channels,
                            const StaticOptions& options, codec::Grid& grid) {
  if (!options.rounding) return "";
  return options.rounding->round(
      node, weight, [&](std::size_t row) { return channels.ranges(row); }, grid);
}

/// The bias input of the node; null when there is none, or it is none that can be quantized.
const Value* bias_of(const Model& model, const Node& node, std::size_t channels) {
  if (node.is("MatMul")) return nullptr;
  const Value* b = node.input(2);
  const auto t = b ? fixed_constant(model, *b) : std::nullopt;
  return t && t->dtype == DType::kFloat && t->size() == channels ? b : nullptr;
}

/// Every channel of the bias has a code at the scale of input times weight. (With 8 bits weights are made a
/// little coarser where one has none, which 16 bits of activations would pay for with most of theirs.)
bool fits_32_bits(const Model& model, const Value& bias, std::span<const float> scales, const Affine& input) {
  const std::vector<double> b = to_doubles(*fixed_constant(model, bias));
  for (std::size_t c = 0; c < b.size(); ++c) {
    const double scale = static_cast<double>(input.scale) * static_cast<double>(scales[c]);
    if (std::abs(b[c]) / scale > kLargestBias) return false;
  }
  return true;
}

/// Can a bias take the shift back? Not where it would break a target's rules or the node has no place for it.
bool corrects(const Node& node, std::span<const float> mean, const StaticOptions& options) {
  return !mean.empty() && options.target.integer_bias && node.is("Conv") && !node.input(2);
}

/// A bias of zeros.
const Value* add_bias(Graph& graph, const Node& node, std::size_t channels) {
  const std::vector<float> zeros(channels);
  const Value* bias =
      graph.add_initializer(graph.fresh_name(node.input(1)->name() + ".bias"),
                            Tensor::of({static_cast<std::int64_t>(channels)}, std::span<const float>(zeros)));
  std::vector<const Value*> inputs(node.inputs().begin(), node.inputs().end());
  inputs.resize(2);
  inputs.push_back(bias);
  graph.set_inputs(node, inputs);
  return bias;
}

/// sum over inputs of (W' - W) E[x] by output channel; zeros where the mean is not known.
std::vector<double> mean_shift(const Node& node, const Tensor& weight, const std::vector<float>& rounded,
                               std::span<const float> mean, std::size_t channels) {
  std::vector<double> shift(channels);
  if (mean.empty()) return shift;
  const std::vector<float> exact = to_floats(weight);
  const auto add = [&](std::size_t out, std::size_t in, std::size_t at) {
    shift[out] +=
        (static_cast<double>(rounded[at]) - static_cast<double>(exact[at])) * static_cast<double>(mean[in]);
  };
  if (node.is("Conv")) {
    const auto group = static_cast<std::size_t>(node.int_or("group", 1));
    const auto inputs = static_cast<std::size_t>(weight.shape[1]);
    const std::size_t taps = exact.size() / channels / inputs;
    if (mean.size() != inputs * group) return shift;
    for (std::size_t o = 0; o < channels; ++o) {
      const std::size_t first = o / (channels / group) * inputs;
      for (std::size_t i = 0; i < inputs * taps; ++i) add(o, first + i / taps, o * inputs * taps + i);
    }
  } else if (node.is("Gemm") && mean.size() * channels == exact.size()) {
    const bool transposed = node.int_or("transB", 0) != 0;
    for (std::size_t o = 0; o < channels; ++o) {
      for (std::size_t i = 0; i < mean.size(); ++i)
        add(o, i, transposed ? o * mean.size() + i : i * channels + o);
    }
  }
  return shift;
}

void drop_if_unread(Model& model, const Value& constant) {
  if (constant.initializer() && constant.uses().empty() && !constant.is_input())
    model.changeable(constant.graph()).erase_initializer(constant);
}

}  // namespace

std::optional<WeightSpot> weight_spot(const Model& model, const Node& node) {
  const auto w = node.input(1) ? fixed_constant(model, *node.input(1)) : std::nullopt;
  if (!w || w->dtype != DType::kFloat || w->rank() < 2 || w->size() == 0) return std::nullopt;
  WeightSpot spot;
  if (node.is("Conv") || node.is("ConvTranspose")) {
    for (std::int64_t i = 2; i < w->rank(); ++i)
      spot.positions *= static_cast<std::size_t>(w->shape[static_cast<std::size_t>(i)]);
  }
  if (node.is("Conv")) {
    spot.axis = 0;
    const std::int64_t group = node.int_or("group", 1);
    spot.paired = !(group > 1 && w->shape[1] == 1 && w->shape[0] == group);
    return spot;
  }
  if (node.is("ConvTranspose")) {
    spot.axis = 1;
    return node.int_or("group", 1) == 1 ? std::optional(spot) : std::nullopt;
  }
  if (node.is("Gemm")) {
    spot.axis = node.int_or("transB", 0) != 0 ? 0 : 1;
    return spot;
  }
  if (!node.is("MatMul") || w->rank() != 2) return std::nullopt;
  spot.axis = 1;
  return spot;
}

codec::Grid weight_grid(const Tensor& weight, const WeightSpot& spot, const StaticOptions& options) {
  codec::Grid grid;
  grid.shape = weight.shape;
  grid.blocks = blocks_along(weight.shape, spot.axis);
  const ChannelCodes channels(weight, spot, options);
  grid.scale = channels.scales();
  grid.codes = channels.encode(grid.blocks);
  return grid;
}

std::string quantize_node_weights(Model& model, const Node& node, const WeightSpot& spot, const Affine& input,
                                  std::span<const float> mean, const StaticOptions& options) {
  Graph& graph = model.changeable(node.graph());
  const Value& source = *node.input(spot.input);
  const std::string stem = source.name();
  const Tensor weight = *fixed_constant(model, source);
  codec::Grid grid;
  grid.shape = weight.shape;
  grid.blocks = blocks_along(weight.shape, spot.axis);
  ChannelCodes by_channel(weight, spot, options);
  const std::size_t channels = by_channel.size();
  const Value* bias = options.target.integer_bias ? bias_of(model, node, channels) : nullptr;
  const bool wide = bits(options.target.activation) > 8;
  if (bias && wide && !fits_32_bits(model, *bias, by_channel.scales(), input))
    bias = nullptr;  // it stays in float
  if (!bias && corrects(node, mean, options)) bias = add_bias(graph, node, channels);
  std::vector<double> codes;
  std::vector<float> bias_scales;
  if (bias) {
    const std::vector<float> b = to_floats(*fixed_constant(model, *bias));
    for (std::size_t c = 0; c < channels; ++c) {
      const double needed =
          std::abs(static_cast<double>(b[c])) / kLargestBias / static_cast<double>(input.scale);
      by_channel.widen(c, static_cast<float>(needed));
      bias_scales.push_back(input.scale * by_channel.scales()[c]);
    }
  }
  grid.scale = by_channel.scales();
  grid.codes = by_channel.encode(grid.blocks);
  const std::string rounded = round_by_inputs(node, weight, by_channel, options, grid);
  if (bias) {
    const std::vector<double> shift =
        mean_shift(node, weight, to_floats(codec::decode(grid)), mean, channels);
    const std::vector<float> b = to_floats(*fixed_constant(model, *bias));
    for (std::size_t c = 0; c < channels; ++c) {
      const double corrected = static_cast<double>(b[c]) - shift[c];
      codes.push_back(std::clamp(std::nearbyint(corrected / static_cast<double>(bias_scales[c])),
                                 -kLargestBias, kLargestBias));
    }
  }
  // ONNX Runtime finds its integer Gemm only where the weight's zero points are said, although they are 0.
  if (node.is("Gemm")) grid.zero.assign(channels, 0);
  const codec::Place place{.graph = graph, .before = &node};
  graph.set_input(node, spot.input, &codec::lower(place, grid, codec::Storage::kQdq, stem));
  drop_if_unread(model, source);
  if (bias) {
    const Dims shape{static_cast<std::int64_t>(channels)};
    const std::string of_bias = bias->name();
    const Value* q = graph.add_initializer(graph.fresh_name(of_bias + ".q"),
                                           Tensor::of(DType::kInt32, shape, std::span<const double>(codes)));
    const Value* s = graph.add_initializer(graph.fresh_name(of_bias + ".scale"),
                                           Tensor::of(shape, std::span<const float>(bias_scales)));
    // Several nodes may read one bias: each gets its own, at its input's scale, and a name of its own.
    const std::string decoded = graph.fresh_name(of_bias + ".dequantize");
    NodeSpec spec{.op = "DequantizeLinear", .inputs = {q, s}, .outputs = {decoded}};
    spec.name = decoded;
    spec.attributes.emplace_back("axis", std::int64_t{0});
    graph.set_input(node, 2, graph.add_node(std::move(spec), &node).output(0));
    drop_if_unread(model, *bias);
  }
  double signal = 0, noise = 0;
  const std::vector<float> before = to_floats(weight), after = to_floats(codec::decode(grid));
  for (std::size_t i = 0; i < before.size(); ++i) {
    signal += static_cast<double>(before[i]) * static_cast<double>(before[i]);
    noise += std::pow(static_cast<double>(before[i]) - static_cast<double>(after[i]), 2);
  }
  return fmt::format("weight '{}': int8, {} scale{}, SNR {:.1f} dB{}{}", stem, channels,
                     channels == 1 ? "" : "s", noise > 0 ? 10 * std::log10(signal / noise) : INFINITY,
                     rounded, bias ? ", bias int32" : "");
}

}  // namespace compressor::quantize
