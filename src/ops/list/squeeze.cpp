// squeeze: Squeeze and Unsqueeze, axes of length 1 taken away and put in; axes were an attribute before 13.
#include <algorithm>

#include "ops/align.h"
#include "ops/movement.h"
#include "ops/run_movement.h"

namespace compressor::ops {
namespace {

bool names(const Ints& axes, std::int64_t axis) {
  return std::find(axes.begin(), axes.end(), axis) != axes.end();
}

void infer_squeeze(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  if (!x.ranked) return ctx.set_unranked(0, x.dtype);
  const auto given = ctx.ints_or_attribute(1, "axes");
  SymDims dims;
  if (!given) {
    if (ctx.has(1) || !x.is_static()) return ctx.set_unranked(0, x.dtype);
    std::copy_if(x.dims.begin(), x.dims.end(), std::back_inserter(dims),
                 [](const SymDim& d) { return !(d == SymDim(1)); });
  } else {
    const Ints axes = axes_in(ctx.node(), *given, x.rank());
    for (std::int64_t axis = 0; axis < x.rank(); ++axis) {
      const SymDim& d = x.dim(axis);
      if (!names(axes, axis)) {
        dims.push_back(d);
      } else if (d.is_number() && d.number() != 1) {
        ctx.fail("axis {} has length {}, expected 1", axis, d.number());
      }
    }
  }
  ctx.set(0, x.dtype, std::move(dims));
  keep_contents(ctx);
}

void compute_squeeze(ComputeContext& ctx) {
  const Tensor& x = ctx.in(0);
  const auto given = ctx.ints_or_attribute(1, "axes");
  const Ints axes = given ? axes_in(ctx.node(), *given, x.rank()) : Ints();
  Dims shape;
  for (std::int64_t axis = 0; axis < x.rank(); ++axis) {
    const std::int64_t d = x.shape[static_cast<std::size_t>(axis)];
    if (given ? !names(axes, axis) : d != 1) shape.push_back(d);
  }
  if (num_elements(shape) != x.size())
    ctx.fail("axes of {} to squeeze are longer than 1", to_string(x.shape));
  Tensor out = x.reshaped(std::move(shape));
  out.name.clear();
  ctx.set(0, std::move(out));
}

template <class T>
std::vector<T> unsqueezed(const Node& node, const std::vector<T>& dims, const Ints& given) {
  const auto rank = static_cast<std::int64_t>(dims.size() + given.size());
  const Ints axes = axes_in(node, given, rank);
  std::vector<T> result;
  std::size_t next = 0;
  for (std::int64_t axis = 0; axis < rank; ++axis) result.push_back(names(axes, axis) ? T(1) : dims[next++]);
  return result;
}

void infer_unsqueeze(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  const auto axes = ctx.ints_or_attribute(1, "axes");
  if (!x.ranked || !axes) {
    // How many axes there are may be known though not which.
    const Facts* list = ctx.has(1) ? &ctx.in(1) : nullptr;
    const auto n = list && list->ranked && list->rank() == 1 ? list->dims[0].maybe_number() : std::nullopt;
    if (!x.ranked || !n) return ctx.set_unranked(0, x.dtype);
    return ctx.set(0, x.dtype, SymDims(x.dims.size() + static_cast<std::size_t>(*n)));
  }
  ctx.set(0, x.dtype, unsqueezed(ctx.node(), x.dims, *axes));
  keep_contents(ctx);
}

void compute_unsqueeze(ComputeContext& ctx) {
  const auto axes = ctx.ints_or_attribute(1, "axes");
  if (!axes) ctx.fail("axes are missing");
  Tensor out = ctx.in(0).reshaped(unsqueezed(ctx.node(), ctx.in(0).shape, *axes));
  out.name.clear();
  ctx.set(0, std::move(out));
}

}  // namespace

void register_squeeze(OpTable& table) {
  table.add({.type = "Squeeze",
             .infer = infer_squeeze,
             .compute = compute_squeeze,
             .channels = channels_reshape,
             .gradient = reshape_gradient});
  table.add({.type = "Unsqueeze",
             .infer = infer_unsqueeze,
             .compute = compute_unsqueeze,
             .channels = channels_reshape,
             .gradient = reshape_gradient});
}

}  // namespace compressor::ops
