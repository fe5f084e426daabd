// prepare: from what lies in the data set to the numbers of one sample, and from samples to a batch.
#include "data/prepare.h"

#include <algorithm>

#include "compressor/base/error.h"
#include "compressor/base/random.h"
#include "data/augment.h"

namespace compressor {
namespace data {
namespace {

void add_input(Prepared& prepared, const std::string& name, Tensor tensor) {
  if (!prepared.inputs.emplace(name, std::move(tensor)).second)
    throw Error::usage("{}: two arrays go to the input '{}'", prepared.item.name, name);
}

Tensor stacked(const std::string& input, const std::vector<Prepared>& samples, std::int64_t count) {
  const Tensor& first = samples.front().inputs.at(input);
  Tensor result;
  result.dtype = first.dtype;
  result.shape = first.shape;
  result.shape.insert(result.shape.begin(), count);
  std::vector<std::byte> bytes;
  bytes.reserve(first.bytes.size() * static_cast<std::size_t>(count));
  std::vector<std::string> strings;
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    const Prepared& sample = samples[std::min(i, samples.size() - 1)];
    const auto found = sample.inputs.find(input);
    if (found == sample.inputs.end() || sample.inputs.size() != samples.front().inputs.size())
      throw Error::usage("{} and {}: have different inputs, expected the same ones in one batch",
                         samples.front().item.name, sample.item.name);
    const Tensor& tensor = found->second;
    CHECK(tensor.shape == first.shape && tensor.dtype == first.dtype);
    if (tensor.strings) strings.insert(strings.end(), tensor.strings->begin(), tensor.strings->end());
    const BytesView view = tensor.bytes.view();
    bytes.insert(bytes.end(), view.bytes().begin(), view.bytes().end());
  }
  if (first.dtype == DType::kString)
    result.strings = std::make_shared<std::vector<std::string>>(std::move(strings));
  result.bytes = Bytes::own(std::move(bytes));
  return result;
}

}  // namespace

std::uint64_t mixed(std::uint64_t seed, std::int64_t epoch, std::int64_t index) {
  std::uint64_t state = Random(seed).next();
  state = Random(state ^ static_cast<std::uint64_t>(epoch)).next();
  return Random(state ^ static_cast<std::uint64_t>(index)).next();
}

Prepared prepare(const Dataset& data, std::int64_t index, const Preprocess& preprocess,
                 const LoaderOptions& options, std::int64_t epoch) {
  Sample sample = data.get(index);
  Prepared prepared;
  prepared.item.index = index;
  prepared.item.sequence = sample.sequence;
  prepared.item.name = std::move(sample.name);
  prepared.item.truth = std::move(sample.truth);
  for (auto& [name, tensor] : sample.tensors) {
    add_input(prepared, name.empty() ? options.input : name, std::move(tensor));
  }
  if (!sample.image) return prepared;

  BatchItem& item = prepared.item;
  Image fitted = preprocess.fit(*sample.image, item.name, item.geometry);
  if (options.augment.any()) {
    Random random(mixed(options.seed, epoch, index));
    augment(fitted, item.geometry, options.augment, mean_colour(preprocess, fitted.channels), random);
  }
  if (item.truth.mask) item.truth.mask = Preprocess::fit_mask(*item.truth.mask, item.geometry);
  add_input(prepared, options.input, preprocess.finish(fitted, item.name));
  return prepared;
}

Batch side_by_side(std::vector<Prepared> samples, std::int64_t count, bool has_batch_axis) {
  Batch batch;
  CHECK(!samples.empty());
  if (has_batch_axis) {
    CHECK(samples.size() == 1);
    batch.inputs = std::move(samples.front().inputs);
  } else {
    for (const auto& [name, tensor] : samples.front().inputs)
      batch.inputs[name] = stacked(name, samples, count);
  }
  for (Prepared& sample : samples) batch.items.push_back(std::move(sample.item));
  return batch;
}

}  // namespace data

std::vector<std::int64_t> Batch::labels() const {
  std::vector<std::int64_t> list;
  for (const BatchItem& item : items) {
    if (!item.truth.label) throw Error::usage("{}: has no class", item.name);
    list.push_back(*item.truth.label);
  }
  return list;
}

}  // namespace compressor
