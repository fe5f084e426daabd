// outputs: which of a model's outputs a metric reads, and reading it as floats.
#include "metrics/outputs.h"

#include <fmt/format.h>

#include "compressor/base/suggest.h"
#include "metrics/settings.h"

namespace compressor::metrics {
namespace {

/// The only one of `best` whose name says that it is what classifiers give; null when there is no such one.
const std::pair<std::string, Tensor>* telling_name(
    const std::vector<const std::pair<std::string, Tensor>*>& best) {
  for (const std::string_view word : {"logits", "prob", "score", "softmax"}) {
    const std::pair<std::string, Tensor>* found = nullptr;
    int count = 0;
    for (const auto* output : best) {
      if (output->first.find(word) == std::string::npos) continue;
      found = output;
      ++count;
    }
    if (count == 1) return found;
  }
  return nullptr;
}

}  // namespace

Floats::Floats(const Tensor& tensor) {
  if (tensor.dtype == DType::kFloat && tensor.bytes.size() == tensor.size() * sizeof(float)) {
    view_ = tensor.bytes.view();
    if (!view_.as<float>().empty()) return;
  }
  converted_ = to_floats(tensor);
}

std::string describe(const std::string& name, const Tensor& tensor) {
  return fmt::format("output '{}' ({} {})", name, compressor::name(tensor.dtype), to_string(tensor.shape));
}

std::string describe(const Outputs& outputs) {
  std::string all;
  for (const auto& [name, tensor] : outputs) {
    all += fmt::format("{}{} ({} {})", all.empty() ? "" : ", ", name, compressor::name(tensor.dtype),
                       to_string(tensor.shape));
  }
  return all;
}

const std::pair<std::string, Tensor>& named_output(const std::string& where, const Outputs& outputs,
                                                   const std::string& name) {
  std::vector<std::string> names;
  for (const auto& output : outputs) {
    if (output.first == name) return output;
    names.push_back(output.first);
  }
  throw Error::usage("{}: no output '{}', found {}{}", where, name, describe(outputs),
                     did_you_mean(name, names));
}

const std::pair<std::string, Tensor>& choose_output(const std::string& where, const Outputs& outputs,
                                                    const std::string& wanted, const std::string& expected,
                                                    const std::function<int(const Tensor&)>& fits) {
  if (!wanted.empty()) {
    const auto& output = named_output(where, outputs, wanted);
    if (fits(output.second) > 0) return output;
    throw Error::usage("{}: {}, expected {}", where, describe(output.first, output.second), expected);
  }
  std::vector<const std::pair<std::string, Tensor>*> best;
  int most = 1;
  for (const auto& output : outputs) {
    const int fit = fits(output.second);
    if (fit < most) continue;
    if (fit > most) best.clear();
    most = fit;
    best.push_back(&output);
  }
  if (best.empty()) throw Error::usage("{}: outputs are {}, expected {}", where, describe(outputs), expected);
  if (best.size() == 1) return *best.front();
  if (const auto* telling = telling_name(best)) return *telling;
  throw Error::usage("{}: several outputs could be meant, choose one with {}:output={}; found {}", where,
                     where.substr(where.rfind(' ') + 1), best.front()->first, describe(outputs));
}

Dims squeezed(const Dims& shape) {
  Dims result;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (axis == 0 || shape[axis] != 1) result.push_back(shape[axis]);
  }
  return result;
}

}  // namespace compressor::metrics
