// conflicts: the rules, and when the command line alone can tell.
#include "passes/quantize/conflicts.h"

#include "compressor/base/error.h"
#include "passes/quantize/settings.h"

namespace compressor {
namespace quantize {
namespace {

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

}  // namespace

void check_awq(const Quantize& q, const std::string& mode, bool has_data) {
  if (!*q.awq) return;
  if (mode != "weight-only") throw Error::usage("--awq goes with --mode weight-only, found mode {}", mode);
  if (!has_data) throw Error::usage("--awq needs --data: it measures what layers take in");
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

void check_no_ranges(const Quantize& q, const std::string& why) {
  for (const OptionBase* option :
       {static_cast<const OptionBase*>(&q.observer), static_cast<const OptionBase*>(&q.percentile),
        static_cast<const OptionBase*>(&q.bias_correction), static_cast<const OptionBase*>(&q.noise_share)}) {
    if (option->is_set())
      throw Error::usage("--{} goes with calibration on --data or --input-range, {}", option->name(), why);
  }
}

void check_not_calibrating(const Quantize& q, const std::string& why) {
  check_no_ranges(q, why);
  if (q.max_memory.is_set())
    throw Error::usage("--{} goes with calibration on --data, {}", q.max_memory.name(), why);
}

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
  if (mode == "weight-only" && q.rest.is_set())
    throw Error::usage("--rest goes with modes static and dynamic: mode weight-only stores every weight so");
  if (mode != "static") return;
  const Target target = target_for(q);
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

void check_equalize(const Quantize& q, const std::string& mode, bool has_data) {
  if (*q.equalize == "activations" && mode != "static")
    throw Error::usage("--equalize activations goes with --mode static, found mode {}", mode);
  if (q.relu6.is_set() && *q.equalize == "none" && !*q.absorb_bias)
    throw Error::usage("--relu6 goes with --equalize or --absorb-bias: nothing else wants it");
  if (*q.relu6 == "auto" && q.relu6.is_set() && mode == "weight-only")
    throw Error::usage("--relu6 auto goes with --mode static: ranges are known; use keep or replace");
  if (*q.absorb_bias && (mode != "static" || q.ranges.is_set()))
    throw Error::usage("--absorb-bias is for --mode static without --ranges");
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

}  // namespace quantize

void Quantize::check() const {
  if (percentile.is_set() && observer.is_set() && *observer != "percentile" && *observer != "auto") {
    throw Error::usage("--percentile does not go with --observer {}", *observer);
  }
  if (*mode != "auto" || ranges.is_set()) quantize::check_form(*this, *mode == "auto" ? "static" : *mode);
  quantize::check_rounding(*this);
  if (*mode != "auto" || ranges.is_set())
    quantize::check_awq(*this, *mode == "auto" ? "static" : *mode, true);
  if (*mode == "static" || *mode == "dynamic") return quantize::check_scales(*this, *mode);
  if (*mode == "auto" && ranges.is_set()) return quantize::check_scales(*this, "static");
  // Auto without ranges is decided when it is known whether there is data.
  if (*mode == "weight-only" && (ranges.is_set() || target.is_set()))
    throw Error::usage("--{} does not go with --mode weight-only",
                       ranges.is_set() ? ranges.name() : target.name());
  if (*symmetric && *asymmetric) throw Error::usage("--symmetric, --asymmetric: expected one of them");
  if (type.is_set() && *type != "auto" && bits.is_set() && quantize::bits_of(*this) != std::stoi(*bits))
    throw Error::usage("--type {} has {} bits, and --bits says {}", *type, quantize::bits_of(*this), *bits);
  if (*clip == "hqq" && *symmetric)
    throw Error::usage("--clip hqq moves the zero point and does not go with --symmetric");
  const quantize::WeightOnlyOptions o = quantize::weight_options(*this);
  if (!o.fit.symmetric && codec::lowest(o.code) < 0 && type.is_set() && *storage == "matmulnbits")
    throw Error::usage(
        "--storage matmulnbits has unsigned codes where there are zero points, found --type {}", *type);
  if (group_size.is_set() && o.granularity != quantize::Granularity::kGroup)
    throw Error::usage("--group-size needs --granularity group");
  if (*storage == "qdq" && quantize::bits_of(*this) == 2)
    throw Error::usage("--storage qdq has no type of 2 bits before opset 25; use portable");
  if (*storage == "blocked" && quantize::bits_of(*this) == 2)
    throw Error::usage(
        "--storage blocked has no type of 2 bits before opset 25; use portable or matmulnbits");
  if (*storage == "qdq" && o.granularity == quantize::Granularity::kGroup)
    throw Error::usage("--storage qdq has one scale a tensor or channel; for groups use blocked or portable");
  if (*storage == "blocked" && o.granularity != quantize::Granularity::kGroup)
    throw Error::usage("--storage blocked needs --granularity group");
  if (*storage == "matmulnbits") {
    if (o.granularity != quantize::Granularity::kGroup)
      throw Error::usage("--storage matmulnbits needs --granularity group");
    if ((o.group & (o.group - 1)) != 0)
      throw Error::usage("--storage matmulnbits: found --group-size {}, expected 16, 32, 64, 128 or 256",
                         o.group);
  }
}

}  // namespace compressor
