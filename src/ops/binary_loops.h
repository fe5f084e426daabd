// binary_loops: y = f(a, b) over two broadcast operands, float32, in whatever orders they lie.
#pragma once

#include <algorithm>
#include <vector>

#include "compressor/kernels/arithmetic.h"
#include "compressor/kernels/in_parallel.h"
#include "compressor/ops/run.h"
#include "ops/elements.h"

namespace compressor::ops {

inline constexpr std::int64_t kElementsInParallel = 1 << 15;

/// Axes in the order in which they lie in memory.
inline std::vector<std::size_t> memory_order(std::size_t rank, Layout layout) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < rank; ++i) order.push_back(i);
  if (layout == Layout::kChannelsLast && rank > 2)
    std::rotate(order.begin() + 1, order.begin() + 2, order.end());
  return order;
}

/// Lengths and the strides of two operands, outermost first, neighbours merged.
struct Loops {
  std::vector<std::int64_t> n, a, b;

  void add(std::int64_t length, std::int64_t stride_a, std::int64_t stride_b) {
    if (length == 1) return;
    if (!n.empty() && a.back() == stride_a * length && b.back() == stride_b * length) {
      n.back() *= length;
      a.back() = stride_a;
      b.back() = stride_b;
      return;
    }
    n.push_back(length);
    a.push_back(stride_a);
    b.push_back(stride_b);
  }
};

/// Strides of an operand along the output's axes; 0 where it repeats.
inline Strides strides_in(const Dims& shape, Layout layout, const Dims& out) {
  Strides strides(out.size(), 0);
  const std::size_t lead = out.size() - shape.size();
  std::int64_t step = 1;
  const auto order = memory_order(shape.size(), layout);
  for (std::size_t k = order.size(); k-- > 0;) {
    const std::size_t axis = order[k];
    if (shape[axis] != 1) strides[lead + axis] = step;
    step *= shape[axis];
  }
  return strides;
}

/// f over rows, a function of elements or one that kernels know by name.
template <class F>
void each_row(const kernels::OperandRows& s, const float* a, const float* b, float* y, F f) {
  for (std::int64_t r = 0; r < s.rows; ++r, a += s.a_row, b += s.b_row, y += s.n) {
    for (std::int64_t i = 0; i < s.n; ++i) y[i] = f(a[i * s.a], b[i * s.b]);
  }
}
inline void each_row(const kernels::OperandRows& s, const float* a, const float* b, float* y,
                     kernels::Arithmetic op) {
  kernels::combine(op, s, a, b, y);
}

template <class F>
void loops(const Loops& l, const float* a, const float* b, float* y, F f) {
  const std::size_t rank = l.n.size();
  kernels::OperandRows all;
  all.n = rank < 1 ? 1 : l.n[rank - 1];
  all.a = rank < 1 ? 0 : l.a[rank - 1];
  all.b = rank < 1 ? 0 : l.b[rank - 1];
  if (rank > 1) {
    all.rows = l.n[rank - 2];
    all.a_row = l.a[rank - 2];
    all.b_row = l.b[rank - 2];
  }
  std::int64_t outer = 1;
  for (std::size_t i = 0; i + 2 < rank; ++i) outer *= l.n[i];
  const std::int64_t size = outer * all.rows * all.n;
  const bool worth = size > kElementsInParallel;
  // One long row, or one long list of rows, is cut so that threads share it.
  const std::int64_t wanted = worth && outer < 16 ? size / outer / (kElementsInParallel / 2) + 1 : 1;
  const std::int64_t whole = rank > 1 ? all.rows : all.n;
  const std::int64_t length = (whole + wanted - 1) / wanted;
  const std::int64_t cuts = length == 0 ? 0 : (whole + length - 1) / length;
  kernels::in_parallel(worth, outer * cuts, [&](std::int64_t o) {
    kernels::OperandRows s = all;
    const std::int64_t skip = o % cuts * length;
    std::int64_t rest = o / cuts;
    std::int64_t at_a = skip * (rank > 1 ? s.a_row : s.a);
    std::int64_t at_b = skip * (rank > 1 ? s.b_row : s.b);
    float* to = y + rest * all.rows * all.n + skip * (rank > 1 ? s.n : 1);
    for (std::size_t i = rank < 2 ? 0 : rank - 2; i-- > 0;) {
      at_a += rest % l.n[i] * l.a[i];
      at_b += rest % l.n[i] * l.b[i];
      rest /= l.n[i];
    }
    (rank > 1 ? s.rows : s.n) = std::min(length, whole - skip);
    each_row(s, a + at_a, b + at_b, to, f);
  });
}

inline Loops plan(const Dims& shape, Layout layout, const Dims& a, Layout la, const Dims& b, Layout lb) {
  const Strides sa = strides_in(a, la, shape);
  const Strides sb = strides_in(b, lb, shape);
  Loops l;
  for (const std::size_t axis : memory_order(shape.size(), layout)) l.add(shape[axis], sa[axis], sb[axis]);
  return l;
}

/// The order of an operand that is as large as the output; channels-last where there is a choice.
struct Orders {
  Layout a = Layout::kPlain, b = Layout::kPlain, out = Layout::kPlain;
};
inline Orders orders_of(const Dims& shape, const Dims& a, Layout la, const Dims& b, Layout lb) {
  Orders o;
  if (a == shape && !kernels::same_order(a)) o.out = la;
  if (b == shape && !kernels::same_order(b) && lb == Layout::kChannelsLast) o.out = Layout::kChannelsLast;
  if (a == shape) o.a = o.out;
  if (b == shape) o.b = o.out;
  return o;
}

/// Output 0 = f(input 0, input 1); false unless both are float32.
template <class F>
bool run_binary(RunContext& ctx, F f) {
  if (ctx.dtype(0) != DType::kFloat || ctx.dtype(1) != DType::kFloat) return false;
  const Dims a = ctx.shape(0);
  const Dims b = ctx.shape(1);
  const Dims shape = broadcast_shape(a, b);
  const Orders o = orders_of(shape, a, ctx.layout(0), b, ctx.layout(1));
  const float* x = ctx.floats(0, o.a);
  const float* z = ctx.floats(1, o.b);
  const std::size_t over = a == shape && ctx.layout(0) == o.out ? 0 : 1;
  float* y = a == shape || b == shape
                 ? reinterpret_cast<float*>(ctx.out_over(0, over, DType::kFloat, shape, o.out))
                 : ctx.out_floats(0, shape, o.out);
  loops(plan(shape, o.out, a, o.a, b, o.b), x, z, y, f);
  return true;
}

/// f(a, b) of plain float tensors.
template <class F>
Tensor binary(const Tensor& a, const Tensor& b, F f) {
  Tensor y;
  y.dtype = DType::kFloat;
  y.shape = broadcast_shape(a.shape, b.shape);
  const kernels::Buffer buffer(num_elements(y.shape) * sizeof(float));
  const BytesView va = a.bytes.view();
  const BytesView vb = b.bytes.view();
  loops(plan(y.shape, Layout::kPlain, a.shape, Layout::kPlain, b.shape, Layout::kPlain),
        reinterpret_cast<const float*>(va.data()), reinterpret_cast<const float*>(vb.data()),
        buffer.as<float>(), f);
  y.bytes = buffer.bytes();
  return y;
}

}  // namespace compressor::ops
