// state: pairs of outputs and inputs, by name and held against their types.
#include "compressor/analysis/state.h"

#include <algorithm>
#include <set>

#include "compressor/analysis/model_data.h"
#include "compressor/base/error.h"
#include "compressor/base/suggest.h"

namespace compressor {
namespace {

std::string dims_text(const Type& type) {
  std::string text;
  for (const Dim& d : type.dims) {
    text += (text.empty() ? "" : "x") + (d.known()         ? std::to_string(d.value)
                                         : d.param.empty() ? "?"
                                                           : d.param);
  }
  return text;
}

std::string type_text(const Value& value) {
  const Type& type = value.type();
  const std::string text = dims_text(type);
  return std::string(name(type.dtype)) + " " +
         (type.has_shape ? text.empty() ? "scalar" : text : "of any shape");
}

bool same_dim(const Dim& a, const Dim& b) {
  if (a.known() != b.known()) return false;
  return a.known() ? a.value == b.value : a.param == b.param;
}

bool same_type(const Type& a, const Type& b) {
  if (a.kind != Type::Kind::kTensor || b.kind != Type::Kind::kTensor || a.dtype != b.dtype) return false;
  return a.has_shape && b.has_shape &&
         std::equal(a.dims.begin(), a.dims.end(), b.dims.begin(), b.dims.end(), same_dim);
}

/// As same_type, but an axis that one of them leaves open fits.
bool may_be_same(const Type& a, const Type& b) {
  if (a.kind != Type::Kind::kTensor || b.kind != Type::Kind::kTensor || a.dtype != b.dtype) return false;
  if (!a.has_shape || !b.has_shape) return true;
  const auto fits = [](const Dim& x, const Dim& y) { return !x.known() || !y.known() || x.value == y.value; };
  return std::equal(a.dims.begin(), a.dims.end(), b.dims.begin(), b.dims.end(), fits);
}

const Value& named(const std::vector<const Value*>& list, const std::string& wanted, const char* what) {
  std::vector<std::string> names;
  for (const Value* v : list) {
    if (v->name() == wanted) return *v;
    names.push_back(v->name());
  }
  std::string all;
  for (const std::string& n : names) all += (all.empty() ? "'" : ", '") + n + "'";
  throw Error::usage("--state: the model has no {} '{}'; it has {}{}", what, wanted,
                     all.empty() ? "none" : all, did_you_mean(wanted, names));
}

/// Names of axes that stand first in an input: a batch, which is one here.
std::set<std::string> batch_names(const Model& model) {
  std::set<std::string> names;
  for (const Value* v : open_inputs(model)) {
    if (!v->type().dims.empty() && !v->type().dims[0].param.empty()) names.insert(v->type().dims[0].param);
  }
  return names;
}

bool holds(const Type& type, const Dims& shape) {
  const auto fits = [](const Dim& d, std::int64_t n) { return !d.known() || d.value == n; };
  return !type.has_shape || std::equal(type.dims.begin(), type.dims.end(), shape.begin(), shape.end(), fits);
}

Tensor zeros_of(const Value& input, const Value& output, const Dims& shape) {
  for (const Value* v : {&input, &output}) {
    if (holds(v->type(), shape)) continue;
    throw Error::usage("--input-shape {}:{}: {} '{}' is {}", input.name(), to_string(shape),
                       v == &input ? "input" : "output", v->name(), type_text(*v));
  }
  return Tensor::of(input.type().dtype, shape, std::vector<double>(num_elements(shape)));
}

Tensor zeros_for(const Value& input, const std::set<std::string>& batches) {
  const Type& type = input.type();
  if (!type.has_shape) {
    throw Error::usage("--state: input '{}' does not say its shape; --input-shape {}:1x.. does", input.name(),
                       input.name());
  }
  // Layers, batch, units: as LSTM and GRU have it.
  const bool recurrent = type.dims.size() == 3 && type.dims[0].known() && type.dims[2].known();
  Dims dims;
  for (std::size_t i = 0; i < type.dims.size(); ++i) {
    const Dim& d = type.dims[i];
    if (!d.known() && i > 0 && !recurrent && !batches.contains(d.param)) {
      throw Error::usage(
          "--state: input '{}' is {}: how long its axis {} is to begin with is not known; --input-shape "
          "{}:{} "
          "with a number for each axis says it",
          input.name(), type_text(input), i, input.name(), dims_text(type));
    }
    dims.push_back(d.known() ? d.value : 1);
  }
  return Tensor::of(type.dtype, dims, std::vector<double>(num_elements(dims)));
}

std::size_t common_start(const std::string& a, const std::string& b) {
  std::size_t n = 0;
  while (n < a.size() && n < b.size() && a[n] == b[n]) ++n;
  return n;
}

}  // namespace

const Value* likely_state(const Model& model, const Value& input) {
  const Value* best = nullptr;
  for (const Value* v : model.graph->outputs()) {
    if (!same_type(v->type(), input.type())) continue;
    if (!best || common_start(v->name(), input.name()) > common_start(best->name(), input.name())) best = v;
  }
  return best;
}

std::vector<State> find_states(const Model& model,
                               const std::vector<std::pair<std::string, std::string>>& names,
                               const std::map<std::string, std::vector<std::int64_t>>& shapes) {
  std::vector<State> states;
  const auto outputs = model.graph->outputs();
  const std::vector<const Value*> out(outputs.begin(), outputs.end());
  const std::set<std::string> batches = batch_names(model);
  std::set<const Value*> taken;
  for (const auto& [output, input] : names) {
    State s;
    s.output = &named(out, output, "output");
    s.input = &named(open_inputs(model), input, "input that must be given");
    if (!taken.insert(s.input).second || !taken.insert(s.output).second) {
      throw Error::usage("--state {}={}: one of them is in another --state already", output, input);
    }
    if (!may_be_same(s.output->type(), s.input->type())) {
      const Value* other = likely_state(model, *s.input);
      throw Error::usage("--state {}={}: the output is {} and the input is {}, expected the same{}", output,
                         input, type_text(*s.output), type_text(*s.input),
                         other ? "; did you mean " + other->name() + "=" + input + "?" : "");
    }
    const auto given = shapes.find(input);
    s.first =
        given == shapes.end() ? zeros_for(*s.input, batches) : zeros_of(*s.input, *s.output, given->second);
    states.push_back(std::move(s));
  }
  return states;
}

}  // namespace compressor
