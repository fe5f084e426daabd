// convolution: what all convolutions share.
#include "ops/convolution.h"

#include <algorithm>

#include "ops/expect.h"

namespace compressor::ops {

// x [N, C_in, s..], w [C_out, C_in/g, k..], b [C_out] -> y [N, C_out, places..]
std::optional<SymDims> convolution_shape(const InferContext& ctx, const Convolution& which) {
  const Facts& x = ctx.in(0);
  const Facts& w = ctx.in(which.w);
  expect_rank(ctx, x, "input", 3);
  expect_rank(ctx, w, "weight", 3);
  if (!x.ranked && !w.ranked) return std::nullopt;
  if (x.ranked && w.ranked && x.rank() != w.rank()) {
    ctx.fail("weight has rank {}, expected {} as the input", w.rank(), x.rank());
  }
  const auto rank = static_cast<std::size_t>(x.ranked ? x.rank() : w.rank());
  const std::int64_t group = ctx.node().int_or("group", 1);
  if (group < 1) ctx.fail("group is {}, expected at least 1", group);
  if (x.ranked && w.ranked && x.dims[1].is_number() && w.dims[1].is_number() &&
      x.dims[1].number() != w.dims[1].number() * group) {
    ctx.fail("input has {} channels, expected {} ({} groups of {})", x.dims[1].number(),
             w.dims[1].number() * group, group, w.dims[1].number());
  }
  const SymDim c_out = w.ranked ? w.dims[0] : SymDim();
  if (c_out.is_number() && c_out.number() % group != 0) {
    ctx.fail("weight has {} filters, expected a multiple of {} groups", c_out.number(), group);
  }
  expect_vector(ctx, which.b, c_out, "bias");
  const SymDims kernel = w.ranked ? SymDims(w.dims.begin() + 2, w.dims.end()) : SymDims(rank - 2);
  const Window window = read_window(ctx.node(), rank - 2, kernel);
  SymDims y{x.ranked ? x.dims[0] : SymDim(), c_out};
  for (std::size_t i = 0; i < window.size(); ++i) {
    const SymDim in = x.ranked ? x.dims[i + 2] : SymDim();
    y.push_back(window.places(i, in));
    if (y.back().is_number() && y.back().number() < 1 && !(in == SymDim(0))) {
      ctx.fail("kernel reaches over {} positions of axis {}, but the input has {} and {} of padding",
               window.extent(i).number(), i + 2, in.to_string(), window.pad_begin[i] + window.pad_end[i]);
    }
  }
  return y;
}

Cost convolution_cost(const CostContext& ctx, const Convolution& which) {
  const std::vector<double> w = ctx.in(which.w);
  if (!ctx.ok()) return {};
  double taps = 1;
  for (std::size_t i = 1; i < w.size(); ++i) taps *= w[i];
  const double places = ctx.out_size(0);
  return {.macs = places * taps, .flops = 2 * places * (taps + 1)};
}

// group 1: x axis 1 ~ w axis 1, y axis 1 = w axis 0.
// group g: x axis 1 = (g, C_in/g), w axis 0 = (g, C_out/g): the inner of x ~ w axis 1, outer ~ outer.
void convolution_channels(ChannelContext& ctx, const Convolution& which) {
  const Facts& w = ctx.in(which.w);
  const SymDims kernel(w.dims.begin() + std::min<std::ptrdiff_t>(2, w.rank()), w.dims.end());
  pass_around_window(ctx, read_window(ctx.node(), kernel.size(), kernel));
  const std::int64_t group = ctx.node().int_or("group", 1);
  const Places x = ctx.in_list(0, 1);
  const Places filters = ctx.in_list(which.w, 0);
  const Places taps = ctx.in_list(which.w, 1);
  ctx.role(which.w, 0, AxisRole::kProducer);
  ctx.role(which.w, 1, AxisRole::kConsumer);
  freeze_kernel(ctx, which.w);
  ctx.set_out(0, 1, filters);
  if (ctx.has(which.b)) {
    ctx.join(filters, ctx.in_list(which.b, 0));
    ctx.role(which.b, 0, AxisRole::kShift);
  }
  if (group == 1) return ctx.join(x, taps);
  const std::int64_t c_in = ctx.in_dim(0, 1);
  const std::int64_t c_out = ctx.in_dim(which.w, 0);
  if (c_in < 0 || c_out < 0 || c_in % group != 0 || c_out % group != 0) {
    return ctx.freeze_all("grouped convolution of an unknown number of channels");
  }
  const Reason why = ctx.because("groups of a convolution");
  const std::vector<std::int64_t> x_factors{group, c_in / group};
  const std::vector<std::int64_t> w_factors{group, c_out / group};
  const std::vector<Places> x_parts = ctx.atoms().split(x, x_factors, why);
  const std::vector<Places> w_parts = ctx.atoms().split(filters, w_factors, why);
  ctx.join(x_parts[0], w_parts[0]);
  ctx.join(x_parts[1], taps);
}

// Groups that went whole leave as many fewer; thinner groups stay as many.
void convolution_shrink(ShrinkContext& ctx, const Convolution& which) {
  if (ctx.node().int_or("group", 1) == 1) return;
  const std::int64_t c_in = ctx.new_in_dim(0, 1);
  const std::int64_t per_group = ctx.new_in_dim(which.w, 1);
  if (c_in < 1 || per_group < 1) ctx.fail("cannot tell how many groups are left");
  if (c_in % per_group != 0) {
    ctx.fail("{} channels are left, expected a multiple of {} a group", c_in, per_group);
  }
  ctx.set_attribute({"group", c_in / per_group});
}

}  // namespace compressor::ops
