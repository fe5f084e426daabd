// run_elementwise: strides over both operands in the order of the output's memory, rows in parallel.
#include "ops/run_elementwise.h"

#include <algorithm>

#include "compressor/ops/activation.h"
#include "ops/elements.h"

namespace compressor::ops {
namespace {

constexpr std::int64_t kParallelFrom = 1 << 15;

/// Axes in the order in which they lie in memory.
std::vector<std::size_t> memory_order(std::size_t rank, Layout layout) {
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
Strides strides_in(const Dims& shape, Layout layout, const Dims& out) {
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

template <class F>
void row(const float* a, std::int64_t sa, const float* b, std::int64_t sb, float* y, std::int64_t n, F f) {
  if (sa == 1 && sb == 1) {
    for (std::int64_t i = 0; i < n; ++i) y[i] = f(a[i], b[i]);
  } else if (sa == 1 && sb == 0) {
    const float v = *b;
    for (std::int64_t i = 0; i < n; ++i) y[i] = f(a[i], v);
  } else if (sa == 0 && sb == 1) {
    const float v = *a;
    for (std::int64_t i = 0; i < n; ++i) y[i] = f(v, b[i]);
  } else {
    for (std::int64_t i = 0; i < n; ++i) y[i] = f(a[i * sa], b[i * sb]);
  }
}

template <class F>
void loops(const Loops& l, const float* a, const float* b, float* y, F f) {
  std::int64_t inner = l.n.empty() ? 1 : l.n.back();
  const std::int64_t sa = l.n.empty() ? 0 : l.a.back();
  const std::int64_t sb = l.n.empty() ? 0 : l.b.back();
  std::int64_t outer = 1;
  for (std::size_t i = 0; i + 1 < l.n.size(); ++i) outer *= l.n[i];
  // One long row is cut so that threads share it.
  const std::int64_t cuts =
      outer == 1 && inner > 2 * kParallelFrom ? (inner + kParallelFrom - 1) / kParallelFrom : 1;
  const std::int64_t length = cuts == 1 ? inner : kParallelFrom;
#pragma omp parallel for schedule(static) if (outer * inner > kParallelFrom)
  for (std::int64_t o = 0; o < outer * cuts; ++o) {
    std::int64_t rest = o / cuts;
    const std::int64_t skip = (o % cuts) * length;
    std::int64_t at_a = skip * sa;
    std::int64_t at_b = skip * sb;
    for (std::size_t i = l.n.size() > 0 ? l.n.size() - 1 : 0; i-- > 0;) {
      at_a += rest % l.n[i] * l.a[i];
      at_b += rest % l.n[i] * l.b[i];
      rest /= l.n[i];
    }
    row(a + at_a, sa, b + at_b, sb, y + o / cuts * inner + skip, std::min(length, inner - skip), f);
  }
}

void apply(Arithmetic op, const Loops& l, const float* a, const float* b, float* y) {
  switch (op) {
    case Arithmetic::kAdd:
      return loops(l, a, b, y, [](float p, float q) { return p + q; });
    case Arithmetic::kSub:
      return loops(l, a, b, y, [](float p, float q) { return p - q; });
    case Arithmetic::kMul:
      return loops(l, a, b, y, [](float p, float q) { return p * q; });
    case Arithmetic::kDiv:
      return loops(l, a, b, y, [](float p, float q) { return p / q; });
  }
}

Loops plan(const Dims& shape, Layout layout, const Dims& a, Layout la, const Dims& b, Layout lb) {
  const Strides sa = strides_in(a, la, shape);
  const Strides sb = strides_in(b, lb, shape);
  Loops l;
  for (const std::size_t axis : memory_order(shape.size(), layout)) l.add(shape[axis], sa[axis], sb[axis]);
  return l;
}

/// y = a op b for float tensors in plain order.
Tensor calculate(Arithmetic op, const Tensor& a, const Tensor& b) {
  Tensor y;
  y.dtype = DType::kFloat;
  y.shape = broadcast_shape(a.shape, b.shape);
  const kernels::Buffer buffer(num_elements(y.shape) * sizeof(float));
  const BytesView va = a.bytes.view();
  const BytesView vb = b.bytes.view();
  apply(op, plan(y.shape, Layout::kPlain, a.shape, Layout::kPlain, b.shape, Layout::kPlain),
        reinterpret_cast<const float*>(va.data()), reinterpret_cast<const float*>(vb.data()),
        buffer.as<float>());
  y.bytes = buffer.bytes();
  return y;
}

}  // namespace

bool run_activation(RunContext& ctx, const Activation& f) {
  if (ctx.dtype(0) != DType::kFloat) return false;
  const Layout layout = ctx.layout(0);
  const float* x = ctx.floats(0, layout);
  const Dims shape = ctx.shape(0);
  auto* y = reinterpret_cast<float*>(ctx.out_over(0, 0, DType::kFloat, shape, layout));
  kernels::activate(f, x, y, static_cast<std::int64_t>(num_elements(shape)));
  return true;
}

void add_activation_rules(Op& op) {
  const bool from_output = op.type == "Relu" || op.type == "Sigmoid" || op.type == "Tanh";
  op.run = [](RunContext& ctx) {
    const auto f = activation_of(ctx.node());
    return f && run_activation(ctx, *f);
  };
  op.gradient = [](GradientContext& ctx) {
    const auto f = activation_of(ctx.node());
    if (!f) ctx.fail("the gradient is not available");
    activation_gradient(ctx, *f);
  };
  op.keep = from_output ? Keep{.inputs = 0, .outputs = 1} : Keep{.inputs = 1, .outputs = 0};
}

void activation_gradient(GradientContext& ctx, const Activation& f) {
  if (!ctx.wants(0)) return;
  const Layout layout = ctx.grad_layout(0);
  const bool from_output = kernels::derivative_from_output(f);
  const float* x = from_output ? ctx.out_floats(0, layout) : ctx.in_floats(0, layout);
  const float* dy = ctx.grad(0, layout);
  kernels::activate_backward(f, x, dy, ctx.grad_in(0, layout),
                             static_cast<std::int64_t>(num_elements(ctx.in_shape(0))));
}

bool run_arithmetic(RunContext& ctx, Arithmetic op) {
  if (ctx.dtype(0) != DType::kFloat || ctx.dtype(1) != DType::kFloat) return false;
  const Dims a = ctx.shape(0);
  const Dims b = ctx.shape(1);
  const Dims shape = broadcast_shape(a, b);
  const bool full_a = a == shape;
  const bool full_b = b == shape;
  // The order of an operand that is as large as the output; channels-last where there is a choice.
  Layout layout = Layout::kPlain;
  if (full_a && !kernels::same_order(a)) layout = ctx.layout(0);
  if (full_b && !kernels::same_order(b) && ctx.layout(1) == Layout::kChannelsLast)
    layout = Layout::kChannelsLast;
  const Layout la = full_a ? layout : Layout::kPlain;
  const Layout lb = full_b ? layout : Layout::kPlain;
  const float* x = ctx.floats(0, la);
  const float* z = ctx.floats(1, lb);
  const Loops l = plan(shape, layout, a, la, b, lb);
  const std::size_t over = full_a && ctx.layout(0) == layout ? 0 : 1;
  float* y = full_a || full_b ? reinterpret_cast<float*>(ctx.out_over(0, over, DType::kFloat, shape, layout))
                              : ctx.out_floats(0, shape, layout);
  apply(op, l, x, z, y);
  return true;
}

Keep arithmetic_keep(Arithmetic op) {
  return op == Arithmetic::kAdd || op == Arithmetic::kSub ? Keep{} : Keep{.inputs = 3, .outputs = 0};
}

Tensor sum_to(const Tensor& from, const Dims& shape) {
  if (from.shape == shape) return from;
  const Strides to = broadcast_strides(shape, from.shape);
  const Strides own = row_major(from.shape);
  std::vector<double> sums(num_elements(shape));
  const BytesView view = from.bytes.view();
  const auto* x = reinterpret_cast<const float*>(view.data());
  walk<2>(from.shape, {own, to}, {0, 0}, [&](const Run<2>& run) {
    const float* p = x + run.at[0];
    if (run.step[1] == 0) {
      double sum = 0;
      for (std::int64_t i = 0; i < run.count; ++i) sum += static_cast<double>(p[i * run.step[0]]);
      sums[static_cast<std::size_t>(run.at[1])] += sum;
      return;
    }
    for (std::int64_t i = 0; i < run.count; ++i) {
      sums[static_cast<std::size_t>(run.at[1] + i * run.step[1])] += static_cast<double>(p[i * run.step[0]]);
    }
  });
  return Tensor::of(DType::kFloat, shape, sums);
}

void arithmetic_gradient(GradientContext& ctx, Arithmetic op) {
  const bool same = ctx.in_shape(0) == ctx.out_shape(0) && ctx.in_shape(1) == ctx.out_shape(0);
  if (same && (op == Arithmetic::kAdd || op == Arithmetic::kSub)) {
    const Layout layout = ctx.grad_layout(0);
    const Tensor dy = ctx.grad_tensor(0, layout);
    if (ctx.wants(0)) ctx.set(0, {dy, layout});
    if (!ctx.wants(1)) return;
    if (op == Arithmetic::kAdd) return ctx.set(1, {dy, layout});
  }
  const Tensor dy = ctx.grad_tensor(0);
  const Tensor minus = Tensor::scalar(-1.0F);
  if (ctx.wants(0)) {
    Tensor da = dy;
    if (op == Arithmetic::kMul) da = calculate(Arithmetic::kMul, dy, ctx.in(1));
    if (op == Arithmetic::kDiv) da = calculate(Arithmetic::kDiv, dy, ctx.in(1));
    ctx.set(0, sum_to(da, ctx.in_shape(0)));
  }
  if (ctx.wants(1)) {
    Tensor db = dy;
    if (op == Arithmetic::kSub) db = calculate(Arithmetic::kMul, dy, minus);
    if (op == Arithmetic::kMul) db = calculate(Arithmetic::kMul, dy, ctx.in(0));
    if (op == Arithmetic::kDiv) {  // -dy a / b^2
      const Tensor square = calculate(Arithmetic::kMul, ctx.in(1), ctx.in(1));
      const Tensor top = calculate(Arithmetic::kMul, calculate(Arithmetic::kMul, dy, minus), ctx.in(0));
      db = calculate(Arithmetic::kDiv, top, square);
    }
    ctx.set(1, sum_to(db, ctx.in_shape(1)));
  }
}

}  // namespace compressor::ops
