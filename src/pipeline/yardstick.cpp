// yardstick: differences and metrics, batch by batch.
#include "compressor/pipeline/yardstick.h"

#include <algorithm>
#include <cmath>

#include "compressor/base/error.h"

namespace compressor {
namespace {

/// Outputs of the reference that are kept; the rest is computed again.
constexpr std::uint64_t kKeptBytes = std::uint64_t{512} << 20U;

std::vector<Tensor> plain(const std::vector<ops::RunValue>& values) {
  std::vector<Tensor> tensors;
  for (const ops::RunValue& v : values)
    tensors.push_back(v.kind == ops::RunValue::Kind::kTensor ? ops::plain(v) : Tensor());
  return tensors;
}

/// Numbers that belong to samples and not to what fills the batch up.
std::uint64_t counted(const Tensor& t, const YardstickBatch& batch) {
  const std::int64_t samples = batch.batch ? batch.batch->size() : 0;
  if (samples >= batch.rows || t.rank() == 0 || t.shape[0] != batch.rows) return t.size();
  return t.size() / static_cast<std::uint64_t>(batch.rows) * static_cast<std::uint64_t>(samples);
}

}  // namespace

double Reading::snr_db() const {
  return -10 * std::log10(noise);
}

/// Sums over the batches for one model.
class Yardstick::Meter {
 public:
  Meter(const Model& model, const Dataset* data, const std::vector<std::string>& metrics) : model_(model) {
    if (!data) return;
    const MetricContext context{data->classes(), data->void_label()};
    for (const std::string& text : metrics) metrics_.push_back(make_metric(text, context));
  }

  void add(const std::vector<Tensor>& values, const std::vector<Tensor>* reference,
           const YardstickBatch& batch) {
    reading_.samples += batch.batch ? batch.batch->size() : 1;
    if (reference) compare(values, *reference, batch);
    if (metrics_.empty()) return;
    Outputs outputs;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (values[i].dtype != DType::kUndefined)
        outputs.emplace_back(model_.graph->outputs()[i]->name(), values[i]);
    }
    for (const auto& metric : metrics_)
      metric->update(outputs, {.items = batch.batch->items, .rows = batch.rows});
  }

  Reading result() {
    if (reading_.samples == 0) throw Error::usage("there are no samples to measure on");
    for (const Difference& d : differences_) reading_.noise = std::max(reading_.noise, d.ratio());
    for (const auto& metric : metrics_)
      reading_.metrics.push_back({metric->text(), metric->info(), metric->value()});
    return reading_;
  }

 private:
  void compare(const std::vector<Tensor>& values, const std::vector<Tensor>& reference,
               const YardstickBatch& batch) {
    if (values.size() != reference.size()) {
      throw Error::usage("the models have {} and {} outputs", reference.size(), values.size());
    }
    differences_.resize(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      const Tensor &x = reference[i], &y = values[i];
      if (!is_float(x.dtype) || !is_float(y.dtype)) continue;
      if (x.shape != y.shape) {
        throw Error::usage("output '{}' has shape {} in the first model, {} in the second",
                           model_.graph->outputs()[i]->name(), to_string(x.shape), to_string(y.shape));
      }
      differences_[i].add(x, y, counted(x, batch));
    }
  }

  const Model& model_;
  std::vector<std::unique_ptr<Metric>> metrics_;
  std::vector<Difference> differences_;
  Reading reading_;
};

Yardstick::Yardstick(const Model& reference, YardstickInputs inputs, const Dataset* data,
                     std::vector<std::string> metrics)
    : model_(reference),
      inputs_(std::move(inputs)),
      data_(data),
      metrics_(std::move(metrics)),
      executor_(std::make_unique<Executor>(reference)) {
  CHECK(data_ || metrics_.empty(), "metrics are measured on data");
  Meter meter(model_, data_, metrics_);
  std::uint64_t held = 0;
  bool fits = true;
  inputs_([&](const YardstickBatch& batch) {
    std::vector<Tensor> values = plain(executor_->run(batch.feeds));
    meter.add(values, nullptr, batch);
    for (const Tensor& t : values) held += t.byte_size();
    fits = fits && held <= kKeptBytes;
    if (fits) kept_.push_back(std::move(values));
  });
  first_ = meter.result();
}

Yardstick::~Yardstick() = default;

Reading Yardstick::read(const Model& model) const {
  Executor executor(model);
  Meter meter(model, data_, metrics_);
  std::size_t n = 0;
  inputs_([&](const YardstickBatch& batch) {
    const std::vector<Tensor> values = plain(executor.run(batch.feeds));
    if (n < kept_.size()) {
      meter.add(values, &kept_[n], batch);
    } else {
      const std::vector<Tensor> right = plain(executor_->run(batch.feeds));
      meter.add(values, &right, batch);
    }
    ++n;
  });
  return meter.result();
}

double Yardstick::drop(const Reading& reading, std::size_t metric) const {
  const Measured& before = first_.metrics.at(metric);
  return (before.info.higher_is_better ? 1 : -1) * (before.value - reading.metrics.at(metric).value);
}

}  // namespace compressor
