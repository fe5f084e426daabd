// static_mode: prepare, find ranges, take out what rounding would ruin, rewrite.
#include "passes/quantize/static_mode.h"

#include <algorithm>
#include <cmath>

#include "compressor/base/error.h"
#include "passes/quantize/channels/drop_bounds.h"
#include "passes/quantize/channels/high_biases.h"
#include "passes/quantize/channels/moments.h"
#include "passes/quantize/channels/prepare_channels.h"
#include "passes/quantize/integer/noisy_values.h"
#include "passes/quantize/integer/qoperator.h"
#include "passes/quantize/integer/reestimate.h"
#include "passes/quantize/pass_samples.h"
#include "passes/quantize/ranges/calibrate.h"
#include "passes/quantize/ranges/synthetic.h"
#include "passes/quantize/rounding/static_rounding.h"

namespace compressor::quantize {
namespace {

constexpr std::int64_t kReestimated = 64;  ///< samples on which convolutions are matched
constexpr std::int64_t kPictures = 192;    ///< that calibration makes where it has none
constexpr double kCoarse = 0.1;            ///< noise over signal of outputs that is worth a warning

/// Ranges of a prepared model's values on the context's samples.
Calibration calibrate_on(const Quantize& q, const Model& model, const StaticOptions& options,
                         PassContext& context) {
  PassContext asking;  // what is skipped is recorded once, when the model is rewritten
  asking.filter = context.filter;
  const std::vector<std::string> values = values_to_observe(model, options, asking);
  if (values.empty()) return {};  // nothing will be quantized, and the rewrite says why
  const Samples samples = samples_of(context, "calibrating");
  // Made inputs reach less far than real ones.
  const std::string observer = q.input_range.is_set() && !q.observer.is_set() ? "minmax" : *q.observer;
  Calibration seen =
      calibrate_once(model, values, samples, observer,
                     {.levels = 1 << bits(options.target.activation), .percentile = *q.percentile},
                     static_cast<std::uint64_t>(*q.max_memory) << 20U, context.findings.get());
  context.note(fmt::format("calibrated on {} batches, observer {}", seen.batches, observer));
  return seen;
}

/// Says what activations of 8 bits are foreseen to do to the outputs, and warns where that is much.
void tell_noise(double noise, PassContext& context) {
  if (noise <= 0) return;
  const std::string level = noise < 1 ? fmt::format("within {:.0f} dB", -10 * std::log10(noise))
                                      : std::string("with more noise than signal");
  context.note(
      fmt::format("rounded activations leave the outputs {} on average, as gradients foresee", level));
  if (noise > kCoarse)
    context.warn(
        fmt::format("8 bits are coarse for activations of this model: outputs {}; measure it, and see "
                    "--max-drop, --mode dynamic and --mode weight-only",
                    level));
}

/// Values that stay in float; found once for all trials on one model and its data.
InFloat find_noisy(const Quantize& q, const Model& model, const Ranges& ranges, const StaticOptions& options,
                   PassContext& context) {
  if (*q.noise_share >= 1 || bits(options.target.activation) > 8) return options.in_float;
  std::any* known = nullptr;
  if (context.findings)
    known = &(*context.findings)[fmt::format("quantize.noisy {} {}", options.target.name, *q.noise_share)];
  if (known && known->has_value()) return std::any_cast<NoisyValues>(known)->in_float;
  PassContext asking;
  asking.filter = context.filter;
  const Plan plan = plan_static(model, ranges, options, asking);
  if (plan.activations.empty()) return options.in_float;
  const auto grids = activation_scales(model, plan, ranges, options.target);
  const OutputNoise noise = output_noise(model, grids, activation_codes(options.target),
                                         samples_of(context, "weighing values"), context.seed);
  if (!noise.unknown.empty())
    context.note("what single values do to the outputs is not known: " + noise.unknown);
  NoisyValues noisy = noisy_values(model, ranges, options, noise, *q.noise_share, context.filter);
  if (known) *known = noisy;
  tell_noise(noisy.noise, context);
  return noisy.in_float;
}

void write_static(const Quantize& q, Model& model, const Ranges& ranges, const StaticOptions& options,
                  PassContext& context) {
  quantize_static(model, ranges, options, context);
  if (*q.format == "qoperator") to_qoperator(model, options.target, context);
}

/// Of values behind norms, made inputs know less than the norms.
void absorb(const Quantize& q, Model& model, Moments& moments, PassContext& context) {
  if (!*q.absorb_bias) return;
  Levels levels;
  if (q.input_range.is_set() || !context.batches) levels = levels_of(moments);
  if (context.batches)
    levels.merge(see_levels(model, context.filter, samples_of(context, "looking at biases")));
  const std::int64_t channels = absorb_high_biases(model, levels, moments, context);
  context.note(fmt::format("what {} channels always hold moved into biases behind them", channels));
}

/// Static, from samples.
void calibrate_and_write(const Quantize& q, Model& model, const ScalingOptions& scaling,
                         const std::optional<GptqOptions>& gptq, StaticOptions& options,
                         PassContext& context) {
  // Of made pictures and norms, norms know better what they give.
  const bool made = q.input_range.is_set();
  Moments moments;
  drop_bounds(q, model, context);
  if (made || *q.bias_correction == "analytic") moments = guess_moments(model);
  prepare_static(model, context);
  drop_far_bounds(q, model, made ? &moments : nullptr, context);
  scale_channels(model, scaling, look_at(context), context,
                 [&](const ChannelFactors& factors) { scale_moments(moments, factors); });
  absorb(q, model, moments, context);
  Calibration seen = calibrate_on(q, model, options, context);
  options.measured = true;
  options.snr_db = seen.snr_db;
  options.in_float = seen.not_finite;
  if (*q.bias_correction == "analytic") options.means = means_of(moments);
  if (*q.bias_correction == "auto" || *q.bias_correction == "empirical") options.means = seen.channel_means;
  if (made) {
    for (const auto& [name, range] : ranges_of(moments)) {
      seen.ranges[name] = range;
      options.snr_db.erase(name);  // it was of another range
    }
    if (*q.bias_correction == "auto") {
      for (const auto& [name, means] : means_of(moments)) options.means[name] = means;
    }
  }
  if (gptq) {
    options.rounding = std::make_shared<StaticRounding>(
        model, samples_of(context, "measuring"), *gptq,
        MeasureOptions{.max_memory = static_cast<std::uint64_t>(*q.max_memory) << 20U});
  }
  options.in_float = find_noisy(q, model, seen.ranges, options, context);
  for (const auto& [name, why] : options.in_float) context.note(fmt::format("left in float: {}", why));
  const Model before = *q.reestimate ? model.clone() : Model{};
  quantize_static(model, seen.ranges, options, context);
  if (*q.reestimate) {
    const Samples few = first_of(samples_of(context, "re-estimating"), kReestimated);
    reestimate(before, model, few, context);
  }
  if (*q.format == "qoperator") to_qoperator(model, options.target, context);
}

/// Static, from what norms tell.
void guess_and_write(const Quantize& q, Model& model, const ScalingOptions& scaling, StaticOptions& options,
                     PassContext& context) {
  drop_bounds(q, model, context);
  Moments moments = guess_moments(model);
  if (moments.empty())
    throw Error::usage(
        "--mode static needs --data, --ranges, --input-range, or norms in the model: what activations hold");
  for (const OptionBase* option :
       {static_cast<const OptionBase*>(&q.observer), static_cast<const OptionBase*>(&q.percentile),
        static_cast<const OptionBase*>(&q.max_memory), static_cast<const OptionBase*>(&q.noise_share)}) {
    if (option->is_set())
      throw Error::usage("--{} goes with calibration on --data or --input-range", option->name());
  }
  if (*q.bias_correction == "empirical")
    throw Error::usage("--bias-correction empirical needs --data or --input-range: means that were seen");
  prepare_static(model, context);
  drop_far_bounds(q, model, &moments, context);
  scale_channels(
      model, scaling, [&](const Model&) { return seen_of(moments); }, context,
      [&](const ChannelFactors& factors) { scale_moments(moments, factors); });
  absorb(q, model, moments, context);
  if (*q.bias_correction != "none") options.means = means_of(moments);
  context.note("without data: ranges are told from the statistics of norms");
  write_static(q, model, ranges_of(moments), options, context);
}

}  // namespace

void run_static(const Quantize& q, Model& model, const ScalingOptions& scaling,
                const std::optional<GptqOptions>& gptq, StaticOptions& options, PassContext& context) {
  if (q.ranges.is_set()) {
    Ranges known = read_ranges(*q.ranges);
    check_names(model, known, *q.ranges, context);
    for (const auto& [name, old] : prepare_static(model, context)) {
      if (known.contains(old)) known.emplace(name, known.at(old));
    }
    return write_static(q, model, known, options, context);
  }
  if (context.batches) return calibrate_and_write(q, model, scaling, gptq, options, context);
  if (q.input_range.is_set()) {
    context.batches = synthetic_batches(model, parse_input_ranges(model, *q.input_range),
                                        context.input_shapes, context.seed, kPictures);
    context.note(fmt::format("without data: calibrated on {} made inputs within --input-range", kPictures));
    calibrate_and_write(q, model, scaling, gptq, options, context);
    context.batches = {};
    return;
  }
  guess_and_write(q, model, scaling, options, context);
}

}  // namespace compressor::quantize
