// measured_layers: divides layers into stages and gathers the second moments of each in a pass of its own.
#include "passes/quantize/rounding/measured_layers.h"

#include <algorithm>

#include "compressor/base/error.h"
#include "passes/quantize/rounding/shrinkage.h"

namespace compressor::quantize {
namespace {

constexpr std::uint64_t kUsual = std::uint64_t{1} << 30U;  ///< bytes held where nothing else is said
constexpr std::uint64_t kLargest = std::uint64_t{1}
                                   << 30U;  ///< of one moment; factoring it takes five times that

/// Of a sample: neighbours are alike, and other samples show others.
constexpr std::int64_t kPlaces = 128;

/// "" and the view, or why the weight's inputs cannot be measured.
std::string view_of(const prune::PrunableWeight& weight, std::optional<LayerView>& view) {
  if (weight.tensor.dtype != DType::kFloat) return fmt::format("is {}", name(weight.tensor.dtype));
  for (const prune::Reader& reader : weight.readers) {
    const Node& node = *reader.node;
    const bool layer = node.is("Conv") || node.is("Gemm") || node.is("MatMul");
    if (!layer || reader.input != 1) return fmt::format("is read by {}", node.op());
    if (node.input(1) != weight.source) return "is read through another node";
    const auto here = layer_view(node, weight.tensor.shape);
    if (!here) return fmt::format("of shape {} has no rows", to_string(weight.tensor.shape));
    if (view && *view != *here) return "is read along different axes";
    view = here;
  }
  return view ? "" : "is read by no layer";
}

}  // namespace

MeasuredLayers::MeasuredLayers(const Model& model, const std::vector<const prune::PrunableWeight*>& weights,
                               Samples samples, const MeasureOptions& options)
    : model_(model.clone()), samples_(std::move(samples)) {
  for (const Node* node : model_.node_list()) nodes_[node->id()] = node;
  std::vector<Wish> wishes;
  const std::uint64_t limit = options.max_memory != 0 ? options.max_memory : kUsual;
  for (const prune::PrunableWeight* weight : weights) {
    std::optional<LayerView> view;
    std::string why = view_of(*weight, view);
    if (why.empty()) {
      const std::uint64_t bytes = std::uint64_t{view->groups} * view->columns * view->columns * sizeof(float);
      if (bytes <= std::min(limit, kLargest)) {
        Wish wish{weight, *view, {}, bytes};
        for (const prune::Reader& reader : weight->readers) wish.readers.insert(reader.node->id());
        wishes.push_back(std::move(wish));
        continue;
      }
      why = fmt::format("has inputs whose second moment takes {} MB", bytes >> 20U);
    }
    refused_[weight] = why;
  }
  const auto stages = static_cast<std::size_t>(options.stages);
  const std::size_t count = (wishes.size() + stages - 1) / stages;
  std::uint64_t held = 0;
  for (Wish& wish : wishes) {
    if (stages_.empty() || held + wish.bytes > limit || stages_.back().size() >= count) {
      stages_.emplace_back();
      held = 0;
    }
    held += wish.bytes;
    stages_.back().push_back(std::move(wish));
  }
}

std::optional<MeasuredLayers::Layer> MeasuredLayers::of(const prune::PrunableWeight& weight,
                                                        std::string& why) {
  if (const auto refused = refused_.find(&weight); refused != refused_.end()) {
    why = refused->second;
    return std::nullopt;
  }
  while (!layers_.contains(&weight)) {
    CHECK(next_ < stages_.size(), "weight '{}' was not asked in order", weight.source->name());
    measure(stages_[next_++]);
  }
  const Layer& layer = layers_.at(&weight);
  if (layer.moment->columns == 0) {
    why = "is not reached by the data";
    return std::nullopt;
  }
  return layer;
}

void MeasuredLayers::measure(const std::vector<Wish>& stage) {
  layers_.clear();
  moments_.clear();
  StatisticsRequest request;
  request.places = kPlaces;
  for (const Wish& wish : stage) {
    for (const NodeId id : wish.readers) request.second_moments.push_back(nodes_.at(id));
  }
  Statistics seen = collect_statistics(model_, request, samples_);
  if (seen.batches == 0) throw Error::usage("calibration: the data holds no samples");
  ++passes_;
  for (const Wish& wish : stage) {
    SecondMoment& sum = moments_[wish.weight];
    for (const NodeId id : wish.readers) {
      SecondMoment& part = seen.moments.at(nodes_.at(id));
      if (sum.sums.empty()) {
        sum = std::move(part);
        continue;
      }
      sum.columns += part.columns;
      for (std::size_t i = 0; i < sum.sums.size(); ++i) sum.sums[i] += part.sums[i];
    }
    shrink_moment(sum);
    layers_[wish.weight] = {wish.view, &sum};
  }
}

/// The same weight in the copy; null where only other nodes' results are read.
const Value* MeasuredLayers::twin_of(const prune::PrunableWeight& weight) const {
  for (const prune::Reader& reader : weight.readers) {
    if (reader.node->input(reader.input) == weight.source)
      return nodes_.at(reader.node->id())->input(reader.input);
  }
  return weight.source->graph().parent() ? nullptr : model_.graph->find(weight.source->name());
}

void MeasuredLayers::replace(const prune::PrunableWeight& weight, Tensor value) {
  if (next_ == stages_.size()) return;  // nobody will measure any more
  const Value* twin = twin_of(weight);
  if (!twin) return;
  value.bytes = value.bytes.materialized();
  Graph& graph = model_.changeable(twin->graph());
  if (twin->initializer()) return graph.set_initializer(*twin, std::move(value));
  if (twin->producer() && twin->producer()->is("Constant"))
    graph.set_attribute(*twin->producer(), Attribute("value", std::move(value)));
}

}  // namespace compressor::quantize
