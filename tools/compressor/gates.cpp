// gates: metrics on data, outputs on inputs, and the bounds on both.
#include "gates.h"

#include <fmt/format.h>

#include <cmath>

#include "compressor/analysis/evaluate.h"
#include "compressor/base/error.h"
#include "feeds.h"

namespace compressor::cli {
namespace {

/// Without --samples a calibration takes so many, drawn by the seed.
constexpr std::int64_t kCalibrationSamples = 512;
/// Of a change that claims to keep outputs: max |a - b| / max |a|.
constexpr double kSame = 1e-3;

struct Closeness {
  double signal = 0, noise = 0, largest = 0, difference = 0;
  double snr() const { return noise > 0 ? 10 * std::log10(signal / noise) : HUGE_VAL; }
};

void add(Closeness& c, const std::vector<ops::RunValue>& a, const std::vector<ops::RunValue>& b) {
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
    if (a[i].kind != ops::RunValue::Kind::kTensor || a[i].tensor.dtype == DType::kString) continue;
    if (a[i].tensor.shape != b[i].tensor.shape) {
      throw Error::gate("--verify: output {} has shape {} before and {} after", i,
                        to_string(a[i].tensor.shape), to_string(b[i].tensor.shape));
    }
    const std::vector<double> x = to_doubles(a[i].tensor);
    const std::vector<double> y = to_doubles(b[i].tensor);
    for (std::size_t k = 0; k < x.size(); ++k) {
      if (std::isfinite(x[k]) && !std::isfinite(y[k])) {
        throw Error::gate("--verify: output {} holds {} where it held {}", i, y[k], x[k]);
      }
      if (!std::isfinite(x[k])) continue;
      c.signal += x[k] * x[k];
      c.noise += (x[k] - y[k]) * (x[k] - y[k]);
      c.largest = std::max(c.largest, std::fabs(x[k]));
      c.difference = std::max(c.difference, std::fabs(x[k] - y[k]));
    }
  }
}

void verify(const Model& before, const Model& after, const DataOptions& data, const GateOptions& gates,
            const std::map<std::string, std::vector<std::int64_t>>& shapes, std::uint64_t seed, bool same,
            Report& report, Terminal& terminal) {
  Executor a(before);
  Executor b(after);
  Closeness c;
  const std::int64_t count = **gates.verify;
  if (*data.data) {
    const auto set = data.open();
    LoaderOptions options = data.loader_options();
    options.samples = count;
    options.batch = std::min<std::int64_t>(count, 32);
    const ModelData inputs(before, *set, data.preprocessing(), options);
    inputs.each([&](const Executor::Feeds& feeds, const Batch&, std::int64_t) {
      add(c, a.run(feeds), b.run(feeds));
    });
  } else {
    for (std::int64_t i = 0; i < count; ++i) {
      terminal.progress("verifying", static_cast<double>(i) / static_cast<double>(count));
      const GivenFeeds given = read_feeds(before, {}, true, shapes, seed + static_cast<std::uint64_t>(i));
      add(c, a.run(given.feeds), b.run(given.feeds));
    }
  }
  report.metrics.emplace_back("verify.inputs", static_cast<double>(count));
  report.metrics.emplace_back("verify.max_abs", c.difference);
  if (std::isfinite(c.snr())) report.metrics.emplace_back("verify.snr_db", c.snr());
  if (*gates.min_snr && c.snr() < **gates.min_snr) {
    throw Error::gate("--min-snr: outputs are within {:.2f} dB, expected at least {:.2f} dB", c.snr(),
                      **gates.min_snr);
  }
  if (same && c.difference > kSame * std::max(c.largest, 1e-6)) {
    throw Error::gate(
        "--verify: outputs differ by {:.3g} where the largest is {:.3g}; this change should keep them",
        c.difference, c.largest);
  }
}

void measure(const Model& before, const Model& after, const DataOptions& data, const GateOptions& gates,
             bool calibrated, Report& report, Terminal& terminal) {
  const std::string path = gates.eval_data->value_or(data.data->value_or(""));
  if (path != data.data->value_or("")) calibrated = false;
  const auto set = data.open_at(path, "test");
  if (calibrated) calibrated = data.open("train")->split() == set->split();
  LoaderOptions options = data.loader_options();
  options.samples = *gates.eval_samples;
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
  if (calibrated) {
    report.warnings.push_back(
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

PassContext::Batches calibration_batches(const Model& model, const DataOptions& data, std::uint64_t seed) {
  const std::shared_ptr<const Dataset> set = data.open("train");
  LoaderOptions options = data.loader_options();
  if (!data.samples.is_set()) options.samples = std::min(kCalibrationSamples, set->size());
  options.batch = 32;
  options.shuffle = true;
  options.seed = seed;
  const auto inputs = std::make_shared<const ModelData>(model, *set, data.preprocessing(), options);
  return [set, inputs](const std::function<void(const PassContext::Inputs&)>& visit) {
    inputs->each([&](const Executor::Feeds& feeds, const Batch&, std::int64_t) {
      PassContext::Inputs batch;
      for (const auto& [name, value] : feeds) batch[name] = value.tensor;
      visit(batch);
    });
  };
}

void check_gates(const Model& before, const Model& after, const DataOptions& data, const GateOptions& gates,
                 const std::map<std::string, std::vector<std::int64_t>>& shapes, std::uint64_t seed,
                 bool same, bool calibrated, Report& report, Terminal& terminal) {
  if (*gates.verify) verify(before, after, data, gates, shapes, seed, same, report, terminal);
  const bool measures = *gates.eval_data || !gates.metric->empty() || gates.max_drop->has_value();
  if (measures) measure(before, after, data, gates, calibrated, report, terminal);
}

}  // namespace compressor::cli
