// drop_bounds: by the option, by norms, or by the largest number that the data shows.
#include "passes/quantize/channels/drop_bounds.h"

#include <algorithm>
#include <map>
#include <optional>

#include "passes/quantize/channels/clip_to_relu.h"
#include "passes/quantize/pass_samples.h"

namespace compressor::quantize {
namespace {

/// What a Clip's bound stops: factors, and what channels always hold.
bool wants_relus(const Quantize& q) {
  return (*q.equalize != "none" || *q.absorb_bias) && *q.relu6 != "keep";
}

}  // namespace

void drop_bounds(const Quantize& q, Model& model, PassContext& context) {
  if (wants_relus(q) && *q.relu6 == "replace") clips_to_relus(model, {}, context);
}

void drop_far_bounds(const Quantize& q, Model& model, const Moments* moments, PassContext& context) {
  if (!wants_relus(q) || *q.relu6 == "replace") return;
  std::map<std::string, float> largest;
  if (!moments) largest = see_largest(model, context.filter, samples_of(context, "looking at bounds"));
  const auto reaches = [&](const Value& v) -> std::optional<float> {
    if (moments) {
      const auto m = moments->find(v.name());
      if (m == moments->end()) return std::nullopt;
      return static_cast<float>(*std::max_element(m->second.high.begin(), m->second.high.end()));
    }
    const auto seen = largest.find(v.name());
    return seen == largest.end() ? std::nullopt : std::optional(seen->second);
  };
  clips_to_relus(model, reaches, context);
}

}  // namespace compressor::quantize
