// run_pad: what stays is moved, what is new is filled or looked up.
#include "ops/run_pad.h"

#include <algorithm>
#include <numeric>

#include "compressor/kernels/in_parallel.h"
#include "compressor/kernels/strided.h"
#include "ops/axis_back.h"
#include "ops/padding.h"
#include "ops/run_movement.h"

namespace compressor::ops {
namespace {

template <class Context>
std::optional<PadAmounts> amounts_of(Context& ctx, std::size_t rank) {
  const auto pads = ctx.ints_or_attribute(1, "pads");
  if (!pads) return std::nullopt;
  const auto axes = ctx.has(3) ? std::optional(to_ints(ctx.in(3))) : std::nullopt;
  return pad_amounts(ctx.node(), *pads, axes, static_cast<std::int64_t>(rank));
}

/// What of the input stays, and where it goes.
Moves moves_of(const PadAmounts& a, const Dims& x) {
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
  kernels::in_parallel(rows * n > (1 << 15), rows, [&](std::int64_t r) {
    std::int64_t rest = r;
    std::int64_t at = 0;
    for (std::size_t k = order.size() - 1; k-- > 0;) {
      const std::size_t axis = order[k];
      at += from[axis][static_cast<std::size_t>(rest % y[axis])] * strides[axis];
      rest /= y[axis];
    }
    for (std::int64_t i = 0; i < n; ++i) b[r * n + i] = a[at + from[last][static_cast<std::size_t>(i)]];
  });
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
    for (std::int64_t i = 0; i < shape[k]; ++i) from[k].push_back(pad_source(i - a->before[k], x[k], mode));
  }
  const Layout layout = x.size() > 2 ? ctx.layout(0) : Layout::kPlain;
  const BytesView view = ctx.in(0, layout).bytes.view();
  look_up<std::uint32_t>(x, shape, from, layout, view.data(), ctx.out(0, ctx.dtype(0), shape, layout));
  return true;
}

}  // namespace

bool run_pad(RunContext& ctx) {
  if (ctx.portable() || !can_move(ctx, 0)) return false;
  const std::string mode = pad_mode(ctx.node());
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

void pad_gradient(GradientContext& ctx) {
  const Dims& x = ctx.in_shape(0);
  const auto a = amounts_of(ctx, x.size());
  if (!a) ctx.fail("amounts are missing");
  const std::string mode = pad_mode(ctx.node());
  if (mode == "constant") return moved_gradient(ctx, 0, 0, moves_of(*a, x));
  std::vector<std::optional<AxisTaps>> taps(x.size());
  for (std::size_t k = 0; k < x.size(); ++k) {
    if (a->before[k] == 0 && a->after[k] == 0) continue;
    taps[k].emplace();
    for (std::int64_t i = 0; i < ctx.out_shape(0)[k]; ++i) {
      taps[k]->pixels.push_back(pad_source(i - a->before[k], x[k], mode));
      taps[k]->weights.push_back(1);
      taps[k]->start.push_back(taps[k]->pixels.size());
    }
  }
  gradient_along_axes(ctx, taps);
}

}  // namespace compressor::ops
