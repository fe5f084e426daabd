// closeness: how near outputs are to those of another model, or to a target that the data set gives.
#include "metrics/closeness.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "metrics/metric_table.h"
#include "metrics/outputs.h"

namespace compressor::metrics {
namespace {

bool is_number(DType type) {
  return is_float(type) || is_integer(type) || type == DType::kBool;
}

const std::pair<std::string, Tensor>* find(const Outputs& outputs, const std::string& name) {
  for (const auto& output : outputs) {
    if (output.first == name) return &output;
  }
  return nullptr;
}

class ClosenessMetric : public Metric {
 public:
  ClosenessMetric(const MetricInfo& info, const MetricContext& context, double (*number)(const Closeness&))
      : Metric(info, context), number_(number) {}

  void update(const Outputs& outputs, const Targets& targets) override {
    if (targets.reference) return against_reference(outputs, targets);
    against_targets(outputs, targets);
  }

  double value() const override {
    if (sums_.empty()) throw Error::usage("{}: no outputs", name());
    double worst = number_(sums_.front().second);
    for (const auto& [output, sums] : sums_) {
      const double number = number_(sums);
      if (std::isnan(number)) return number;
      worst = higher_is_better() ? std::min(worst, number) : std::max(worst, number);
    }
    return worst;
  }

  void merge(const Metric& other) override {
    for (const auto& [output, sums] : same_metric(*this, other).sums_) of(output).add(sums);
  }

 private:
  Closeness& of(const std::string& output) {
    for (auto& [name, sums] : sums_) {
      if (name == output) return sums;
    }
    return sums_.emplace_back(output, Closeness{}).second;
  }

  void add(const std::string& output, std::span<const double> values, std::span<const double> reference) {
    Closeness& sums = of(output);
    for (std::size_t i = 0; i < values.size(); ++i) sums.add(values[i], reference[i]);
  }

  void against_reference(const Outputs& outputs, const Targets& targets) {
    const bool by_name = std::any_of(outputs.begin(), outputs.end(), [&](const auto& output) {
      return find(*targets.reference, output.first) != nullptr;
    });
    if (!by_name && outputs.size() != targets.reference->size())
      throw Error::usage("{}: outputs are {}, expected those of the reference: {}", name(), describe(outputs),
                         describe(*targets.reference));
    if (!output_->empty()) named_output(name(), outputs, *output_);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const auto& [output, tensor] = outputs[i];
      if (!output_->empty() && output != *output_) continue;
      if (!is_number(tensor.dtype)) continue;
      const auto* reference = by_name ? find(*targets.reference, output) : &(*targets.reference)[i];
      if (!reference) {
        if (output_->empty()) continue;
        throw Error::usage("{}: no output '{}' in the reference, found {}", name(), output,
                           describe(*targets.reference));
      }
      if (reference->second.shape != tensor.shape)
        throw Error::usage("{}: {}, expected {} as in the reference", name(), describe(output, tensor),
                           to_string(reference->second.shape));
      const std::size_t count = compared(tensor, targets);
      const std::vector<double> values = to_doubles(tensor), wanted = to_doubles(reference->second);
      add(output, std::span(values).first(count), std::span(wanted).first(count));
    }
    if (sums_.empty())
      throw Error::usage("{}: outputs are {}, expected numbers to compare", name(), describe(outputs));
  }

  /// Elements that belong to samples and not to the filling of the last batch.
  static std::size_t compared(const Tensor& tensor, const Targets& targets) {
    const std::size_t all = tensor.size();
    const auto rows = static_cast<std::size_t>(targets.rows);
    if (targets.items.empty() || targets.items.size() >= rows || tensor.rank() == 0 ||
        tensor.shape[0] != targets.rows)
      return all;
    return all / rows * targets.items.size();
  }

  void against_targets(const Outputs& outputs, const Targets& targets) {
    if (targets.items.empty())
      throw Error::usage("{}: nothing to compare with, expected a reference or samples with a target",
                         name());
    const std::int64_t rows = targets.batch_rows();
    const auto& first = targets.items.front();
    if (first.truth.frame) return against_sound(outputs, targets);
    if (!first.truth.target)
      throw Error::usage("{}: sample '{}' has no target, expected one or a reference model", name(),
                         first.name);
    const Dims wanted = first.truth.target->shape;
    const auto each = first.truth.target->size();
    const auto& [output, tensor] = choose_output(
        name(), outputs, *output_, fmt::format("{} x {}", rows, to_string(wanted)), [&](const Tensor& t) {
          if (!is_number(t.dtype) || t.rank() == 0 || t.shape[0] != rows) return 0;
          return t.size() == each * static_cast<std::uint64_t>(rows) ? 1 : 0;
        });
    const std::vector<double> values = to_doubles(tensor);
    for (std::size_t i = 0; i < targets.items.size(); ++i) {
      const BatchItem& item = targets.items[i];
      if (!item.truth.target || item.truth.target->size() != each)
        throw Error::usage("{}: {}: sample '{}' has a target of {} elements, expected {}", name(),
                           describe(output, tensor), item.name,
                           item.truth.target ? item.truth.target->size() : 0, each);
      add(output, std::span(values).subspan(i * each, each), to_doubles(*item.truth.target));
    }
  }

  /// Answers to frames are laid back into the sound, and what is complete is compared.
  void against_sound(const Outputs& outputs, const Targets& targets) {
    const auto rows = static_cast<std::uint64_t>(targets.batch_rows());
    const Frames& frames = *targets.items.front().truth.frame->frames;
    const std::uint64_t each = frames.answers();
    const auto& [output, tensor] =
        choose_output(name(), outputs, *output_, fmt::format("{} numbers for a frame", each),
                      [&](const Tensor& t) { return is_number(t.dtype) && t.size() == each * rows ? 1 : 0; });
    if (tensor.size() != each * rows)
      throw Error::usage("{}: {}, expected {} numbers for a frame", name(), describe(output, tensor), each);
    const std::vector<double> values = to_doubles(tensor);
    for (std::size_t i = 0; i < targets.items.size(); ++i) {
      const BatchItem& item = targets.items[i];
      if (!item.truth.frame || !item.truth.frame->wanted)
        throw Error::usage(
            "{}: nothing says what '{}' should become, expected a sound beside it (x_noisy.wav, x_clean.wav)",
            name(), item.name);
      const std::vector<float>& part = *item.truth.frame->wanted;
      const std::vector<double> complete =
          sound_.add(*item.truth.frame, std::span(values).subspan(i * each, each));
      add(output, std::span(complete).first(std::min(complete.size(), part.size())),
          std::vector<double>(part.begin(), part.end()));
    }
  }

  Option<std::string> output_{*this, "output", "", "name of the output that is compared; empty: all"};
  double (*number_)(const Closeness&);
  OverlapAdd sound_;
  std::vector<std::pair<std::string, Closeness>> sums_;  // in graph order
};

}  // namespace

void Closeness::add(double x, double r) {
  const double d = x == r ? 0 : x - r;  // infinities may be equal
  signal += r * r;
  noise += d * d;
  product += x * r;
  own += x * x;
  const double size = std::abs(d);
  if (!(size <= largest) && !std::isnan(largest)) largest = size;
}

void Closeness::add(const Closeness& other) {
  signal += other.signal;
  noise += other.noise;
  product += other.product;
  own += other.own;
  if (!(other.largest <= largest) && !std::isnan(largest)) largest = other.largest;
}

double snr(const Closeness& sums) {
  if (sums.noise == 0) return std::numeric_limits<double>::infinity();
  return 10 * std::log10(sums.signal / sums.noise);
}

double cosine(const Closeness& sums) {
  if (sums.signal == 0 && sums.own == 0) return 1;
  if (sums.signal == 0 || sums.own == 0) return 0;
  return sums.product / (std::sqrt(sums.signal) * std::sqrt(sums.own));
}

double max_abs(const Closeness& sums) {
  return sums.largest;
}

std::unique_ptr<Metric> make_closeness(const MetricInfo& info, const MetricContext& context,
                                       double (*number)(const Closeness&)) {
  return std::make_unique<ClosenessMetric>(info, context, number);
}

}  // namespace compressor::metrics
