// quantize: what the mode is, and what it is given.
#include "compressor/passes/quantize.h"

#include "passes/quantize/channels/awq.h"
#include "passes/quantize/channels/drop_bounds.h"
#include "passes/quantize/channels/prepare_channels.h"
#include "passes/quantize/conflicts.h"
#include "passes/quantize/integer/dynamic.h"
#include "passes/quantize/layer_options.h"
#include "passes/quantize/pass_samples.h"
#include "passes/quantize/records.h"
#include "passes/quantize/rest.h"
#include "passes/quantize/settings.h"
#include "passes/quantize/static_mode.h"
#include "passes/quantize/weight_only.h"

namespace compressor {
namespace {

using quantize::Clip;
using quantize::WeightOnlyOptions;

/// Weights alone, each by its own layer's options.
void run_weight_only(const Quantize& q, Model& model, const std::optional<quantize::GptqOptions>& gptq,
                     PassContext& context) {
  const auto with_rounding = [&](const Quantize& own) {
    WeightOnlyOptions o = quantize::weight_options(own);
    o.gptq = gptq;
    if (gptq || o.output_clip) o.samples = quantize::samples_of(context, "measuring");
    o.measure.max_memory = static_cast<std::uint64_t>(*q.max_memory) << 20U;
    return o;
  };
  const auto own_of = [&](const Node& node) -> std::optional<WeightOnlyOptions> {
    const auto own = quantize::own_options(q, context.layers, node);
    return own ? std::optional(with_rounding(*own)) : std::nullopt;
  };
  const WeightOnlyOptions shared = with_rounding(q);
  if (*q.awq)
    quantize::scale_for_weights(
        model, quantize::samples_of(context, "measuring"),
        [&](const Node& node) { return own_of(node).value_or(shared); }, shared.measure.max_memory, context);
  return quantize::quantize_weights(model, shared, context, own_of);
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
  if (chosen == "weight-only") quantize::drop_bounds(*this, model, context);
  if (chosen != "static") quantize::scale_channels(model, scaling, quantize::look_at(context), context);
  quantize::check_layers(*this, context.layers, chosen);
  if (chosen == "weight-only") return run_weight_only(*this, model, gptq, context);
  if (chosen == "dynamic") {
    quantize::quantize_dynamic(model, options,
                               {.convolutions = *dynamic_conv, .activations = *dynamic_activations}, context);
  } else {
    quantize::run_static(*this, model, scaling, gptq, options, context);
  }
  if (*rest != "float") quantize::store_rest(model, context);
}

}  // namespace compressor
