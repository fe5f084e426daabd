// model_data: finds the input that pictures go to, and the batch that the model takes.
#include "compressor/analysis/model_data.h"

#include <fmt/format.h>

#include <algorithm>

#include "compressor/base/error.h"

namespace compressor {
namespace {

constexpr std::int64_t kDefaultBatch = 32;

std::string shape_text(const Value& value) {
  if (!value.type().has_shape) return "any shape";
  std::string text;
  for (const Dim& d : value.type().dims) {
    text += (text.empty() ? "" : "x") + (d.known()         ? std::to_string(d.value)
                                         : d.param.empty() ? "?"
                                                           : d.param);
  }
  return text.empty() ? "scalar" : text;
}

/// Whether samples of this shape, side by side, are of that type.
bool holds_sample(const Type& type, const Dims& sample) {
  if (!type.has_shape || type.dims.size() != sample.size() + 1) return false;
  return std::equal(sample.begin(), sample.end(), type.dims.begin() + 1,
                    [](std::int64_t d, const Dim& wanted) { return !wanted.known() || wanted.value == d; });
}

/// The input that pictures and unnamed arrays go to, of those that are no state.
const Value& main_input(const std::vector<const Value*>& open, const Sample& first, const std::string& wanted,
                        const Dataset& data) {
  if (!wanted.empty()) {
    for (const Value* v : open) {
      if (v->name() == wanted) return *v;
    }
    throw Error::usage("--input: the model has no input '{}' that must be given", wanted);
  }
  std::vector<const Value*> left;
  const auto constants = data.constants();
  for (const Value* v : open) {
    if (!first.tensors.contains(v->name()) && !constants.contains(v->name())) left.push_back(v);
  }
  if (left.size() == 1) return *left[0];
  std::vector<const Value*> pictures;
  for (const Value* v : left) {
    if (v->type().dims.size() == 4) pictures.push_back(v);
  }
  if (first.image && pictures.size() == 1) return *pictures[0];
  const auto unnamed = first.tensors.find("");
  const auto fits = [&](const Value* v) { return holds_sample(v->type(), unnamed->second.shape); };
  if (unnamed != first.tensors.end() && std::count_if(left.begin(), left.end(), fits) == 1)
    return **std::find_if(left.begin(), left.end(), fits);
  std::string names;
  for (const Value* v : left) names += (names.empty() ? "'" : ", '") + v->name() + "'";
  throw Error::usage(
      "the data gives one unnamed array a sample ({}), and the model has {} inputs to fill: {}; an npz "
      "with arrays by these names can give them all",
      data.describe(), left.size(), names.empty() ? "none" : names);
}

/// Says what is wrong before a batch is loaded; the executor checks the rest.
void check_picture(const Value& input, const Preprocess& preprocess, const Image& image) {
  const Type& type = input.type();
  if (!type.has_shape || type.dims.size() != 4) {
    throw Error::usage("input '{}' is {}, and the data gives pictures [N, C, H, W]", input.name(),
                       shape_text(input));
  }
  const bool last = preprocess.layout == Preprocess::Layout::kNhwc;
  const std::int64_t channels = preprocess.order == Preprocess::Order::kGrey   ? 1
                                : preprocess.order == Preprocess::Order::kKeep ? image.channels
                                                                               : 3;
  const Dim& wanted = type.dims[last ? 3 : 1];
  if (!wanted.known() || wanted.value == channels) return;
  const Dim& other = type.dims[last ? 1 : 3];
  if (other.known() && other.value == channels) {
    throw Error::usage("input '{}' is {}: channels stand {}; add layout={} to --preprocess", input.name(),
                       shape_text(input), last ? "first" : "last", last ? "nchw" : "nhwc");
  }
  throw Error::usage(
      "input '{}' is {}, and the pictures have {} channels; order=grey, rgb or bgr in --preprocess "
      "changes that",
      input.name(), shape_text(input), channels);
}

std::uint64_t bytes_of(const Executor::Feeds& feeds) {
  std::uint64_t bytes = 0;
  for (const auto& [name, value] : feeds) bytes += value.tensor.byte_size();
  return bytes;
}

/// Of what is true of the samples: masks are as large as pictures.
std::uint64_t bytes_of(const Batch& batch) {
  std::uint64_t bytes = 0;
  for (const BatchItem& item : batch.items) {
    if (item.truth.mask) bytes += item.truth.mask->pixels.size();
    if (item.truth.target) bytes += item.truth.target->byte_size();
    if (const auto& frame = item.truth.frame) {
      bytes += frame->spectrum.size() * sizeof(std::complex<double>);
      if (frame->wanted) bytes += frame->wanted->size() * sizeof(float);
    }
  }
  return bytes;
}

}  // namespace

std::vector<const Value*> open_inputs(const Model& model) {
  std::vector<const Value*> open;
  for (const Value* v : model.graph->inputs()) {
    if (!v->initializer()) open.push_back(v);
  }
  return open;
}

ModelData::ModelData(const Model& model, const Dataset& data, Preprocess preprocess, LoaderOptions options)
    : model_(model), preprocess_(std::move(preprocess)), options_(std::move(options)) {
  if (data.size() == 0) throw Error::usage("the data holds no samples ({})", data.describe());
  states_ = find_states(model, options_.states, options_.shapes);
  std::vector<const Value*> open = open_inputs(model);
  std::erase_if(open, [&](const Value* v) { return is_state(*v); });
  std::int64_t fixed = 0;
  if (!data.has_batch_axis()) {
    const Sample first = data.get(0);
    if (first.image || first.tensors.contains("")) {
      const Value& input = main_input(open, first, options_.input, data);
      options_.input = input.name();
      if (first.image) {
        if (input.type().dtype != DType::kUndefined) preprocess_.dtype = input.type().dtype;
        check_picture(input, preprocess_, *first.image);
      }
    }
    check_covered(data, first);
    for (const Value* v : open) {
      const bool constant = data.constants().contains(v->name());
      if (!constant && v->type().has_shape && !v->type().dims.empty() && v->type().dims[0].known()) {
        fixed = std::max(fixed, v->type().dims[0].value);
      }
    }
  }
  if (options_.batch <= 0) options_.batch = kDefaultBatch;
  if (fixed > 0) {
    options_.batch = fixed;
    options_.fill_last = true;
  }
  if (!states_.empty()) one_at_a_time(fixed);
  const std::int64_t all = options_.samples > 0 ? std::min(options_.samples, data.size()) : data.size();
  if (!options_.fill_last) options_.batch = std::min(options_.batch, all);
  loader_ = std::make_unique<Loader>(data, preprocess_, options_);
}

ModelData::~ModelData() = default;

Executor::Feeds ModelData::feeds_of(const Batch& batch) const {
  Executor::Feeds feeds;
  for (const auto& [name, tensor] : batch.inputs) {
    const std::string& input = name.empty() ? options_.input : name;
    const Value* v = model_.graph->find(input);
    if (!v || !v->is_input()) continue;  // arrays that this model does not ask for
    const DType wanted = v->type().dtype;
    const bool cast = wanted != DType::kUndefined && wanted != tensor.dtype && tensor.dtype != DType::kString;
    feeds[input] = cast ? Tensor::of(wanted, tensor.shape, to_doubles(tensor)) : tensor;
  }
  return feeds;
}

bool ModelData::is_state(const Value& input) const {
  return std::any_of(states_.begin(), states_.end(), [&](const State& s) { return s.input == &input; });
}

void ModelData::one_at_a_time(std::int64_t fixed) {
  if (fixed > 1) {
    throw Error::usage("--state: the model takes batches of {}, expected 1: steps follow one another", fixed);
  }
  options_.batch = 1;
  options_.shuffle = false;
}

/// An input that the data does not give is told here where it looks like state; the executor tells the
/// others.
void ModelData::check_covered(const Dataset& data, const Sample& first) const {
  const auto constants = data.constants();
  std::string missing, flags;
  for (const Value* v : open_inputs(model_)) {
    const std::string& name = v->name();
    if (is_state(*v) || first.tensors.contains(name) || constants.contains(name) || name == options_.input)
      continue;
    const Value* output = likely_state(model_, *v);
    if (!output) continue;
    missing += (missing.empty() ? "'" : ", '") + name + "'";
    flags += (flags.empty() ? "" : " ") + fmt::format("--state {}={}", output->name(), name);
  }
  if (missing.empty()) return;
  throw Error::usage(
      "the data gives nothing for input {}; where that is what an output of the step before was, say so: {}",
      missing, flags);
}

void ModelData::carry(Executor::Feeds& feeds, bool begins) const {
  for (const State& s : states_) {
    feeds.carried[s.input->name()] = s.output->name();
    if (begins) {
      feeds.try_emplace(s.input->name(), s.first);
    } else {
      feeds.erase(s.input->name());
    }
  }
}

void ModelData::each(const Visit& visit) const {
  if (complete_) {
    for (const Kept& k : kept_) visit(k.feeds, k.batch, k.rows);
    return;
  }
  kept_.clear();
  std::uint64_t held = 0;
  bool fits = keep_ > 0;
  loader_->start();
  std::optional<std::int64_t> sequence;
  while (std::optional<Batch> batch = loader_->next()) {
    Executor::Feeds feeds = feeds_of(*batch);
    if (!states_.empty()) carry(feeds, sequence != batch->items.front().sequence);
    sequence = batch->items.front().sequence;
    std::int64_t rows = batch->size();
    if (options_.fill_last) rows = options_.batch;
    visit(feeds, *batch, rows);
    if (!fits) continue;
    batch->inputs.clear();  // the feeds have them
    held += bytes_of(feeds) + bytes_of(*batch);
    fits = held <= keep_;
    if (fits) {
      kept_.push_back({feeds, std::move(*batch), rows});
    } else {
      kept_.clear();
    }
  }
  complete_ = fits;
}

Samples ModelData::samples() const {
  return [this](const std::function<void(const Executor::Feeds&)>& visit) {
    each([&](const Executor::Feeds& feeds, const Batch&, std::int64_t) { visit(feeds); });
  };
}

std::int64_t ModelData::size() const {
  return loader_->samples();
}

std::int64_t ModelData::skipped() const {
  return loader_->skipped();
}

}  // namespace compressor
