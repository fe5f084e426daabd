// hold: doubling, halving, taking back.
#include "compressor/pipeline/hold.h"

#include <algorithm>

#include "compressor/base/error.h"

namespace compressor {
namespace {

constexpr int kTakenBack = 8;  ///< tries to take a layer back in

}  // namespace

std::optional<std::size_t> fewest(std::size_t n, const std::function<bool(std::size_t)>& holds) {
  if (holds(0)) return 0;
  std::size_t fails = 0, tried = std::min<std::size_t>(1, n);
  while (tried > fails && !holds(tried)) {
    fails = tried;
    tried = std::min(tried * 2, n);
  }
  if (tried == fails) return std::nullopt;
  while (tried - fails > 1) {
    const std::size_t middle = fails + (tried - fails) / 2;
    (holds(middle) ? tried : fails) = middle;
  }
  return tried;
}

std::optional<Held> hold_gate(Trials& trials, const std::vector<std::string>& by_damage,
                              const std::function<bool(const Model&)>& holds,
                              const std::function<void(const std::string& what, double share)>& progress) {
  Held held{.trial = {}, .kept = {}, .tries = 0};
  const auto judge = [&](const std::vector<std::string>& kept) {
    std::optional<Trial> trial = trials.without({kept.begin(), kept.end()});
    if (!trial) return false;
    ++held.tries;
    if (progress) progress(fmt::format("{} layers as they were", kept.size()), 0);
    if (!holds(trial->model)) return false;
    held.trial = std::move(*trial);
    held.kept = kept;
    return true;
  };
  const auto first = [&](std::size_t k) {
    return std::vector<std::string>(by_damage.begin(), by_damage.begin() + static_cast<std::ptrdiff_t>(k));
  };
  // With all layers out nothing is left to do.
  const std::size_t most = by_damage.empty() ? 0 : by_damage.size() - 1;
  if (!fewest(most, [&](std::size_t k) { return judge(first(k)); })) return std::nullopt;
  int left = kTakenBack;
  // Without the last one it did not hold: the others are asked, the least sensitive first.
  for (std::size_t i = held.kept.size(); i-- > 0 && left > 0;) {
    if (i + 1 == held.kept.size()) continue;
    std::vector<std::string> fewer = held.kept;
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
    judge(fewer);
    --left;
  }
  return held;
}

}  // namespace compressor
