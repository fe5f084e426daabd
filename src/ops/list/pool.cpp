// MaxPool, AveragePool, LpPool: one number for every place of a sliding window.
#include <algorithm>
#include <limits>

#include "ops/expect.h"
#include "ops/window.h"

namespace compressor::ops {
namespace {

void infer(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  expect_rank(ctx, x, "input", 3);
  const std::size_t rank = x.ranked ? x.dims.size() : ctx.node().ints_or("kernel_shape", {}).size() + 2;
  if (rank < 3) ctx.fail("kernel_shape is missing");
  const Window window = read_window(ctx.node(), rank - 2, {});
  SymDims y{x.ranked ? x.dims[0] : SymDim(), x.ranked ? x.dims[1] : SymDim()};
  for (std::size_t i = 0; i < window.size(); ++i) {
    const SymDim in = x.ranked ? x.dims[i + 2] : SymDim();
    y.push_back(window.places(i, in));
    if (y.back().is_number() && y.back().number() < 1 && !(in == SymDim(0))) {
      ctx.fail("window reaches over {} positions of axis {}, but the input has {} and {} of padding",
               window.extent(i).number(), i + 2, in.to_string(), window.pad_begin[i] + window.pad_end[i]);
    }
  }
  ctx.set(0, x.dtype, y);
  if (ctx.wants(1)) ctx.set(1, DType::kInt64, std::move(y));
}

Cost cost(const CostContext& ctx) {
  double taps = 1;
  for (const std::int64_t k : ctx.node().ints_or("kernel_shape", {})) taps *= static_cast<double>(k);
  return {.macs = 0, .flops = ctx.out_size(0) * taps};
}

// Positions as MaxPool counts them run over the channels too: only MaxUnpool may read them.
bool only_unpooled(const Value& indices) {
  return std::all_of(indices.uses().begin(), indices.uses().end(), [](const Use& use) {
    return use.node != nullptr && use.node->is("MaxUnpool") && use.index == 1;
  });
}

void channels(ChannelContext& ctx) {
  const std::vector<std::int64_t> kernel = ctx.node().ints_or("kernel_shape", {});
  pass_around_window(ctx, read_window(ctx.node(), kernel.size(), {}));
  ctx.pass(0, 1, 0, 1);
  if (!ctx.wants(1)) return;
  ctx.pass(0, 1, 1, 1);
  ctx.pass(0, 0, 1, 0);
  if (only_unpooled(*ctx.node().output(1))) return;
  ctx.freeze(0, 1, "the indices that it gives count over all channels");
  ctx.freeze(0, 0, "the indices that it gives count over all channels");
}

// Visits every output element with the input offsets under its window, and how many places the window has
// inside the padded input.
template <class Visit>
void each_window(const Dims& in, const Dims& out, const Window& w, Visit&& visit) {
  const std::size_t n = w.size();
  std::vector<std::int64_t> at(n, 0);
  std::vector<std::int64_t> tap(n, 0);
  std::vector<std::size_t> offsets;
  std::uint64_t in_plane = 1;
  std::uint64_t out_plane = 1;
  for (std::size_t i = 0; i < n; ++i) {
    in_plane *= static_cast<std::uint64_t>(in[i + 2]);
    out_plane *= static_cast<std::uint64_t>(out[i + 2]);
  }
  const auto planes = static_cast<std::uint64_t>(in[0] * in[1]);
  for (std::uint64_t o = 0; o < out_plane; ++o) {
    std::uint64_t rest = o;
    for (std::size_t i = n; i-- > 0;) {
      at[i] = static_cast<std::int64_t>(rest % static_cast<std::uint64_t>(out[i + 2]));
      rest /= static_cast<std::uint64_t>(out[i + 2]);
    }
    offsets.clear();
    std::uint64_t padded_taps = 0;
    std::fill(tap.begin(), tap.end(), 0);
    while (true) {
      bool inside = true;
      bool padded = true;
      std::int64_t offset = 0;
      for (std::size_t i = 0; i < n; ++i) {
        const std::int64_t p = at[i] * w.strides[i] + tap[i] * w.dilations[i] - w.pad_begin[i];
        inside = inside && p >= 0 && p < in[i + 2];
        padded = padded && p >= -w.pad_begin[i] && p < in[i + 2] + w.pad_end[i];
        offset = offset * in[i + 2] + p;
      }
      if (inside) offsets.push_back(static_cast<std::size_t>(offset));
      if (padded) ++padded_taps;
      std::size_t i = n;
      while (i-- > 0) {
        if (++tap[i] < w.kernel[i].number()) break;
        tap[i] = 0;
      }
      if (i == static_cast<std::size_t>(-1)) break;
    }
    for (std::uint64_t p = 0; p < planes; ++p) {
      visit(p * in_plane, p * out_plane + o, offsets, padded_taps);
    }
  }
}

Window explicit_window(ComputeContext& ctx, Dims& out) {
  const Dims& in = ctx.in(0).shape;
  if (in.size() < 3) ctx.fail("input has rank {}, expected at least 3", in.size());
  Window w = read_window(ctx.node(), in.size() - 2, {});
  out = {in[0], in[1]};
  for (std::size_t i = 0; i < w.size(); ++i) {
    const std::int64_t length = w.places(i, in[i + 2]).number();
    out.push_back(length);
    if (w.auto_pad == Window::AutoPad::kNone || w.auto_pad == Window::AutoPad::kValid) continue;
    const std::int64_t need =
        std::max<std::int64_t>(0, (length - 1) * w.strides[i] + w.extent(i).number() - in[i + 2]);
    w.pad_begin[i] = w.auto_pad == Window::AutoPad::kSameUpper ? need / 2 : need - need / 2;
    w.pad_end[i] = need - w.pad_begin[i];
  }
  return w;
}

void compute_max(ComputeContext& ctx) {
  if (ctx.node().output(1) != nullptr) ctx.fail("indices are not computed here");
  Dims out;
  const Window w = explicit_window(ctx, out);
  const std::vector<double> x = to_doubles(ctx.in(0));
  std::vector<double> y(num_elements(out));
  each_window(ctx.in(0).shape, out, w,
              [&](std::uint64_t base, std::uint64_t at, const std::vector<std::size_t>& taps, std::uint64_t) {
                double best = -std::numeric_limits<double>::infinity();
                for (const std::size_t t : taps) best = std::max(best, x[base + t]);
                y[at] = best;
              });
  ctx.set(0, Tensor::of(ctx.in(0).dtype, out, y));
}

void compute_average(ComputeContext& ctx) {
  Dims out;
  const Window w = explicit_window(ctx, out);
  const bool count_pad = ctx.node().int_or("count_include_pad", 0) != 0;
  const std::vector<double> x = to_doubles(ctx.in(0));
  std::vector<double> y(num_elements(out));
  each_window(
      ctx.in(0).shape, out, w,
      [&](std::uint64_t base, std::uint64_t at, const std::vector<std::size_t>& taps, std::uint64_t padded) {
        double sum = 0;
        for (const std::size_t t : taps) sum += x[base + t];
        y[at] = sum / static_cast<double>(count_pad ? padded : taps.size());
      });
  ctx.set(0, Tensor::of(ctx.in(0).dtype, out, y));
}

}  // namespace

void register_pool(OpTable& table) {
  table.add({.type = "MaxPool", .infer = infer, .cost = cost, .compute = compute_max, .channels = channels});
  table.add({.type = "AveragePool",
             .infer = infer,
             .cost = cost,
             .compute = compute_average,
             .channels = channels});
  table.add({.type = "LpPool", .infer = infer, .cost = cost, .channels = channels});
}

}  // namespace compressor::ops
