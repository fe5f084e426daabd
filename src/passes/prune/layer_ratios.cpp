// layer_ratios: read and match.
#include "passes/prune/layer_ratios.h"

#include "compressor/base/error.h"
#include "compressor/base/option.h"

namespace compressor::prune {
namespace {

constexpr const char* kRatio = "ratio";
constexpr Range kRange{.low = 0, .high = 1, .open_high = true};

}  // namespace

LayerRatios::LayerRatios(const std::string& path, const LayerSettings& settings)
    : settings_(path.empty() ? settings : LayerSettings::read(path, "", kRatio)) {
  settings_.check_options({kRatio, "exclude"});
  settings_.each([](const std::string& where, const LayerSettings::Settings& own) {
    for (const auto& [option, value] : own) {
      if (option != kRatio) continue;
      try {
        detail::parse_number(option, value, kRange);
      } catch (const Error&) {
        throw Error::usage("{} has ratio '{}', expected a number in [0, 1)", where, value);
      }
    }
  });
}

std::optional<double> LayerRatios::of(const Node& node) const {
  const LayerSettings::Settings* own = settings_.of(node);
  if (!own) return std::nullopt;
  for (const auto& [option, value] : *own) {
    if (option == kRatio) return detail::parse_number(option, value, kRange);
  }
  return std::nullopt;
}

}  // namespace compressor::prune
