// layer_options: the same declarations, read once more for single layers.
#include "passes/quantize/layer_options.h"

#include <algorithm>

#include "compressor/base/error.h"

namespace compressor {
namespace quantize {
namespace {

bool has(const LayerSettings::Settings& settings, const std::string& option) {
  return std::any_of(settings.begin(), settings.end(), [&](const auto& s) { return s.first == option; });
}

std::unique_ptr<Quantize> with(const Quantize& q, const LayerSettings::Settings& settings) {
  auto own = std::make_unique<Quantize>();
  const Quantize fresh;
  for (std::size_t i = 0; i < q.options().size(); ++i) own->options()[i]->inherit(*q.options()[i]);
  own->mode.inherit(fresh.mode);
  if (has(settings, q.bits.name())) own->type.inherit(fresh.type);
  if (has(settings, q.type.name())) own->bits.inherit(fresh.bits);
  if (has(settings, q.symmetric.name()) || has(settings, q.asymmetric.name()) ||
      has(settings, q.clip.name())) {
    own->symmetric.inherit(fresh.symmetric);
    own->asymmetric.inherit(fresh.asymmetric);
  }
  if (has(settings, q.symmetric.name()) && *q.clip == "hqq") own->clip.inherit(fresh.clip);
  for (const auto& [option, value] : settings) {
    if (option != "exclude") own->find_option(option)->parse(value);
  }
  return own;
}

}  // namespace

void check_layers(const Quantize& q, const LayerSettings& layers, const std::string& mode) {
  layers.each([&](const std::string& where, const LayerSettings::Settings& settings) {
    for (const auto& [option, value] : settings) {
      const bool goes = mode == "weight-only" || option == "exclude" ||
                        (mode == "static" && option == q.clip.name() && value != "hqq");
      if (!goes) throw Error::usage("{}: '{}: {}' does not go with mode {}", where, option, value, mode);
    }
    try {
      const auto own = with(q, settings);
      if (mode == "weight-only") own->check();
    } catch (const Error& e) {
      throw Error::usage("{}: {}", where, e.what());
    }
  });
}

std::unique_ptr<Quantize> own_options(const Quantize& q, const LayerSettings& layers, const Node& node) {
  const LayerSettings::Settings* settings = layers.of(node);
  return settings ? with(q, *settings) : nullptr;
}

StaticOptions with_clip(const StaticOptions& options, const LayerSettings& layers, const Node& node) {
  StaticOptions own = options;
  const LayerSettings::Settings* settings = layers.of(node);
  if (!settings) return own;
  for (const auto& [option, value] : *settings) {
    if (option == "clip") own.weight_clip = value == "mse" ? Clip::kMse : Clip::kMinMax;
  }
  return own;
}

}  // namespace quantize

std::vector<std::string> Quantize::layer_options() const {
  return {bits.name(),      type.name(),       granularity.name(), group_size.name(),
          symmetric.name(), asymmetric.name(), clip.name(),        storage.name()};
}

}  // namespace compressor
