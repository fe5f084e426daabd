// align: cut two shapes of the same elements into groups, refine each group into common factors, row-major.
//
//   [N, 6, 4]  to  [N, 2, 3, 4]      pieces N-N, 2-2 and 3-3 of the axis of 6, 4-4
//   [N, 64, 7, 7]  to  [N, 3136]     pieces 64, 7, 7 of the new axis of 3136
//   [8, 6]  to  [4, 12]              pieces 4-4, then 2 and 6 of the axis of 12
#include "ops/align.h"

#include <algorithm>

#include "ops/elementwise.h"

namespace compressor::ops {
namespace {

/// Axes longer than 1: the others carry nothing and can stand anywhere.
std::vector<std::int64_t> long_axes(const SymDims& dims) {
  std::vector<std::int64_t> axes;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (!(dims[i] == SymDim(1))) axes.push_back(static_cast<std::int64_t>(i));
  }
  return axes;
}

struct Cut {
  std::size_t old_at, new_at;
};

/// Places where the product of what stands before (or behind) is the same in both.
std::vector<Cut> cuts(const SymDims& a, const SymDims& b) {
  std::vector<Cut> result;
  const auto scan = [&](bool from_right) {
    std::vector<Cut> found;
    SymDim x(1);
    std::size_t j = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      x = x * a[from_right ? a.size() - 1 - i : i];
      if (x.is_unknown()) break;
      SymDim y(1);
      for (std::size_t k = 0; k < b.size(); ++k) {
        y = y * b[from_right ? b.size() - 1 - k : k];
        if (y.is_unknown()) break;
        if (k < j || !(x == y)) continue;
        found.push_back(from_right ? Cut{a.size() - 1 - i, b.size() - 1 - k} : Cut{i + 1, k + 1});
        j = k + 1;
        break;
      }
    }
    return found;
  };
  result = scan(false);
  for (const Cut& c : scan(true)) {
    const bool fits = std::all_of(result.begin(), result.end(), [&](const Cut& r) {
      return (r.old_at < c.old_at) == (r.new_at < c.new_at) &&
             (r.old_at == c.old_at) == (r.new_at == c.new_at);
    });
    if (fits) result.push_back(c);
  }
  result.push_back({0, 0});
  result.push_back({a.size(), b.size()});
  std::sort(result.begin(), result.end(), [](const Cut& p, const Cut& q) {
    return std::pair(p.old_at, p.new_at) < std::pair(q.old_at, q.new_at);
  });
  return result;
}

bool divides(const SymDim& a, const SymDim& b) {
  return !b.divided_by(a).is_unknown();
}

std::optional<std::vector<AxisPiece>> refine(const SymDims& old_dims, const SymDims& new_dims,
                                             std::vector<std::int64_t> olds, std::vector<std::int64_t> news) {
  std::vector<AxisPiece> pieces;  // from the right
  SymDim a(1), b(1);
  const SymDim one(1);
  std::int64_t old_axis = 0, new_axis = 0;
  while (true) {
    if (a == one) {
      if (olds.empty()) break;
      old_axis = olds.back();
      a = old_dims[static_cast<std::size_t>(old_axis)];
      olds.pop_back();
    }
    if (b == one) {
      if (news.empty()) break;
      new_axis = news.back();
      b = new_dims[static_cast<std::size_t>(new_axis)];
      news.pop_back();
    }
    if (a.is_unknown() || b.is_unknown()) return std::nullopt;
    if (divides(a, b)) {
      pieces.push_back({old_axis, new_axis, a});
      b = b.divided_by(a);
      a = one;
    } else if (divides(b, a)) {
      pieces.push_back({old_axis, new_axis, b});
      a = a.divided_by(b);
      b = one;
    } else {
      return std::nullopt;
    }
  }
  if (!(a == one) || !(b == one) || !olds.empty() || !news.empty()) return std::nullopt;
  std::reverse(pieces.begin(), pieces.end());
  return pieces;
}

std::int64_t number(const SymDim& d) {
  return d.maybe_number().value_or(-1);
}

/// One list per piece: the old axes' lists, split where an axis falls into several pieces.
std::vector<Places> piece_lists(ChannelContext& ctx, const std::vector<AxisPiece>& pieces) {
  std::vector<Places> result;
  for (std::size_t i = 0; i < pieces.size();) {
    const std::int64_t axis = pieces[i].old_axis;
    std::vector<std::int64_t> factors;
    std::size_t end = i;
    while (end < pieces.size() && pieces[end].old_axis == axis)
      factors.push_back(number(pieces[end++].length));
    const Places& whole = ctx.in_list(0, axis);
    if (end == i + 1 || whole.empty()) {
      result.push_back(whole);
      result.resize(end);
    } else {
      for (Places& part : ctx.atoms().split(whole, factors, ctx.because("divides an axis"))) {
        result.push_back(std::move(part));
      }
    }
    i = end;
  }
  return result;
}

void merge_pieces(ChannelContext& ctx, const std::vector<AxisPiece>& pieces, std::vector<Places> lists) {
  for (std::size_t i = 0; i < pieces.size();) {
    const std::int64_t axis = pieces[i].new_axis;
    std::vector<Places> parts;
    std::vector<std::int64_t> lengths;
    for (; i < pieces.size() && pieces[i].new_axis == axis; ++i) {
      parts.push_back(std::move(lists[i]));
      lengths.push_back(number(pieces[i].length));
    }
    if (parts.size() == 1) {
      ctx.set_out(0, axis, std::move(parts[0]));
      continue;
    }
    if (std::find(lengths.begin(), lengths.end(), -1) == lengths.end()) {
      ctx.set_out(0, axis, ctx.atoms().merge(parts, lengths));
      continue;
    }
    for (const Places& part : parts) ctx.freeze(part, "becomes part of an axis whose length is not known");
  }
}

void freeze_group(ChannelContext& ctx, const AxisGroup& group, const char* why) {
  for (std::int64_t axis = group.old_from; axis < group.old_to; ++axis) ctx.freeze(0, axis, why);
}

/// Lengths without common factors: all in one, then divided anew.
void through_flat(ChannelContext& ctx, const AxisGroup& group) {
  std::vector<Places> lists;
  std::vector<std::int64_t> lengths, factors;
  for (std::int64_t axis = group.old_from; axis < group.old_to; ++axis) {
    lists.push_back(ctx.in_list(0, axis));
    lengths.push_back(ctx.in_dim(0, axis));
  }
  for (std::int64_t axis = group.new_from; axis < group.new_to; ++axis)
    factors.push_back(ctx.out_dim(0, axis));
  const auto unknown = [](const std::vector<std::int64_t>& v) {
    return std::any_of(v.begin(), v.end(), [](std::int64_t n) { return n <= 0; });
  };
  if (factors.empty() || unknown(lengths) || unknown(factors)) {
    return freeze_group(ctx, group, "is reshaped in a way that cannot be followed");
  }
  std::int64_t before = 1, after = 1;
  for (const std::int64_t n : lengths) before *= n;
  for (const std::int64_t n : factors) after *= n;
  if (before != after) return freeze_group(ctx, group, "is reshaped in a way that cannot be followed");
  const Places flat = ctx.atoms().merge(lists, lengths);
  std::vector<Places> parts = ctx.atoms().split(flat, factors, ctx.because("divides an axis"));
  for (std::size_t i = 0; i < parts.size(); ++i) {
    ctx.set_out(0, group.new_from + static_cast<std::int64_t>(i), std::move(parts[i]));
  }
}

}  // namespace

std::vector<AxisGroup> align_axes(const SymDims& old_dims, const SymDims& new_dims) {
  const std::vector<std::int64_t> old_axes = long_axes(old_dims);
  const std::vector<std::int64_t> new_axes = long_axes(new_dims);
  SymDims a, b;
  for (const std::int64_t axis : old_axes) a.push_back(old_dims[static_cast<std::size_t>(axis)]);
  for (const std::int64_t axis : new_axes) b.push_back(new_dims[static_cast<std::size_t>(axis)]);
  std::vector<AxisGroup> groups;
  const std::vector<Cut> at = cuts(a, b);
  for (std::size_t i = 0; i + 1 < at.size(); ++i) {
    const auto [from_old, from_new] = at[i];
    const auto [to_old, to_new] = at[i + 1];
    if (from_old == to_old && from_new == to_new) continue;
    AxisGroup group;
    const auto range = [](const std::vector<std::int64_t>& axes, std::size_t from, std::size_t to) {
      return std::vector<std::int64_t>(axes.begin() + static_cast<std::ptrdiff_t>(from),
                                       axes.begin() + static_cast<std::ptrdiff_t>(to));
    };
    const auto olds = range(old_axes, from_old, to_old);
    const auto news = range(new_axes, from_new, to_new);
    if (!olds.empty()) group.old_from = olds.front(), group.old_to = olds.back() + 1;
    if (!news.empty()) group.new_from = news.front(), group.new_to = news.back() + 1;
    group.pieces = refine(old_dims, new_dims, olds, news);
    groups.push_back(std::move(group));
  }
  return groups;
}

void channels_reshape(ChannelContext& ctx) {
  if (!ctx.wants(0) || !carries_channels(ctx.in(0))) return;
  const Facts& in = ctx.in(0);
  const Facts& out = ctx.out(0);
  const auto zero = [](const SymDims& dims) {
    return std::find(dims.begin(), dims.end(), SymDim(0)) != dims.end();
  };
  if (!out.ranked || zero(in.dims) || zero(out.dims)) {
    return ctx.freeze_all("has an output whose shape is not known or empty");
  }
  for (const AxisGroup& group : align_axes(in.dims, out.dims)) {
    bool tracked = false;
    for (std::int64_t axis = group.old_from; axis < group.old_to; ++axis) {
      tracked = tracked || !ctx.in_list(0, axis).empty();
    }
    if (!tracked) continue;
    if (!group.pieces) {
      through_flat(ctx, group);
      continue;
    }
    merge_pieces(ctx, *group.pieces, piece_lists(ctx, *group.pieces));
  }
}

}  // namespace compressor::ops
