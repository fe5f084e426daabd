// data_options: from the shared settings to a data set, its preprocessing and its loader.
#include "compressor/data/data_options.h"

#include "compressor/base/error.h"

namespace compressor {

DataOptions::DataOptions() {
  data.path();
  labels.path();
  tokenizer.path();
}

OpenOptions DataOptions::open_options() const {
  OpenOptions options;
  options.format = *format;
  options.split = *split;
  options.labels = *labels;
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

LoaderOptions DataOptions::loader_options() const {
  LoaderOptions options;
  options.samples = *samples;
  options.on_corrupt = *on_corrupt == "skip" ? OnCorrupt::kSkip : OnCorrupt::kError;
  return options;
}

}  // namespace compressor
