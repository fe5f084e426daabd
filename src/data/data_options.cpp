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
  OpenOptions options = open_options();
  options.prefer = prefer;
  return open_dataset(**data, options);
}

Preprocess DataOptions::preprocessing() const {
  if (preprocess.is_set()) return parse_preprocess(*preprocess);
  if (*data) {
    if (const auto beside = preprocess_beside(**data)) return *beside;
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
