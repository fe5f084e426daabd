// awq: sets of channels in the order of the graph, a few at a time as memory allows; the search in each.
//
// With factors f on activations, W' = W f_out / f_in is what is rounded, and (Q(W') - W') f_in / f_out what
// the outputs miss in terms of the inputs as they were measured: second moments are gathered once.
#include "passes/quantize/channels/awq.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "compressor/base/error.h"
#include "passes/quantize/channels/prepare_channels.h"
#include "passes/quantize/channels/read_together.h"
#include "passes/quantize/rounding/output_error.h"
#include "passes/quantize/rounding/shrinkage.h"

namespace compressor::quantize {
namespace {

using Role = ScaledConstant::Role;

constexpr int kSteps = 20;                                 ///< of the exponent
constexpr double kWidest = 1e3;                            ///< a factor lies in [1 / kWidest, kWidest]
constexpr double kQuietest = 1e-4;                         ///< of the loudest channel
constexpr double kWorthIt = 0.99;                          ///< of the error that may be left
constexpr std::uint64_t kUsual = std::uint64_t{1} << 30U;  ///< bytes held where nothing else is said
constexpr std::int64_t kPlaces = 128;                      ///< of a sample that a second moment takes in

/// A weight that reads open channels and will be rounded.
struct Layer {
  const ScaledConstant* reads = nullptr;
  const ScaledConstant* makes =
      nullptr;  ///< the same constant as what makes channels; null where it does not
  LayerView view;
  codec::Blocks blocks;
  WeightOnlyOptions options;
  std::vector<float> weight;
  std::vector<float> magnitude;  ///< mean |x| by input channel
  double signal = 0;             ///< power of the outputs

  std::uint64_t moment_bytes() const {
    return std::uint64_t{view.groups} * view.columns * view.columns * sizeof(float);
  }
};

struct Choice {
  double exponent = 0;
  std::size_t layers = 0;        ///< that read the channels
  double before = 0, after = 0;  ///< error over power, summed over them
};

class Search {
 public:
  Search(Model& model, const Samples& samples, const StorageOf& storage_of, std::uint64_t max_memory,
         PassContext& context)
      : model_(model),
        samples_(samples),
        storage_of_(storage_of),
        limit_(max_memory == 0 ? kUsual : max_memory),
        context_(context),
        flow_(find_scale_flow(model, infer_facts(model), context.filter)),
        open_(open_classes(flow_)),
        factor_(flow_.classes, 1.0) {
    PassContext unheard;  // what cannot be quantized is said elsewhere
    weights_ = prune::find_prunable(model, {}, unheard);
    for (const prune::PrunableWeight& w : weights_) {
      for (const prune::Reader& reader : w.readers) {
        if (reader.input == 1) by_reader_[reader.node] = &w;
      }
    }
  }

  void run() {
    leave_shared();
    find_layers();
    std::vector<const ScaledConstant*> readers;
    for (const Layer& layer : layers_) readers.push_back(layer.reads);
    std::vector<std::vector<std::size_t>> sets = read_together(flow_, open_, readers);
    std::erase_if(sets, [&](const auto& set) { return layers_of(set).empty(); });
    for (std::size_t at = 0; at < sets.size();) at = stage(sets, at);
    report();
    apply_factors(model_, flow_, factor_);
  }

 private:
  std::vector<float> numbers(const ScaledConstant& c) const {
    return to_floats(*fixed_constant(model_, *c.node->input(c.input)));
  }

  void close(const ScaledConstant& c, const std::string& why) {
    for (const std::size_t k : c.classes) {
      open_[k] = false;
      if (flow_.fixed[k].empty()) flow_.fixed[k] = why;
    }
  }

  const ScaledConstant* maker(const ScaledConstant& reader) const {
    for (const ScaledConstant& c : flow_.constants) {
      if (c.node == reader.node && c.input == reader.input && c.role == Role::kMaker) return &c;
    }
    return nullptr;
  }

  /// Stored once, a shared weight cannot have the factors of one reader.
  void leave_shared() {
    for (const ScaledConstant& c : flow_.constants) {
      const auto w = by_reader_.find(c.node);
      if (w == by_reader_.end() || c.input != 1 || w->second->readers.size() < 2) continue;
      close(c, fmt::format("weight '{}' is read by {} nodes", w->second->source->name(),
                           w->second->readers.size()));
    }
  }

  /// A norm or a constant takes a factor and costs nothing; a weight must be measured.
  void find_layers() {
    const ChannelsSeen seen = see_channels(model_, context_.filter, samples_);
    for (const ScaledConstant& c : flow_.constants) {
      if (c.role != Role::kReader || !by_reader_.contains(c.node)) continue;
      const prune::PrunableWeight& w = *by_reader_.at(c.node);
      const auto view = layer_view(*c.node, w.tensor.shape);
      const Value* x = c.activation();
      const auto found = x ? seen.find(x->name()) : seen.end();
      if (w.readers.size() > 1) continue;
      if (!view || c.node->input(1) != w.source || w.tensor.dtype != DType::kFloat || found == seen.end() ||
          found->second.magnitude.size() != c.classes.size()) {
        close(c, fmt::format("what '{}' ({}) reads is not measured", c.node->label(), c.node->op()));
        continue;
      }
      Layer layer;
      layer.reads = &c;
      layer.makes = maker(c);
      layer.view = *view;
      layer.options = storage_of_(*c.node);
      if (layer.moment_bytes() > limit_) {
        close(c, fmt::format("the second moment of what '{}' reads takes {} MB", c.node->label(),
                             layer.moment_bytes() >> 20U));
        continue;
      }
      layer.blocks = blocks_of(w, layer.options.granularity, layer.options.group, layer.options.storage);
      layer.weight = numbers(c);
      layer.magnitude = found->second.magnitude;
      layers_.push_back(std::move(layer));
    }
  }

  std::vector<Layer*> layers_of(const std::vector<std::size_t>& set) {
    const std::set<std::size_t> members(set.begin(), set.end());
    std::vector<Layer*> list;
    for (Layer& layer : layers_) {
      const auto& k = layer.reads->classes;
      if (std::any_of(k.begin(), k.end(), [&](std::size_t i) { return members.contains(i); }))
        list.push_back(&layer);
    }
    return list;
  }

  /// Measures what the layers of as many sets take in as memory allows, from `first` on; the next set.
  std::size_t stage(const std::vector<std::vector<std::size_t>>& sets, std::size_t first) {
    std::uint64_t held = 0;
    std::size_t last = first;
    StatisticsRequest request;
    request.places = kPlaces;
    for (; last < sets.size(); ++last) {
      std::uint64_t bytes = 0;
      const std::vector<Layer*> layers = layers_of(sets[last]);
      for (const Layer* layer : layers) bytes += layer->moment_bytes();
      if (last > first && held + bytes > limit_) break;
      held += bytes;
      for (const Layer* layer : layers) request.second_moments.push_back(layer->reads->node);
    }
    Statistics seen = collect_statistics(model_, request, samples_);
    if (seen.batches == 0) throw Error::usage("calibration: the data holds no samples");
    moments_ = std::move(seen.moments);
    for (auto& [node, moment] : moments_) shrink_moment(moment);
    ++passes_;
    for (std::size_t i = first; i < last; ++i) search(sets[i]);
    moments_.clear();
    return last;
  }

  /// mean |x| of each class, over the layers that read it.
  std::vector<double> magnitudes(const std::vector<std::size_t>& set,
                                 const std::vector<Layer*>& layers) const {
    std::map<std::size_t, std::pair<double, double>> sums;
    for (const Layer* layer : layers) {
      for (std::size_t i = 0; i < layer->magnitude.size(); ++i) {
        auto& [sum, count] = sums[layer->reads->classes[i]];
        sum += static_cast<double>(layer->magnitude[i]);
        ++count;
      }
    }
    double loudest = 0;
    std::vector<double> list;
    for (const std::size_t k : set) {
      const auto& [sum, count] = sums[k];
      list.push_back(count > 0 ? sum / count : 0);
      loudest = std::max(loudest, list.back());
    }
    for (double& m : list) m = std::max(m, kQuietest * loudest);
    return list;
  }

  /// f = 1 / s with s = m^a / sqrt(max m^a min m^a).
  void set_factors(const std::vector<std::size_t>& set, const std::vector<double>& magnitude, double a) {
    const auto [low, high] = std::minmax_element(magnitude.begin(), magnitude.end());
    const double middle = std::sqrt(std::pow(*low, a) * std::pow(*high, a));
    for (std::size_t i = 0; i < set.size(); ++i) {
      const double s = *low > 0 ? std::pow(magnitude[i], a) / middle : 1;
      factor_[set[i]] = std::clamp(1 / s, 1 / kWidest, kWidest);
    }
  }

  void search(const std::vector<std::size_t>& set) {
    const std::vector<Layer*> layers = layers_of(set);
    const std::vector<double> magnitude = magnitudes(set, layers);
    if (context_.progress) context_.progress(layers.front()->reads->node->label(), 0);
    for (Layer* layer : layers)
      layer->signal = output_power(layer->view, moments_.at(layer->reads->node),
                                   [&](std::size_t at) { return layer->weight[at]; });
    Choice choice;
    choice.layers = layers.size();
    double least = HUGE_VAL;
    for (int i = 0; i <= kSteps; ++i) {
      const double a = static_cast<double>(i) / kSteps;
      set_factors(set, magnitude, a);
      double error = 0;
      for (const Layer* layer : layers) error += error_of(*layer);
      if (i == 0) choice.before = choice.after = error;
      if (i == 0) least = error * kWorthIt;
      if (!(error < least)) continue;
      least = choice.after = error;
      choice.exponent = a;
    }
    set_factors(set, magnitude, choice.exponent);
    for (const Layer* layer : layers) choices_[layer->reads->node] = choice;
  }

  /// Power that rounding takes from the outputs, over their power, under the present factors.
  double error_of(const Layer& layer) const {
    if (!(layer.signal > 0)) return 0;
    std::vector<float> scaled(layer.weight.size()), back(layer.weight.size());
    for (std::size_t at = 0; at < scaled.size(); ++at) {
      const double in = factor_[layer.reads->classes[layer.reads->channels.of(at)]];
      const double out = layer.makes ? factor_[layer.makes->classes[layer.makes->channels.of(at)]] : 1.0;
      back[at] = static_cast<float>(in / out);
      scaled[at] = static_cast<float>(static_cast<double>(layer.weight[at]) * out / in);
    }
    codec::Grid grid;
    grid.shape = {static_cast<std::int64_t>(scaled.size())};
    grid.code = layer.options.code;
    grid.blocks = layer.blocks;
    const Tensor weight = Tensor::of(grid.shape, std::span<const float>(scaled));
    const Fit found = fit(weight, layer.blocks, layer.options.fit);
    if (!found.finite) return HUGE_VAL;
    grid.scale = found.scale;
    grid.zero = found.zero;
    const CodeRange& codes = layer.options.fit.codes;
    grid.codes =
        codec::encode(weight, grid.blocks, grid.scale, grid.zero, {.low = codes.low, .high = codes.high});
    const std::vector<float> rounded = to_floats(codec::decode(grid));
    const double noise = output_power(layer.view, moments_.at(layer.reads->node),
                                      [&](std::size_t at) { return (rounded[at] - scaled[at]) * back[at]; });
    return noise / layer.signal;
  }

  std::string why_not(const Node& node) const {
    const Value* x = node.input(0);
    for (const ScaledConstant& c : flow_.constants) {
      if (c.node != &node || c.input != 1 || c.role != Role::kReader) continue;
      for (const std::size_t k : c.classes) {
        if (!open_[k] && !flow_.fixed[k].empty()) return flow_.fixed[k];
      }
      return fmt::format("nothing that makes '{}' can take a factor", x->name());
    }
    if (!x || !x->producer()) return "reads an input of the model, which takes no factor";
    return fmt::format("reads what '{}' ({}) gives, which takes no factor", x->producer()->label(),
                       x->producer()->op());
  }

  void report() {
    std::int64_t scaled = 0, rest = 0;
    for (const Node& node : model_.graph->nodes()) {
      if (!by_reader_.contains(&node) || !context_.filter.matches(node)) continue;
      const auto found = choices_.find(&node);
      if (found != choices_.end() && found->second.exponent > 0) {
        const Choice& c = found->second;
        ++scaled;
        context_.done(
            node, "scaled",
            fmt::format("by mean|x|^{:.2f}: rounding takes {:.3g} of the power of its outputs, {:.3g} "
                        "before ({})",
                        c.exponent, c.after, c.before,
                        c.layers == 1 ? "the only layer that reads them"
                                      : fmt::format("summed over {} layers", c.layers)));
        continue;
      }
      ++rest;
      context_.done(node, "not scaled", found != choices_.end() ? "nothing to gain" : why_not(node));
    }
    context_.note(
        fmt::format("awq: input channels of {} layers were scaled, of {} not; measured in {} pass{}", scaled,
                    rest, passes_, passes_ == 1 ? "" : "es"));
  }

  Model& model_;
  const Samples& samples_;
  const StorageOf& storage_of_;
  std::uint64_t limit_;
  PassContext& context_;
  ScaleFlow flow_;
  std::vector<bool> open_;
  std::vector<double> factor_;
  std::vector<prune::PrunableWeight> weights_;
  std::map<const Node*, const prune::PrunableWeight*> by_reader_;
  std::vector<Layer> layers_;
  std::map<const Node*, SecondMoment> moments_;
  std::map<const Node*, Choice> choices_;
  int passes_ = 0;
};

}  // namespace

void scale_for_weights(Model& model, const Samples& samples, const StorageOf& storage_of,
                       std::uint64_t max_memory, PassContext& context) {
  Search(model, samples, storage_of, max_memory, context).run();
}

}  // namespace compressor::quantize
