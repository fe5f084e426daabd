// reestimate: measures a convolution's output on both sides, then moves its scales and its bias.
#include "passes/quantize/integer/reestimate.h"

#include <algorithm>
#include <cmath>

#include "compressor/base/error.h"
#include "compressor/rewrite/rewriter.h"

namespace compressor::quantize {
namespace {

constexpr double kMostStretched = 1.5;  ///< of a channel's deviation, up or down
constexpr double kLargestBias = 1 << 30;

struct ChannelNumbers {
  std::vector<double> mean, deviation;
};

ChannelNumbers numbers_of(const ValueStatistics& s) {
  ChannelNumbers n;
  for (std::size_t c = 0; c < s.channel_sum.size(); ++c) {
    const double mean = s.channel_sum[c] / s.channel_count;
    n.mean.push_back(mean);
    n.deviation.push_back(std::sqrt(std::max(0.0, s.channel_squares[c] / s.channel_count - mean * mean)));
  }
  return n;
}

/// The constants of a convolution whose weight and bias are decoded from whole numbers.
struct Stored {
  const Value *weight_scale = nullptr, *bias_codes = nullptr, *bias_scale = nullptr;
};

std::optional<Stored> stored_of(const Node& node) {
  const auto decoder = [&](std::size_t i) -> const Node* {
    const Node* n = node.input(i) ? node.input(i)->producer() : nullptr;
    const bool sole = n && n->is("DequantizeLinear") && n->output(0)->uses().size() == 1 && n->input(0) &&
                      n->input(0)->initializer() && n->input(1) && n->input(1)->initializer() &&
                      n->input(0)->uses().size() == 1 && n->input(1)->uses().size() == 1;
    return sole ? n : nullptr;
  };
  const Node *w = decoder(1), *b = decoder(2);
  if (!node.is("Conv") || !w || !b) return std::nullopt;
  const Stored s{w->input(1), b->input(0), b->input(1)};
  const bool alike = s.bias_codes->initializer()->dtype == DType::kInt32 &&
                     s.weight_scale->initializer()->size() == s.bias_scale->initializer()->size();
  return alike ? std::optional(s) : std::nullopt;
}

const Node* find(const Model& model, NodeId id) {
  const std::vector<const Node*> nodes = model.node_list();
  const auto it = std::find_if(nodes.begin(), nodes.end(), [&](const Node* n) { return n->id() == id; });
  return it == nodes.end() ? nullptr : *it;
}

/// The model up to what a node gives; all of it where the node is in a body.
Model up_to(const Model& model, const Node& node) {
  Model part = model.clone();
  if (node.graph().holder()) return part;
  const Value* y = find(part, node.id())->output(0);
  for (std::size_t i = 0; i < part.graph->outputs().size(); ++i) part.graph->set_output(i, *y);
  remove_dead(part);
  return part;
}

ChannelNumbers measure(const Model& model, NodeId id, const Samples& samples) {
  StatisticsRequest request;
  request.channels = true;
  request.bins = 4;
  const Value* y = find(model, id)->output(0);
  request.values = {y};
  return numbers_of(collect_statistics(model, request, samples).values.at(y));
}

void match(Model& model, const Stored& s, const ChannelNumbers& is, const ChannelNumbers& should) {
  std::vector<float> scale = to_floats(*s.weight_scale->initializer());
  std::vector<float> bias_scale = to_floats(*s.bias_scale->initializer());
  std::vector<double> bias = to_doubles(*s.bias_codes->initializer());
  for (std::size_t c = 0; c < scale.size(); ++c) {
    const bool lives = is.deviation[c] > 0 && should.deviation[c] > 0;
    const double r =
        lives ? std::clamp(should.deviation[c] / is.deviation[c], 1 / kMostStretched, kMostStretched) : 1;
    const double b = bias[c] * static_cast<double>(bias_scale[c]);
    const double moved = r * (b - is.mean[c]) + should.mean[c];
    scale[c] = static_cast<float>(static_cast<double>(scale[c]) * r);
    bias_scale[c] = static_cast<float>(static_cast<double>(bias_scale[c]) * r);
    bias[c] =
        std::clamp(std::nearbyint(moved / static_cast<double>(bias_scale[c])), -kLargestBias, kLargestBias);
  }
  const Dims shape = s.weight_scale->initializer()->shape;
  const Dims row = s.bias_scale->initializer()->shape;
  const auto set = [&](const Value& v, Tensor tensor) {
    model.changeable(v.graph()).set_initializer(v, std::move(tensor));
  };
  set(*s.weight_scale, Tensor::of(shape, std::span<const float>(scale)));
  set(*s.bias_scale, Tensor::of(row, std::span<const float>(bias_scale)));
  set(*s.bias_codes, Tensor::of(DType::kInt32, row, std::span<const double>(bias)));
}

}  // namespace

void reestimate(const Model& before, Model& after, const Samples& samples, PassContext& context) {
  StatisticsRequest request;
  request.channels = true;
  request.bins = 4;
  std::vector<std::pair<NodeId, const Value*>> layers;
  for (const Node* node : after.node_list()) {
    const Node* was = find(before, node->id());
    if (!stored_of(*node) || !was) continue;
    layers.emplace_back(node->id(), was->output(0));
    request.values.push_back(was->output(0));
  }
  if (layers.empty()) return context.note("no convolution to re-estimate: none has a quantized bias");
  const Statistics should = collect_statistics(before, request, samples);
  std::int64_t done = 0;
  std::int64_t matched = 0;
  for (const auto& [id, value] : layers) {
    const Node& node = *find(after, id);
    const ChannelNumbers target = numbers_of(should.values.at(value));
    const Stored s = *stored_of(node);
    if (target.mean.size() != s.weight_scale->initializer()->size()) continue;
    match(after, s, measure(up_to(after, node), id, samples), target);
    ++matched;
    if (context.progress)
      context.progress("re-estimating", static_cast<double>(++done) / static_cast<double>(layers.size()));
  }
  context.note(fmt::format("mean and deviation of {} convolutions were matched to those in float", matched));
}

}  // namespace compressor::quantize
