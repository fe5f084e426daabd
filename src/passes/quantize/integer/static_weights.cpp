// static_weights: the weight and the bias of a convolution or product whose input has a scale.
//
//   W  ==>  int8 -> DequantizeLinear(s_w by channel)
//   b  ==>  int32 -> DequantizeLinear(s_x s_w by channel)      b' = round(b / (s_x s_w))
//
// A bias that does not fit 32 bits (a channel of next to no weights) widens s_w until it does. Nodes that
// read one weight on one grid read one set of codes, each through a DequantizeLinear of its own: runtimes
// look for one there.
#include "passes/quantize/integer/static_weights.h"

#include <algorithm>
#include <cmath>

#include "compressor/base/error.h"
#include "compressor/codec/storage.h"
#include "passes/quantize/grid/fit.h"
#include "passes/quantize/integer/channel_codes.h"
#include "passes/quantize/rounding/static_rounding.h"

namespace compressor::quantize {
namespace {

constexpr double kLargestBias = 1 << 30;

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

double snr_db(const Tensor& exact, const Tensor& rounded) {
  const std::vector<float> before = to_floats(exact), after = to_floats(rounded);
  double signal = 0, noise = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    signal += static_cast<double>(before[i]) * static_cast<double>(before[i]);
    noise += std::pow(static_cast<double>(before[i]) - static_cast<double>(after[i]), 2);
  }
  return noise > 0 ? 10 * std::log10(signal / noise) : INFINITY;
}

/// One more node that decodes what `decoder` does, in front of `reader`.
const Value& read_again(const Node& decoder, Graph& graph, const Node& reader) {
  NodeSpec spec{.op = decoder.op(), .inputs = {decoder.inputs().begin(), decoder.inputs().end()}};
  spec.outputs = {graph.fresh_name(decoder.output(0)->name())};
  spec.name = spec.outputs[0];
  for (const Attribute& a : decoder.attributes()) spec.attributes.push_back(copy_plain(a));
  return *graph.add_node(std::move(spec), &reader).output(0);
}

}  // namespace

void drop_if_unread(Model& model, const Value& constant) {
  if (!constant.uses().empty() || constant.is_input() || constant.is_graph_output()) return;
  Graph& graph = model.changeable(constant.graph());
  if (constant.initializer()) return graph.erase_initializer(constant);
  if (constant.producer() && constant.producer()->is("Constant")) graph.erase(*constant.producer());
}

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
  return ChannelCodes(weight, spot, options).grid();
}

std::string WeightQuantizer::quantize(const Node& node, const WeightSpot& spot, const Affine& input,
                                      std::span<const float> mean, const StaticOptions& options) {
  const std::string stem = node.input(spot.input)->name();
  const Tensor weight = *fixed_constant(model_, *node.input(spot.input));
  ChannelCodes by_channel(weight, spot, options);
  const std::size_t channels = by_channel.size();
  const Value* bias = options.target.integer_bias ? bias_of(model_, node, channels) : nullptr;
  if (!bias && corrects(node, mean, options))
    bias = add_bias(model_.changeable(node.graph()), node, channels);
  if (bias) {
    const std::vector<float> b = to_floats(*fixed_constant(model_, *bias));
    for (std::size_t c = 0; c < channels; ++c) {
      const double needed =
          std::abs(static_cast<double>(b[c])) / kLargestBias / static_cast<double>(input.scale);
      by_channel.widen(c, static_cast<float>(needed));
    }
  }
  const Stored& stored = store(node, spot, weight, by_channel, options);
  if (bias) {
    const std::vector<double> shift =
        mean_shift(node, weight, to_floats(codec::decode(stored.grid)), mean, channels);
    quantize_bias(node, *bias, stored.grid.scale, input, shift);
  }
  return fmt::format("weight '{}': {}{}", stem, stored.text, bias ? ", bias int32" : "");
}

/// Puts a weight on its grid: a new one, or that which another node of the graph reads already.
const WeightQuantizer::Stored& WeightQuantizer::store(const Node& node, const WeightSpot& spot,
                                                      const Tensor& weight, const ChannelCodes& by_channel,
                                                      const StaticOptions& options) {
  Graph& graph = model_.changeable(node.graph());
  const Value& source = *node.input(spot.input);
  // ONNX Runtime finds its integer Gemm only where the weight's zero points are said, although they are 0.
  const bool says_zeros = node.is("Gemm");
  std::vector<Stored>& known = stored_[{&graph, source.name()}];
  for (const Stored& s : known) {
    if (s.spot != spot || s.clip != options.weight_clip || s.starts != by_channel.scales() ||
        s.grid.zero.empty() == says_zeros)
      continue;
    graph.set_input(node, spot.input, &read_again(*s.decoded, graph, node));
    drop_if_unread(model_, source);
    return s;
  }
  Stored s{
      .spot = spot, .clip = options.weight_clip, .starts = by_channel.scales(), .grid = by_channel.grid()};
  const std::string rounded = round_by_inputs(node, weight, by_channel, options, s.grid);
  if (says_zeros) s.grid.zero.assign(by_channel.size(), 0);
  s.text = fmt::format("int8, {} scale{}, SNR {:.1f} dB{}", by_channel.size(),
                       by_channel.size() == 1 ? "" : "s", snr_db(weight, codec::decode(s.grid)), rounded);
  const codec::Place place{.graph = graph, .before = &node};
  s.decoded = codec::lower(place, s.grid, codec::Storage::kQdq, source.name()).producer();
  graph.set_input(node, spot.input, s.decoded->output(0));
  drop_if_unread(model_, source);
  known.push_back(std::move(s));
  return known.back();
}

/// int32 at the scale of input times weight. Several nodes may read one bias: each gets its own, at its
/// input's scale, and a name of its own.
void WeightQuantizer::quantize_bias(const Node& node, const Value& bias, std::span<const float> weight_scales,
                                    const Affine& input, std::span<const double> shift) {
  Graph& graph = model_.changeable(node.graph());
  const std::vector<float> b = to_floats(*fixed_constant(model_, bias));
  std::vector<double> codes;
  std::vector<float> scales;
  for (std::size_t c = 0; c < b.size(); ++c) {
    scales.push_back(input.scale * weight_scales[c]);
    const double corrected = static_cast<double>(b[c]) - shift[c];
    codes.push_back(
        std::clamp(std::nearbyint(corrected / static_cast<double>(scales[c])), -kLargestBias, kLargestBias));
  }
  const Dims shape{static_cast<std::int64_t>(b.size())};
  const Value* q = graph.add_initializer(graph.fresh_name(bias.name() + ".q"),
                                         Tensor::of(DType::kInt32, shape, std::span<const double>(codes)));
  const Value* s = graph.add_initializer(graph.fresh_name(bias.name() + ".scale"),
                                         Tensor::of(shape, std::span<const float>(scales)));
  const std::string decoded = graph.fresh_name(bias.name() + ".dequantize");
  NodeSpec spec{.op = "DequantizeLinear", .inputs = {q, s}, .outputs = {decoded}};
  spec.name = decoded;
  spec.attributes.emplace_back("axis", std::int64_t{0});
  graph.set_input(node, 2, graph.add_node(std::move(spec), &node).output(0));
  drop_if_unread(model_, bias);
}

}  // namespace compressor::quantize
