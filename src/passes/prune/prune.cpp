// prune: check the options and hand over to the granularity.
#include "compressor/passes/prune.h"

#include <charconv>
#include <memory>
#include <tuple>

#include "passes/prune/layer_ratios.h"
#include "passes/prune/structured.h"
#include "passes/prune/zeroing.h"

namespace compressor {
namespace {

bool zeroes(const std::string& granularity) {
  return granularity == "weight" || granularity == "kernel" || granularity == "nm" || granularity == "block";
}

/// "2:4" or "4x4" as two positive numbers.
std::pair<std::int64_t, std::int64_t> pair_of(const std::string& flag, const std::string& text,
                                              char separator) {
  std::int64_t a = 0, b = 0;
  const std::size_t at = text.find(separator);
  const auto number = [](std::string_view part, std::int64_t& value) {
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
    return error == std::errc() && end == part.data() + part.size() && value > 0;
  };
  if (at == std::string::npos || !number(std::string_view(text).substr(0, at), a) ||
      !number(std::string_view(text).substr(at + 1), b)) {
    throw Error::usage("--{}: found '{}', expected two positive numbers such as 4{}4", flag, text, separator);
  }
  return {a, b};
}

void refuse(const OptionBase& option, const std::string& why) {
  if (option.is_set()) throw Error::usage("--{} {}", option.name(), why);
}

}  // namespace

void Prune::check() const {
  const bool has_target = !target_macs->empty() || !target_params->empty();
  const bool zeroing = zeroes(*granularity);
  if (*granularity == "nm") {
    const auto [n, m] = pair_of("nm", *nm, ':');
    if (n >= m) throw Error::usage("--nm: found {}, expected fewer that stay than there are", *nm);
    refuse(ratio, "does not go with --granularity nm: --nm gives the share");
  } else {
    refuse(nm, "needs --granularity nm");
  }
  if (*granularity == "block") {
    pair_of("block", *block, 'x');
  } else {
    refuse(block, "needs --granularity block");
  }
  if (has_target && ratio.is_set())
    throw Error::usage("--ratio and a target exclude each other: the target searches the ratio");
  if (has_target && (zeroing || *granularity == "layer")) {
    throw Error::usage(
        "a target needs a granularity that removes channels (channel, filter, neuron, hidden, head), found "
        "{}",
        *granularity);
  }
  if (!has_target && !ratio.is_set() && *granularity != "nm" && !*explain) {
    throw Error::usage("give --ratio, --target-macs or --target-params, for example --ratio 0.5");
  }
  if (zeroing && (*criterion == "bn-scale" || *criterion == "fpgm")) {
    throw Error::usage("criterion {} ranks channels and does not go with --granularity {}", *criterion,
                       *granularity);
  }
  if (*granularity == "layer" && *criterion == "fpgm")
    throw Error::usage("criterion fpgm ranks channels and does not go with --granularity layer");
  if (*explain && zeroing)
    throw Error::usage("--explain speaks of channels and branches and does not go with --granularity {}",
                       *granularity);
  if (zeroing || *granularity == "layer") {
    refuse(round_to, "goes with channels only");
    refuse(min_keep, "goes with channels only");
    refuse(through_norm, "goes with channels only");
  }
}

void Prune::run(Model& model, PassContext& context) {
  if (*granularity == "layer") return prune::prune_branches(model, *this, context);
  if (!zeroes(*granularity)) return prune::prune_channels(model, *this, context);
  using Zeroing = prune::ZeroingOptions;
  Zeroing options;
  options.granularity = *granularity == "weight"   ? Zeroing::Granularity::kWeight
                        : *granularity == "kernel" ? Zeroing::Granularity::kKernel
                        : *granularity == "nm"     ? Zeroing::Granularity::kNm
                                                   : Zeroing::Granularity::kBlock;
  options.criterion = *criterion == "l1"   ? Zeroing::Criterion::kL1
                      : *criterion == "l2" ? Zeroing::Criterion::kL2
                                           : Zeroing::Criterion::kRandom;
  options.ratio = ratio->value_or(0);
  options.global = *scope == "global";
  std::tie(options.n, options.m) = pair_of("nm", *nm, ':');
  std::tie(options.block_out, options.block_in) = pair_of("block", *block, 'x');
  const auto ratios = std::make_shared<const prune::LayerRatios>(*layers, context.layers);
  options.ratio_of = [ratios](const Node& node) { return ratios->of(node); };
  prune::prune_by_zeroing(model, options, context);
}

}  // namespace compressor
