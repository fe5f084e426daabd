// static_weights: the weight and the bias of a convolution or product whose input has a scale.
//
//   W  ==>  int8 -> DequantizeLinear(s_w by channel)
//   b  ==>  int32 -> DequantizeLinear(s_x s_w by channel)      b' = round(b / (s_x s_w))
//
// Where products saturate in pairs, codes are chosen so that no pair can (pair_safe_scale, or 65 codes on
// either side). A bias that does not fit 32 bits (a channel of next to no weights) widens s_w until it does.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "compressor/base/error.h"
#include "compressor/base/threads.h"
#include "compressor/codec/storage.h"
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

constexpr CodeRange kFull{-127, 127};
constexpr CodeRange kHalf{-64, 64};  ///< any two of them are safe

/// A scale, and the codes that may be used with it.
struct ChannelGrid {
  float scale = 1;
  CodeRange codes = kFull;
};

/// The better, by squared error, of all codes at a scale at which the largest pair is safe, and of 65 on
/// either side at a scale that may clip.
ChannelGrid safe_grid(std::span<const float> channel) {
  const auto [low, high] = std::minmax_element(channel.begin(), channel.end());
  const ChannelGrid full{pair_safe_scale(channel), kFull};
  const FitOptions clipped{kHalf, true, Clip::kMse};
  const ChannelGrid half{fit_block(channel, *low, *high, clipped).scale, kHalf};
  const auto error = [&](const ChannelGrid& g) { return squared_error(channel, {g.scale, 0}, g.codes); };
  return error(half) < error(full) ? half : full;
}

std::vector<ChannelGrid> channel_grids(const Tensor& weight, const WeightSpot& spot,
                                       const StaticOptions& options) {
  const auto channels = channels_of(weight, spot.axis);
  const bool safe = options.target.saturates && spot.paired;
  std::vector<ChannelGrid> grids(channels.size());
  const FitOptions free{kFull, true, options.weight_clip};
  const auto best = [&](std::span<const float> values) {
    if (safe) return safe_grid(values);
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    return ChannelGrid{fit_block(values, *low, *high, free).scale, kFull};
  };
  if (!options.target.per_channel) {
    std::fill(grids.begin(), grids.end(), best(to_floats(weight)));
    return grids;
  }
  parallel_for(static_cast<std::int64_t>(channels.size()), [&](std::int64_t c) {
    const auto i = static_cast<std::size_t>(c);
    grids[i] = best(channels[i]);
  });
  return grids;
}

/// Codes by channel, each within its own range.
Bytes encode_channels(const Tensor& weight, const codec::Blocks& blocks,
                      const std::vector<ChannelGrid>& grids) {
  const std::vector<float> values = to_floats(weight);
  std::vector<std::byte> codes(values.size());
  blocks.each_run(
      0, values.size(), [&](std::uint64_t first, std::uint64_t n, std::uint64_t s, std::uint64_t step) {
        for (std::uint64_t i = 0; i < n; ++i) {
          const ChannelGrid& g = grids[s + i * step];
          const float q = std::clamp(std::nearbyint(values[first + i] / g.scale),
                                     static_cast<float>(g.codes.low), static_cast<float>(g.codes.high));
          codes[first + i] = static_cast<std::byte>(static_cast<std::int32_t>(q) & 0xFF);
        }
      });
  return Bytes::own(std::move(codes));
}

/// Codes by what the node takes in, each channel within its own range and safe in pairs where that counts.
std::string round_by_inputs(const Node& node, const WeightSpot& spot, const Tensor& weight,
                            const std::vector<ChannelGrid>& grids, const StaticOptions& options,
                            codec::Grid& grid) {
  if (!options.rounding) return "";
  const Tensor stored = [&] {
    Tensor t;
    t.dtype = DType::kInt8;
    t.shape = weight.shape;
    t.bytes = grid.codes;
    return t;
  }();
  const auto nearest = channels_of(stored, spot.axis);
  return options.rounding->round(
      node, weight,
      [&](std::size_t row) {
        if (grids[row].codes == kHalf || !options.target.saturates || !spot.paired)
          return RowCodes{.range = grids[row].codes};
        return pair_safe_codes(std::vector<std::int32_t>(nearest[row].begin(), nearest[row].end()));
      },
      grid);
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
bool fits_32_bits(const Model& model, const Value& bias, const std::vector<ChannelGrid>& grids,
                  const Affine& input) {
  const std::vector<double> b = to_doubles(*fixed_constant(model, bias));
  for (std::size_t c = 0; c < b.size(); ++c) {
    const double scale = static_cast<double>(input.scale) * static_cast<double>(grids[c].scale);
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

}  // namespace

float pair_safe_scale(std::span<const float> channel) {
  constexpr double kPair = 128, kSingle = 127;
  std::array<double, 2> up{}, down{};  // the two largest of each sign
  for (const float v : channel) {
    std::array<double, 2>& top = v > 0 ? up : down;
    const auto size = std::abs(static_cast<double>(v));
    if (size > top[0]) {
      top = {size, top[0]};
    } else if (size > top[1]) {
      top[1] = size;
    }
  }
  const double absmax = std::max(up[0], down[0]);
  double scale = std::max({absmax / kSingle, (up[0] + up[1]) / kPair, (down[0] + down[1]) / kPair});
  if (scale == 0) return 1;
  // Each of the two may be rounded up.
  const auto fits = [&](const std::array<double, 2>& top, double s) {
    return std::nearbyint(top[0] / s) + std::nearbyint(top[1] / s) <= kPair;
  };
  while (!fits(up, scale) || !fits(down, scale)) scale *= 1 + 1.0 / 512;
  const auto result = static_cast<float>(scale);
  return std::isnormal(result) && std::isnormal(1 / result) ? result : 1;
}

std::optional<WeightSpot> weight_spot(const Model& model, const Node& node) {
  const auto w = node.input(1) ? fixed_constant(model, *node.input(1)) : std::nullopt;
  if (!w || w->dtype != DType::kFloat || w->rank() < 2 || w->size() == 0) return std::nullopt;
  WeightSpot spot;
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
  const std::vector<ChannelGrid> grids = channel_grids(weight, spot, options);
  for (const ChannelGrid& g : grids) grid.scale.push_back(g.scale);
  grid.codes = encode_channels(weight, grid.blocks, grids);
  return grid;
}

std::string quantize_node_weights(Model& model, const Node& node, const WeightSpot& spot, const Affine& input,
                                  std::span<const float> mean, const StaticOptions& options) {
  Graph& graph = *model.graph;
  const Value& source = *node.input(spot.input);
  const std::string stem = source.name();
  const Tensor weight = *fixed_constant(model, source);
  codec::Grid grid;
  grid.shape = weight.shape;
  grid.blocks = blocks_along(weight.shape, spot.axis);
  std::vector<ChannelGrid> grids = channel_grids(weight, spot, options);
  const std::size_t channels = grids.size();
  const Value* bias = options.target.integer_bias ? bias_of(model, node, channels) : nullptr;
  const bool wide = bits(options.target.activation) > 8;
  if (bias && wide && !fits_32_bits(model, *bias, grids, input)) bias = nullptr;  // it stays in float
  if (!bias && corrects(node, mean, options)) bias = add_bias(graph, node, channels);
  std::vector<double> codes;
  std::vector<float> bias_scales;
  if (bias) {
    const std::vector<float> b = to_floats(*fixed_constant(model, *bias));
    for (std::size_t c = 0; c < channels; ++c) {
      const double needed =
          std::abs(static_cast<double>(b[c])) / kLargestBias / static_cast<double>(input.scale);
      grids[c].scale = std::max(grids[c].scale, static_cast<float>(needed));
      bias_scales.push_back(input.scale * grids[c].scale);
    }
  }
  for (const ChannelGrid& g : grids) grid.scale.push_back(g.scale);
  grid.codes = encode_channels(weight, grid.blocks, grids);
  const std::string rounded = round_by_inputs(node, spot, weight, grids, options, grid);
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
  if (source.initializer() && source.uses().empty() && !source.is_input()) graph.erase_initializer(source);
  if (bias) {
    const Dims shape{static_cast<std::int64_t>(channels)};
    const std::string of_bias = bias->name();
    const Value* q = graph.add_initializer(graph.fresh_name(of_bias + ".q"),
                                           Tensor::of(DType::kInt32, shape, std::span<const double>(codes)));
    const Value* s = graph.add_initializer(graph.fresh_name(of_bias + ".scale"),
                                           Tensor::of(shape, std::span<const float>(bias_scales)));
    NodeSpec spec{
        .op = "DequantizeLinear", .inputs = {q, s}, .outputs = {graph.fresh_name(of_bias + ".dequantize")}};
    spec.name = of_bias + ".dequantize";
    spec.attributes.emplace_back("axis", std::int64_t{0});
    graph.set_input(node, 2, graph.add_node(std::move(spec), &node).output(0));
    if (bias->initializer() && bias->uses().empty() && !bias->is_input()) graph.erase_initializer(*bias);
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
