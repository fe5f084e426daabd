// layer_settings: reads patterns with their options, and finds those that match a node.
#include "compressor/pass/layer_settings.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>

#include "compressor/base/error.h"
#include "compressor/base/suggest.h"

namespace compressor {
namespace {

YAML::Node load(const std::string& path) {
  try {
    return YAML::LoadFile(path);
  } catch (const YAML::BadFile&) {
    throw Error::io("{}: cannot read the file of settings by layer", path);
  } catch (const YAML::Exception& e) {
    throw Error::usage("{}: is not a YAML or JSON file: {}", path, e.what());
  }
}

std::string place(const std::string& path, const YAML::Node& node) {
  return fmt::format("{}: line {}", path, node.Mark().line + 1);
}

LayerSettings::Settings settings_of(const YAML::Node& value, const std::string& where,
                                    const std::string& shorthand) {
  if (value.IsScalar() && !shorthand.empty()) return {{shorthand, value.as<std::string>()}};
  if (!value.IsMap()) {
    throw Error::usage("{}: expected options and values, such as {{{}: ...}}", where,
                       shorthand.empty() ? "exclude" : shorthand);
  }
  LayerSettings::Settings settings;
  for (const auto& item : value) {
    if (!item.first.IsScalar() || !item.second.IsScalar())
      throw Error::usage("{}: expected one value for each option", where);
    settings.emplace_back(item.first.as<std::string>(), item.second.as<std::string>());
  }
  return settings;
}

}  // namespace

LayerSettings LayerSettings::read(const std::string& path, const std::string& under,
                                  const std::string& shorthand) {
  LayerSettings result;
  YAML::Node root = load(path);
  if (!under.empty()) {
    if (!root.IsMap() || !root[under]) return result;
    root.reset(root[under]);
  }
  if (root.IsNull()) return result;
  if (!root.IsMap())
    throw Error::usage("{}: expected lines of 'pattern: {{option: value}}'", place(path, root));
  for (const auto& item : root) {
    if (!item.first.IsScalar())
      throw Error::usage("{}: expected a pattern before the colon", place(path, item.first));
    const auto text = item.first.as<std::string>();
    const std::string at = place(path, item.first);
    const std::string where = fmt::format("{}: '{}'", at, text);
    try {
      result.entries_.push_back({NodePattern(text), settings_of(item.second, where, shorthand), where});
    } catch (const Error& e) {
      const std::string what = e.what();
      throw what.starts_with(path) ? e : Error::usage("{}: {}", at, what);
    }
  }
  return result;
}

void LayerSettings::set(const std::string& label, Settings settings) {
  nodes_[label] = std::move(settings);
}

const LayerSettings::Settings* LayerSettings::of(const Node& node) const {
  if (!nodes_.empty()) {
    if (const auto found = nodes_.find(node.label()); found != nodes_.end()) return &found->second;
  }
  for (const Entry& e : entries_) {
    if (e.pattern.matches(node)) return &e.settings;
  }
  return nullptr;
}

void LayerSettings::check_options(const std::vector<std::string>& known) const {
  for (const Entry& e : entries_) {
    for (const auto& [option, value] : e.settings) {
      if (std::find(known.begin(), known.end(), option) != known.end()) continue;
      throw Error::usage("{} has no option '{}' of its own{}; known are {}", e.where, option,
                         did_you_mean(option, known), fmt::join(known, ", "));
    }
  }
}

void LayerSettings::check_against(const Model& model) const {
  std::vector<const NodePattern*> patterns;
  for (const Entry& e : entries_) patterns.push_back(&e.pattern);
  NodePattern::check_all(patterns, model);
}

std::string LayerSettings::text() const {
  std::string text;
  const auto add = [&](const std::string& name, const Settings& settings) {
    text += fmt::format("{}{}:", text.empty() ? "" : ";", name);
    for (std::size_t i = 0; i < settings.size(); ++i)
      text += fmt::format("{}{}={}", i ? "," : "", settings[i].first, settings[i].second);
  };
  for (const auto& [label, settings] : nodes_) add(label, settings);
  for (const Entry& e : entries_) add(e.pattern.text(), e.settings);
  return text;
}

}  // namespace compressor
