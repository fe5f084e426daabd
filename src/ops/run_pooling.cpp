// run_pooling: channels-last pooling; a window is read for all channels at once.
#include "ops/run_pooling.h"

#include <algorithm>

#include "compressor/kernels/in_parallel.h"
#include "compressor/kernels/pooling.h"
#include "ops/window.h"

namespace compressor::ops {
namespace {

using kernels::PoolShape;

/// Nullopt for ranks that no kernel takes and for empty tensors. `y` becomes the output's shape.
std::optional<PoolShape> read_shape(const Node& node, const Dims& x, Dims& y) {
  if (x.size() < 3 || x.size() > 5) return std::nullopt;
  const std::size_t n = x.size() - 2;
  const FixedWindow w = fix(node, read_window(node, n, {}), std::span(x).subspan(2));
  PoolShape s;
  s.n = x[0];
  s.channels = x[1];
  y = {s.n, s.channels};
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t at = 3 - n + i;
    s.in[at] = w.in[i];
    s.out[at] = w.out[i];
    s.kernel[at] = w.kernel[i];
    s.stride[at] = w.strides[i];
    s.dilation[at] = w.dilations[i];
    s.pad_begin[at] = w.begin[i];
    s.pad_end[at] = w.end[i];
    y.push_back(w.out[i]);
  }
  if (num_elements(x) == 0 || num_elements(y) == 0) return std::nullopt;
  return s;
}

bool counts_padding(const Node& node) {
  return node.int_or("count_include_pad", 0) != 0;
}

std::int64_t places_of(const Dims& x) {
  return static_cast<std::int64_t>(num_elements({x.begin() + 2, x.end()}));
}

/// dx[n, p, c] = dy[n, c] / places
void spread(GradientContext& ctx, const float* dy, std::int64_t places) {
  const std::int64_t n = ctx.in_shape(0)[0];
  const std::int64_t c = ctx.in_shape(0)[1];
  float* dx = ctx.grad_in(0, Layout::kChannelsLast);
  const float by = 1.0F / static_cast<float>(places);
  kernels::in_parallel(n * places * c > (1 << 15), n * places, [&](std::int64_t p) {
    const float* from = dy + p / places * c;
    for (std::int64_t i = 0; i < c; ++i) dx[p * c + i] = from[i] * by;
  });
}

}  // namespace

bool run_pool(RunContext& ctx) {
  if (ctx.portable() || ctx.dtype(0) != DType::kFloat || ctx.wants(1)) return false;
  Dims y_shape;
  const auto shape = read_shape(ctx.node(), ctx.shape(0), y_shape);
  if (!shape) return false;
  const float* x = ctx.floats(0, Layout::kChannelsLast);
  float* y = ctx.out_floats(0, y_shape, Layout::kChannelsLast);
  if (ctx.node().is("MaxPool")) {
    kernels::max_pool(*shape, x, y);
  } else {
    kernels::average_pool(*shape, counts_padding(ctx.node()), x, y);
  }
  return true;
}

void pool_gradient(GradientContext& ctx) {
  if (!ctx.wants(0) || !ctx.has_grad(0)) return;
  Dims y_shape;
  const auto shape = read_shape(ctx.node(), ctx.in_shape(0), y_shape);
  if (!shape) ctx.fail("the gradient of pooling over {} axes is not available", ctx.in_shape(0).size() - 2);
  const float* dy = ctx.grad(0, Layout::kChannelsLast);
  if (ctx.node().is("MaxPool")) {
    const float* x = ctx.in_floats(0, Layout::kChannelsLast);
    return kernels::max_pool_backward(*shape, x, dy, ctx.grad_in(0, Layout::kChannelsLast));
  }
  kernels::average_pool_backward(*shape, counts_padding(ctx.node()), dy,
                                 ctx.grad_in(0, Layout::kChannelsLast));
}

bool run_global_pool(RunContext& ctx) {
  const bool average = ctx.node().is("GlobalAveragePool");
  if (ctx.portable() || ctx.dtype(0) != DType::kFloat) return false;
  if (!average && !ctx.node().is("GlobalMaxPool")) return false;
  const Dims x_shape = ctx.shape(0);
  if (x_shape.size() < 3 || num_elements(x_shape) == 0) return false;
  // Planes that lie in one piece are pooled as such: n c samples of one channel.
  const bool plain = ctx.layout(0) == Layout::kPlain;
  const std::int64_t n = plain ? x_shape[0] * x_shape[1] : x_shape[0];
  const std::int64_t c = plain ? 1 : x_shape[1];
  const float* x = ctx.floats(0, ctx.layout(0));
  Dims y_shape(x_shape.size(), 1);
  std::copy_n(x_shape.begin(), 2, y_shape.begin());
  float* y = ctx.out_floats(0, y_shape, ctx.layout(0));
  if (average) {
    kernels::global_average(n, places_of(x_shape), c, x, y);
  } else {
    kernels::global_max(n, places_of(x_shape), c, x, y);
  }
  return true;
}

void global_pool_gradient(GradientContext& ctx) {
  if (!ctx.wants(0) || !ctx.has_grad(0)) return;
  const Dims& x_shape = ctx.in_shape(0);
  if (ctx.node().is("GlobalAveragePool")) return spread(ctx, ctx.grad(0), places_of(x_shape));
  if (!ctx.node().is("GlobalMaxPool")) ctx.fail("the gradient is not available");
  PoolShape s;
  s.n = x_shape[0];
  s.channels = x_shape[1];
  s.in[2] = s.kernel[2] = places_of(x_shape);
  const float* x = ctx.in_floats(0, Layout::kChannelsLast);
  kernels::max_pool_backward(s, x, ctx.grad(0), ctx.grad_in(0, Layout::kChannelsLast));
}

bool run_spatial_mean(RunContext& ctx) {
  if (ctx.portable() || ctx.dtype(0) != DType::kFloat || ctx.layout(0) != Layout::kChannelsLast) return false;
  const Dims x_shape = ctx.shape(0);
  const auto rank = static_cast<std::int64_t>(x_shape.size());
  auto axes = ctx.ints_or_attribute(1, "axes");
  if (!axes || rank < 3 || static_cast<std::int64_t>(axes->size()) != rank - 2) return false;
  for (std::int64_t& axis : *axes) axis += axis < 0 ? rank : 0;
  std::sort(axes->begin(), axes->end());
  for (std::int64_t i = 0; i + 2 < rank; ++i) {
    if ((*axes)[static_cast<std::size_t>(i)] != i + 2) return false;
  }
  if (num_elements(x_shape) == 0) return false;
  Dims y_shape{x_shape[0], x_shape[1]};
  if (ctx.node().int_or("keepdims", 1) != 0) y_shape.resize(x_shape.size(), 1);
  const float* x = ctx.floats(0, Layout::kChannelsLast);
  kernels::global_average(x_shape[0], places_of(x_shape), x_shape[1], x, ctx.out_floats(0, y_shape));
  return true;
}

}  // namespace compressor::ops
