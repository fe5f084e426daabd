// loader: batches of a data set, preprocessed ahead of time by threads of their own, in an order that the
// seed fixes.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compressor/data/dataset.h"
#include "compressor/data/preprocess.h"
#include "compressor/data/sample.h"

namespace compressor {

/// Changes to a training picture, drawn anew for each epoch and sample; they come after Preprocess::fit.
struct Augment {
  bool flip = false;          ///< swap left and right, every other time
  std::int64_t crop_pad = 0;  ///< black border of so many pixels, then a crop of the old size anywhere
  std::int64_t cutout =
      0;  ///< a square of this side, anywhere, set to the mean colour (DeVries, Taylor 2017)
  /// "flip,crop=4,cutout=16"; throws Error::usage that begins with `where`.
  static Augment parse(std::string_view text, const std::string& where = "--augment");
  std::string text() const;
  bool any() const { return flip || crop_pad > 0 || cutout > 0; }
};

enum class OnCorrupt : std::uint8_t {
  kError,  ///< the error of the first damaged sample
  kSkip,   ///< leave it out of its batch, count it, log a warning
};

struct LoaderOptions {
  std::int64_t batch = 1;
  std::int64_t samples = 0;  ///< at most so many of the order; 0: all
  bool shuffle = false;
  std::uint64_t seed = 0;  ///< of the order and the augmentation
  Augment augment = {};
  OnCorrupt on_corrupt = OnCorrupt::kError;
  /// Fill the last batch up with copies of its last sample: for models whose batch is a fixed number. Such
  /// copies have no entry in Batch::items.
  bool fill_last = false;
  bool drop_last = false;  ///< leave a last batch that is not full out
  int threads = 1;         ///< that prepare samples ahead; 0: none, next() does the work
  int ahead = 2;           ///< batches that may be ready or in the making beyond the one in use
  std::string input = {};  ///< name of the input that pictures and unnamed arrays go to
  /// Outputs of the model and the inputs that are their values for the next sample; for who runs it.
  std::vector<std::pair<std::string, std::string>> states = {};
  /// Whole shapes of inputs, for those states that the model leaves open.
  std::map<std::string, std::vector<std::int64_t>> shapes = {};
};

/// What came of one sample of a batch.
struct BatchItem {
  std::int64_t index = 0;     ///< in the data set
  std::int64_t sequence = 0;  ///< see Sample
  std::string name;
  Truth truth;        ///< its mask is fitted like the picture, its boxes are in source pixels
  Geometry geometry;  ///< of pictures
};

/// Samples side by side.
struct Batch {
  std::map<std::string, Tensor> inputs;  ///< [N, ...] by input name
  std::vector<BatchItem> items;          ///< N, or fewer where the last batch was filled up
  std::int64_t size() const { return static_cast<std::int64_t>(items.size()); }
  /// Class indices [n] of the items; throws Error::usage that names a sample without one.
  std::vector<std::int64_t> labels() const;
};

/// Goes through a data set once per epoch. Same seed, same batches, bit for bit, at any number of threads.
/// Where samples of a batch differ in shape, each run of like ones is a batch of its own. Holds `ahead` + 1
/// batches and no more.
class Loader {
 public:
  /// `data` must outlive the loader.
  Loader(const Dataset& data, Preprocess preprocess, LoaderOptions options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  /// The next batch; nullopt at the end of the epoch. Throws what a sample's reading threw (see on_corrupt),
  /// and Error::usage when samples of one batch have different inputs. After an error the loader is at its
  /// end.
  std::optional<Batch> next();
  /// Back to the first batch, of epoch `epoch`: its order and augmentation depend on the seed and on this
  /// number.
  void start(std::int64_t epoch = 0);
  /// Batches of an epoch if nothing is skipped and samples are of one shape.
  std::int64_t batches() const;
  /// Samples of an epoch if nothing is skipped.
  std::int64_t samples() const;
  /// Damaged samples left out since the epoch's start.
  std::int64_t skipped() const;

 private:
  class Work;
  std::unique_ptr<Work> work_;
};

}  // namespace compressor
