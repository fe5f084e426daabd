// pad: Pad, with constant, reflect, edge or wrap; amounts are an attribute before 11, negative ones cut away.
#include <algorithm>

#include "ops/movement.h"
#include "ops/padding.h"
#include "ops/run_pad.h"

namespace compressor::ops {
namespace {

Tensor fill_value(const ComputeContext& ctx) {
  if (ctx.has(2)) {
    if (ctx.in(2).size() != 1) ctx.fail("constant value has {} elements, expected 1", ctx.in(2).size());
    return ctx.in(2).reshaped({});
  }
  const double value = ctx.opset() < 11 ? static_cast<double>(ctx.node().float_or("value", 0)) : 0.0;
  if (ctx.in(0).dtype != DType::kString) return Tensor::of(ctx.in(0).dtype, {}, std::span(&value, 1));
  return CellsOut(DType::kString, {}).finish();
}

void compute(ComputeContext& ctx) {
  const Tensor& x = ctx.in(0);
  const auto pads = ctx.ints_or_attribute(1, "pads");
  if (!pads) ctx.fail("amounts are missing");
  const auto axes = ctx.has(3) ? std::optional(to_ints(ctx.in(3))) : std::nullopt;
  const PadAmounts a = pad_amounts(ctx.node(), *pads, axes, x.rank());
  const std::string mode = pad_mode(ctx.node());
  Dims shape = x.shape;
  std::vector<Ints> from(shape.size());  // per axis and output position
  for (std::size_t k = 0; k < shape.size(); ++k) {
    shape[k] += a.before[k] + a.after[k];
    for (std::int64_t i = 0; i < shape[k]; ++i)
      from[k].push_back(pad_source(i - a.before[k], x.shape[k], mode));
  }
  const Cells cells(x);
  const Cells fill(fill_value(ctx));
  CellsOut out(x.dtype, shape);
  const Strides in_strides = row_major(x.shape);
  const Strides out_strides = row_major(shape);
  for (std::int64_t to = 0; to < out.size(); ++to) {
    std::int64_t at = 0;
    for (std::size_t k = 0; k < shape.size() && at >= 0; ++k) {
      const std::int64_t i = from[k][static_cast<std::size_t>(to / out_strides[k] % shape[k])];
      at = i < 0 ? -1 : at + i * in_strides[k];
    }
    if (at < 0) {
      out.copy(to, fill, 0);
    } else {
      out.copy(to, cells, at);
    }
  }
  ctx.set(0, out.finish());
}

void infer(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  if (!x.ranked) return ctx.set_unranked(0, x.dtype);
  pad_mode(ctx.node());
  const auto axes = ctx.ints(3);
  if (ctx.has(3) && !axes) return ctx.set(0, x.dtype, SymDims(x.dims.size()));
  SymDims amounts;
  if (ctx.has(1)) {
    const SymDims* contents = ctx.contents(1);
    if (!contents) return ctx.set(0, x.dtype, SymDims(x.dims.size()));
    amounts = *contents;
  } else {
    amounts = sym_dims(ctx.node().ints_or("pads", {}));
  }
  // Partly known amounts: unknown ones make their axis unknown.
  Ints stand_in;
  for (const SymDim& d : amounts) stand_in.push_back(d.maybe_number().value_or(0));
  const PadAmounts a = pad_amounts(ctx.node(), stand_in, axes, x.rank());
  SymDims dims = x.dims;
  for (std::size_t k = 0; k < dims.size(); ++k) dims[k] = dims[k] + SymDim(a.before[k] + a.after[k]);
  const std::size_t named = amounts.size() / 2;
  for (std::size_t i = 0; i < named; ++i) {
    if (amounts[i].is_number() && amounts[named + i].is_number()) continue;
    const std::int64_t axis = axes ? axis_in(ctx.node(), (*axes)[i], x.rank()) : static_cast<std::int64_t>(i);
    dims[static_cast<std::size_t>(axis)] = x.dim(axis) + amounts[i] + amounts[named + i];
  }
  for (const SymDim& d : dims) {
    if (d.is_number() && d.number() < 0) ctx.fail("amounts take more than there is of {}", to_string(x.dims));
  }
  ctx.set(0, x.dtype, std::move(dims));
  // A missing constant value is a zero that the kernel makes itself, which has no number among the elements.
  const std::size_t data[] = {0, 2};
  if (ctx.has(2) || pad_mode(ctx.node()) != "constant")
    move_contents(ctx, compute, std::span(data).first(ctx.has(2) ? 2 : 1));
}

template <class Context>
std::optional<PadAmounts> known_amounts(const Context& ctx) {
  const auto pads = known_setting(ctx, 1, "pads");
  const auto axes = ctx.has(3) ? known_ints(ctx.in(3)) : std::nullopt;
  if (!pads || (ctx.has(3) && !axes)) return std::nullopt;
  return pad_amounts(ctx.node(), *pads, axes, ctx.in(0).rank());
}

bool pads_with_zero(const ChannelContext& ctx) {
  if (ctx.opset() < 11) return ctx.node().float_or("value", 0) == 0;
  if (!ctx.has(2)) return true;
  const auto& constant = ctx.in(2).constant;
  return constant && constant->size() == 1 && constant->dtype != DType::kString &&
         to_doubles(*constant)[0] == 0;
}

/// New positions before and after have channels of their own, which can go; they hold zero.
Places padded(ChannelContext& ctx, const Places& list, std::int64_t before, std::int64_t after) {
  Places result;
  const auto grow = [&](std::int64_t n) {
    if (n <= 0) return;
    Places more = ctx.atoms().fresh(n);
    if (!pads_with_zero(ctx)) ctx.freeze(more, "is padded with a value that is not zero");
    result.insert(result.end(), more.begin(), more.end());
  };
  const auto n = static_cast<std::int64_t>(list.size());
  const std::int64_t from = std::clamp<std::int64_t>(-before, 0, n);
  const std::int64_t to = std::clamp<std::int64_t>(n + std::min<std::int64_t>(after, 0), from, n);
  grow(before);
  result.insert(result.end(), list.begin() + from, list.begin() + to);
  grow(after);
  return result;
}

void channels(ChannelContext& ctx) {
  const Facts& x = ctx.in(0);
  if (!ctx.wants(0) || !carries_channels(x)) return;
  const auto amounts = known_amounts(ctx);
  const bool constant = pad_mode(ctx.node()) == "constant";
  for (std::int64_t axis = 0; axis < x.rank(); ++axis) {
    const Places list = ctx.in_list(0, axis);
    if (list.empty()) continue;
    if (!amounts) {
      ctx.freeze(list, "is padded by amounts that are not constant");
      continue;
    }
    const std::int64_t before = amounts->before[static_cast<std::size_t>(axis)];
    const std::int64_t after = amounts->after[static_cast<std::size_t>(axis)];
    if (!constant && (before > 0 || after > 0)) {
      ctx.freeze(list, "is padded with copies of other channels");
      continue;
    }
    Places places = padded(ctx, list, before, after);
    if (places.size() == 1) ctx.freeze(places, "is cut out alone");
    ctx.set_out(0, axis, std::move(places));
  }
}

/// The amounts count the new positions that stay, or the old ones that are cut away.
void shrink(ShrinkContext& ctx) {
  const auto amounts = known_amounts(ctx);
  if (!amounts) return;
  const std::int64_t rank = ctx.in(0).rank();
  const auto axes = ctx.has(3) ? known_ints(ctx.in(3)) : std::nullopt;
  Ints pads = *known_setting(ctx, 1, "pads");
  const std::size_t named = pads.size() / 2;
  bool changed = false;
  for (std::size_t i = 0; i < named; ++i) {
    const std::int64_t axis = axes ? axis_in(ctx.node(), (*axes)[i], rank) : static_cast<std::int64_t>(i);
    const auto* in = ctx.kept_in(0, axis);
    const auto* out = ctx.kept_out(0, axis);
    if (!in && !out) continue;
    const std::int64_t n = ctx.in(0).dim(axis).number();
    const auto below = [](const Ints& kept, std::int64_t p) {
      return static_cast<std::int64_t>(std::lower_bound(kept.begin(), kept.end(), p) - kept.begin());
    };
    const auto edit = [&](std::size_t at, std::int64_t value) {
      if (pads[at] == value) return;
      pads[at] = value;
      changed = true;
      if (ctx.has(1)) ctx.set_element(1, static_cast<std::int64_t>(at), value);
    };
    const std::int64_t before = pads[i];
    const std::int64_t after = pads[named + i];
    const std::int64_t length = n + before + after;
    if (before > 0 && out) edit(i, below(*out, before));
    if (before < 0 && in) edit(i, -below(*in, -before));
    if (after > 0 && out) edit(named + i, below(*out, length) - below(*out, length - after));
    if (after < 0 && in) edit(named + i, -(below(*in, n) - below(*in, n + after)));
  }
  if (changed && !ctx.has(1)) ctx.set_attribute({"pads", pads});
}

}  // namespace

void register_pad(OpTable& table) {
  table.add({.type = "Pad",
             .since = 2,
             .infer = infer,
             .compute = compute,
             .channels = channels,
             .shrink = shrink,
             .run = run_pad,
             .gradient = pad_gradient,
             .keep = {.inputs = 0b1010}});
}

}  // namespace compressor::ops
