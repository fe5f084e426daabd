// arrays: data sets that are arrays already.
#include <algorithm>

#include "compressor/base/error.h"
#include "compressor/data/dataset.h"

namespace compressor {
namespace {

// Row i of an array whose first axis counts the samples.
Tensor row_of(const Tensor& array, std::int64_t i) {
  Tensor row;
  row.dtype = array.dtype;
  row.shape.assign(array.shape.begin() + 1, array.shape.end());
  const std::uint64_t count = row.size();
  if (array.strings) {
    const auto first =
        array.strings->begin() + static_cast<std::ptrdiff_t>(static_cast<std::uint64_t>(i) * count);
    row.strings =
        std::make_shared<std::vector<std::string>>(first, first + static_cast<std::ptrdiff_t>(count));
    return row;
  }
  const auto size = static_cast<std::uint64_t>(bits(array.dtype)) / 8 * count;
  row.bytes = array.bytes.slice(static_cast<std::uint64_t>(i) * size, size);
  return row;
}

class ArrayDataset : public Dataset {
 public:
  ArrayDataset(std::string name, std::map<std::string, Tensor> arrays) : name_(std::move(name)) {
    std::string first;
    for (auto& [key, array] : arrays) {
      if (bits(array.dtype) % 8 != 0)
        throw Error::io("{}: array '{}' is {}, expected whole bytes an element", name_, key,
                        compressor::name(array.dtype));
      if (array.rank() == 0) {
        constants_.emplace(key, std::move(array));
        continue;
      }
      if (size_ >= 0 && array.shape[0] != size_) {
        throw Error::io("{}: array '{}' has {} samples and '{}' has {}, expected as many in each", name_,
                        first, size_, key, array.shape[0]);
      }
      size_ = array.shape[0];
      first = key;
      if (key == "label" && array.rank() == 1 && is_integer(array.dtype)) {
        labels_ = to_ints(array);
      } else if (key == "sequence" && array.rank() == 1 && is_integer(array.dtype)) {
        sequences_ = to_ints(array);
      } else if (key == "target") {
        target_ = std::move(array);
      } else {
        arrays_.emplace(key, std::move(array));
      }
    }
    if (size_ < 0) throw Error::io("{}: no array has an axis of samples", name_);
    if (arrays_.empty()) throw Error::io("{}: holds truth and nothing to ask about", name_);
  }

  std::int64_t size() const override { return size_; }
  std::map<std::string, Tensor> constants() const override { return constants_; }
  std::string describe() const override {
    std::string all = fmt::format("{} samples of", size_);
    for (const auto& [key, array] : arrays_) {
      const Dims dims(array.shape.begin() + 1, array.shape.end());
      all += fmt::format(" {}{} {}", key.empty() ? "" : key + " ", to_string(dims),
                         compressor::name(array.dtype));
    }
    return all + ", arrays";
  }
  Sample get(std::int64_t i) const override {
    CHECK(i >= 0 && i < size_);
    Sample sample;
    sample.name = fmt::format("{}[{}]", name_, i);
    for (const auto& [key, array] : arrays_) sample.tensors.emplace(key, row_of(array, i));
    if (!sequences_.empty()) sample.sequence = sequences_[static_cast<std::size_t>(i)];
    if (!labels_.empty()) sample.truth.label = labels_[static_cast<std::size_t>(i)];
    if (target_) sample.truth.target = row_of(*target_, i);
    return sample;
  }

 private:
  std::string name_;
  std::int64_t size_ = -1;
  std::map<std::string, Tensor> arrays_, constants_;
  std::vector<std::int64_t> labels_, sequences_;
  std::optional<Tensor> target_;
};

class RunDataset : public Dataset {
 public:
  RunDataset(std::vector<std::map<std::string, Tensor>> runs, std::vector<std::string> names)
      : runs_(std::move(runs)), names_(std::move(names)) {
    CHECK(names_.empty() || names_.size() == runs_.size());
  }
  std::int64_t size() const override { return static_cast<std::int64_t>(runs_.size()); }
  bool has_batch_axis() const override { return true; }
  std::string describe() const override { return fmt::format("{} runs of a model's inputs", runs_.size()); }
  Sample get(std::int64_t i) const override {
    Sample sample;
    sample.tensors = runs_.at(static_cast<std::size_t>(i));
    sample.name = names_.empty() ? fmt::format("run {}", i) : names_[static_cast<std::size_t>(i)];
    return sample;
  }

 private:
  std::vector<std::map<std::string, Tensor>> runs_;
  std::vector<std::string> names_;
};

}  // namespace

std::unique_ptr<Dataset> dataset_of_arrays(const std::string& name, std::map<std::string, Tensor> arrays) {
  return std::make_unique<ArrayDataset>(name, std::move(arrays));
}

std::unique_ptr<Dataset> dataset_of_runs(std::vector<std::map<std::string, Tensor>> runs,
                                         std::vector<std::string> names) {
  return std::make_unique<RunDataset>(std::move(runs), std::move(names));
}

}  // namespace compressor
