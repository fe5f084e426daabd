// config: a file of options, by their names, for one command.
#pragma once

#include <string>
#include <vector>

#include "compressor/base/option.h"
#include "compressor/pass/layer_settings.h"
#include "compressor/pass/pass.h"

namespace compressor {

/// YAML or JSON: `option: value` (a list for options that may be given several times), and `layers:`, a map
/// `pattern: {option: value}` (see LayerSettings).
struct Config {
  struct Setting {
    std::string name;
    std::vector<std::string> values;
    bool is_list = false;
    std::string where;  ///< "file: line 3"
  };
  std::string path;
  std::vector<Setting> settings;
  LayerSettings layers;
};

/// Throws Error::io and Error::usage naming the file and the line.
Config read_config(const std::string& path);

/// Sets every option that is not set yet: what the command line says goes before the file. Throws
/// Error::usage for a name that is no option (with a suggestion), one of `refused`, and for a bad value.
void apply_config(const Config& config, const Options& options, const std::vector<std::string>& refused);

/// Throws Error::usage for settings that layers of the pass cannot have of their own.
void check_layers(const LayerSettings& layers, const Pass& pass);

/// Lays settings and filter into the context; layers with `exclude: true` are left out. Throws Error::usage
/// for patterns that match nothing in the model.
void choose_layers(PassContext& context, const NodeFilter& filter, const LayerSettings& layers,
                   const Model& model);

}  // namespace compressor
