// sensitivity: two trials a layer, and their order.
#include "compressor/pipeline/sensitivity.h"

#include <algorithm>

namespace compressor {
namespace {

/// Larger is worse. Kept out of a changed model, a layer is the worse the less is lost without it.
std::pair<double, double> damage_of(const LayerSensitivity& s, const Yardstick& yardstick) {
  const double sign = s.alone ? 1 : -1;
  const std::optional<Reading>& reading = s.alone ? s.alone : s.kept;
  if (!reading) return {0, 0};
  // That a few samples got better by chance makes no layer less sensitive than one that does nothing.
  const double drop = reading->metrics.empty() ? 0 : std::max(0.0, yardstick.drop(*reading));
  return {sign * drop, sign * reading->noise};
}

}  // namespace

std::vector<LayerSensitivity> measure_sensitivity(Trials& trials, const Yardstick& yardstick,
                                                  const SensitivityOptions& options) {
  std::vector<LayerSensitivity> result;
  const auto total = static_cast<double>(trials.layers().size());
  for (const TrialLayer& layer : trials.layers()) {
    if (options.progress) options.progress(layer.node, static_cast<double>(result.size()) / total);
    LayerSensitivity s{.layer = layer, .alone = {}, .kept = {}};
    if (options.alone) {
      if (const auto trial = trials.only({layer.node})) s.alone = yardstick.read(trial->model);
    }
    if (options.kept && trials.layers().size() > 1) {
      if (const auto trial = trials.without({layer.node})) s.kept = yardstick.read(trial->model);
    }
    result.push_back(std::move(s));
  }
  return result;
}

void sort_by_damage(std::vector<LayerSensitivity>& layers, const Yardstick& yardstick) {
  std::stable_sort(layers.begin(), layers.end(), [&](const LayerSensitivity& a, const LayerSensitivity& b) {
    return damage_of(a, yardstick) > damage_of(b, yardstick);
  });
}

}  // namespace compressor
