// model_data: a data set as a model's inputs: which sample goes where, in batches that the model takes.
#pragma once

#include <functional>
#include <memory>

#include "compressor/analysis/state.h"
#include "compressor/analysis/statistics.h"
#include "compressor/data/loader.h"

namespace compressor {

/// Goes through a data set in the model's terms. Model and data set must outlive it.
class ModelData {
 public:
  /// `options.batch` is a wish (0: 32): a model whose first axis is a number gets that, the last batch filled
  /// up with copies. Pictures and unnamed arrays go to `options.input` or the model's only open input. Throws
  /// Error::usage, naming the input, what it is and what the data gives, where they do not fit.
  /// With `options.states` samples are steps: one at a time, in order whatever `options.shuffle` says. Feeds
  /// carry the state on, and give its first value (zeros, or what the data has by that name) where a sequence
  /// begins.
  ModelData(const Model& model, const Dataset& data, Preprocess preprocess, LoaderOptions options);
  ~ModelData();
  ModelData(const ModelData&) = delete;
  ModelData& operator=(const ModelData&) = delete;

  /// `rows`: along the batch axis; past the batch's items they are copies that fill it up.
  using Visit = std::function<void(const Executor::Feeds& feeds, const Batch& batch, std::int64_t rows)>;
  /// Once through the data; the same batches each time.
  void each(const Visit& visit) const;
  /// Holds the batches of the next pass in memory if they take no more than so many bytes, so that later
  /// passes read and prepare nothing.
  void keep(std::uint64_t bytes) { keep_ = bytes; }
  /// The same for whoever only wants feeds, as often as wanted.
  Samples samples() const;

  std::int64_t batch() const { return options_.batch; }
  const Preprocess& preprocess() const { return preprocess_; }
  /// Samples of one pass if none is damaged.
  std::int64_t size() const;
  /// Damaged ones left out in the last pass.
  std::int64_t skipped() const;

 private:
  struct Kept {
    Executor::Feeds feeds;
    Batch batch;
    std::int64_t rows = 0;
  };
  Executor::Feeds feeds_of(const Batch& batch) const;
  bool is_state(const Value& input) const;
  void one_at_a_time(std::int64_t fixed);
  void check_covered(const Dataset& data, const Sample& first) const;
  void carry(Executor::Feeds& feeds, bool begins) const;
  const Model& model_;
  Preprocess preprocess_;
  LoaderOptions options_;
  std::vector<State> states_;
  std::unique_ptr<Loader> loader_;
  std::uint64_t keep_ = 0;
  mutable std::vector<Kept> kept_;  ///< whole where `complete_`
  mutable bool complete_ = false;
};

/// Inputs that a caller must give: those without a default in the file.
std::vector<const Value*> open_inputs(const Model& model);

}  // namespace compressor
