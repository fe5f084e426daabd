// axis_back: one axis after the other, rows in parallel; every sum is one thread's.
#include "ops/axis_back.h"

#include <algorithm>
#include <cstring>

#include "compressor/kernels/in_parallel.h"
#include "ops/real.h"

namespace compressor::ops {
namespace {

/// dx[o, p, j] = sum of weights[t] dy[o, i, j] over all taps t, of pixels i, that read p.
kernels::Buffer back_along(const float* dy, std::int64_t outer, std::int64_t inner, const AxisTaps& taps,
                           std::int64_t length) {
  const auto made = static_cast<std::int64_t>(taps.start.size()) - 1;
  kernels::Buffer buffer(static_cast<std::size_t>(outer * length * inner) * sizeof(float));
  float* dx = buffer.as<float>();
  kernels::in_parallel(outer * made * inner > kParallelWork, outer, [&](std::int64_t o) {
    float* to = dx + o * length * inner;
    std::memset(to, 0, static_cast<std::size_t>(length * inner) * sizeof(float));
    for (std::int64_t i = 0; i < made; ++i) {
      const float* from = dy + (o * made + i) * inner;
      const auto first = taps.start[static_cast<std::size_t>(i)];
      const auto last = taps.start[static_cast<std::size_t>(i) + 1];
      for (std::size_t t = first; t < last; ++t) {
        float* at = to + taps.pixels[t] * inner;
        const auto weight = static_cast<float>(taps.weights[t]);
        for (std::int64_t j = 0; j < inner; ++j) at[j] += weight * from[j];
      }
    }
  });
  return buffer;
}

}  // namespace

void gradient_along_axes(GradientContext& ctx, const std::vector<std::optional<AxisTaps>>& taps) {
  if (!ctx.wants(0)) return;
  const Dims& x = ctx.in_shape(0);
  const Layout layout = x.size() > 2 ? ctx.grad_layout(0) : Layout::kPlain;
  // The axes as they lie.
  std::vector<std::size_t> order;
  for (std::size_t k = 0; k < x.size(); ++k) order.push_back(k);
  if (layout == Layout::kChannelsLast) std::rotate(order.begin() + 1, order.begin() + 2, order.end());
  Dims now;
  for (const std::size_t k : order) now.push_back(ctx.out_shape(0)[k]);
  Tensor grad = ctx.grad_tensor(0, layout);
  for (std::size_t at = order.size(); at-- > 0;) {
    const std::size_t k = order[at];
    if (!taps[k]) continue;
    const auto middle = now.begin() + static_cast<std::ptrdiff_t>(at);
    const auto outer = static_cast<std::int64_t>(num_elements({now.begin(), middle}));
    const auto inner = static_cast<std::int64_t>(num_elements({middle + 1, now.end()}));
    const BytesView view = grad.bytes.view();
    const kernels::Buffer buffer =
        back_along(reinterpret_cast<const float*>(view.data()), outer, inner, *taps[k], x[k]);
    now[at] = x[k];
    grad.bytes = buffer.bytes();
  }
  grad.shape = x;
  ctx.set(0, {std::move(grad), layout});
}

}  // namespace compressor::ops
