// sensitivity: what each layer costs when a pass changes it, and what it would give back if it were left.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "compressor/pipeline/trials.h"
#include "compressor/pipeline/yardstick.h"

namespace compressor {

struct LayerSensitivity {
  TrialLayer layer;
  std::optional<Reading> alone;  ///< this layer changed, all others as they were
  std::optional<Reading> kept;   ///< this layer as it was, all others changed; not where it is the only one
};

struct SensitivityOptions {
  bool alone = true, kept = true;
  std::function<void(const std::string& what, double share)> progress;
};

/// A reading for each layer of the trials, in their order.
std::vector<LayerSensitivity> measure_sensitivity(Trials& trials, const Yardstick& yardstick,
                                                  const SensitivityOptions& options);

/// Most damage first: by the drop of the first metric where there is one, and by noise among equals; by what
/// the layer does alone where that was measured, else by what keeping it gives back. Ties stay in order.
void sort_by_damage(std::vector<LayerSensitivity>& layers, const Yardstick& yardstick);

}  // namespace compressor
