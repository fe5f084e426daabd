// quantize: check the options and hand over to the mode.
#include "compressor/passes/quantize.h"

#include "passes/quantize/calibrate.h"
#include "passes/quantize/dynamic.h"
#include "passes/quantize/layer_options.h"
#include "passes/quantize/moments.h"
#include "passes/quantize/prepare_channels.h"
#include "passes/quantize/qoperator.h"
#include "passes/quantize/records.h"
#include "passes/quantize/reestimate.h"
#include "passes/quantize/static_qdq.h"
#include "passes/quantize/static_rounding.h"
#include "passes/quantize/synthetic.h"
#include "passes/quantize/weight_only.h"

namespace compressor {
namespace {

using quantize::Clip;
using quantize::Granularity;
using quantize::WeightOnlyOptions;

constexpr std::int64_t kReestimated = 64;  ///< samples on which convolutions are matched
constexpr std::int64_t kPictures = 192;    ///< that calibration makes where it has none

int bits_of(const Quantize& q) {
  if (*q.type == "auto") return std::stoi(*q.bits);
  return bits(dtype_of(*q.type));
}

bool is_symmetric(const Quantize& q) {
  if (*q.symmetric) return true;
  if (*q.asymmetric || *q.clip == "hqq") return false;
  return bits_of(q) > 2;
}

DType code_of(const Quantize& q) {
  return *q.type == "auto" ? codec::code_type(bits_of(q), is_symmetric(q)) : dtype_of(*q.type);
}

WeightOnlyOptions weight_options(const Quantize& q) {
  WeightOnlyOptions o;
  const int width = bits_of(q);
  o.code = code_of(q);
  o.fit.symmetric = is_symmetric(q);
  const bool is_signed = codec::lowest(o.code) < 0;
  // Of 8 bits the lowest code is left out, as runtimes want it of symmetric weights; below, none can be
  // spared.
  o.fit.codes = quantize::code_range(width, is_signed, o.fit.symmetric && width == 8);
  o.fit.clip = *q.clip == "hqq"                                       ? Clip::kHqq
               : *q.clip == "mse" || (*q.clip == "auto" && width < 8) ? Clip::kMse
                                                                      : Clip::kMinMax;
  const bool grouped = *q.storage == "blocked" || *q.storage == "matmulnbits";
  const bool auto_group = *q.granularity == "auto" && (grouped || (width < 8 && *q.storage != "qdq"));
  o.granularity = *q.granularity == "group" || auto_group ? Granularity::kGroup
                  : *q.granularity == "tensor"            ? Granularity::kTensor
                                                          : Granularity::kChannel;
  o.group = static_cast<std::uint64_t>(*q.group_size);
  o.storage = *q.storage == "qdq"           ? codec::Storage::kQdq
              : *q.storage == "blocked"     ? codec::Storage::kBlocked
              : *q.storage == "matmulnbits" ? codec::Storage::kMatMulNBits
                                            : codec::Storage::kPortable;
  return o;
}

void check_scales(const Quantize& q, const std::string& mode) {
  if (mode == "dynamic" && q.ranges.is_set())
    throw Error::usage("--ranges goes with --mode static only: mode dynamic measures while it runs");
  for (const OptionBase* option :
       {static_cast<const OptionBase*>(&q.bits), static_cast<const OptionBase*>(&q.type),
        static_cast<const OptionBase*>(&q.granularity), static_cast<const OptionBase*>(&q.group_size),
        static_cast<const OptionBase*>(&q.symmetric), static_cast<const OptionBase*>(&q.asymmetric),
        static_cast<const OptionBase*>(&q.storage)}) {
    if (option->is_set())
      throw Error::usage("--{} does not go with --mode {}: the target decides", option->name(), mode);
  }
  if (*q.clip == "hqq")
    throw Error::usage("--clip hqq does not go with --mode {}: its weights are symmetric", mode);
}

/// What only ranges of activations are found with is not to be set where there are none.
void check_no_ranges(const Quantize& q, const std::string& why) {
  for (const OptionBase* option :
       {static_cast<const OptionBase*>(&q.observer), static_cast<const OptionBase*>(&q.percentile),
        static_cast<const OptionBase*>(&q.bias_correction)}) {
    if (option->is_set())
      throw Error::usage("--{} goes with calibration on --data or --input-range, {}", option->name(), why);
  }
}

/// What only a calibration reads is not to be set where there is none.
void check_not_calibrating(const Quantize& q, const std::string& why) {
  check_no_ranges(q, why);
  if (q.max_memory.is_set())
    throw Error::usage("--{} goes with calibration on --data, {}", q.max_memory.name(), why);
}

void check_rounding(const Quantize& q) {
  if (*q.rounding == "nearest") {
    if (q.damping.is_set()) throw Error::usage("--damping goes with --rounding gptq");
    return;
  }
  if (*q.mode == "dynamic")
    throw Error::usage("--rounding {} goes with modes weight-only and static, found dynamic", *q.rounding);
  if (q.ranges.is_set())
    throw Error::usage("--rounding {} measures on --data and does not go with --ranges", *q.rounding);
}

/// How to round by what layers take in; nullopt for the nearest codes.
std::optional<quantize::GptqOptions> rounding_of(const Quantize& q, bool has_data) {
  if (*q.rounding == "nearest") return std::nullopt;
  if (!has_data)
    throw Error::usage("--rounding {} needs --data: it measures what layers take in", *q.rounding);
  return quantize::GptqOptions{.damping = *q.damping};
}

quantize::Target target_for(const Quantize& q) {
  const quantize::Target& target = quantize::target_of(*q.target);
  return *q.activation_type == "auto" ? target : with_activation(target, dtype_of(*q.activation_type));
}

/// What says how activations are written is not to be set where they stay in float, and must be known to the
/// target.
void check_form(const Quantize& q, const std::string& mode) {
  for (const OptionBase* option :
       {static_cast<const OptionBase*>(&q.format), static_cast<const OptionBase*>(&q.activation_type)}) {
    if (mode != "static" && option->is_set())
      throw Error::usage("--{} goes with --mode static, found --mode {}", option->name(), mode);
  }
  for (const OptionBase* option : {static_cast<const OptionBase*>(&q.dynamic_conv),
                                   static_cast<const OptionBase*>(&q.dynamic_activations)}) {
    if (mode != "dynamic" && option->is_set())
      throw Error::usage("--{} goes with --mode dynamic, found --mode {}", option->name(), mode);
  }
  if (mode != "static") return;
  const quantize::Target target = target_for(q);
  if (*q.format == "qoperator" && bits(target.activation) > 8)
    throw Error::usage(
        "--format qoperator does not go with --activation-type {}: integer operators have 8 bits",
        *q.activation_type);
  if (*q.format == "qoperator" && target.reads_qdq_only)
    throw Error::usage(
        "--format qoperator does not go with --target {}: it finds integer kernels from QuantizeLinear and "
        "DequantizeLinear alone",
        *q.target);
}

/// Factors between layers go with these.
void check_equalize(const Quantize& q, const std::string& mode, bool has_data) {
  if (*q.equalize == "activations" && mode != "static")
    throw Error::usage("--equalize activations goes with --mode static, found mode {}", mode);
  if (q.input_range.is_set() && (mode != "static" || has_data || q.ranges.is_set()))
    throw Error::usage("--input-range is for --mode static without --data and --ranges");
  if (*q.equalize == "activations" && q.input_range.is_set())
    throw Error::usage(
        "--equalize activations needs --data or norms: made inputs do not show what each channel "
        "holds; use weights");
  if (*q.equalize == "weights" && mode == "dynamic")
    throw Error::usage("--equalize weights does not go with --mode dynamic");
  if (q.reestimate.is_set() &&
      (mode != "static" || !(has_data || q.input_range.is_set()) || q.ranges.is_set()))
    throw Error::usage("--reestimate is for --mode static with --data: what convolutions give is measured");
  if (*q.equalize != "none" && q.ranges.is_set())
    throw Error::usage("--equalize changes what values hold, and --ranges gives it as it was: use --data");
  if (!q.smooth.is_set()) return;
  if (mode == "weight-only") throw Error::usage("--smooth is for activations: --mode static or dynamic");
  if (q.ranges.is_set())
    throw Error::usage("--smooth changes what values hold, and --ranges gives it as it was: use --data");
  if (mode == "dynamic" && !has_data)
    throw Error::usage("--smooth needs --data: what the channels of activations hold");
}

/// The context's samples as feeds.
Samples samples_of(PassContext& context, const std::string& doing) {
  return [&context, doing](const std::function<void(const Executor::Feeds&)>& visit) {
    std::int64_t batches = 0;
    context.batches([&](const PassContext::Inputs& inputs) {
      Executor::Feeds feeds;
      for (const auto& [name, tensor] : inputs) feeds[name] = tensor;
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

/// Static, from samples.
void calibrate_and_write(const Quantize& q, Model& model, const quantize::ScalingOptions& scaling,
                         const std::optional<quantize::GptqOptions>& gptq, quantize::StaticOptions& options,
                         PassContext& context) {
  // Of made pictures and norms, norms know better what they give.
  const bool made = q.input_range.is_set();
  quantize::Moments moments;
  if (made || *q.bias_correction == "analytic") moments = quantize::guess_moments(model);
  quantize::prepare_static(model, context);
  quantize::scale_channels(
      model, scaling, look_at(context), context,
      [&](const quantize::ChannelFactors& factors) { quantize::scale_moments(moments, factors); });
  quantize::Calibration seen = calibrate_on(q, model, options, context);
  options.snr_db = seen.snr_db;
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
  quantize::Moments moments = quantize::guess_moments(model);
  if (moments.empty())
    throw Error::usage(
        "--mode static needs --data, --ranges, --input-range, or norms in the model: what activations hold");
  for (const OptionBase* option :
       {static_cast<const OptionBase*>(&q.observer), static_cast<const OptionBase*>(&q.percentile),
        static_cast<const OptionBase*>(&q.max_memory)}) {
    if (option->is_set())
      throw Error::usage("--{} goes with calibration on --data or --input-range", option->name());
  }
  if (*q.bias_correction == "empirical")
    throw Error::usage("--bias-correction empirical needs --data or --input-range: means that were seen");
  quantize::prepare_static(model, context);
  quantize::scale_channels(
      model, scaling, [&](const Model&) { return quantize::seen_of(moments); }, context,
      [&](const quantize::ChannelFactors& factors) { quantize::scale_moments(moments, factors); });
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

void Quantize::check() const {
  if (percentile.is_set() && observer.is_set() && *observer != "percentile" && *observer != "auto") {
    throw Error::usage("--percentile does not go with --observer {}", *observer);
  }
  if (*mode != "auto" || ranges.is_set()) check_form(*this, *mode == "auto" ? "static" : *mode);
  check_rounding(*this);
  if (*mode == "static" || *mode == "dynamic") return check_scales(*this, *mode);
  if (*mode == "auto" && ranges.is_set()) return check_scales(*this, "static");
  // Auto without ranges is decided when it is known whether there is data.
  if (*mode == "weight-only" && (ranges.is_set() || target.is_set()))
    throw Error::usage("--{} does not go with --mode weight-only",
                       ranges.is_set() ? ranges.name() : target.name());
  if (*symmetric && *asymmetric) throw Error::usage("--symmetric, --asymmetric: expected one of them");
  if (type.is_set() && *type != "auto" && bits.is_set() && bits_of(*this) != std::stoi(*bits))
    throw Error::usage("--type {} has {} bits, and --bits says {}", *type, bits_of(*this), *bits);
  if (*clip == "hqq" && *symmetric)
    throw Error::usage("--clip hqq moves the zero point and does not go with --symmetric");
  const WeightOnlyOptions o = weight_options(*this);
  if (!o.fit.symmetric && codec::lowest(o.code) < 0 && type.is_set() && *storage == "matmulnbits")
    throw Error::usage(
        "--storage matmulnbits has unsigned codes where there are zero points, found --type {}", *type);
  if (group_size.is_set() && o.granularity != Granularity::kGroup)
    throw Error::usage("--group-size needs --granularity group");
  if (*storage == "qdq" && bits_of(*this) == 2)
    throw Error::usage("--storage qdq has no type of 2 bits before opset 25; use portable");
  if (*storage == "blocked" && bits_of(*this) == 2)
    throw Error::usage(
        "--storage blocked has no type of 2 bits before opset 25; use portable or matmulnbits");
  if (*storage == "qdq" && o.granularity == Granularity::kGroup)
    throw Error::usage("--storage qdq has one scale a tensor or channel; for groups use blocked or portable");
  if (*storage == "blocked" && o.granularity != Granularity::kGroup)
    throw Error::usage("--storage blocked needs --granularity group");
  if (*storage == "matmulnbits") {
    if (o.granularity != Granularity::kGroup)
      throw Error::usage("--storage matmulnbits needs --granularity group");
    if ((o.group & (o.group - 1)) != 0)
      throw Error::usage("--storage matmulnbits: found --group-size {}, expected 16, 32, 64, 128 or 256",
                         o.group);
  }
}

void Quantize::run(Model& model, PassContext& context) {
  const Model before = model.clone();
  rewrite(model, context);
  quantize::record_shares(before, context);
}

void Quantize::rewrite(Model& model, PassContext& context) {
  const bool has_data = static_cast<bool>(context.batches);
  const bool knows = has_data || ranges.is_set() || input_range.is_set();
  const std::string chosen = *mode != "auto" ? *mode : knows ? "static" : "weight-only";
  if (*mode == "auto") {
    check_form(*this, chosen);
    if (chosen == "static") {
      check_scales(*this, chosen);
    } else if (target.is_set()) {
      throw Error::usage("--target goes with activations: give --data or --ranges, or --mode dynamic");
    }
  }
  if (ranges.is_set()) check_not_calibrating(*this, "and the ranges are given");
  const auto gptq = rounding_of(*this, has_data);
  if (chosen != "static") {
    const std::string why = "and mode " + chosen + " has none";
    gptq ? check_no_ranges(*this, why) : check_not_calibrating(*this, why);
  }
  quantize::StaticOptions options{target_for(*this), *clip == "mse" ? Clip::kMse : Clip::kMinMax};
  check_equalize(*this, chosen, has_data);
  const quantize::ScalingOptions scaling{*equalize, *smooth, options.target.saturates ? 64.0 : 127.0};
  if (chosen != "static") quantize::scale_channels(model, scaling, look_at(context), context);
  quantize::check_layers(*this, context.layers, chosen);
  if (chosen == "weight-only") {
    const auto with_rounding = [&](const Quantize& q) {
      WeightOnlyOptions o = weight_options(q);
      o.gptq = gptq;
      if (gptq) o.samples = samples_of(context, "measuring");
      o.measure.max_memory = static_cast<std::uint64_t>(*max_memory) << 20U;
      return o;
    };
    return quantize::quantize_weights(model, with_rounding(*this), context,
                                      [&](const Node& node) -> std::optional<WeightOnlyOptions> {
                                        const auto own = quantize::own_options(*this, context.layers, node);
                                        return own ? std::optional(with_rounding(*own)) : std::nullopt;
                                      });
  }
  if (chosen == "dynamic")
    return quantize::quantize_dynamic(
        model, options, {.convolutions = *dynamic_conv, .activations = *dynamic_activations}, context);
  if (ranges.is_set()) {
    const quantize::Ranges known = quantize::read_ranges(*ranges);
    quantize::prepare_static(model, context);
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
