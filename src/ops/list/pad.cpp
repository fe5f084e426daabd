// pad: Pad, with constant, reflect, edge or wrap; amounts are an attribute before 11, negative ones cut away.
#include <algorithm>
#include <numeric>

#include "compressor/kernels/strided.h"
#include "ops/axis_back.h"
#include "ops/movement.h"
#include "ops/run_movement.h"

namespace compressor::ops {
namespace {

struct Amounts {
  Ints before, after;  ///< per axis
};

/// From the flat list (all begins, then all ends) of the axes that are named.
Amounts spread(const Node& node, const Ints& pads, const std::optional<Ints>& named, std::int64_t rank) {
  Ints axes(static_cast<std::size_t>(rank));
  std::iota(axes.begin(), axes.end(), 0);
  if (named) axes = axes_in(node, *named, rank);
  if (pads.size() != 2 * axes.size()) {
    throw Error::model("node '{}' (Pad): {} amounts, expected {}", node.label(), pads.size(),
                       2 * axes.size());
  }
  Amounts a{Ints(static_cast<std::size_t>(rank), 0), Ints(static_cast<std::size_t>(rank), 0)};
  for (std::size_t i = 0; i < axes.size(); ++i) {
    a.before[static_cast<std::size_t>(axes[i])] = pads[i];
    a.after[static_cast<std::size_t>(axes[i])] = pads[axes.size() + i];
  }
  return a;
}

/// Where output position i of an axis of n comes from; -1 for the constant.
std::int64_t source(std::int64_t i, std::int64_t n, const std::string& mode) {
  if (i >= 0 && i < n) return i;
  if (mode == "constant" || n == 0) return -1;
  if (mode == "edge") return i < 0 ? 0 : n - 1;
  if (mode == "wrap") return (i % n + n) % n;
  if (n == 1) return 0;
  const std::int64_t period = 2 * (n - 1);
  const std::int64_t p = (i % period + period) % period;
  return p < n ? p : period - p;
}

std::string mode_of(const Node& node) {
  std::string mode = node.string_or("mode", "constant");
  if (mode != "constant" && mode != "reflect" && mode != "edge" && mode != "wrap") {
    throw Error::model("node '{}' (Pad): mode is '{}', expected constant, reflect, edge or wrap",
                       node.label(), mode);
  }
  return mode;
}

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
  const Amounts a = spread(ctx.node(), *pads, axes, x.rank());
  const std::string mode = mode_of(ctx.node());
  Dims shape = x.shape;
  std::vector<Ints> from(shape.size());  // per axis and output position
  for (std::size_t k = 0; k < shape.size(); ++k) {
    shape[k] += a.before[k] + a.after[k];
    for (std::int64_t i = 0; i < shape[k]; ++i) from[k].push_back(source(i - a.before[k], x.shape[k], mode));
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
  mode_of(ctx.node());
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
  const Amounts a = spread(ctx.node(), stand_in, axes, x.rank());
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
  if (ctx.has(2) || mode_of(ctx.node()) != "constant")
    move_contents(ctx, compute, std::span(data).first(ctx.has(2) ? 2 : 1));
}

template <class Context>
std::optional<Amounts> known_amounts(const Context& ctx) {
  const auto pads = known_setting(ctx, 1, "pads");
  const auto axes = ctx.has(3) ? known_ints(ctx.in(3)) : std::nullopt;
  if (!pads || (ctx.has(3) && !axes)) return std::nullopt;
  return spread(ctx.node(), *pads, axes, ctx.in(0).rank());
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
  const bool constant = mode_of(ctx.node()) == "constant";
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

template <class Context>
std::optional<Amounts> amounts_of(Context& ctx, std::size_t rank) {
  const auto pads = ctx.ints_or_attribute(1, "pads");
  if (!pads) return std::nullopt;
  const auto axes = ctx.has(3) ? std::optional(to_ints(ctx.in(3))) : std::nullopt;
  return spread(ctx.node(), *pads, axes, static_cast<std::int64_t>(rank));
}

/// What of the input stays, and where it goes.
Moves moves_of(const Amounts& a, const Dims& x) {
  Moves moves = along_axes(x);
  moves.covers_out = false;
  for (std::size_t k = 0; k < x.size(); ++k) {
    const std::int64_t cut_before = std::max<std::int64_t>(0, -a.before[k]);
    const std::int64_t cut_after = std::max<std::int64_t>(0, -a.after[k]);
    moves.loops[k].n = std::max<std::int64_t>(0, x[k] - cut_before - cut_after);
    moves.in_first.push_back(cut_before);
    moves.out_first.push_back(std::max<std::int64_t>(0, a.before[k]));
    if (cut_before + cut_after > 0) moves.covers_in = false;
  }
  return moves;
}

/// By reflection or from the edge: every row of the output, in the order at hand, is a row of the input with
/// positions looked up.
template <class T>
void look_up(const Dims& x, const Dims& y, const std::vector<Ints>& from, Layout layout, const std::byte* in,
             std::byte* out) {
  std::vector<std::size_t> order(x.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (layout == Layout::kChannelsLast) std::rotate(order.begin() + 1, order.begin() + 2, order.end());
  const Strides strides = kernels::strides_of(x, layout);
  const std::size_t last = order.back();
  const std::int64_t n = y[last];
  const auto rows = static_cast<std::int64_t>(num_elements(y)) / n;
  const T* a = reinterpret_cast<const T*>(in);
  T* b = reinterpret_cast<T*>(out);
#pragma omp parallel for schedule(static) if (rows * n > (1 << 15))
  for (std::int64_t r = 0; r < rows; ++r) {
    std::int64_t rest = r;
    std::int64_t at = 0;
    for (std::size_t k = order.size() - 1; k-- > 0;) {
      const std::size_t axis = order[k];
      at += from[axis][static_cast<std::size_t>(rest % y[axis])] * strides[axis];
      rest /= y[axis];
    }
    for (std::int64_t i = 0; i < n; ++i) b[r * n + i] = a[at + from[last][static_cast<std::size_t>(i)]];
  }
}

bool run_mirrored(RunContext& ctx, const std::string& mode) {
  const Dims x = ctx.shape(0);
  const auto a = amounts_of(ctx, x.size());
  if (!a || x.empty() || num_elements(x) == 0 || bits(ctx.dtype(0)) != 32) return false;
  Dims shape = x;
  std::vector<Ints> from(x.size());
  for (std::size_t k = 0; k < x.size(); ++k) {
    shape[k] += a->before[k] + a->after[k];
    if (shape[k] <= 0) return false;
    for (std::int64_t i = 0; i < shape[k]; ++i) from[k].push_back(source(i - a->before[k], x[k], mode));
  }
  const Layout layout = x.size() > 2 ? ctx.layout(0) : Layout::kPlain;
  const BytesView view = ctx.in(0, layout).bytes.view();
  look_up<std::uint32_t>(x, shape, from, layout, view.data(), ctx.out(0, ctx.dtype(0), shape, layout));
  return true;
}

/// In the order at hand.
bool run(RunContext& ctx) {
  if (ctx.portable() || !can_move(ctx, 0)) return false;
  const std::string mode = mode_of(ctx.node());
  if (mode != "constant") return run_mirrored(ctx, mode);
  const Dims x = ctx.shape(0);
  const auto a = amounts_of(ctx, x.size());
  if (!a) return false;
  Dims shape = x;
  for (std::size_t k = 0; k < x.size(); ++k) {
    shape[k] += a->before[k] + a->after[k];
    if (shape[k] < 0) return false;
  }
  const DType type = ctx.dtype(0);
  const double value = ctx.opset() < 11 ? static_cast<double>(ctx.node().float_or("value", 0)) : 0.0;
  const Tensor fill = ctx.has(2) ? ctx.in(2) : Tensor::of(type, {}, std::span(&value, 1));
  if (fill.size() != 1 || fill.dtype != type) return false;
  const Layout layout = x.size() > 2 ? ctx.layout(0) : Layout::kPlain;
  std::byte* out = ctx.out(0, type, shape, layout);
  const auto size = static_cast<std::int64_t>(num_elements(shape));
  const BytesView view = fill.bytes.view();
  kernels::copy_strided(static_cast<std::size_t>(bits(type)) / 8, {{size, 0, 1}}, view.data(), out);
  move_into(ctx, 0, moves_of(*a, x), shape, layout, out);
  return true;
}

void gradient(GradientContext& ctx) {
  const Dims& x = ctx.in_shape(0);
  const auto a = amounts_of(ctx, x.size());
  if (!a) ctx.fail("amounts are missing");
  const std::string mode = mode_of(ctx.node());
  if (mode == "constant") return moved_gradient(ctx, 0, 0, moves_of(*a, x));
  std::vector<std::optional<AxisTaps>> taps(x.size());
  for (std::size_t k = 0; k < x.size(); ++k) {
    if (a->before[k] == 0 && a->after[k] == 0) continue;
    taps[k].emplace();
    for (std::int64_t i = 0; i < ctx.out_shape(0)[k]; ++i) {
      taps[k]->pixels.push_back(source(i - a->before[k], x[k], mode));
      taps[k]->weights.push_back(1);
      taps[k]->start.push_back(taps[k]->pixels.size());
    }
  }
  gradient_along_axes(ctx, taps);
}

}  // namespace

void register_pad(OpTable& table) {
  table.add({.type = "Pad",
             .since = 2,
             .infer = infer,
             .compute = compute,
             .channels = channels,
             .shrink = shrink,
             .run = run,
             .gradient = gradient,
             .keep = {.inputs = 0b1010}});
}

}  // namespace compressor::ops
