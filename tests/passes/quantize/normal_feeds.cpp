// normal_feeds: all numbers of a list come from one stream.
#include "passes/quantize/normal_feeds.h"

#include "compressor/base/random.h"

namespace compressor::quantize {

std::vector<Executor::Feeds> normal_feeds(const Model& model, std::size_t count, std::uint64_t seed) {
  Random random(seed);
  std::vector<Executor::Feeds> list(count);
  const Value& x = *model.graph->inputs()[0];
  for (Executor::Feeds& feeds : list) {
    Dims dims;
    for (const Dim& d : x.type().dims) dims.push_back(d.known() ? d.value : 2);
    std::vector<float> values(num_elements(dims));
    for (float& v : values) v = static_cast<float>(random.normal());
    feeds[x.name()] = {Tensor::of(dims, std::span<const float>(values))};
  }
  return list;
}

Samples samples_of(const std::vector<Executor::Feeds>& list) {
  return [&list](const std::function<void(const Executor::Feeds&)>& visit) {
    for (const Executor::Feeds& feeds : list) visit(feeds);
  };
}

}  // namespace compressor::quantize
