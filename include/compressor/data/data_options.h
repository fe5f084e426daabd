// data_options: the settings of data as commands, passes and recipes share them, each declared once.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compressor/base/option.h"
#include "compressor/data/dataset.h"
#include "compressor/data/loader.h"
#include "compressor/data/preprocess.h"

namespace compressor {

/// Which data, and how it is made fit for the model.
struct DataOptions : Options {
  Option<std::optional<std::string>> data{*this, "data", std::nullopt, "data set: a file or a folder"};
  Option<std::int64_t> samples{*this, "samples", 0, "use at most so many samples; 0: all",
                               Range::at_least(0)};
  Option<std::string> preprocess{*this, "preprocess", "",
                                 "from pictures or sounds to numbers: a preset, settings, or both "
                                 "(imagenet,crop=227)"};
  Option<std::string> split{*this, "split", "", "part of the data: train, test, val or a subfolder"};
  Option<std::string> format{*this, "data-format", "", "format of the data where looking is not enough"};
  Option<std::string> labels{*this, "labels", "", "file with a name and a class a line"};
  Option<std::string> characters{
      *this, "characters", "", "file with the characters that a reader of texts knows, one a line, by class"};
  Option<std::string> tokenizer{*this, "tokenizer", "",
                                "tokenizer file of text; without one bytes are the tokens"};
  Option<std::int64_t> window{*this, "window", 0,
                              "tokens of a text sample, values of a sound; 0: 256, the whole file",
                              Range::at_least(0)};
  Option<std::optional<std::int64_t>> void_class{*this, "void-class", std::nullopt,
                                                 "class of mask pixels that count for nothing",
                                                 Range{.low = 0, .high = 255}};
  Option<std::string> on_corrupt{*this, "on-corrupt", "error", "what a damaged sample is",
                                 Choices{{"error", "skip"}}};
  Option<std::vector<std::string>> state{*this,
                                         "state",
                                         {},
                                         "output=input: samples are steps in order, and this output is that "
                                         "input's value in the next one; it begins "
                                         "at zero; may be repeated"};
  DataOptions();

  /// Throws Error::usage for --state where no data is given that could hold steps.
  void check(bool has_data) const;
  OpenOptions open_options() const;
  /// Opens what --data names, preferring the split `prefer`. Throws Error::usage when it is not given.
  std::unique_ptr<Dataset> open(const std::string& prefer = "") const;
  /// The same for data that lies elsewhere.
  std::unique_ptr<Dataset> open_at(const std::string& path, const std::string& prefer = "") const;
  /// What --preprocess says, else the `data.yaml` beside the data, else nothing changed but the type.
  Preprocess preprocessing() const;
  Preprocess preprocessing_at(const std::string& path) const;
  /// Batch size, seed, threads and input are the caller's. `shapes`: what --input-shape says.
  LoaderOptions loader_options(const std::map<std::string, std::vector<std::int64_t>>& shapes = {}) const;
};

/// What --state says, output=input: both names of each. Throws Error::usage for anything else.
std::vector<std::pair<std::string, std::string>> split_states(const std::vector<std::string>& texts);

/// The `preprocess` of the data.yaml that belongs to the data at `path`; nullopt when there is none.
std::optional<Preprocess> preprocess_beside(const std::string& path);

}  // namespace compressor
