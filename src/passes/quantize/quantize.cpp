// quantize: hand over to the mode; in mode static, find ranges first.
#include "compressor/passes/quantize.h"

#include <algorithm>
#include <cmath>

#include "passes/quantize/channels/awq.h"
#include "passes/quantize/channels/clip_to_relu.h"
#include "passes/quantize/channels/high_biases.h"
#include "passes/quantize/channels/moments.h"
#include "passes/quantize/channels/prepare_channels.h"
#include "passes/quantize/conflicts.h"
#include "passes/quantize/integer/dynamic.h"
#include "passes/quantize/integer/noisy_values.h"
#include "passes/quantize/integer/qoperator.h"
#include "passes/quantize/integer/reestimate.h"
#include "passes/quantize/integer/static_qdq.h"
#include "passes/quantize/layer_options.h"
#include "passes/quantize/ranges/calibrate.h"
#include "passes/quantize/ranges/synthetic.h"
#include "passes/quantize/records.h"
#include "passes/quantize/rest.h"
#include "passes/quantize/rounding/static_rounding.h"
#include "passes/quantize/settings.h"
#include "passes/quantize/weight_only.h"

namespace compressor {
namespace {

using quantize::Clip;
using quantize::WeightOnlyOptions;

constexpr std::int64_t kReestimated = 64;  ///< samples on which convolutions are matched
constexpr std::int64_t kPictures = 192;    ///< that calibration makes where it has none
constexpr double kCoarse = 0.1;            ///< noise over signal of outputs that is worth a warning

/// Numbers of the data that are none would spread through all that is measured.
void check_finite(const std::string& input, const Tensor& x) {
  if (x.dtype != DType::kFloat) return;
  const std::vector<float> values = to_floats(x);
  const auto odd = std::count_if(values.begin(), values.end(), [](float v) { return !std::isfinite(v); });
  if (odd > 0) throw Error::io("the data holds {} numbers that are not finite for input '{}'", odd, input);
}

/// The context's samples as feeds.
Samples samples_of(PassContext& context, const std::string& doing) {
  return [&context, doing](const std::function<void(const Executor::Feeds&)>& visit) {
    std::int64_t batches = 0;
    context.batches([&](const PassContext::Inputs& inputs) {
      Executor::Feeds feeds;
      for (const auto& [name, tensor] : inputs) {
        check_finite(name, tensor);
        feeds[name] = tensor;
      }
      feeds.carried = inputs.carried;
      visit(feeds);
      ++batches;
      if (context.progress) context.progress(fmt::format("{}, batch {}", doing, batches), 0);
    });
  };
}

/// Ranges of a prepared model's values on the context's samples.
quantize::Calibration calibrate_on(const Quantize& q, const Model& model,
                                   const quantize::StaticOptions& options, PassContext& context) {
  PassContext asking;  // what is skipped is recorded once, when the model is rewritten
  asking.filter = context.filter;
  const std::vector<std::string> values = quantize::values_to_observe(model, options, asking);
  if (values.empty()) return {};  // nothing will be quantized, and the rewrite says why
  const Samples samples = samples_of(context, "calibrating");
  // Made inputs reach less far than real ones.
  const std::string observer = q.input_range.is_set() && !q.observer.is_set() ? "minmax" : *q.observer;
  quantize::Calibration seen =
      quantize::calibrate_once(model, values, samples, observer,
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
  context.note(fmt::format("rounded activations leave the outputs {}, as gradients foresee", level));
  if (noise > kCoarse)
    context.warn(
        fmt::format("8 bits are coarse for activations of this model: outputs {}; measure it, and see "
                    "--max-drop, --mode dynamic and --mode weight-only",
                    level));
}

/// Values that stay in float; found once for all trials on one model and its data.
quantize::InFloat find_noisy(const Quantize& q, const Model& model, const quantize::Ranges& ranges,
                             const quantize::StaticOptions& options, PassContext& context) {
  if (*q.noise_share >= 1 || bits(options.target.activation) > 8) return options.in_float;
  std::any* known = nullptr;
  if (context.findings)
    known = &(*context.findings)[fmt::format("quantize.noisy {} {}", options.target.name, *q.noise_share)];
  if (known && known->has_value()) return std::any_cast<quantize::NoisyValues>(known)->in_float;
  PassContext asking;
  asking.filter = context.filter;
  const quantize::Plan plan = quantize::plan_static(model, ranges, options, asking);
  if (plan.activations.empty()) return options.in_float;
  const auto grids = quantize::activation_scales(model, plan, ranges, options.target);
  const quantize::OutputNoise noise =
      quantize::output_noise(model, grids, quantize::activation_codes(options.target),
                             samples_of(context, "weighing values"), context.seed);
  if (!noise.unknown.empty())
    context.note("what single values do to the outputs is not known: " + noise.unknown);
  quantize::NoisyValues noisy =
      quantize::noisy_values(model, ranges, options, noise, *q.noise_share, context.filter);
  if (known) *known = noisy;
  tell_noise(noisy.noise, context);
  return noisy.in_float;
}

void write_static(const Quantize& q, Model& model, const quantize::Ranges& ranges,
                  const quantize::StaticOptions& options, PassContext& context) {
  quantize::quantize_static(model, ranges, options, context);
  if (*q.format == "qoperator") quantize::to_qoperator(model, options.target, context);
}

/// At most so many samples (whole batches), held to be visited again and again.
Samples first_of(const Samples& samples, std::int64_t count) {
  auto held = std::make_shared<std::vector<Executor::Feeds>>();
  std::int64_t seen = 0;
  samples([&](const Executor::Feeds& feeds) {
    if (seen >= count || feeds.empty()) return;
    const Dims& shape = feeds.begin()->second.tensor.shape;
    seen += shape.empty() ? 1 : shape[0];
    held->push_back(feeds);
  });
  return [held](const std::function<void(const Executor::Feeds&)>& visit) {
    for (const Executor::Feeds& feeds : *held) visit(feeds);
  };
}

/// Looks at channels on the context's samples.
quantize::Look look_at(PassContext& context) {
  if (!context.batches) return {};
  return [&context](const Model& model) {
    return quantize::see_channels(model, context.filter, samples_of(context, "looking at channels"));
  };
}

/// What a Clip's bound stops: factors, and what channels always hold.
bool wants_relus(const Quantize& q) {
  return (*q.equalize != "none" || *q.absorb_bias) && *q.relu6 != "keep";
}
/// Before norms are read: bounds that are to go whatever is known.
void drop_bounds(const Quantize& q, Model& model, PassContext& context) {
  if (wants_relus(q) && *q.relu6 == "replace") quantize::clips_to_relus(model, {}, context);
}
/// In a prepared model: bounds that are not reached by what norms tell or, without `moments`, data shows.
void drop_far_bounds(const Quantize& q, Model& model, const quantize::Moments* moments,
                     PassContext& context) {
  if (!wants_relus(q) || *q.relu6 == "replace") return;
  std::map<std::string, float> largest;
  if (!moments)
    largest = quantize::see_largest(model, context.filter, samples_of(context, "looking at bounds"));
  const auto reaches = [&](const Value& v) -> std::optional<float> {
    if (moments) {
      const auto m = moments->find(v.name());
      if (m == moments->end()) return std::nullopt;
      return static_cast<float>(*std::max_element(m->second.high.begin(), m->second.high.end()));
    }
    const auto seen = largest.find(v.name());
    return seen == largest.end() ? std::nullopt : std::optional(seen->second);
  };
  quantize::clips_to_relus(model, reaches, context);
}

/// Of values behind norms, made inputs know less than the norms.
void absorb(const Quantize& q, Model& model, quantize::Moments& moments, PassContext& context) {
  if (!*q.absorb_bias) return;
  quantize::Levels levels;
  if (q.input_range.is_set() || !context.batches) levels = quantize::levels_of(moments);
  if (context.batches)
    levels.merge(quantize::see_levels(model, context.filter, samples_of(context, "looking at biases")));
  const std::int64_t channels = quantize::absorb_high_biases(model, levels, moments, context);
  context.note(fmt::format("what {} channels always hold moved into biases behind them", channels));
}

/// Static, from samples.
void calibrate_and_write(const Quantize& q, Model& model, const quantize::ScalingOptions& scaling,
                         const std::optional<quantize::GptqOptions>& gptq, quantize::StaticOptions& options,
                         PassContext& context) {
  // Of made pictures and norms, norms know better what they give.
  const bool made = q.input_range.is_set();
  quantize::Moments moments;
  drop_bounds(q, model, context);
  if (made || *q.bias_correction == "analytic") moments = quantize::guess_moments(model);
  quantize::prepare_static(model, context);
  drop_far_bounds(q, model, made ? &moments : nullptr, context);
  quantize::scale_channels(
      model, scaling, look_at(context), context,
      [&](const quantize::ChannelFactors& factors) { quantize::scale_moments(moments, factors); });
  absorb(q, model, moments, context);
  quantize::Calibration seen = calibrate_on(q, model, options, context);
  options.measured = true;
  options.snr_db = seen.snr_db;
  options.in_float = seen.not_finite;
  if (*q.bias_correction == "analytic") options.means = quantize::means_of(moments);
  if (*q.bias_correction == "auto" || *q.bias_correction == "empirical") options.means = seen.channel_means;
  if (made) {
    for (const auto& [name, range] : quantize::ranges_of(moments)) {
      seen.ranges[name] = range;
      options.snr_db.erase(name);  // it was of another range
    }
    if (*q.bias_correction == "auto") {
      for (const auto& [name, means] : quantize::means_of(moments)) options.means[name] = means;
    }
  }
  if (gptq) {
    options.rounding = std::make_shared<quantize::StaticRounding>(
        model, samples_of(context, "measuring"), *gptq,
        quantize::MeasureOptions{.max_memory = static_cast<std::uint64_t>(*q.max_memory) << 20U});
  }
  options.in_float = find_noisy(q, model, seen.ranges, options, context);
  for (const auto& [name, why] : options.in_float) context.note(fmt::format("left in float: {}", why));
  const Model before = *q.reestimate ? model.clone() : Model{};
  quantize::quantize_static(model, seen.ranges, options, context);
  if (*q.reestimate) {
    const Samples few = first_of(samples_of(context, "re-estimating"), kReestimated);
    quantize::reestimate(before, model, few, context);
  }
  if (*q.format == "qoperator") quantize::to_qoperator(model, options.target, context);
}

/// Static, from what norms tell.
void guess_and_write(const Quantize& q, Model& model, const quantize::ScalingOptions& scaling,
                     quantize::StaticOptions& options, PassContext& context) {
  drop_bounds(q, model, context);
  quantize::Moments moments = quantize::guess_moments(model);
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
  quantize::prepare_static(model, context);
  drop_far_bounds(q, model, &moments, context);
  quantize::scale_channels(
      model, scaling, [&](const Model&) { return quantize::seen_of(moments); }, context,
      [&](const quantize::ChannelFactors& factors) { quantize::scale_moments(moments, factors); });
  absorb(q, model, moments, context);
  if (*q.bias_correction != "none") options.means = quantize::means_of(moments);
  context.note("without data: ranges are told from the statistics of norms");
  write_static(q, model, quantize::ranges_of(moments), options, context);
}

}  // namespace

std::vector<std::pair<std::string, std::string>> quantize_targets() {
  std::vector<std::pair<std::string, std::string>> list;
  for (const std::string& name : quantize::target_names()) {
    const quantize::Target& target = quantize::target_of(name);
    list.emplace_back(name, target.summary + "; exact on " + target.exact_on);
  }
  return list;
}

void Quantize::run(Model& model, PassContext& context) {
  const Model before = model.clone();
  rewrite(model, context);
  if (context.result.unit == "nodes" && *rest != "float") quantize::store_rest(model, context);
  quantize::record_shares(before, context);
}

void Quantize::rewrite(Model& model, PassContext& context) {
  const bool has_data = static_cast<bool>(context.batches);
  const bool knows = has_data || ranges.is_set() || input_range.is_set();
  const std::string chosen = *mode != "auto" ? *mode : knows ? "static" : "weight-only";
  if (*mode == "auto") {
    quantize::check_form(*this, chosen);
    if (chosen == "static") {
      quantize::check_scales(*this, chosen);
    } else if (target.is_set()) {
      throw Error::usage("--target goes with activations: give --data or --ranges, or --mode dynamic");
    }
  }
  if (ranges.is_set()) quantize::check_not_calibrating(*this, "and the ranges are given");
  const auto gptq = quantize::rounding_of(*this, has_data);
  if (chosen != "static") {
    const std::string why = "and mode " + chosen + " has none";
    gptq || *awq ? quantize::check_no_ranges(*this, why) : quantize::check_not_calibrating(*this, why);
  }
  quantize::StaticOptions options{quantize::target_for(*this), *clip == "mse" ? Clip::kMse : Clip::kMinMax};
  quantize::check_equalize(*this, chosen, has_data);
  quantize::check_awq(*this, chosen, has_data);
  const quantize::ScalingOptions scaling{*equalize, *smooth, options.target.saturates ? 64.0 : 127.0};
  if (chosen == "weight-only") drop_bounds(*this, model, context);
  if (chosen != "static") quantize::scale_channels(model, scaling, look_at(context), context);
  quantize::check_layers(*this, context.layers, chosen);
  if (chosen == "weight-only") {
    const auto with_rounding = [&](const Quantize& q) {
      WeightOnlyOptions o = quantize::weight_options(q);
      o.gptq = gptq;
      if (gptq || o.output_clip) o.samples = samples_of(context, "measuring");
      o.measure.max_memory = static_cast<std::uint64_t>(*max_memory) << 20U;
      return o;
    };
    const auto own_of = [&](const Node& node) -> std::optional<WeightOnlyOptions> {
      const auto own = quantize::own_options(*this, context.layers, node);
      return own ? std::optional(with_rounding(*own)) : std::nullopt;
    };
    const WeightOnlyOptions shared = with_rounding(*this);
    if (*awq)
      quantize::scale_for_weights(
          model, samples_of(context, "measuring"),
          [&](const Node& node) { return own_of(node).value_or(shared); }, shared.measure.max_memory,
          context);
    return quantize::quantize_weights(model, shared, context, own_of);
  }
  if (chosen == "dynamic")
    return quantize::quantize_dynamic(
        model, options, {.convolutions = *dynamic_conv, .activations = *dynamic_activations}, context);
  if (ranges.is_set()) {
    quantize::Ranges known = quantize::read_ranges(*ranges);
    quantize::check_names(model, known, *ranges, context);
    for (const auto& [name, old] : quantize::prepare_static(model, context)) {
      if (known.contains(old)) known.emplace(name, known.at(old));
    }
    return write_static(*this, model, known, options, context);
  }
  if (has_data) return calibrate_and_write(*this, model, scaling, gptq, options, context);
  if (input_range.is_set()) {
    context.batches = quantize::synthetic_batches(model, quantize::parse_input_ranges(model, *input_range),
                                                  context.input_shapes, context.seed, kPictures);
    context.note(fmt::format("without data: calibrated on {} made inputs within --input-range", kPictures));
    calibrate_and_write(*this, model, scaling, gptq, options, context);
    context.batches = {};
    return;
  }
  guess_and_write(*this, model, scaling, options, context);
}

}  // namespace compressor
