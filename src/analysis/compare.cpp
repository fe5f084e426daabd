// compare: both models run batch after batch; the first one's values wait for the second's.
#include "compressor/analysis/compare.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "analysis/kept_channels.h"
#include "compressor/analysis/model_data.h"
#include "compressor/base/error.h"
#include "compressor/tensor/take.h"

namespace compressor {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();

bool is_number(const ops::RunValue& value) {
  if (value.kind != ops::RunValue::Kind::kTensor) return false;
  const DType t = value.tensor.dtype;
  return is_float(t) || is_integer(t) || t == DType::kBool;
}

std::size_t largest_in(const std::vector<double>& row, std::size_t first, std::size_t count) {
  const auto begin = row.begin() + static_cast<std::ptrdiff_t>(first);
  return static_cast<std::size_t>(std::max_element(begin, begin + static_cast<std::ptrdiff_t>(count)) -
                                  begin);
}

/// Elements of a tensor that belong to samples and not to what fills the batch up.
std::uint64_t counted(const Tensor& t, const ComparedBatch& batch) {
  if (batch.samples >= batch.rows || t.rank() == 0 || t.shape[0] != batch.rows) return t.size();
  return t.size() / static_cast<std::uint64_t>(batch.rows) * static_cast<std::uint64_t>(batch.samples);
}

class Comparer {
 public:
  Comparer(const Model& first, const Model& second, const CompareOptions& options)
      : first_(first), second_(second), kept_(kept_channels(first, options.kept)) {
    pair_outputs();
    if (options.layers) pair_layers();
  }

  Comparison run(const ComparedBatches& batches) {
    ExecutorOptions a_options;
    ExecutorOptions b_options;
    for (const auto& [b, a] : partner_) {
      a_options.taps.push_back(a);
      b_options.taps.push_back(b);
    }
    Executor a(first_, a_options);
    Executor b(second_, b_options);
    std::map<const Value*, ops::RunValue> waiting;
    a.set_tap([&](const Value& v, const ops::RunValue& held) { waiting[&v] = held; });
    const ComparedBatch* now = nullptr;
    b.set_tap([&](const Value& v, const ops::RunValue& held) {
      const Value* x = partner_.at(&v);
      const auto found = waiting.find(x);
      if (found == waiting.end()) return;
      const std::string why = add(layers_[x], *x, found->second, held, *now);
      if (!why.empty()) refused_[x] = why;
      waiting.erase(found);
    });
    Comparison result;
    batches([&](const ComparedBatch& batch) {
      now = &batch;
      waiting.clear();
      const std::vector<ops::RunValue> x = a.run(batch.feeds);
      const std::vector<ops::RunValue> y = b.run(feeds_of_second(batch.feeds));
      for (std::size_t i = 0; i < outputs_.size(); ++i) {
        const Value& v = *first_.graph->outputs()[i];
        const std::string why = add(outputs_[i], v, x[i], y[output_partner_[i]], batch);
        if (!why.empty()) throw Error::usage("output '{}': {}", v.name(), why);
      }
      result.samples += batch.rows > 0 ? batch.samples : 1;
    });
    if (result.samples == 0) throw Error::usage("there are no samples to compare on");
    finish(result);
    return result;
  }

 private:
  struct Seen {
    Difference difference;
    bool selected = false;
    bool any = false;
  };

  void pair_outputs() {
    const auto a = first_.graph->outputs();
    const auto b = second_.graph->outputs();
    const auto by_name = [&](const std::string& name) {
      return std::find_if(b.begin(), b.end(), [&](const Value* v) { return v->name() == name; });
    };
    const bool named =
        std::all_of(a.begin(), a.end(), [&](const Value* v) { return by_name(v->name()) != b.end(); });
    if (!named && a.size() != b.size()) {
      throw Error::usage("the models have {} and {} outputs, and their names differ", a.size(), b.size());
    }
    for (std::size_t i = 0; i < a.size(); ++i) {
      output_partner_.push_back(named ? static_cast<std::size_t>(by_name(a[i]->name()) - b.begin()) : i);
    }
    outputs_.resize(a.size());
  }

  void pair_layers() {
    for (const Node& node : first_.graph->nodes()) {
      if (node.is("Constant")) continue;
      for (const Value* x : node.outputs()) {
        if (!x || x->uses().empty()) continue;
        const Value* y = second_.graph->find(x->name());
        if (y && y->producer()) {
          partner_[y] = x;
        } else {
          refused_[x] = "the second model has no value of this name";
        }
      }
    }
  }

  /// In the second model's names and types.
  Executor::Feeds feeds_of_second(const Executor::Feeds& feeds) const {
    const auto a = open_inputs(first_);
    const auto b = open_inputs(second_);
    Executor::Feeds result;
    for (std::size_t i = 0; i < b.size(); ++i) {
      const auto known = [&](const std::string& name) {
        return feeds.contains(name) || feeds.carried.contains(name);
      };
      const std::string& own = b[i]->name();
      const std::string& name = known(own) || a.size() != b.size() ? own : a[i]->name();
      const auto carried = feeds.carried.find(name);
      if (carried != feeds.carried.end()) result.carried[own] = second_output(carried->second);
      const auto found = feeds.find(name);
      if (found == feeds.end() && carried != feeds.carried.end()) continue;
      if (found == feeds.end()) {
        throw Error::usage("the second model has an input '{}', and the first has none of this name", own);
      }
      ops::RunValue value = found->second;
      const DType wanted = b[i]->type().dtype;
      if (is_number(value) && wanted != DType::kUndefined && wanted != value.tensor.dtype) {
        value = Tensor::of(wanted, value.tensor.shape, to_doubles(value.tensor));
      }
      result[own] = std::move(value);
    }
    return result;
  }

  const std::string& second_output(const std::string& name) const {
    const auto a = first_.graph->outputs();
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (a[i]->name() == name) return second_.graph->outputs()[output_partner_[i]]->name();
    }
    return name;
  }

  /// "" when it was added, else why not.
  std::string add(Seen& seen, const Value& v, const ops::RunValue& a, const ops::RunValue& b,
                  const ComparedBatch& batch) const {
    if (!is_number(a) || !is_number(b)) return "holds no numbers";
    Tensor x = ops::plain(a);
    const Tensor y = ops::plain(b);
    if (x.shape != y.shape) {
      const auto kept = kept_.find(&v);
      const Dims before = x.shape;
      if (kept != kept_.end()) x = selected(x, kept->second);
      if (x.shape != y.shape) {
        return fmt::format("has shape {} in the first model, {} in the second", to_string(before),
                           to_string(y.shape));
      }
      seen.selected = true;
    }
    seen.any = true;
    seen.difference.add(x, y, counted(x, batch));
    return "";
  }

  /// Shapes may be others than those that channels were found with.
  static Tensor selected(const Tensor& x, const KeptAxes& kept) {
    for (const auto& [axis, indices] : kept) {
      const bool fits =
          axis < x.rank() && (indices.empty() || indices.back() < x.shape[static_cast<std::size_t>(axis)]);
      if (!fits) return x;
    }
    return take(x, kept);
  }

  void finish(Comparison& result) {
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      result.outputs.push_back({.name = first_.graph->outputs()[i]->name(),
                                .op = "",
                                .difference = outputs_[i].difference,
                                .selected = outputs_[i].selected});
    }
    for (const Node& node : first_.graph->nodes()) {
      double before = 0;
      for (const Value* input : node.inputs()) {
        if (const auto found = noise_.find(input); found != noise_.end()) {
          before = std::max(before, found->second);
        }
      }
      for (const Value* v : node.outputs()) {
        if (!v) continue;
        noise_[v] = before;  // looked through, unless it was compared
        const auto refused = refused_.find(v);
        const auto seen = layers_.find(v);
        if (refused != refused_.end()) {
          result.left_out.emplace_back(v->name(), refused->second);
        } else if (seen != layers_.end() && seen->second.any) {
          noise_[v] = seen->second.difference.ratio();
          result.layers.push_back({.name = v->name(),
                                   .op = node.op(),
                                   .difference = seen->second.difference,
                                   .selected = seen->second.selected,
                                   .before = before});
        }
      }
    }
    std::stable_sort(
        result.layers.begin(), result.layers.end(),
        [](const ComparedValue& a, const ComparedValue& b) { return a.entered() > b.entered(); });
  }

  const Model& first_;
  const Model& second_;
  std::map<const Value*, KeptAxes> kept_;
  std::vector<Seen> outputs_;
  std::vector<std::size_t> output_partner_;
  std::map<const Value*, const Value*> partner_;  // of the second's values, in the first
  std::map<const Value*, Seen> layers_;
  std::map<const Value*, std::string> refused_;
  std::map<const Value*, double> noise_;
};

}  // namespace

void Difference::add(const Tensor& x, const Tensor& y, std::uint64_t count) {
  const std::vector<double> a = to_doubles(x);
  const std::vector<double> b = to_doubles(y);
  for (std::uint64_t i = 0; i < count; ++i) {
    const bool both_odd = std::isnan(a[i]) && std::isnan(b[i]);
    if (both_odd || (a[i] == b[i] && !std::isfinite(a[i]))) continue;
    if (!std::isfinite(a[i]) || !std::isfinite(b[i])) {
      noise = max_abs = kInfinite;
      continue;
    }
    const double d = b[i] - a[i];
    signal += a[i] * a[i];
    noise += d * d;
    product += a[i] * b[i];
    own += b[i] * b[i];
    largest = std::max(largest, std::fabs(a[i]));
    max_abs = std::max(max_abs, std::fabs(d));
  }
  if (x.rank() != 2 || x.shape[1] < 2) return;
  const auto width = static_cast<std::size_t>(x.shape[1]);
  for (std::size_t at = 0; at + width <= count; at += width) {
    ++rows;
    same_rows += largest_in(a, at, width) == largest_in(b, at, width) ? 1 : 0;
  }
}

double Difference::ratio() const {
  if (noise == 0) return 0;
  return signal > 0 ? noise / signal : kInfinite;
}

double Difference::snr() const {
  return -10 * std::log10(ratio());
}

double Difference::cosine() const {
  if (noise == 0) return 1;  // exactly, whatever the roots round to
  if (signal == 0 || own == 0) return 0;
  return product / (std::sqrt(signal) * std::sqrt(own));
}

double Difference::relative() const {
  if (max_abs == 0) return 0;
  return largest > 0 ? max_abs / largest : kInfinite;
}

std::optional<double> Difference::agreement() const {
  if (rows == 0) return std::nullopt;
  return static_cast<double>(same_rows) / static_cast<double>(rows);
}

double ComparedValue::entered() const {
  const double ratio = difference.ratio();
  if (std::isinf(ratio)) return std::isinf(before) ? 0 : ratio;
  return std::max(0.0, ratio - before);
}

Comparison compare_models(const Model& first, const Model& second, const CompareOptions& options,
                          const ComparedBatches& batches) {
  return Comparer(first, second, options).run(batches);
}

}  // namespace compressor
