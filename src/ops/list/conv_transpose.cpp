// ConvTranspose: transposed convolution.
#include <algorithm>
#include <memory>

#include "compressor/kernels/convolution.h"
#include "compressor/kernels/normalize.h"
#include "compressor/ops/run.h"
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
template <class Context>
FixedWindow transposed_window(const Context& ctx, const Window& window, std::span<const std::int64_t> x) {
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

/// The convolution that goes from the output's axes to those of x; nullopt for what no kernel here takes.
template <class Context>
std::optional<kernels::ConvShape> shape_of(const Context& ctx, const Dims& x, const Dims& w, Dims& y) {
  if (x.size() < 3 || x.size() > 5 || w.size() != x.size()) return std::nullopt;
  const std::size_t n = x.size() - 2;
  const Window window = read_window(ctx.node(), n, SymDims(w.begin() + 2, w.end()));
  const FixedWindow fixed = transposed_window(ctx, window, std::span(x).subspan(2));
  kernels::ConvShape s;
  s.n = x[0];
  s.groups = ctx.node().int_or("group", 1);
  s.c_out = x[1];
  s.c_in = w[1] * s.groups;
  s.spatial = n == 3 ? 3 : 2;
  if (s.groups < 1 || w[0] != s.c_out || s.c_out % s.groups != 0) return std::nullopt;
  y = {s.n, s.c_in};
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t at = 3 - n + i;
    s.in[at] = fixed.in[i];
    s.out[at] = fixed.out[i];
    s.kernel[at] = fixed.kernel[i];
    s.stride[at] = fixed.strides[i];
    s.dilation[at] = fixed.dilations[i];
    s.pad_begin[at] = fixed.begin[i];
    const std::int64_t reach = (s.kernel[at] - 1) * s.dilation[at] + 1;
    s.pad_end[at] = (s.out[at] - 1) * s.stride[at] + reach - s.in[at] - s.pad_begin[at];
    if (s.pad_begin[at] < 0) return std::nullopt;
    y.push_back(s.in[at]);
  }
  if (num_elements(x) == 0 || num_elements(y) == 0 || num_elements(w) == 0) return std::nullopt;
  return s;
}

/// Weights packed for the shape met last.
struct State {
  kernels::ConvShape shape;
  std::shared_ptr<const kernels::Convolution> convolution;
  kernels::Buffer packed;
};

bool run(RunContext& ctx) {
  if (ctx.portable() || ctx.dtype(0) != DType::kFloat || ctx.dtype(1) != DType::kFloat) return false;
  Dims y_shape;
  const auto shape = shape_of(ctx, ctx.shape(0), ctx.shape(1), y_shape);
  if (!shape) return false;
  const bool bias = ctx.has(2);
  if (bias && (ctx.dtype(2) != DType::kFloat || ctx.shape(2) != Dims{shape->c_in})) return false;
  auto& state = ctx.state().get<State>();
  if (!state.convolution || !(state.shape == *shape)) {
    state = {*shape, kernels::transposed_convolution(*shape), {}};
  }
  if (!state.convolution) return false;
  if (!state.packed || !ctx.is_constant(1)) {
    state.packed = state.convolution->pack(ctx.value(1).tensor.bytes.view().data());
  }
  const float* x = ctx.floats(0, Layout::kChannelsLast);
  float* y = ctx.out_floats(0, y_shape, Layout::kChannelsLast);
  state.convolution->forward(x, state.packed, nullptr, y);
  if (bias) {
    const std::int64_t rows = static_cast<std::int64_t>(num_elements(y_shape)) / shape->c_in;
    const std::vector<float> zeros(static_cast<std::size_t>(shape->c_in), 0.0F);
    const std::vector<float> ones(zeros.size(), 1.0F);
    kernels::channel_affine({rows, shape->c_in}, y, zeros.data(), ones.data(), ctx.floats(2), y);
  }
  return true;
}

void gradient(GradientContext& ctx) {
  if (!ctx.has_grad(0)) return;
  Dims y_shape;
  const auto shape = shape_of(ctx, ctx.in_shape(0), ctx.in_shape(1), y_shape);
  if (!shape) ctx.fail("the gradient of this transposed convolution is not available");
  const float* dy = ctx.grad(0, Layout::kChannelsLast);
  if (ctx.wants(0)) {
    const auto forward = kernels::convolution(*shape, {}, false, false);
    if (!forward) ctx.fail("the gradient of this transposed convolution is not available");
    const auto packed = forward->pack(reinterpret_cast<const std::byte*>(ctx.in_floats(1)));
    forward->forward(dy, packed, nullptr, ctx.grad_in(0, Layout::kChannelsLast));
  }
  if (ctx.wants(1)) {
    kernels::convolution_backward_weights(*shape, dy, ctx.in_floats(0, Layout::kChannelsLast), ctx.grad_in(1),
                                          nullptr);
  }
  if (ctx.has(2) && ctx.wants(2)) {
    const std::int64_t rows = static_cast<std::int64_t>(num_elements(y_shape)) / shape->c_in;
    std::vector<double> means(static_cast<std::size_t>(shape->c_in));
    std::vector<double> variances(means.size());
    kernels::channel_moments({rows, shape->c_in}, dy, means.data(), variances.data());
    float* db = ctx.grad_in(2);
    for (std::size_t c = 0; c < means.size(); ++c)
      db[c] = static_cast<float>(means[c] * static_cast<double>(rows));
  }
}

}  // namespace

void register_conv_transpose(OpTable& table) {
  table.add({.type = "ConvTranspose",
             .infer = infer,
             .cost = cost,
             .compute = compute,
             .channels = channels,
             .shrink = shrink,
             .run = run,
             .gradient = gradient,
             .keep = {.inputs = 3}});
}

}  // namespace compressor::ops
