// nm: granularity nm; of every M consecutive inputs N stay, those of largest magnitude.
//
//   W [.., inputs, ..]:  inputs i*M .. i*M+M-1 of each output and tap  ->  the M-N smallest of them become
//   zero
//
// Zhou 2021 (Learning N:M fine-grained structured sparse neural networks), Mishra 2021 (Accelerating sparse
// deep neural networks): 2:4 along the contracted axis is what sparse tensor cores read. Inputs past the last
// whole group of M stay as they are.
#include <algorithm>
#include <array>

#include "compressor/base/error.h"
#include "passes/prune/order.h"
#include "passes/prune/zero_methods.h"

namespace compressor::prune {
namespace {

using Key = std::uint64_t;  // of any type's magnitude

/// The weight as [outer, inputs, inner].
struct Lanes {
  std::uint64_t outer, inputs, inner;
  std::uint64_t n, m;

  std::uint64_t plane() const { return inputs * inner; }
  /// The whole groups around [first, last).
  std::pair<std::uint64_t, std::uint64_t> whole(std::uint64_t first, std::uint64_t last) const {
    const auto start = [&](std::uint64_t at) {
      return at / plane() * plane() + at % plane() / (m * inner) * m * inner;
    };
    const std::uint64_t begin = start(last - 1);
    const std::uint64_t plane_end = (begin / plane() + 1) * plane();
    return {start(first), std::min(begin + m * inner, plane_end)};
  }
};

Lanes lanes_of(const WeightLayout& w, const ZeroingOptions& options) {
  const auto n = static_cast<std::uint64_t>(options.n);
  const auto m = static_cast<std::uint64_t>(options.m);
  if (w.a_is_output) return {.outer = w.batch * w.a, .inputs = w.b, .inner = w.inner, .n = n, .m = m};
  return {.outer = w.batch, .inputs = w.a, .inner = w.b * w.inner, .n = n, .m = m};
}

/// Marks the m - n smallest of m keys that are `stride` apart; equal keys go in order of position.
void mark(const Key* keys, std::uint64_t stride, const Lanes& lanes,
          std::span<std::pair<Key, std::uint64_t>> room) {
  for (std::uint64_t i = 0; i < lanes.m; ++i) room[i] = {keys[i * stride], i};
  std::nth_element(room.begin(), room.begin() + static_cast<std::ptrdiff_t>(lanes.m - lanes.n), room.end());
}

/// Up to this many elements are ranked at a time, and always at least one group.
constexpr std::uint64_t kBatch = 1U << 13U;

void zero_groups(const Lanes& lanes, const KeysOf<Key>& order, std::size_t width, std::uint64_t first,
                 std::span<std::byte> elements) {
  thread_local std::vector<Key> keys;
  std::vector<std::pair<Key, std::uint64_t>> room(lanes.m);
  const std::uint64_t group = lanes.m * lanes.inner;
  const std::uint64_t at_once = std::max<std::uint64_t>(1, kBatch / group) * group;
  const std::uint64_t last = first + elements.size() / width;
  std::uint64_t at = first;
  while (at < last) {
    const std::uint64_t grouped_end = at / lanes.plane() * lanes.plane() +
                                      lanes.inputs / lanes.m * group;  // then a tail, up to the plane's end
    const std::uint64_t end = std::min({last, grouped_end, at + at_once});
    if (at >= grouped_end) {
      at = std::min(last, (at / lanes.plane() + 1) * lanes.plane());
      continue;
    }
    keys.resize(std::max<std::size_t>(keys.size(), end - at));
    const std::span<std::byte> part = elements.subspan((at - first) * width, (end - at) * width);
    order(at, part, std::span(keys).first(end - at));
    for (std::uint64_t g = 0; g < end - at; g += group) {
      for (std::uint64_t k = 0; k < lanes.inner; ++k) {
        mark(keys.data() + g + k, lanes.inner, lanes, room);
        for (std::uint64_t i = 0; i < lanes.m - lanes.n; ++i) {
          std::byte* element = part.data() + (g + k + room[i].second * lanes.inner) * width;
          std::fill_n(element, width, std::byte{0});
        }
      }
    }
    at = end;
  }
}

std::string why_not(const PrunableWeight& weight, const ZeroingOptions& options) {
  if (!weight.layout) return weight.no_layout;
  const std::uint64_t inputs = weight.layout->inputs();
  if (weight.convolution == "depthwise")
    return "is depthwise: one input to each output leaves nothing to choose from";
  if (inputs < static_cast<std::uint64_t>(options.m))
    return fmt::format("has {} inputs{}, fewer than one group of {}", inputs,
                       weight.layout->batch > 1 ? " in a group" : "", options.m);
  return "";
}

}  // namespace

std::vector<ZeroOutcome> zero_nm(std::span<const ZeroJob> jobs, const ZeroingOptions& options,
                                 std::uint64_t seed) {
  std::vector<ZeroOutcome> outcomes(jobs.size());
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const PrunableWeight& weight = *jobs[i].weight;
    ZeroOutcome& outcome = outcomes[i];
    outcome.why_not = why_not(weight, options);
    if (!outcome.why_not.empty()) continue;
    const Lanes lanes = lanes_of(*weight.layout, options);
    const bool random = options.criterion == ZeroingOptions::Criterion::kRandom;
    const KeysOf<Key> order = random ? by_chance<Key>(seed_for(seed, weight.source->name()))
                                     : by_magnitude<Key>(weight.tensor.dtype);
    const auto width = static_cast<std::size_t>(bits(weight.tensor.dtype)) / 8;
    outcome.mask = Mask{
        .zero = [=](std::uint64_t first,
                    std::span<std::byte> elements) { zero_groups(lanes, order, width, first, elements); },
        .whole = [=](std::uint64_t first, std::uint64_t last) { return lanes.whole(first, last); }};
    const std::uint64_t groups = lanes.outer * (lanes.inputs / lanes.m) * lanes.inner;
    outcome.units = groups * lanes.m;
    outcome.zeroed = groups * (lanes.m - lanes.n);
    outcome.detail = fmt::format("{}:{} along {} inputs", options.n, options.m, lanes.inputs);
    if (lanes.inputs % lanes.m != 0)
      outcome.detail += fmt::format(", the last {} of them stay", lanes.inputs % lanes.m);
  }
  return outcomes;
}

}  // namespace compressor::prune
