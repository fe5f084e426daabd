// run_softmax: the axes of a distribution as they lie in memory.
#include "ops/run_softmax.h"

#include "compressor/kernels/softmax.h"

namespace compressor::ops {
namespace {

using kernels::SoftmaxShape;

/// The order in which [first, last) can be read as one axis: `layout` where that is so there.
Layout fitting(const Dims& shape, std::int64_t first, std::int64_t last, Layout layout) {
  const auto rank = static_cast<std::int64_t>(shape.size());
  const bool sample = first == 1 && last == rank;  // channels and places, whichever is outside
  return last == first + 1 || sample || first == last ? layout : Layout::kPlain;
}

SoftmaxShape read_shape(const Node& node, const Dims& shape, std::int64_t first, std::int64_t last,
                        Layout layout) {
  SoftmaxShape s;
  s.log = node.is("LogSoftmax");
  Dims dims = shape;
  auto begin = static_cast<std::size_t>(first);
  auto end = static_cast<std::size_t>(last);
  if (layout == Layout::kChannelsLast && dims.size() > 2 && last == first + 1 && first > 0) {
    dims.erase(dims.begin() + 1);
    dims.push_back(shape[1]);
    begin = first == 1 ? dims.size() - 1 : begin - 1;
    end = begin + 1;
  }
  for (std::size_t i = 0; i < dims.size(); ++i) {
    (i < begin ? s.outer : i < end ? s.n : s.inner) *= dims[i];
  }
  return s;
}

}  // namespace

bool run_softmax(RunContext& ctx, std::int64_t first, std::int64_t last) {
  if (ctx.portable() || ctx.dtype(0) != DType::kFloat) return false;
  const Dims shape = ctx.shape(0);
  if (num_elements(shape) == 0) return false;
  const Layout layout = fitting(shape, first, last, ctx.layout(0));
  const SoftmaxShape s = read_shape(ctx.node(), shape, first, last, layout);
  const float* x = ctx.floats(0, layout);
  kernels::softmax(s, x, ctx.out_floats(0, shape, layout));
  return true;
}

void softmax_gradient(GradientContext& ctx, std::int64_t first, std::int64_t last) {
  if (!ctx.wants(0) || !ctx.has_grad(0)) return;
  const Dims& shape = ctx.in_shape(0);
  const Layout layout = fitting(shape, first, last, ctx.grad_layout(0));
  const SoftmaxShape s = read_shape(ctx.node(), shape, first, last, layout);
  const float* y = ctx.out_floats(0, layout);
  kernels::softmax_backward(s, y, ctx.grad(0, layout), ctx.grad_in(0, layout));
}

}  // namespace compressor::ops
