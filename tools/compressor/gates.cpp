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
    LoaderOptions options = data.loader_options(shapes);
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

}  // namespace

PassContext::Batches calibration_batches(const Model& model, const DataOptions& data,
                                         const std::map<std::string, std::vector<std::int64_t>>& shapes,
                                         std::uint64_t seed, std::uint64_t keep) {
  const std::shared_ptr<const Dataset> set = data.open("train");
  LoaderOptions options = data.loader_options(shapes);
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

void Gates::verify(const Model& after, Verdict& verdict) const {
  const ComparedBatches batches =
      batches_for(s_.before, s_.data, **s_.gates.verify, s_.shapes, s_.seed, terminal_);
  const Comparison c = compare_models(s_.before, after, {.layers = false, .kept = {}}, batches);
  double snr = HUGE_VAL;
  double difference = 0;
  double relative = 0;
  for (const ComparedValue& output : c.outputs) {
    snr = std::min(snr, output.difference.snr());
    difference = std::max(difference, output.difference.max_abs);
    relative = std::max(relative, output.difference.relative());
  }
  verdict.metrics.emplace_back("verify.inputs", static_cast<double>(c.samples));
  verdict.metrics.emplace_back("verify.max_abs", difference);
  if (std::isfinite(snr)) verdict.metrics.emplace_back("verify.snr_db", snr);
  if (*s_.gates.min_snr && snr < **s_.gates.min_snr) {
    verdict.broken = fmt::format("--min-snr: an output is within {:.2f} dB, expected at least {:.2f} dB", snr,
                                 **s_.gates.min_snr);
  } else if (s_.same && relative > kSame) {
    verdict.broken = fmt::format(
        "--verify: an output differs by {:.3g} of its largest number; this change should keep it", relative);
  }
}

void Gates::measure(const Model& after, Verdict& verdict) {
  const std::string path = eval_path();
  const auto set = s_.data.open_at(path, "test");
  const bool same_data =
      s_.calibrated && path == s_.data.data->value_or("") && s_.data.open("train")->split() == set->split();
  LoaderOptions options = s_.data.loader_options(s_.shapes);
  // --samples is about calibration where there is one, else about this.
  options.samples =
      s_.gates.eval_samples.is_set() || s_.calibrated ? *s_.gates.eval_samples : *s_.data.samples;
  options.batch = 0;
  const auto metrics = s_.gates.metric->empty() ? default_metrics(*set) : *s_.gates.metric;
  const auto run = [&](const Model& model, const char* what) {
    const ModelData inputs(model, *set, s_.data.preprocessing_at(path), options);
    return evaluate(model, *set, inputs, metrics, [&](double share) { terminal_.progress(what, share); });
  };
  if (!first_) first_ = run(s_.before, "evaluating before");
  const Evaluation second = run(after, "evaluating after");
  for (std::size_t i = 0; i < metrics.size(); ++i) {
    verdict.metrics.emplace_back(metrics[i] + ".before", first_->metrics[i].value);
    verdict.metrics.emplace_back(metrics[i] + ".after", second.metrics[i].value);
  }
  verdict.metrics.emplace_back("samples", static_cast<double>(second.samples));
  if (same_data) {
    verdict.warnings.emplace_back(
        "the data that the change was made with was also used to measure it; give other data by "
        "--eval-data");
  }
  if (!*s_.gates.max_drop) return;
  const double sign = first_->metrics[0].info.higher_is_better ? 1 : -1;
  const double drop = sign * (first_->metrics[0].value - second.metrics[0].value);
  if (drop > **s_.gates.max_drop) {
    verdict.broken =
        fmt::format("--max-drop: {} went from {:.4f} to {:.4f}, worse by {:.4f} where {} is allowed",
                    metrics[0], first_->metrics[0].value, second.metrics[0].value, drop, **s_.gates.max_drop);
  }
}

bool Gates::measures() const {
  return *s_.gates.eval_data || !s_.gates.metric->empty() || s_.gates.max_drop->has_value();
}

Gates::Verdict Gates::judge(const Model& after) {
  Verdict verdict;
  if (*s_.gates.verify) verify(after, verdict);
  if (verdict.broken.empty() && measures()) measure(after, verdict);
  return verdict;
}

MeasuredInputs Gates::few_inputs() const {
  constexpr std::int64_t kFew = 32, kRandom = 4;
  const std::string path = eval_path();
  if (path.empty()) return random_inputs(s_.before, kRandom, s_.shapes, s_.seed);
  return inputs_of_data(s_.before, s_.data, path, kFew, s_.shapes);
}

void check_gates(const Gates::Setting& setting, const Model& after, Report& report, Terminal& terminal) {
  const Gates::Verdict verdict = Gates(setting, terminal).judge(after);
  report.metrics.insert(report.metrics.end(), verdict.metrics.begin(), verdict.metrics.end());
  report.warnings.insert(report.warnings.end(), verdict.warnings.begin(), verdict.warnings.end());
  if (!verdict.broken.empty()) throw Error::gate("{}", verdict.broken);
}

}  // namespace compressor::cli
