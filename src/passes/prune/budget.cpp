// budget: bisection over the ratio.
#include "passes/prune/budget.h"

#include <charconv>
#include <optional>

#include "compressor/analysis/profile.h"
#include "compressor/base/error.h"

namespace compressor::prune {
namespace {

/// "12M", "50%" of `original`; 0 for an empty text.
double target(const std::string& flag, const std::string& text, double original) {
  if (text.empty()) return 0;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string unit(end, text.data() + text.size());
  double factor = 0;
  if (unit.empty()) factor = 1;
  if (unit == "k" || unit == "K") factor = 1e3;
  if (unit == "M") factor = 1e6;
  if (unit == "G" || unit == "B") factor = 1e9;
  if (unit == "%") factor = original / 100;
  if (error != std::errc() || factor == 0 || !(value > 0)) {
    throw Error::usage("--{}: found '{}', expected a number such as 12M or a share such as 50%", flag, text);
  }
  if (value * factor >= original) {
    throw Error::usage("--{}: found {} ({:.0f}), which is not below what the model has ({:.0f})", flag, text,
                       value * factor, original);
  }
  return value * factor;
}

constexpr double kLargestRatio = 0.999;
constexpr double kStep = 1.0 / 512;

}  // namespace

Budget::Budget(const Model& model, const FactsMap& facts, const std::string& macs,
               const std::string& params) {
  const ProfileTotals totals = profile(model, facts).totals;
  macs_ = totals.macs;
  params_ = static_cast<double>(totals.params);
  max_macs_ = target("target-macs", macs, macs_);
  max_params_ = target("target-params", params, params_);
}

bool Budget::meets(const Model& model, const InferOptions& infer) const {
  const ProfileTotals totals = profile(model, infer).totals;
  return (max_macs_ == 0 || totals.macs <= max_macs_) &&
         (max_params_ == 0 || static_cast<double>(totals.params) <= max_params_);
}

CutResult Budget::search(const Try& attempt, const InferOptions& infer) const {
  CutResult best = attempt(kLargestRatio);
  if (!best.model) return best;
  if (!meets(*best.model, infer)) {
    const ProfileTotals least = profile(*best.model, infer).totals;
    throw Error::target(
        "the target is not reachable: with all removed that may be, {:.0f} of {:.0f} MACs and {} of {:.0f} "
        "parameters remain",
        least.macs, macs_, least.params, params_);
  }
  double low = 0;  // does not meet the target
  double high = kLargestRatio;
  while (high - low > kStep) {
    const double middle = (low + high) / 2;
    CutResult result = attempt(middle);
    if (!result.model && result.failed != 0) return result;
    if (result.model && meets(*result.model, infer)) {
      high = middle;
      best = std::move(result);
    } else {
      low = middle;
    }
  }
  return best;
}

}  // namespace compressor::prune
