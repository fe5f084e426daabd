// channel_moves: the rules, one for each kind of operator.
#include "passes/quantize/channels/channel_moves.h"

#include <algorithm>
#include <numeric>
#include <string_view>

namespace compressor::quantize {
namespace {

using Moved = std::optional<MovedChannels>;

std::vector<std::int64_t> same(std::int64_t n) {
  std::vector<std::int64_t> list(static_cast<std::size_t>(n));
  std::iota(list.begin(), list.end(), 0);
  return list;
}

struct Move {
  const Model& model;
  const FactsMap& facts;
  const Node& node;
  std::int64_t axis = 1, channels = 0, rank = 0;

  /// Input `input` or, where that is absent, the attribute.
  std::optional<std::vector<std::int64_t>> integers(std::size_t input, std::string_view attribute) const {
    if (const Value* v = node.input(input)) {
      const auto t = fixed_constant(model, *v);
      return t ? std::optional(to_ints(*t)) : std::nullopt;
    }
    const Attribute* a = node.attribute(attribute);
    if (!a || !a->get<Attribute::Ints>()) return std::nullopt;
    return *a->get<Attribute::Ints>();
  }

  Moved transposed() const {
    std::vector<std::int64_t> perm = node.ints_or("perm", {});
    if (perm.empty()) {
      for (std::int64_t i = rank; i-- > 0;) perm.push_back(i);
    }
    const auto at = std::find(perm.begin(), perm.end(), axis);
    if (at == perm.end()) return std::nullopt;
    return MovedChannels{at - perm.begin(), same(channels)};
  }

  static std::int64_t number(const Facts& f, std::int64_t at) {
    const SymDim& d = f.dims[static_cast<std::size_t>(at)];
    return d.is_number() && d.number() > 0 ? d.number() : -1;
  }
  /// Elements below an axis; -1 where that is not known.
  static std::int64_t inner_of(const Facts& f, std::int64_t at) {
    std::int64_t n = 1;
    for (std::int64_t i = at + 1; i < f.rank(); ++i) {
      if (number(f, i) < 0) return -1;
      n *= number(f, i);
    }
    return n;
  }

  /// Elements keep their row-major order: element i has channel i / inner % C, before and after.
  Moved reshaped() const {
    constexpr std::int64_t kLongest = 1 << 20;
    const Facts &from = facts.of(*node.input(0)), &to = facts.of(*node.output(0));
    if (!from.ranked || !to.ranked) return std::nullopt;
    const std::int64_t inner = inner_of(from, axis);
    for (std::int64_t b = to.rank(); inner > 0 && b-- > 0;) {
      const std::int64_t below = inner_of(to, b), n = number(to, b);
      if (below < 0 || n < 0 || n > kLongest) return std::nullopt;
      if (below * n < inner * channels) continue;  // lies within one channel, or part of the channels
      if (inner % below != 0 || below * n % (inner * channels) != 0) return std::nullopt;
      MovedChannels result{b, {}};
      for (std::int64_t i = 0; i < n; ++i) result.source.push_back(i / (inner / below) % channels);
      return result;
    }
    return std::nullopt;
  }

  Moved reduced() const {
    const auto axes = integers(1, "axes");
    if (!axes || axes->empty()) return std::nullopt;
    std::int64_t before = 0;
    for (std::int64_t a : *axes) {
      if (a < 0) a += rank;
      if (a == axis) return std::nullopt;
      before += a < axis ? 1 : 0;
    }
    return MovedChannels{node.int_or("keepdims", 1) != 0 ? axis : axis - before, same(channels)};
  }

  Moved sliced() const {
    const auto starts = integers(1, "starts"), ends = integers(2, "ends");
    if (!starts || !ends) return std::nullopt;
    auto axes = integers(3, "axes");
    if (!axes && node.input(3)) return std::nullopt;
    if (!axes) axes = same(static_cast<std::int64_t>(starts->size()));
    auto steps = integers(4, "steps");
    if (!steps && node.input(4)) return std::nullopt;
    if (!steps) steps.emplace(starts->size(), 1);
    for (std::size_t i = 0; i < axes->size(); ++i) {
      if (((*axes)[i] < 0 ? (*axes)[i] + rank : (*axes)[i]) != axis) continue;
      if ((*steps)[i] <= 0) return std::nullopt;
      const auto place = [&](std::int64_t p) {
        return std::clamp<std::int64_t>(p < 0 ? p + channels : p, 0, channels);
      };
      MovedChannels result{axis, {}};
      for (std::int64_t p = place((*starts)[i]); p < place((*ends)[i]); p += (*steps)[i])
        result.source.push_back(p);
      return result;
    }
    return MovedChannels{axis, same(channels)};
  }

  /// Copies of what is there, or zeros.
  Moved padded() const {
    const auto pads = integers(1, "pads");
    if (!pads || node.input(3) || static_cast<std::int64_t>(pads->size()) != 2 * rank) return std::nullopt;
    const std::int64_t before = (*pads)[static_cast<std::size_t>(axis)];
    const std::int64_t after = (*pads)[static_cast<std::size_t>(axis + rank)];
    const bool fills = node.string_or("mode", "constant") == "constant";
    if (fills && node.input(2)) {
      const auto fill = fixed_constant(model, *node.input(2));
      if (!fill || fill->size() != 1 || to_floats(*fill)[0] != 0) return std::nullopt;
    }
    if (node.float_or("value", 0) != 0) return std::nullopt;
    if (before < 0 || after < 0 || (!fills && before + after > 0)) return std::nullopt;
    MovedChannels result{axis, std::vector<std::int64_t>(static_cast<std::size_t>(before), -1)};
    const std::vector<std::int64_t> all = same(channels);
    result.source.insert(result.source.end(), all.begin(), all.end());
    result.source.insert(result.source.end(), static_cast<std::size_t>(after), -1);
    return result;
  }
};

}  // namespace

std::optional<MovedChannels> move_channels(const Model& model, const FactsMap& facts, const Node& node,
                                           std::int64_t axis, std::int64_t channels) {
  if (!node.domain().empty() || !node.input(0) || !node.output(0)) return std::nullopt;
  const Facts& from = facts.of(*node.input(0));
  if (!from.ranked || axis >= from.rank() || channels <= 0) return std::nullopt;
  const Move move{model, facts, node, axis, channels, from.rank()};
  if (node.is("Transpose")) return move.transposed();
  if (node.is("Reshape") || node.is("Flatten") || node.is("Squeeze") || node.is("Unsqueeze"))
    return move.reshaped();
  if (node.is("ReduceMean") || node.is("ReduceSum") || node.is("ReduceMax")) return move.reduced();
  if (node.is("Slice")) return move.sliced();
  if (node.is("Pad")) return move.padded();
  return std::nullopt;
}

}  // namespace compressor::quantize
