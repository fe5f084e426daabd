// run_norm_rows: norms over the last axes: y = (x - mean) inverse scale + bias for each row of n numbers.
//
// With g = dy scale and xhat = (x - mean) inverse: dx = inverse (g - mean(g) - xhat mean(g xhat)); without a
// mean the second term is not there. Ba et al. 2016, 1607.06450; Zhang and Sennrich 2019, 1910.07467.
#include <algorithm>

#include "compressor/kernels/in_parallel.h"
#include "compressor/kernels/normalize.h"
#include "ops/binary_loops.h"
#include "ops/run_elementwise.h"
#include "ops/run_norm.h"

namespace compressor::ops {
namespace {

using kernels::Rows;

Rows rows_of(const Dims& x, std::int64_t axis, double epsilon, bool centred) {
  const auto n = static_cast<std::int64_t>(num_elements({x.begin() + axis, x.end()}));
  const auto size = static_cast<std::int64_t>(num_elements(x));
  return {n > 0 ? size / n : 0, n, epsilon, centred};
}

/// One number for each of the normalised ones, in their order.
bool is_row(const Dims& shape, const Dims& x, std::int64_t axis) {
  const Dims inner(x.begin() + axis, x.end());
  Dims own = shape;
  while (own.size() > inner.size() && own.front() == 1) own.erase(own.begin());
  return own == inner;
}

struct Moments {
  explicit Moments(std::int64_t rows)
      : mean(static_cast<std::size_t>(rows) * sizeof(float)),
        inverse(static_cast<std::size_t>(rows) * sizeof(float)) {}
  kernels::Buffer mean, inverse;
};

Tensor as_tensor(const kernels::Buffer& buffer, Dims shape) {
  Tensor t;
  t.dtype = DType::kFloat;
  t.shape = std::move(shape);
  t.bytes = buffer.bytes();
  return t;
}

Dims reduced_from(const Dims& x, std::int64_t axis) {
  Dims reduced = x;
  std::fill(reduced.begin() + axis, reduced.end(), 1);
  return reduced;
}

const float* floats_of(const Tensor& t) {
  return reinterpret_cast<const float*>(t.bytes.view().data());
}

/// The gradient of the sum that a skip norm normalises, from that of output 0; sets those of scale and shift.
Tensor through_skip_norm(GradientContext& ctx, const Tensor& sum, bool centred) {
  const auto axis = static_cast<std::int64_t>(sum.shape.size()) - 1;
  const Rows rows = rows_of(sum.shape, axis, ctx.node().float_or("epsilon", 1e-12F), centred);
  const Moments moments(rows.rows);
  const auto* mean = moments.mean.as<float>();
  const auto* inverse = moments.inverse.as<float>();
  kernels::row_moments(rows, floats_of(sum), moments.mean.as<float>(), moments.inverse.as<float>());
  const bool wants_shift = centred && ctx.wants(3);
  if (ctx.wants(2) || wants_shift) {
    kernels::row_parameter_gradient(rows, floats_of(sum), ctx.grad(0), mean, inverse,
                                    ctx.wants(2) ? ctx.grad_in(2) : nullptr,
                                    wants_shift ? ctx.grad_in(3) : nullptr);
  }
  const kernels::Buffer d(sum.bytes.size());
  kernels::row_gradient(rows, floats_of(sum), ctx.grad(0), mean, inverse, ctx.in_floats(2), d.as<float>());
  return as_tensor(d, sum.shape);
}

}  // namespace

bool run_layer_norm(RunContext& ctx, std::int64_t axis, bool centred, DType stash) {
  if (ctx.portable() || ctx.dtype(0) != DType::kFloat || ctx.dtype(1) != DType::kFloat) return false;
  const Dims shape = ctx.shape(0);
  const bool bias = centred && ctx.has(2);
  if (stash != DType::kFloat || num_elements(shape) == 0 || !is_row(ctx.shape(1), shape, axis)) return false;
  if (bias && (ctx.dtype(2) != DType::kFloat || !is_row(ctx.shape(2), shape, axis))) return false;
  const Rows rows = rows_of(shape, axis, ctx.node().float_or("epsilon", 1e-5F), centred);
  const float* x = ctx.floats(0);
  const float* scale = ctx.floats(1);
  const float* shift = bias ? ctx.floats(2) : nullptr;
  const Moments moments(rows.rows);
  kernels::row_moments(rows, x, moments.mean.as<float>(), moments.inverse.as<float>());
  const Dims reduced = reduced_from(shape, axis);
  // SimplifiedLayerNormalization has no mean to give.
  const std::size_t last = centred ? 2 : 1;
  if (centred && ctx.wants(1)) ctx.set(1, as_tensor(moments.mean, reduced));
  if (ctx.wants(last)) ctx.set(last, as_tensor(moments.inverse, reduced));
  if (ctx.training()) {
    ctx.keep(as_tensor(moments.mean, {rows.rows}));
    ctx.keep(as_tensor(moments.inverse, {rows.rows}));
  }
  auto* y = reinterpret_cast<float*>(ctx.out_over(0, 0, DType::kFloat, shape, Layout::kPlain));
  kernels::row_normalize(rows, x, moments.mean.as<float>(), moments.inverse.as<float>(), scale, shift, y);
  return true;
}

void layer_norm_gradient(GradientContext& ctx, std::int64_t axis, bool centred) {
  for (std::size_t i = 1; i < 3; ++i) {
    if (ctx.has_grad(i)) ctx.fail("its statistics have no gradient");
  }
  if (!ctx.has_grad(0)) return;
  const Dims& shape = ctx.in_shape(0);
  const bool bias = centred && ctx.has(2);
  if (!is_row(ctx.in_shape(1), shape, axis) || (bias && !is_row(ctx.in_shape(2), shape, axis))) {
    ctx.fail("the gradient needs a scale and a bias of {} numbers",
             num_elements({shape.begin() + axis, shape.end()}));
  }
  const Rows rows = rows_of(shape, axis, ctx.node().float_or("epsilon", 1e-5F), centred);
  if (rows.rows == 0) return;
  const float* x = ctx.in_floats(0);
  const float* dy = ctx.grad(0);
  const Moments again(ctx.has_kept(1) ? 0 : rows.rows);
  if (!ctx.has_kept(1)) kernels::row_moments(rows, x, again.mean.as<float>(), again.inverse.as<float>());
  const auto numbers = [&](std::size_t k, const kernels::Buffer& own) {
    return ctx.has_kept(1) ? reinterpret_cast<const float*>(ctx.kept(k).bytes.view().data())
                           : own.as<float>();
  };
  const float* mean = numbers(0, again.mean);
  const float* inverse = numbers(1, again.inverse);
  const bool wants_bias = bias && ctx.wants(2);
  if (ctx.wants(1) || wants_bias) {
    kernels::row_parameter_gradient(rows, x, dy, mean, inverse, ctx.wants(1) ? ctx.grad_in(1) : nullptr,
                                    wants_bias ? ctx.grad_in(2) : nullptr);
  }
  if (ctx.wants(0)) kernels::row_gradient(rows, x, dy, mean, inverse, ctx.in_floats(1), ctx.grad_in(0));
}

bool run_skip_norm(RunContext& ctx, bool centred) {
  if (ctx.portable() || ctx.dtype(0) != DType::kFloat || ctx.dtype(1) != DType::kFloat) return false;
  const Dims shape = ctx.shape(0);
  if (shape.empty() || ctx.shape(1) != shape || num_elements(shape) == 0) return false;
  const std::int64_t n = shape.back();
  for (std::size_t i = 2; i < 5; ++i) {
    if (ctx.has(i) && (ctx.shape(i) != Dims{n} || ctx.dtype(i) != DType::kFloat)) return false;
  }
  const auto axis = static_cast<std::int64_t>(shape.size()) - 1;
  const Rows rows = rows_of(shape, axis, ctx.node().float_or("epsilon", 1e-12F), centred);
  const float* x = ctx.floats(0);
  const float* skip = ctx.floats(1);
  const std::size_t bias_at = centred ? 4 : 3;
  const float* bias = ctx.has(bias_at) ? ctx.floats(bias_at) : nullptr;
  const float* gamma = ctx.floats(2);
  const float* beta = centred && ctx.has(3) ? ctx.floats(3) : nullptr;
  const kernels::Buffer sum(num_elements(shape) * sizeof(float));
  auto* s = sum.as<float>();
  kernels::in_parallel(rows.rows * n > (1 << 15), rows.rows, [&](std::int64_t r) {
    for (std::int64_t i = r * n; i < (r + 1) * n; ++i) s[i] = x[i] + skip[i];
    for (std::int64_t i = 0; bias && i < n; ++i) s[r * n + i] += bias[i];
  });
  const Moments moments(rows.rows);
  kernels::row_moments(rows, s, moments.mean.as<float>(), moments.inverse.as<float>());
  if (ctx.wants(1)) ctx.set(1, as_tensor(moments.mean, reduced_from(shape, axis)));
  if (ctx.wants(2)) ctx.set(2, as_tensor(moments.inverse, reduced_from(shape, axis)));
  if (ctx.wants(3)) ctx.set(3, as_tensor(sum, shape));
  kernels::row_normalize(rows, s, moments.mean.as<float>(), moments.inverse.as<float>(), gamma, beta,
                         ctx.out_floats(0, shape));
  return true;
}

void skip_norm_gradient(GradientContext& ctx, bool centred) {
  for (std::size_t i = 1; i < 3; ++i) {
    if (ctx.has_grad(i)) ctx.fail("its statistics have no gradient");
  }
  if (num_elements(ctx.in_shape(0)) == 0) return;
  const std::size_t bias = centred ? 4 : 3;
  Tensor sum = binary(ctx.in(0), ctx.in(1), Arithmetic::kAdd);
  if (ctx.has(bias)) sum = binary(sum, ctx.in(bias), Arithmetic::kAdd);
  Tensor d = ctx.has_grad(0) ? through_skip_norm(ctx, sum, centred) : ctx.grad_tensor(3);
  if (ctx.has_grad(0) && ctx.has_grad(3)) d = binary(d, ctx.grad_tensor(3), Arithmetic::kAdd);
  for (const std::size_t i : {std::size_t{0}, std::size_t{1}, bias}) {
    if (ctx.wants(i)) set_summed(ctx, i, d, Layout::kPlain);
  }
}

}  // namespace compressor::ops
