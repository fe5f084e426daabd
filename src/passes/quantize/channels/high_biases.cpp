// high_biases: pattern by pattern along the graph.
#include "passes/quantize/channels/high_biases.h"

#include <algorithm>
#include <cmath>

#include "compressor/base/error.h"
#include "compressor/ops/facts.h"
#include "passes/quantize/channels/clip_to_relu.h"

namespace compressor::quantize {
namespace {

constexpr double kDeviations = 3;
constexpr double kWorthIt = 1e-3;  ///< of the channels' widest reach

bool is_gemm(const Node& node) {
  return node.is("Gemm") && node.int_or("transA", 0) == 0 && node.float_or("alpha", 1) == 1 &&
         node.float_or("beta", 1) == 1;
}

bool is_relu(const Model& model, const Node& node) {
  if (!node.domain().empty()) return false;
  if (node.is("Relu") || node.is("LeakyRelu")) return true;
  if (node.is("PRelu")) return node.input(1) && fixed_constant(model, *node.input(1));
  const auto bounds = clip_bounds(model, node);
  return bounds && bounds->low == 0;
}

/// The only reader of what a layer gives, where that is Relu or its like, bounded or not.
const Node* relu_behind(const Model& model, const Node& maker) {
  if (!maker.domain().empty() || !(maker.is("Conv") || maker.is("ConvTranspose") || is_gemm(maker)))
    return nullptr;
  const Value* z = maker.output(0);
  if (!z || z->uses().size() != 1) return nullptr;
  const Node* relu = z->uses()[0].node;
  const bool fits = relu && &relu->graph() == model.graph.get() && relu->input(0) == z &&
                    is_relu(model, *relu) && relu->output(0);
  return fits ? relu : nullptr;
}

class Absorber {
 public:
  Absorber(Model& model, const Levels& levels, Moments& moments, PassContext& context)
      : model_(model), levels_(levels), moments_(moments), context_(context) {}

  std::int64_t run() {
    for (const Node* node : model_.graph->node_list()) absorb(*node);
    return channels_;
  }

 private:
  std::optional<Tensor> constant(const Value* v) const {
    return v ? fixed_constant(model_, *v) : std::nullopt;
  }

  /// A bias of n numbers, or none yet.
  bool has_plain_bias(const Node& node, std::size_t n) const {
    if (!node.input(2)) return true;
    const auto b = constant(node.input(2));
    return b && b->dtype == DType::kFloat && b->size() == n && b->rank() > 0 &&
           b->shape.back() == static_cast<std::int64_t>(n);
  }

  static std::int64_t outputs_of(const Node& node, const Tensor& w) {
    if (node.is("Conv")) return w.shape[0];
    if (node.is("ConvTranspose")) return w.shape[1] * std::max<std::int64_t>(1, node.int_or("group", 1));
    return w.shape[node.int_or("transB", 0) != 0 ? 0 : 1];
  }

  static bool pads(const Node& node) {
    const std::vector<std::int64_t> list = node.ints_or("pads", {});
    const std::string automatic = node.string_or("auto_pad", "NOTSET");
    return (automatic != "NOTSET" && automatic != "VALID") ||
           std::any_of(list.begin(), list.end(), [](std::int64_t p) { return p != 0; });
  }

  /// Why a node that reads `y` cannot take what its n channels always hold; empty when it can.
  std::string refusal(const Use& use, std::size_t n) const {
    if (!use.node) return "an output of the model";
    const Node& node = *use.node;
    const std::string name = fmt::format("'{}' ({})", node.label(), node.op());
    if (&node.graph() != model_.graph.get()) return fmt::format("{} reads it in a body", name);
    if (!node.domain().empty() || (!node.is("Conv") && !is_gemm(node)) || use.index != 0)
      return fmt::format("{} reads it", name);
    const auto w = constant(node.input(1));
    if (!w || w->dtype != DType::kFloat || w->rank() < 2 || !context_.filter.matches(node))
      return fmt::format("the weight of {} is not to change", name);
    if (node.is("Conv") && pads(node)) return fmt::format("{} pads it with zeros", name);
    const bool columns = node.is("Gemm") && node.int_or("transB", 0) != 0;
    const std::int64_t inputs = node.is("Gemm")
                                    ? w->shape[columns ? 1 : 0]
                                    : w->shape[1] * std::max<std::int64_t>(1, node.int_or("group", 1));
    if (inputs != static_cast<std::int64_t>(n)) return fmt::format("{} has other channels", name);
    if (!has_plain_bias(node, static_cast<std::size_t>(outputs_of(node, *w))))
      return fmt::format("the bias of {} is no constant for every channel", name);
    return "";
  }

  void absorb(const Node& maker) {
    const Node* relu = relu_behind(model_, maker);
    if (!relu) return;
    const auto known = levels_.find(maker.output(0)->name());
    if (known == levels_.end()) return;
    std::vector<double> c = known->second.least;
    for (double& v : c) v = v > kWorthIt * known->second.reach ? v : 0;
    const auto high = std::count_if(c.begin(), c.end(), [](double v) { return v > 0; });
    if (high == 0) return;
    const auto w = constant(maker.input(1));
    std::string why;
    if (const auto bounds = clip_bounds(model_, *relu); bounds && bounds->has_high())
      why = fmt::format("'{}' ({}) is bounded by {:.3g}", relu->label(), relu->op(), bounds->high);
    if (!w || !context_.filter.matches(maker) ||
        outputs_of(maker, *w) != static_cast<std::int64_t>(c.size()) || !has_plain_bias(maker, c.size()))
      why = "its bias is not to change";
    const std::vector<Use> uses(relu->output(0)->uses().begin(), relu->output(0)->uses().end());
    for (const Use& use : uses) {
      if (why.empty()) why = refusal(use, c.size());
    }
    if (!why.empty()) {
      context_.done(maker, "bias not absorbed",
                    fmt::format("{} of {} channels are high: {}", high, c.size(), why));
      return;
    }
    std::vector<double> less;
    for (const double v : c) less.push_back(-v);
    add_to_bias(maker, less);
    for (const Use& use : uses) add_to_bias(*use.node, through(*use.node, c));
    if (const auto m = moments_.find(maker.output(0)->name()); m != moments_.end())
      shift(m->second, less, false);
    if (const auto y = moments_.find(relu->output(0)->name()); y != moments_.end())
      shift(y->second, less, true);
    context_.done(maker, "bias absorbed",
                  fmt::format("{} of {} channels, up to {:.3g} of {:.3g}", high, c.size(),
                              *std::max_element(c.begin(), c.end()), known->second.reach));
    channels_ += high;
  }

  /// W c, summed over the taps.
  std::vector<double> through(const Node& node, const std::vector<double>& c) const {
    const Tensor w = *constant(node.input(1));
    const std::vector<float> values = to_floats(w);
    std::vector<double> sum(static_cast<std::size_t>(outputs_of(node, w)));
    if (node.is("Gemm")) {
      const bool rows = node.int_or("transB", 0) != 0;
      const auto width = static_cast<std::size_t>(w.shape[1]);
      for (std::size_t at = 0; at < values.size(); ++at) {
        const std::size_t i = rows ? at % width : at / width, o = rows ? at / width : at % width;
        sum[o] += static_cast<double>(values[at]) * c[i];
      }
      return sum;
    }
    const auto per_group = static_cast<std::size_t>(w.shape[1]);
    const std::size_t groups = c.size() / per_group, row = values.size() / sum.size();
    for (std::size_t at = 0; at < values.size(); ++at) {
      const std::size_t o = at / row, group = o / (sum.size() / groups);
      const std::size_t i = group * per_group + at % row / (row / per_group);
      sum[o] += static_cast<double>(values[at]) * c[i];
    }
    return sum;
  }

  void add_to_bias(const Node& node, const std::vector<double>& by) {
    Graph& graph = *model_.graph;
    const Value* old = node.input(2);
    Dims shape{static_cast<std::int64_t>(by.size())};
    std::vector<float> values(by.size());
    if (old) {
      const Tensor b = *constant(old);
      shape = b.shape;
      values = to_floats(b);
    }
    for (std::size_t i = 0; i < by.size(); ++i)
      values[i] = static_cast<float>(static_cast<double>(values[i]) + by[i]);
    Tensor bias = Tensor::of(shape, std::span<const float>(values));
    if (old && old->initializer() && old->uses().size() == 1 && !old->is_input())
      return graph.set_initializer(*old, std::move(bias));
    const Value& made = *graph.add_initializer(
        graph.fresh_name(old ? old->name() : node.output(0)->name() + "_bias"), std::move(bias));
    if (old) return graph.set_input(node, 2, &made);
    graph.set_inputs(node, {node.input(0), node.input(1), &made});
  }

  static void shift(ChannelMoments& m, const std::vector<double>& by, bool at_least_0) {
    for (std::size_t i = 0; i < by.size(); ++i) {
      m.mean[i] += by[i];
      m.low[i] += by[i];
      m.high[i] += by[i];
      if (at_least_0 && by[i] != 0) m.low[i] = std::max(0.0, m.low[i]);
    }
  }

  Model& model_;
  const Levels& levels_;
  Moments& moments_;
  PassContext& context_;
  std::int64_t channels_ = 0;
};

}  // namespace

Levels levels_of(const Moments& moments) {
  Levels levels;
  for (const auto& [name, m] : moments) {
    if (m.axis != 1) continue;
    ChannelLevels& l = levels[name];
    for (std::size_t c = 0; c < m.mean.size(); ++c) {
      l.least.push_back(m.mean[c] - kDeviations * std::sqrt(m.variance[c]));
      l.reach = std::max({l.reach, std::abs(m.low[c]), std::abs(m.high[c])});
    }
  }
  return levels;
}

Levels see_levels(const Model& model, const NodeFilter& filter, const Samples& samples) {
  StatisticsRequest request;
  request.channels = true;
  request.bins = 4;
  for (const Node& node : model.graph->nodes()) {
    if (filter.matches(node) && relu_behind(model, node)) request.values.push_back(node.output(0));
  }
  Levels levels;
  if (request.values.empty()) return levels;
  for (const auto& [value, s] : collect_statistics(model, request, samples).values) {
    if (s.channel_min.empty()) continue;
    ChannelLevels& l = levels[value->name()];
    const double n = std::max(1.0, s.channel_count);
    for (std::size_t c = 0; c < s.channel_min.size(); ++c) {
      const double mean = s.channel_sum[c] / n;
      const double deviation = std::sqrt(std::max(0.0, s.channel_squares[c] / n - mean * mean));
      const auto least = static_cast<double>(s.channel_min[c]), most = static_cast<double>(s.channel_max[c]);
      l.least.push_back(std::min(least, mean - kDeviations * deviation));
      l.reach = std::max({l.reach, std::abs(least), std::abs(most)});
    }
  }
  return levels;
}

std::int64_t absorb_high_biases(Model& model, const Levels& levels, Moments& moments, PassContext& context) {
  return Absorber(model, levels, moments, context).run();
}

}  // namespace compressor::quantize
