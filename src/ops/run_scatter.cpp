// run_scatter: updates get the gradient of where they went; what they replaced gets none.
#include "ops/run_scatter.h"

#include <cstring>

#include "ops/places.h"

namespace compressor::ops {
namespace {

std::size_t bytes_of(std::int64_t elements) {
  return static_cast<std::size_t>(elements) * sizeof(float);
}

/// Of the data: that of the output, zero where updates came.
void untouched(GradientContext& ctx, const NamedSlices& to) {
  const float* dy = ctx.grad(0);
  float* dx = ctx.grad_in(0);
  std::memcpy(dx, dy, num_elements(ctx.in_shape(0)) * sizeof(float));
  for (const std::int64_t at : to.offsets) std::memset(dx + at, 0, bytes_of(to.slice));
}

/// Of the updates. `last_stays`: the last one for a place is the only one that counts.
void updates(GradientContext& ctx, const NamedSlices& to, bool last_stays) {
  const float* dy = ctx.grad(0);
  float* du = ctx.grad_in(2);
  std::vector<bool> taken(num_elements(ctx.in_shape(0)) / static_cast<std::uint64_t>(to.slice));
  for (std::size_t i = to.offsets.size(); i-- > 0;) {
    const std::int64_t at = to.offsets[i];
    const auto place = static_cast<std::size_t>(at / to.slice);
    float* row = du + static_cast<std::int64_t>(i) * to.slice;
    if (last_stays && taken[place]) {
      std::memset(row, 0, bytes_of(to.slice));
    } else {
      std::memcpy(row, dy + at, bytes_of(to.slice));
    }
    taken[place] = true;
  }
}

void scatter_gradient(GradientContext& ctx, const NamedSlices& to) {
  if (num_elements(ctx.in_shape(0)) == 0) return;
  const std::string how = ctx.node().string_or("reduction", "none");
  if (how != "none" && how != "add") ctx.fail("the gradient is not available for reduction '{}'", how);
  const bool adds = how == "add";
  if (ctx.wants(0) && adds) ctx.set(0, {ctx.grad_tensor(0)});
  if (ctx.wants(0) && !adds) untouched(ctx, to);
  if (ctx.wants(2)) updates(ctx, to, !adds);
}

}  // namespace

void scatter_nd_gradient(GradientContext& ctx) {
  scatter_gradient(ctx, named_slices(ctx.node(), ctx.in_shape(0), ctx.in(1)));
}

void scatter_elements_gradient(GradientContext& ctx) {
  scatter_gradient(ctx, {named_elements(ctx.node(), ctx.in_shape(0), ctx.in(1)), 1});
}

}  // namespace compressor::ops
