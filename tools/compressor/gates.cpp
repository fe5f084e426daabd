// gates: metrics on data, outputs on inputs, and the bounds on both.
#include "gates.h"

#include <fmt/format.h>

#include <cmath>

#include "compressor/analysis/compare.h"
#include "compressor/analysis/evaluate.h"
#include "compressor/base/error.h"
#include "feeds.h"

namespace compressor::cli {
namespace {

/// Without --samples a calibration takes so many, drawn by the seed.
constexpr std::int64_t kCalibrationSamples = 512;
/// Of a change that claims to keep outputs: max |a - b| / max |a|.
constexpr double kSame = 1e-3;

/// Batches of --data, else random inputs, one after the other.
ComparedBatches batches_for(const Model& model, const DataOptions& data, std::int64_t count,
                            const std::map<std::string, std::vector<std::int64_t>>& shapes,
                            std::uint64_t seed, Terminal& terminal) {
  if (*data.data) {
    const std::shared_ptr<const Dataset> set = data.open();
    LoaderOptions options = data.loader_options();
    options.samples = count;
    options.batch = 0;
    const auto inputs = std::make_shared<const ModelData>(model, *set, data.preprocessing(), options);
    return [set, inputs](const std::function<void(const ComparedBatch&)>& visit) {
      inputs->each([&](const Executor::Feeds& feeds, const Batch& batch, std::int64_t rows) {
        visit({.feeds = feeds, .samples = batch.size(), .rows = rows});
      });
    };
  }
  return [&model, &terminal, count, shapes, seed](const std::function<void(const ComparedBatch&)>& visit) {
    for (std::int64_t i = 0; i < count; ++i) {
      terminal.progress("verifying", static_cast<double>(i) / static_cast<double>(count));
      const GivenFeeds given = read_feeds(model, {}, true, shapes, seed + static_cast<std::uint64_t>(i));
      visit({.feeds = given.feeds});
    }
  };
}

void verify(const Model& before, const Model& after, const ComparedBatches& batches, const GateOptions& gates,
            bool same, Report& report) {
  const Comparison c = compare_models(before, after, {.layers = false, .kept = {}}, batches);
  double snr = HUGE_VAL;
  double difference = 0;
  double relative = 0;
  for (const ComparedValue& output : c.outputs) {
    snr = std::min(snr, output.difference.snr());
    difference = std::max(difference, output.difference.max_abs);
    relative = std::max(relative, output.difference.relative());
  }
  report.metrics.emplace_back("verify.inputs", static_cast<double>(c.samples));
  report.metrics.emplace_back("verify.max_abs", difference);
  if (std::isfinite(snr)) report.metrics.emplace_back("verify.snr_db", snr);
  if (*gates.min_snr && snr < **gates.min_snr) {
    throw Error::gate("--min-snr: an output is within {:.2f} dB, expected at least {:.2f} dB", snr,
                      **gates.min_snr);
  }
  if (same && relative > kSame) {
    throw Error::gate(
        "--verify: an output differs by {:.3g} of its largest number; this change should keep it", relative);
  }
}

void measure(const Model& before, const Model& after, const DataOptions& data, const GateOptions& gates,
             bool calibrates, Report& report, Terminal& terminal) {
  const std::string path = gates.eval_data->value_or(data.data->value_or(""));
  const auto set = data.open_at(path, "test");
  const bool same_data =
      calibrates && path == data.data->value_or("") && data.open("train")->split() == set->split();
  LoaderOptions options = data.loader_options();
  // --samples is about calibration where there is one, else about this.
  options.samples = gates.eval_samples.is_set() || calibrates ? *gates.eval_samples : *data.samples;
  options.batch = 0;
  const auto metrics = gates.metric->empty() ? default_metrics(*set) : *gates.metric;
  const auto run = [&](const Model& model, const char* what) {
    const ModelData inputs(model, *set, data.preprocessing_at(path), options);
    return evaluate(model, *set, inputs, metrics, [&](double share) { terminal.progress(what, share); });
  };
  const Evaluation first = run(before, "evaluating before");
  const Evaluation second = run(after, "evaluating after");
  for (std::size_t i = 0; i < metrics.size(); ++i) {
    report.metrics.emplace_back(metrics[i] + ".before", first.metrics[i].value);
    report.metrics.emplace_back(metrics[i] + ".after", second.metrics[i].value);
  }
  report.metrics.emplace_back("samples", static_cast<double>(second.samples));
  if (same_data) {
    report.warnings.emplace_back(
        "the data that the change was made with was also used to measure it; give other data by "
        "--eval-data");
  }
  if (!*gates.max_drop) return;
  const double sign = first.metrics[0].info.higher_is_better ? 1 : -1;
  const double drop = sign * (first.metrics[0].value - second.metrics[0].value);
  if (drop > **gates.max_drop) {
    throw Error::gate("--max-drop: {} went from {:.4f} to {:.4f}, worse by {:.4f} where {} is allowed",
                      metrics[0], first.metrics[0].value, second.metrics[0].value, drop, **gates.max_drop);
  }
}

}  // namespace

PassContext::Batches calibration_batches(const Model& model, const DataOptions& data, std::uint64_t seed,
                                         std::uint64_t keep) {
  const std::shared_ptr<const Dataset> set = data.open("train");
  LoaderOptions options = data.loader_options();
  if (!data.samples.is_set()) options.samples = std::min(kCalibrationSamples, set->size());
  options.batch = 32;
  options.shuffle = true;
  options.seed = seed;
  const auto inputs = std::make_shared<ModelData>(model, *set, data.preprocessing(), options);
  inputs->keep(keep);
  return [set, inputs](const std::function<void(const PassContext::Inputs&)>& visit) {
    inputs->each([&](const Executor::Feeds& feeds, const Batch&, std::int64_t) {
      PassContext::Inputs batch;
      for (const auto& [name, value] : feeds) batch[name] = value.tensor;
      batch.carried = feeds.carried;
      visit(batch);
    });
  };
}

void check_gates(const Model& before, const Model& after, const DataOptions& data, const GateOptions& gates,
                 const std::map<std::string, std::vector<std::int64_t>>& shapes, std::uint64_t seed,
                 bool same, bool calibrated, Report& report, Terminal& terminal) {
  if (*gates.verify) {
    verify(before, after, batches_for(before, data, **gates.verify, shapes, seed, terminal), gates, same,
           report);
  }
  const bool measures = *gates.eval_data || !gates.metric->empty() || gates.max_drop->has_value();
  if (measures) measure(before, after, data, gates, calibrated, report, terminal);
}

}  // namespace compressor::cli
