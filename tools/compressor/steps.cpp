// steps: rows of the given arrays, and what comes out laid one after the other.
#include "steps.h"

#include <algorithm>

#include "compressor/base/error.h"

namespace compressor::cli {
namespace {

bool is_bytes(const Tensor& t) {
  return t.dtype != DType::kString && bits(t.dtype) % 8 == 0;
}

/// One axis more than declared.
bool holds_steps(const Value& input, const ops::RunValue& given) {
  return given.kind == ops::RunValue::Kind::kTensor && input.type().has_shape &&
         given.tensor.shape.size() == input.type().dims.size() + 1 && is_bytes(given.tensor);
}

}  // namespace

Steps::Steps(const std::vector<State>& states, const Executor::Feeds& given, const Model& model) {
  for (const auto& [name, value] : given) {
    const auto state = std::find_if(states.begin(), states.end(),
                                    [&wanted = name](const State& s) { return s.input->name() == wanted; });
    if (state != states.end()) {
      first_.emplace(name, value);
      continue;
    }
    const Value* input = model.graph->find(name);
    if (!input || !holds_steps(*input, value)) {
      same_.emplace(name, value);
      continue;
    }
    const std::int64_t length = value.tensor.shape[0];
    if (!stepped_.empty() && length != count_) {
      throw Error::usage("input '{}': found {} steps, expected {} as '{}' has", name, length, count_,
                         stepped_[0].first);
    }
    count_ = length;
    stepped_.emplace_back(name, value.tensor);
  }
  if (stepped_.empty()) {
    throw Error::usage(
        "--state: no input holds steps: expected one with an axis more than the model declares");
  }
  for (const State& s : states) first_.try_emplace(s.input->name(), s.first);
  for (const State& s : states) same_.carried[s.input->name()] = s.output->name();
}

Executor::Feeds Steps::at(std::int64_t step) const {
  Executor::Feeds feeds = same_;
  for (const auto& [name, all] : stepped_) {
    Tensor row;
    row.dtype = all.dtype;
    row.shape.assign(all.shape.begin() + 1, all.shape.end());
    const std::uint64_t size = row.size() * (static_cast<std::uint64_t>(bits(all.dtype)) / 8);
    row.bytes = all.bytes.slice(static_cast<std::uint64_t>(step) * size, size);
    feeds.emplace(name, std::move(row));
  }
  if (step == 0) feeds.insert(first_.begin(), first_.end());
  return feeds;
}

Tensor one_after_the_other(const std::string& name, const std::vector<Tensor>& steps) {
  CHECK(!steps.empty());
  Tensor all;
  all.dtype = steps[0].dtype;
  all.shape = steps[0].shape;
  all.shape.insert(all.shape.begin(), static_cast<std::int64_t>(steps.size()));
  std::vector<std::byte> bytes;
  for (const Tensor& t : steps) {
    if (t.shape != steps[0].shape || t.dtype != steps[0].dtype || !is_bytes(t)) {
      throw Error::usage("'{}' is {} in a step and {} in the first: they cannot be laid one after the other",
                         name, to_string(t.shape), to_string(steps[0].shape));
    }
    const BytesView view = t.bytes.view();
    bytes.insert(bytes.end(), view.bytes().begin(), view.bytes().end());
  }
  all.bytes = Bytes::own(std::move(bytes));
  return all;
}

}  // namespace compressor::cli
