// data_yaml: keys named as the options are, and `preprocess` as text or as a map of its settings.
#include "data/data_yaml.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <utility>

#include "compressor/base/error.h"
#include "compressor/base/suggest.h"
#include "compressor/data/class_names.h"
#include "compressor/data/data_options.h"
#include "data/place.h"

namespace compressor {
namespace data {
namespace {

namespace fs = std::filesystem;

// A scalar, or the scalars of a list with colons between them.
std::string text_of(const YAML::Node& node, const std::string& where) {
  if (node.IsScalar()) return node.Scalar();
  if (!node.IsSequence()) throw Error::usage("{}: expected a value or a list of values", where);
  std::string all;
  for (const YAML::Node& item : node) {
    if (!item.IsScalar()) throw Error::usage("{}: expected a list of plain values", where);
    all += (all.empty() ? "" : ":") + item.Scalar();
  }
  return all;
}

std::string preprocess_text(const YAML::Node& node, const std::string& where) {
  if (node.IsScalar()) return node.Scalar();
  if (!node.IsMap()) throw Error::usage("{}: expected text or a map of settings", where);
  std::string preset, all;
  for (const auto& item : node) {
    const std::string key = item.first.Scalar();
    const std::string value = text_of(item.second, where + "." + key);
    if (key == "preset") {
      preset = value;
    } else {
      all += "," + key + "=" + value;
    }
  }
  return preset.empty() && !all.empty() ? all.substr(1) : preset + all;
}

std::int64_t number(const YAML::Node& node, const std::string& where) {
  std::int64_t value = 0;
  if (!node.IsScalar() || !YAML::convert<std::int64_t>::decode(node, value) || value < 0)
    throw Error::usage("{}: found '{}', expected a number from 0", where,
                       node.IsScalar() ? node.Scalar() : "");
  return value;
}

std::vector<std::string> names(const YAML::Node& node, const std::string& where) {
  std::vector<std::string> list;
  if (node.IsScalar()) {
    list = class_list(node.Scalar());
    if (list.empty()) throw Error::usage("{}: '{}' is no known list of classes", where, node.Scalar());
    return list;
  }
  if (!node.IsSequence()) throw Error::usage("{}: expected a list of names", where);
  for (const YAML::Node& item : node) {
    if (!item.IsScalar()) throw Error::usage("{}: expected a list of names", where);
    list.push_back(item.Scalar());
  }
  return list;
}

// What one file says.
struct DataYaml {
  OpenOptions options;
  std::optional<Preprocess> preprocess;
};

std::string yaml_path(const std::string& path) {
  std::error_code error;
  const fs::path folder = fs::is_directory(path, error) ? fs::path(path) : fs::path(path).parent_path();
  return (folder / "data.yaml").string();
}

DataYaml read_data_yaml(const std::string& file) {
  DataYaml yaml;
  const std::string folder = fs::path(file).parent_path().string();
  const auto beside = [&](const std::string& name) { return (fs::path(folder) / name).string(); };
  using Reader = std::function<void(const YAML::Node&, const std::string&)>;
  OpenOptions& o = yaml.options;
  const std::vector<std::pair<std::string, Reader>> readers = {
      {"format", [&](const YAML::Node& n, const std::string& w) { o.format = text_of(n, w); }},
      {"split", [&](const YAML::Node& n, const std::string& w) { o.split = text_of(n, w); }},
      {"labels", [&](const YAML::Node& n, const std::string& w) { o.labels = beside(text_of(n, w)); }},
      {"classes", [&](const YAML::Node& n, const std::string& w) { o.classes = names(n, w); }},
      {"characters",
       [&](const YAML::Node& n, const std::string& w) { o.characters = beside(text_of(n, w)); }},
      {"tokenizer", [&](const YAML::Node& n, const std::string& w) { o.tokenizer = beside(text_of(n, w)); }},
      {"window", [&](const YAML::Node& n, const std::string& w) { o.window = number(n, w); }},
      {"stride", [&](const YAML::Node& n, const std::string& w) { o.stride = number(n, w); }},
      {"void", [&](const YAML::Node& n, const std::string& w) { o.void_label = number(n, w); }},
      {"input", [&](const YAML::Node& n, const std::string& w) { o.input = text_of(n, w); }},
      {"preprocess", [&](const YAML::Node& n, const std::string& w) {
         yaml.preprocess = parse_preprocess(preprocess_text(n, w), w);
       }}};
  YAML::Node root;
  try {
    root = YAML::LoadFile(file);
  } catch (const YAML::Exception& e) {
    throw Error::usage("{}:{}: {}", file, e.mark.line + 1, e.msg);
  }
  if (!root.IsMap()) throw Error::usage("{}: expected a map of settings", file);
  std::vector<std::string> known;
  for (const auto& [key, reader] : readers) known.push_back(key);
  for (const auto& item : root) {
    const std::string key = item.first.IsScalar() ? item.first.Scalar() : "";
    const auto reader =
        std::find_if(readers.begin(), readers.end(), [&](const auto& r) { return r.first == key; });
    if (reader == readers.end()) {
      throw Error::usage("{}: unknown key '{}'{}", file, key, did_you_mean(key, known));
    }
    reader->second(item.second, file + ": " + key);
  }
  return yaml;
}

}  // namespace

OpenOptions with_data_yaml(OpenOptions options, const std::string& path) {
  const std::string file = yaml_path(path);
  if (!fs::is_regular_file(file)) return options;
  const OpenOptions there = read_data_yaml(file).options;
  const auto fill = [](auto& mine, const auto& other) {
    if (mine == std::remove_reference_t<decltype(mine)>{}) mine = other;
  };
  fill(options.format, there.format);
  fill(options.split, there.split);
  fill(options.labels, there.labels);
  fill(options.classes, there.classes);
  fill(options.characters, there.characters);
  fill(options.tokenizer, there.tokenizer);
  fill(options.window, there.window);
  fill(options.stride, there.stride);
  fill(options.void_label, there.void_label);
  fill(options.input, there.input);
  return options;
}

}  // namespace data

std::optional<Preprocess> preprocess_beside(const std::string& path) {
  const std::string file = data::yaml_path(path);
  if (!std::filesystem::is_regular_file(file)) return std::nullopt;
  return data::read_data_yaml(file).preprocess;
}

}  // namespace compressor
