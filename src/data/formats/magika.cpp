// magika: reference examples of the file type model: contents in base64 and the model's own answers, as JSON.
//
//   input: beg_size values from the first block, leading white space removed, then end_size from the last
//   block, trailing white space removed; missing values are the padding token, after the beginning and before
//   the end
#include <algorithm>
#include <nlohmann/json.hpp>

#include "compressor/base/error.h"
#include "compressor/base/memory_map.h"
#include "data/base64.h"
#include "data/format.h"
#include "data/inflate.h"

namespace compressor::data {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMostText = std::uint64_t{256} << 20U;

json read_json(const std::string& path) {
  const auto file = MappedFile::open(path);
  std::string text;
  if (is_gzip(file->bytes())) {
    text = unpack_text(file->bytes(), kMostText, path);
  } else {
    text.assign(reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size());
  }
  return json::parse(text);
}

// What the model's config says of its input and its answers.
struct Config {
  std::size_t begin_size = 1024, end_size = 1024, block_size = 4096;
  std::int32_t padding = 256;
  std::vector<std::string> classes;
};

Config read_config(const std::string& path) {
  const json root = read_json(path);
  Config config;
  config.begin_size = root.at("beg_size").get<std::size_t>();
  config.end_size = root.at("end_size").get<std::size_t>();
  config.block_size = root.at("block_size").get<std::size_t>();
  config.padding = root.at("padding_token").get<std::int32_t>();
  config.classes = root.at("target_labels_space").get<std::vector<std::string>>();
  constexpr std::size_t kMost = 1U << 20U;
  if (config.begin_size > kMost || config.end_size > kMost || config.block_size > kMost)
    throw Error::io("{}: sizes past {}", path, kMost);
  return config;
}

std::vector<std::int32_t> features(std::string_view content, const Config& config) {
  const char* space = " \t\n\r\v\f";
  std::string_view begin = content.substr(0, config.block_size);
  begin.remove_prefix(std::min(begin.find_first_not_of(space), begin.size()));
  begin = begin.substr(0, config.begin_size);
  std::string_view end = content.substr(content.size() - std::min(content.size(), config.block_size));
  end = end.substr(0, end.find_last_not_of(space) + 1);
  end = end.substr(end.size() - std::min(end.size(), config.end_size));
  std::vector<std::int32_t> values(config.begin_size + config.end_size, config.padding);
  const auto byte = [](char c) { return std::int32_t{static_cast<unsigned char>(c)}; };
  std::transform(begin.begin(), begin.end(), values.begin(), byte);
  std::transform(end.begin(), end.end(), values.end() - static_cast<std::ptrdiff_t>(end.size()), byte);
  return values;
}

// The examples that the model was asked about; small files are answered without it.
class MagikaDataset : public Dataset {
 public:
  MagikaDataset(const std::string& path, const std::string& config, std::string input)
      : path_(path), input_(std::move(input)) {
    try {
      config_ = read_config(config);
    } catch (const json::exception& e) {
      throw Error::io("{}: malformed config: {}", config, e.what());
    }
    try {
      for (const json& e : read_json(path)) add(e);
    } catch (const json::exception& e) {
      throw Error::io("{}: malformed examples: {}", path, e.what());
    }
  }
  std::int64_t size() const override { return static_cast<std::int64_t>(examples_.size()); }
  std::vector<std::string> classes() const override { return config_.classes; }
  std::string describe() const override {
    return fmt::format("{} examples of file contents, magika", size());
  }
  Sample get(std::int64_t i) const override {
    const Example& example = examples_.at(static_cast<std::size_t>(i));
    const std::vector<std::int32_t> values = features(example.content, config_);
    Sample sample;
    sample.name = fmt::format("{}[{}]", path_, example.place);
    sample.truth.label = example.label;
    Tensor tensor;
    tensor.dtype = DType::kInt32;
    tensor.shape = {static_cast<std::int64_t>(values.size())};
    tensor.bytes = Bytes::copy(std::as_bytes(std::span(values)));
    sample.tensors[input_] = std::move(tensor);
    return sample;
  }

 private:
  struct Example {
    std::string content;
    std::int64_t label = 0, place = 0;
  };
  void add(const json& example) {
    const std::int64_t place = places_++;
    const std::string answer = example.at("prediction").at("dl").get<std::string>();
    if (answer == "undefined") return;
    const auto content = base64_decoded(example.at("content_base64").get_ref<const std::string&>());
    if (!content) throw Error::io("{}[{}]: content is not base64", path_, place);
    const auto label = std::find(config_.classes.begin(), config_.classes.end(), answer);
    if (label == config_.classes.end()) throw Error::io("{}[{}]: unknown class '{}'", path_, place, answer);
    examples_.push_back({*content, label - config_.classes.begin(), place});
  }
  std::string path_, input_;
  Config config_;
  std::vector<Example> examples_;
  std::int64_t places_ = 0;
};

bool is_examples(const Place& file) {
  return file.begin().find("\"content_base64\"") != std::string::npos;
}

std::string examples_in(const Place& folder) {
  for (const std::string& name : folder.files()) {
    const bool json_name = name.ends_with(".json") || name.ends_with(".json.gz");
    if (json_name && is_examples(Place(folder.in(name)))) return folder.in(name);
  }
  return "";
}

int claim(const Place& place) {
  if (!place.is_folder()) return is_examples(place) ? kMagic : kNo;
  return examples_in(place).empty() ? kNo : kFolder;
}

std::unique_ptr<Dataset> open(const Place& place, const OpenOptions& options) {
  const std::string examples = place.is_folder() ? examples_in(place) : place.path();
  if (examples.empty()) throw Error::io("{}: no JSON file of examples", place.path());
  const std::string config = (std::filesystem::path(place.folder()) / "config.min.json").string();
  return std::make_unique<MagikaDataset>(examples, config, options.input);
}

}  // namespace

void register_magika(FormatTable& table) {
  table.add({"magika", "reference examples of magika: JSON beside config.min.json", claim, open});
}

}  // namespace compressor::data
