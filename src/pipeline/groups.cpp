// groups: reading of what the shared options say.
#include "compressor/pipeline/groups.h"

#include <algorithm>
#include <charconv>

#include "compressor/base/suggest.h"

namespace compressor {
namespace {

std::optional<std::vector<std::int64_t>> read_shape(std::string_view text) {
  std::vector<std::int64_t> shape;
  while (true) {
    std::int64_t n = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (error != std::errc() || n < 1) return std::nullopt;
    shape.push_back(n);
    text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
    if (text.empty()) return shape;
    if (text.front() != 'x') return std::nullopt;
    text.remove_prefix(1);
  }
}

std::vector<std::string> open_inputs(const Model& model) {
  std::vector<std::string> names;
  for (const Value* v : model.graph->inputs()) {
    if (!v->initializer()) names.push_back(v->name());
  }
  return names;
}

}  // namespace

std::map<std::string, std::vector<std::int64_t>> ShapeOptions::shapes(const Model& model) const {
  const std::vector<std::string> inputs = open_inputs(model);
  std::map<std::string, std::vector<std::int64_t>> result;
  for (const std::string& text : *input_shape) {
    const auto colon = text.find_last_of(':');
    const bool named = colon != std::string::npos;
    const auto shape = read_shape(std::string_view(text).substr(named ? colon + 1 : 0));
    if (!shape) {
      throw Error::usage(
          "--input-shape: found '{}', expected a shape such as 1x3x224x224 or name:1x3x224x224", text);
    }
    if (!named && inputs.size() != 1) {
      throw Error::usage("--input-shape: found '{}', expected name:{} as the model has {} inputs", text, text,
                         inputs.size());
    }
    const std::string name = named ? text.substr(0, colon) : inputs.front();
    if (std::find(inputs.begin(), inputs.end(), name) == inputs.end()) {
      throw Error::usage("--input-shape: the model has no input '{}'{}", name, did_you_mean(name, inputs));
    }
    if (!result.emplace(name, *shape).second)
      throw Error::usage("--input-shape: input '{}' is given twice", name);
  }
  return result;
}

void GateOptions::check(bool has_data) const {
  const bool measures = !metric->empty() || max_drop->has_value();
  if (measures && !has_data && !*eval_data) {
    throw Error::usage("--{} needs data to measure on: --eval-data or --data",
                       max_drop->has_value() ? max_drop.name() : metric.name());
  }
  if (*min_snr && !*verify) throw Error::usage("--min-snr needs --verify: how many inputs to compare on");
}

InferOptions infer_options(const std::map<std::string, std::vector<std::int64_t>>& shapes) {
  InferOptions options;
  for (const auto& [name, shape] : shapes) options.input_shapes[name] = sym_dims(shape);
  return options;
}

}  // namespace compressor
