// feeds: what a run is given, held against what the graph declares.
#include <algorithm>

#include "compressor/base/error.h"
#include "engine/executor_impl.h"

namespace compressor {

using engine::Frame;
using engine::Held;
using ops::RunValue;

void Executor::Impl::check_feed(const Value& value, const RunValue& feed) const {
  const Type& type = value.type();
  if (feed.kind != RunValue::Kind::kTensor || type.kind != Type::Kind::kTensor) return;
  if (type.dtype != DType::kUndefined && feed.tensor.dtype != type.dtype) {
    throw Error::usage("input '{}': found {}, expected {}", value.name(), name(feed.tensor.dtype),
                       name(type.dtype));
  }
  if (!type.has_shape) return;
  bool fits = feed.tensor.shape.size() == type.dims.size();
  for (std::size_t i = 0; fits && i < type.dims.size(); ++i) {
    fits = !type.dims[i].known() || type.dims[i].value == feed.tensor.shape[i];
  }
  if (fits) return;
  std::string expected;
  for (const Dim& d : type.dims) {
    expected += (expected.empty() ? "" : "x") + (d.known()         ? std::to_string(d.value)
                                                 : d.param.empty() ? "?"
                                                                   : d.param);
  }
  throw Error::usage("input '{}': found shape {}, expected {}", value.name(), to_string(feed.tensor.shape),
                     expected);
}

std::vector<RunValue> Executor::Impl::run_carrying(const Feeds& feeds) {
  Feeds whole = feeds;
  for (const auto& [input, output] : feeds.carried) {
    if (whole.contains(input)) continue;
    const auto last = state_.find(output);
    if (last == state_.end()) {
      throw Error::usage("input '{}': output '{}' has not been computed yet, expected a first value of it",
                         input, output);
    }
    whole.emplace(input, last->second);
  }
  std::vector<RunValue> results = run(whole);
  const auto outputs = model_.graph->outputs();
  for (const auto& [input, output] : feeds.carried) {
    const auto at = std::find_if(outputs.begin(), outputs.end(),
                                 [&wanted = output](const Value* v) { return v->name() == wanted; });
    if (at == outputs.end()) {
      throw Error::usage("input '{}': the model has no output '{}' that could be its next value", input,
                         output);
    }
    state_[output] = results[static_cast<std::size_t>(at - outputs.begin())];
  }
  return results;
}

void Executor::Impl::bind_inputs(Frame& frame, const Feeds& feeds) {
  for (const auto& [name, feed] : feeds) {
    const Value* v = model_.graph->find(name);
    if (!v || !v->is_input()) {
      std::string names;
      for (const Value* input : model_.graph->inputs())
        names += (names.empty() ? "'" : ", '") + input->name() + "'";
      throw Error::usage("input '{}': the model has no such input; its inputs are {}", name, names);
    }
    check_feed(*v, feed);
    auto held = std::make_shared<Held>();
    held->value = feed;
    const auto slot = static_cast<std::size_t>(main_->slot_of.at(v));
    if (wishes_.gradients_of.contains(v)) shapes_[static_cast<int>(slot)] = feed.tensor.shape;
    if (v->initializer()) {
      if (!model_.is_overridable(*v)) {
        throw Error::usage("input '{}' is a weight of the model and cannot be given", name);
      }
      main_->constants[slot] = held;
    } else {
      frame.slots[slot] = held;
    }
    if (main_->tapped[slot]) report(*v, *held);
  }
  for (const Value* v : model_.graph->inputs()) {
    const auto slot = static_cast<std::size_t>(main_->slot_of.at(v));
    if (frame.slots[slot] || main_->constants[slot]) continue;
    if (v->type().kind == Type::Kind::kOptional) {
      frame.slots[slot] = std::make_shared<Held>();
      continue;
    }
    throw Error::usage("input '{}' is missing", v->name());
  }
}

}  // namespace compressor
