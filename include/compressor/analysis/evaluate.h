// evaluate: runs a model over data and tells its metrics.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "compressor/analysis/model_data.h"
#include "compressor/metrics/metric.h"

namespace compressor {

struct Measured {
  std::string text;  ///< what was asked for: name and options
  MetricInfo info;
  double value = 0;
};

struct Evaluation {
  std::vector<Measured> metrics;  ///< in the order asked for
  std::int64_t samples = 0, skipped = 0;
  double seconds = 0;      ///< of running and measuring, loading included
  double run_seconds = 0;  ///< of running alone
};

/// Metrics that fit what the data says of its samples: top1 for classes, ap50 and ap for boxes, miou for
/// masks, nats_per_token for tokens, text_accuracy for texts, snr for sounds that should become others.
/// Throws Error::usage when it says nothing.
std::vector<std::string> default_metrics(const Dataset& data);

/// Gives the outputs of one batch by name.
using Runner = std::function<Outputs(const Executor::Feeds& feeds)>;
/// Runs the model in the engine; the model must outlive it.
Runner engine_runner(const Model& model);

/// Throws as the metrics, the loader and the runner do. `progress` is told the share of the samples.
Evaluation evaluate(const Runner& run, const Dataset& data, const ModelData& inputs,
                    const std::vector<std::string>& metrics,
                    const std::function<void(double)>& progress = {});
/// In the engine.
Evaluation evaluate(const Model& model, const Dataset& data, const ModelData& inputs,
                    const std::vector<std::string>& metrics,
                    const std::function<void(double)>& progress = {});

}  // namespace compressor
