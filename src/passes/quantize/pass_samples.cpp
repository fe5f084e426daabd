// pass_samples: batches by name become feeds; numbers that are none are refused at the door.
#include "passes/quantize/pass_samples.h"

#include <algorithm>
#include <cmath>

#include "compressor/base/error.h"

namespace compressor::quantize {
namespace {

/// Numbers of the data that are none would spread through all that is measured.
void check_finite(const std::string& input, const Tensor& x) {
  if (x.dtype != DType::kFloat) return;
  const std::vector<float> values = to_floats(x);
  const auto odd = std::count_if(values.begin(), values.end(), [](float v) { return !std::isfinite(v); });
  if (odd > 0) throw Error::io("the data holds {} numbers that are not finite for input '{}'", odd, input);
}

}  // namespace

Samples samples_of(PassContext& context, const std::string& doing) {
  return [&context, doing](const std::function<void(const Executor::Feeds&)>& visit) {
    std::int64_t batches = 0;
    context.batches([&](const PassContext::Inputs& inputs) {
      Executor::Feeds feeds;
      for (const auto& [name, tensor] : inputs) {
        check_finite(name, tensor);
        feeds[name] = tensor;
      }
      feeds.carried = inputs.carried;
      visit(feeds);
      ++batches;
      if (context.progress) context.progress(fmt::format("{}, batch {}", doing, batches), 0);
    });
  };
}

Samples first_of(const Samples& samples, std::int64_t count) {
  auto held = std::make_shared<std::vector<Executor::Feeds>>();
  std::int64_t seen = 0;
  samples([&](const Executor::Feeds& feeds) {
    if (seen >= count || feeds.empty()) return;
    const Dims& shape = feeds.begin()->second.tensor.shape;
    seen += shape.empty() ? 1 : shape[0];
    held->push_back(feeds);
  });
  return [held](const std::function<void(const Executor::Feeds&)>& visit) {
    for (const Executor::Feeds& feeds : *held) visit(feeds);
  };
}

Look look_at(PassContext& context) {
  if (!context.batches) return {};
  return [&context](const Model& model) {
    return see_channels(model, context.filter, samples_of(context, "looking at channels"));
  };
}

}  // namespace compressor::quantize
