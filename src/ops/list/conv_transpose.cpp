// ConvTranspose: transposed convolution.
#include "ops/convolve.h"
#include "ops/expect.h"

namespace compressor::ops {
namespace {

// x [N, C_in, s..], w [C_in, C_out/g, k..], b [C_out] -> y [N, C_out, ..]
void infer(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  const Facts& w = ctx.in(1);
  expect_rank(ctx, x, "input", 3);
  expect_rank(ctx, w, "weight", 3);
  if (!x.ranked && !w.ranked) return ctx.set_unranked(0, x.dtype);
  if (x.ranked && w.ranked && x.rank() != w.rank()) {
    ctx.fail("weight has rank {}, expected {} as the input", w.rank(), x.rank());
  }
  const auto n = static_cast<std::size_t>((x.ranked ? x.rank() : w.rank()) - 2);
  const std::int64_t group = ctx.node().int_or("group", 1);
  if (group < 1) ctx.fail("group is {}, expected at least 1", group);
  if (x.ranked && w.ranked) {
    const SymDim c_in = agree(ctx, w.dims[0], x.dims[1], "number of input channels");
    if (c_in.is_number() && c_in.number() % group != 0) {
      ctx.fail("input has {} channels, expected a multiple of {} groups", c_in.number(), group);
    }
  }
  const SymDim c_out = w.ranked ? w.dims[1] * group : SymDim();
  expect_vector(ctx, 2, c_out, "bias");
  const Window window =
      read_window(ctx.node(), n, w.ranked ? SymDims(w.dims.begin() + 2, w.dims.end()) : SymDims(n));
  const std::vector<std::int64_t> padding = ctx.node().ints_or("output_padding", {});
  if (!padding.empty() && padding.size() != n) {
    ctx.fail("output_padding has {} numbers, expected {}", padding.size(), n);
  }
  // output_shape names the spatial lengths; some exporters put N and C before them.
  std::vector<std::int64_t> shape = ctx.node().ints_or("output_shape", {});
  if (shape.size() == n + 2) shape.erase(shape.begin(), shape.begin() + 2);
  if (!shape.empty() && shape.size() != n) {
    ctx.fail("output_shape has {} numbers, expected {}", shape.size(), n);
  }
  SymDims y{x.ranked ? x.dims[0] : SymDim(), c_out};
  for (std::size_t i = 0; i < n; ++i) {
    if (!shape.empty()) {
      y.emplace_back(shape[i]);
      continue;
    }
    const SymDim in = x.ranked ? x.dims[i + 2] : SymDim();
    y.push_back(window.transposed(i, in, padding.empty() ? 0 : padding[i]));
    if (y.back().is_number() && y.back().number() < 0) {
      ctx.fail("padding takes more than the output of axis {} has", i + 2);
    }
  }
  ctx.set(0, x.dtype, std::move(y));
}

// Every input position meets every tap and every filter of its group.
Cost cost(const CostContext& ctx) {
  const std::vector<double> w = ctx.in(1);
  if (!ctx.ok()) return {};
  double taps = 1;
  for (std::size_t i = 1; i < w.size(); ++i) taps *= w[i];
  const double macs = ctx.in_size(0) * taps;
  return {.macs = macs, .flops = 2 * macs + (ctx.has(2) ? ctx.out_size(0) : 0)};
}

// x axis 1 ~ w axis 0; y axis 1 = (group, w axis 1).
void channels(ChannelContext& ctx) {
  const Facts& w = ctx.in(1);
  const SymDims kernel(w.dims.begin() + std::min<std::ptrdiff_t>(2, w.rank()), w.dims.end());
  pass_around_window(ctx, read_window(ctx.node(), kernel.size(), kernel));
  freeze_kernel(ctx, 1);
  ctx.role(1, 0, AxisRole::kConsumer);
  ctx.role(1, 1, AxisRole::kProducer);
  const std::int64_t group = ctx.node().int_or("group", 1);
  const Places x = ctx.in_list(0, 1);
  ctx.join(x, ctx.in_list(1, 0));
  Places y = ctx.in_list(1, 1);
  if (group > 1) {
    const std::int64_t c_in = ctx.in_dim(1, 0);
    const std::int64_t filters = ctx.in_dim(1, 1);
    if (c_in < 0 || filters < 0 || c_in % group != 0) {
      return ctx.freeze_all("grouped convolution of an unknown number of channels");
    }
    const std::vector<std::int64_t> factors{group, c_in / group};
    const Places outer =
        ctx.atoms().split(ctx.in_list(1, 0), factors, ctx.because("groups of a convolution"))[0];
    const std::vector<Places> axes{outer, y};
    const std::vector<std::int64_t> lengths{group, filters};
    y = ctx.atoms().merge(axes, lengths);
  }
  if (ctx.has(2)) {
    ctx.join(y, ctx.in_list(2, 0));
    ctx.role(2, 0, AxisRole::kShift);
  }
  ctx.set_out(0, 1, std::move(y));
}

void shrink(ShrinkContext& ctx) {
  if (ctx.node().int_or("group", 1) == 1) return;
  const std::int64_t c_out = ctx.new_out_dim(0, 1);
  const std::int64_t per_group = ctx.new_in_dim(1, 1);
  if (c_out < 1 || per_group < 1 || c_out % per_group != 0) {
    ctx.fail("cannot tell how many groups are left: {} filters, {} a group", c_out, per_group);
  }
  ctx.set_attribute({"group", c_out / per_group});
}

/// The convolution whose transpose the node is: from the output's axes to those of x.
FixedWindow transposed_window(const ComputeContext& ctx, const Window& window,
                              std::span<const std::int64_t> x) {
  const std::size_t n = x.size();
  const std::vector<std::int64_t> padding =
      ctx.node().ints_or("output_padding", std::vector<std::int64_t>(n, 0));
  std::vector<std::int64_t> shape = ctx.node().ints_or("output_shape", {});
  if (shape.size() == n + 2) shape.erase(shape.begin(), shape.begin() + 2);
  if (padding.size() != n || (!shape.empty() && shape.size() != n)) {
    ctx.fail("output_padding or output_shape have other than {} numbers", n);
  }
  FixedWindow w{.in = {},
                .out = {x.begin(), x.end()},
                .kernel = {},
                .strides = window.strides,
                .dilations = window.dilations,
                .begin = window.pad_begin,
                .end = window.pad_end};
  const bool same =
      window.auto_pad == Window::AutoPad::kSameUpper || window.auto_pad == Window::AutoPad::kSameLower;
  for (std::size_t i = 0; i < n; ++i) {
    w.kernel.push_back(window.kernel[i].number());
    const std::int64_t length = shape.empty() ? window.transposed(i, x[i], padding[i]).number() : shape[i];
    if (length < 0) ctx.fail("output has a length of {} on axis {}", length, i + 2);
    w.in.push_back(length);
    if (shape.empty() && !same) continue;
    // Padding follows from the length: the odd one at the end with SAME_UPPER, in front otherwise.
    const std::int64_t full = (x[i] - 1) * w.strides[i] + window.extent(i).number() + padding[i];
    const std::int64_t total = std::max<std::int64_t>(0, full - length);
    w.begin[i] = window.auto_pad == Window::AutoPad::kSameUpper ? total / 2 : total - total / 2;
    w.end[i] = total - w.begin[i];
  }
  return w;
}

void compute(ComputeContext& ctx) {
  const Tensor& x = ctx.in(0);
  const Tensor& weight = ctx.in(1);
  if (x.rank() < 3 || weight.rank() != x.rank()) {
    ctx.fail("weight is {}, input {}: expected one rank of at least 3", to_string(weight.shape),
             to_string(x.shape));
  }
  const std::int64_t group = ctx.node().int_or("group", 1);
  if (group < 1) ctx.fail("group is {}, expected at least 1", group);
  const Window window =
      read_window(ctx.node(), x.shape.size() - 2, SymDims(weight.shape.begin() + 2, weight.shape.end()));
  ctx.set(0, convolve_transposed(ctx, transposed_window(ctx, window, std::span(x.shape).subspan(2)), group));
}

}  // namespace

void register_conv_transpose(OpTable& table) {
  table.add({.type = "ConvTranspose",
             .infer = infer,
             .cost = cost,
             .compute = compute,
             .channels = channels,
             .shrink = shrink});
}

}  // namespace compressor::ops
