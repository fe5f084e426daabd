// dataset: an ordered set of examples, opened by looking at what lies at a path.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compressor/data/sample.h"
#include "compressor/tensor/tensor.h"

namespace compressor {

/// Examples in a fixed order (files by name, byte by byte). Memory does not grow with what has been read.
class Dataset {
 public:
  Dataset() = default;
  virtual ~Dataset() = default;
  Dataset(const Dataset&) = delete;
  Dataset& operator=(const Dataset&) = delete;

  virtual std::int64_t size() const = 0;
  /// Sample i in [0, size()), the same each time. May be called from several threads. Throws Error::io that
  /// names the file when what lies there is damaged.
  virtual Sample get(std::int64_t i) const = 0;
  /// "10000 images of 28x28x1, IDX"; lower case, for reports.
  virtual std::string describe() const = 0;
  /// Names of the class indices, of texts the characters that a recogniser knows; empty when there are none
  /// or they have no names.
  virtual std::vector<std::string> classes() const { return {}; }
  /// Inputs that are the same for every sample (rank-0 arrays of an npz); they get no batch axis.
  virtual std::map<std::string, Tensor> constants() const { return {}; }
  /// True when the samples' tensors are a model's whole inputs, batch axis and all (a directory of
  /// input_*.pb): the loader hands them out one by one and as they are.
  virtual bool has_batch_axis() const { return false; }
  /// Class indices that masks use for pixels that count for nothing.
  virtual std::optional<std::int64_t> void_label() const { return std::nullopt; }
  /// The split that was opened; "" when the data has none.
  virtual std::string split() const { return ""; }
};

/// What may be said about data beyond where it lies; each is empty for "look". A `data.yaml` beside the data
/// says the same things under the same names, and these come before it.
struct OpenOptions {
  std::string format = {};  ///< one of data_formats()
  /// "train", "test", "val", or the name of a subfolder; must be there. When empty, `prefer` is used if the
  /// data has it, and else the only split there is, and else "test", "val", "train".
  std::string split = {};
  std::string prefer = {};
  std::string labels = {};                ///< file with `name class` a line, instead of the one that is found
  std::vector<std::string> classes = {};  ///< names of the class indices
  std::string characters =
      {};  ///< lines of text: file with the characters that a recogniser knows, one a line
  std::string tokenizer = {};  ///< text: a tokenizer file; bytes are the tokens when empty
  std::int64_t window = 0;  ///< text: tokens of a sample; sound: values of a sample; 0: 256, the whole file
  std::int64_t stride = 0;  ///< from one window to the next; 0: the window
  std::optional<std::int64_t> void_label = {};  ///< masks: a class that counts for nothing
  Frames frames = {};                           ///< sound: cut into these, each a sample
  std::string input = {};  ///< npy, text, sound: name of the input; empty: the model's only one
};

/// A format that data can have.
struct DataFormat {
  std::string name;
  std::string summary;  ///< what it looks like, one line
};
std::vector<DataFormat> data_formats();

/// Opens the file or folder. Throws Error::io when nothing is there or what is there cannot be read, and
/// Error::usage when it is no known format (says what was looked for), could be several, or an option does
/// not fit the format.
std::unique_ptr<Dataset> open_dataset(const std::string& path, const OpenOptions& options = {});

/// Samples from arrays [N, ...] by input name; the first axis counts the samples. `label` [N] (integers) is
/// the class, `sequence` [N] (integers) the number of Sample::sequence, `target` [N, ...] the target where
/// the names are not `inputs` themselves; rank-0 arrays are constants. Throws Error::io that begins with
/// `name` when the arrays disagree on N.
std::unique_ptr<Dataset> dataset_of_arrays(const std::string& name, std::map<std::string, Tensor> arrays);
/// Each map is the whole inputs of one run of a model, with whatever batch axis they have (see
/// has_batch_axis); `names` may be empty.
std::unique_ptr<Dataset> dataset_of_runs(std::vector<std::map<std::string, Tensor>> runs,
                                         std::vector<std::string> names = {});

}  // namespace compressor
