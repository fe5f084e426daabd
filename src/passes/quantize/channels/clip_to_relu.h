// clip_to_relu: Clip(0, 6) as Relu, through which factors pass.
#pragma once

#include <functional>
#include <optional>

#include "compressor/pass/pass.h"

namespace compressor::quantize {

struct ClipBounds {
  float low = -3.4e38F, high = 3.4e38F;
  bool has_high() const { return high < 3.4e38F; }
  /// From 0 to nothing.
  bool is_relu() const { return low == 0 && !has_high(); }
};
/// Of a Clip whose bounds are attributes, constants or absent; nullopt for other nodes.
std::optional<ClipBounds> clip_bounds(const Model& model, const Node& node);

/// Clips from 0 to a bound, in the main graph, that the filter lets change.
std::vector<const Node*> bounded_relus(const Model& model, const NodeFilter& filter);

/// Makes Relu of each bounded_relus() whose bound may go: `reaches` gives the largest number that its input
/// is known to hold, nullopt where that is not known. Without `reaches` all of them, which changes what the
/// model computes above the bound (Nagel et al. 2019, 1906.04721, section 5.1.1, do so before equalisation).
/// Recorded in `context`, both ways.
std::int64_t clips_to_relus(Model& model, const std::function<std::optional<float>(const Value&)>& reaches,
                            PassContext& context);

}  // namespace compressor::quantize
