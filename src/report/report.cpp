// report: collects what passes say.
#include "compressor/report/report.h"

#include <sys/resource.h>

#include <algorithm>

namespace compressor {

void Report::add(const PassResult& result) {
  passes.push_back({.name = result.pass,
                    .unit = result.unit,
                    .eligible = result.eligible,
                    .done = result.done,
                    .skipped = result.skipped,
                    .changed = result.changed,
                    .seconds = result.seconds,
                    .options = result.options,
                    .notes = result.notes,
                    .explanation = result.explanation});
  for (const LayerRecord& layer : result.layers) {
    layers.push_back({result.pass, layer.node, layer.op, layer.action, layer.detail, layer.grids});
    if (layer.action != "skipped") continue;
    const auto known =
        std::find_if(reasons.begin(), reasons.end(), [&](const Reason& r) { return r.why == layer.detail; });
    if (known != reasons.end()) {
      ++known->count;
    } else {
      reasons.push_back({.why = layer.detail, .count = 1});
    }
  }
  std::stable_sort(reasons.begin(), reasons.end(),
                   [](const Reason& a, const Reason& b) { return a.count > b.count; });
  if (!result.shares.empty()) shares = result.shares;
  removed.insert(removed.end(), result.removed.begin(), result.removed.end());
  warnings.insert(warnings.end(), result.warnings.begin(), result.warnings.end());
}

void Report::set_totals(const ProfileTotals& before, const ProfileTotals& after, std::uint64_t bytes_before,
                        std::uint64_t bytes_after) {
  const auto total = [](const char* name, auto a, auto b) {
    return Total{.name = name, .before = static_cast<double>(a), .after = static_cast<double>(b)};
  };
  totals = {total("bytes", bytes_before, bytes_after), total("params", before.params, after.params),
            total("macs", before.macs, after.macs), total("flops", before.flops, after.flops),
            total("activation_bytes", before.activation_bytes, after.activation_bytes)};
}

namespace {

std::int64_t sum(const std::vector<Report::PassEntry>& passes, std::int64_t Report::PassEntry::*member) {
  std::int64_t n = 0;
  for (const Report::PassEntry& pass : passes) n += pass.*member;
  return n;
}

}  // namespace

std::int64_t Report::eligible() const {
  return sum(passes, &PassEntry::eligible);
}
std::int64_t Report::done() const {
  return sum(passes, &PassEntry::done);
}
std::int64_t Report::skipped() const {
  return sum(passes, &PassEntry::skipped);
}

std::uint64_t peak_rss() {
  rusage usage = {};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

}  // namespace compressor
