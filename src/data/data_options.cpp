// data_options: from the shared settings to a data set, its preprocessing and its loader.
#include "compressor/data/data_options.h"

#include "compressor/base/error.h"

namespace compressor {

DataOptions::DataOptions() {
  data.path();
  labels.path();
  characters.path();
  tokenizer.path();
}

void DataOptions::check(bool has_data) const {
  if (state.is_set() && !has_data) throw Error::usage("--state goes with --data: its samples are the steps");
  split_states(*state);
}

OpenOptions DataOptions::open_options() const {
  OpenOptions options;
  options.format = *format;
  options.split = *split;
  options.labels = *labels;
  options.characters = *characters;
  options.tokenizer = *tokenizer;
  options.window = *window;
  options.void_label = *void_class;
  return options;
}

std::unique_ptr<Dataset> DataOptions::open(const std::string& prefer) const {
  if (!*data) throw Error::usage("--data is needed: a file or a folder of samples");
  return open_at(**data, prefer);
}

std::unique_ptr<Dataset> DataOptions::open_at(const std::string& path, const std::string& prefer) const {
  OpenOptions options = open_options();
  options.prefer = prefer;
  options.frames = preprocessing_at(path).frames;
  return open_dataset(path, options);
}

Preprocess DataOptions::preprocessing() const {
  return preprocessing_at(data->value_or(""));
}

Preprocess DataOptions::preprocessing_at(const std::string& path) const {
  if (preprocess.is_set()) return parse_preprocess(*preprocess);
  if (!path.empty()) {
    if (const auto beside = preprocess_beside(path)) return *beside;
  }
  return {};
}

LoaderOptions DataOptions::loader_options(
    const std::map<std::string, std::vector<std::int64_t>>& shapes) const {
  LoaderOptions options;
  options.samples = *samples;
  options.on_corrupt = *on_corrupt == "skip" ? OnCorrupt::kSkip : OnCorrupt::kError;
  options.states = split_states(*state);
  options.shapes = shapes;
  return options;
}

std::vector<std::pair<std::string, std::string>> split_states(const std::vector<std::string>& texts) {
  std::vector<std::pair<std::string, std::string>> list;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == text.size()) {
      throw Error::usage("--state: found '{}', expected output=input, two names of the model's", text);
    }
    list.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return list;
}

}  // namespace compressor
