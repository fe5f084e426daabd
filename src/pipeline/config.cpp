// config: from a file to options.
#include "compressor/pipeline/config.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <set>

#include "compressor/base/error.h"
#include "compressor/base/suggest.h"

namespace compressor {
namespace {

constexpr const char* kLayers = "layers";
constexpr const char* kExclude = "exclude";

YAML::Node load(const std::string& path) {
  try {
    return YAML::LoadFile(path);
  } catch (const YAML::BadFile&) {
    throw Error::io("{}: cannot read the file that --config names", path);
  } catch (const YAML::Exception& e) {
    throw Error::usage("{}: is not a YAML or JSON file: {}", path, e.what());
  }
}

std::string place(const std::string& path, const YAML::Node& node) {
  return fmt::format("{}: line {}", path, node.Mark().line + 1);
}

Config::Setting setting_of(const std::string& name, const YAML::Node& value, const std::string& where) {
  Config::Setting s{.name = name, .values = {}, .is_list = value.IsSequence(), .where = where};
  if (value.IsScalar()) s.values = {value.as<std::string>()};
  for (std::size_t i = 0; s.is_list && i < value.size(); ++i) {
    if (!value[i].IsScalar()) throw Error::usage("{}: '{}' holds something that is no value", where, name);
    s.values.push_back(value[i].as<std::string>());
  }
  if (!value.IsScalar() && !s.is_list) throw Error::usage("{}: '{}' has no value", where, name);
  return s;
}

void give(const Config::Setting& s, OptionBase& option) {
  if (s.is_list && !option.is_list())
    throw Error::usage("{}: '{}' has a list, expected one value", s.where, s.name);
  for (const std::string& value : s.values) {
    try {
      option.parse(value);
    } catch (const Error& e) {
      throw Error::usage("{}: {}", s.where, e.what());
    }
  }
}

}  // namespace

Config read_config(const std::string& path) {
  Config config{.path = path, .settings = {}, .layers = {}};
  const YAML::Node root = load(path);
  if (root.IsNull()) return config;
  if (!root.IsMap()) throw Error::usage("{}: expected lines of 'option: value'", place(path, root));
  std::set<std::string> seen;
  for (const auto& item : root) {
    if (!item.first.IsScalar())
      throw Error::usage("{}: expected an option before the colon", place(path, item.first));
    const auto name = item.first.as<std::string>();
    const std::string where = place(path, item.first);
    if (!seen.insert(name).second) throw Error::usage("{}: '{}' is there twice", where, name);
    if (name == kLayers && !item.second.IsScalar()) {
      config.layers = LayerSettings::read(path, kLayers, "");
    } else {
      config.settings.push_back(setting_of(name, item.second, where));
    }
  }
  return config;
}

void check_layers(const LayerSettings& layers, const Pass& pass) {
  std::vector<std::string> known = pass.layer_options();
  known.emplace_back(kExclude);
  layers.check_options(known);
  layers.each([](const std::string& where, const LayerSettings::Settings& settings) {
    for (const auto& [option, value] : settings) {
      if (option != kExclude) continue;
      try {
        detail::parse_bool(option, value);
      } catch (const Error& e) {
        throw Error::usage("{}: {}", where, e.what());
      }
    }
  });
}

void choose_layers(PassContext& context, const NodeFilter& filter, const LayerSettings& layers,
                   const Model& model) {
  filter.check_against(model);
  layers.check_against(model);
  std::set<std::string> left_out;
  model.each_graph([&](const Graph& graph) {
    for (const Node& node : graph.nodes()) {
      const LayerSettings::Settings* own = layers.of(node);
      if (!own) continue;
      for (const auto& [option, value] : *own) {
        if (option == kExclude && detail::parse_bool(option, value)) left_out.insert(node.label());
      }
    }
  });
  context.filter = filter.without(std::move(left_out));
  context.layers = layers;
}

void apply_config(const Config& config, const Options& options, const std::vector<std::string>& refused) {
  for (const Config::Setting& s : config.settings) {
    OptionBase* option = options.find_option(s.name);
    const bool may = option && !option->is_positional() &&
                     std::find(refused.begin(), refused.end(), s.name) == refused.end();
    if (!may) {
      std::vector<std::string> names{kLayers};
      for (const OptionBase* o : options.options()) {
        if (!o->is_positional() && std::find(refused.begin(), refused.end(), o->name()) == refused.end())
          names.push_back(o->name());
      }
      throw Error::usage("{}: {} '{}'{}", s.where, option ? "cannot set" : "unknown option", s.name,
                         option ? "" : did_you_mean(s.name, names));
    }
    if (!option->is_set()) give(s, *option);
  }
}

}  // namespace compressor
