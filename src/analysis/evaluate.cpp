// evaluate: loader, executor, metrics, batch by batch.
#include "compressor/analysis/evaluate.h"

#include <chrono>

#include "compressor/base/error.h"

namespace compressor {
namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

std::vector<std::string> default_metrics(const Dataset& data) {
  if (data.size() > 0) {
    const Truth truth = data.get(0).truth;
    if (truth.label) return {"top1"};
    if (truth.boxes) return {"ap50", "ap"};
    if (truth.mask) return {"miou"};
    if (truth.text) return {"text_accuracy", "char_accuracy"};
    if (truth.frame && truth.frame->wanted) return {"snr"};
    if (truth.target) return {"nats_per_token"};
  }
  throw Error::usage("the data says nothing of its samples that a metric could be told by ({})",
                     data.describe());
}

Runner engine_runner(const Model& model) {
  return [&model, executor = std::make_shared<Executor>(model)](const Executor::Feeds& feeds) {
    std::vector<ops::RunValue> values = executor->run(feeds);
    Outputs outputs;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (values[i].kind != ops::RunValue::Kind::kTensor) continue;
      outputs.emplace_back(model.graph->outputs()[i]->name(), std::move(values[i].tensor));
    }
    return outputs;
  };
}

Evaluation evaluate(const Model& model, const Dataset& data, const ModelData& inputs,
                    const std::vector<std::string>& metrics, const std::function<void(double)>& progress) {
  return evaluate(engine_runner(model), data, inputs, metrics, progress);
}

Evaluation evaluate(const Runner& run, const Dataset& data, const ModelData& inputs,
                    const std::vector<std::string>& metrics, const std::function<void(double)>& progress) {
  const MetricContext context{data.classes(), data.void_label()};
  std::vector<std::unique_ptr<Metric>> made;
  for (const std::string& text : metrics) made.push_back(make_metric(text, context));
  Evaluation result;
  const auto start = Clock::now();
  inputs.each([&](const Executor::Feeds& feeds, const Batch& batch, std::int64_t rows) {
    const auto begin = Clock::now();
    const Outputs outputs = run(feeds);
    result.run_seconds += since(begin);
    for (const auto& metric : made) metric->update(outputs, {.items = batch.items, .rows = rows});
    result.samples += batch.size();
    if (progress) progress(static_cast<double>(result.samples) / static_cast<double>(inputs.size()));
  });
  result.seconds = since(start);
  result.skipped = inputs.skipped();
  for (const auto& metric : made) result.metrics.push_back({metric->text(), metric->info(), metric->value()});
  return result;
}

}  // namespace compressor
