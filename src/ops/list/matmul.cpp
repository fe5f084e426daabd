// MatMul: numpy's matrix product.
#include "ops/matmul.h"

#include <algorithm>

namespace compressor::ops {
namespace {

void infer(InferContext& ctx) {
  const auto shape = product_shape(ctx, {});
  if (!shape) return ctx.set_unranked(0, ctx.in(0).dtype);
  ctx.set(0, ctx.in(0).dtype, *shape);
}

Cost cost(const CostContext& ctx) {
  return product_cost(ctx, {});
}

void channels(ChannelContext& ctx) {
  product_channels(ctx, {});
}

/// Offset of the matrix that batch index `i` of the output reads: axes of length 1 stand still.
std::uint64_t batch_offset(std::uint64_t i, const Dims& batch, const Dims& shape, std::uint64_t matrix) {
  const std::size_t own = shape.size() < 2 ? 0 : shape.size() - 2;
  std::uint64_t offset = 0;
  std::uint64_t step = 1;
  for (std::size_t k = 1; k <= batch.size(); ++k) {
    const auto length = static_cast<std::uint64_t>(batch[batch.size() - k]);
    const std::uint64_t at = i % length;
    i /= length;
    if (k > own) continue;
    const auto mine = static_cast<std::uint64_t>(shape[own - k]);
    if (mine != 1) offset += at * step;
    step *= mine;
  }
  return offset * matrix;
}

template <class T>
std::vector<T> multiply(const std::vector<T>& x, const std::vector<T>& y, const Dims& a, const Dims& b,
                        const Dims& batch, std::uint64_t m, std::uint64_t k, std::uint64_t n) {
  const std::uint64_t count = num_elements(batch);
  std::vector<T> z(count * m * n);
  for (std::uint64_t i = 0; i < count; ++i) {
    const T* p = x.data() + batch_offset(i, batch, a, m * k);
    const T* q = y.data() + batch_offset(i, batch, b, k * n);
    T* r = z.data() + i * m * n;
    for (std::uint64_t row = 0; row < m; ++row) {
      for (std::uint64_t t = 0; t < k; ++t) {
        for (std::uint64_t col = 0; col < n; ++col) r[row * n + col] += p[row * k + t] * q[t * n + col];
      }
    }
  }
  return z;
}

void compute(ComputeContext& ctx) {
  const Dims& a = ctx.in(0).shape;
  const Dims& b = ctx.in(1).shape;
  if (a.empty() || b.empty()) ctx.fail("operand is a scalar");
  const auto m = static_cast<std::uint64_t>(a.size() == 1 ? 1 : a[a.size() - 2]);
  const auto k = static_cast<std::uint64_t>(a.back());
  const auto n = static_cast<std::uint64_t>(b.size() == 1 ? 1 : b.back());
  const std::int64_t rows = b.size() == 1 ? b[0] : b[b.size() - 2];
  if (static_cast<std::int64_t>(k) != rows) ctx.fail("{} columns meet {} rows", k, rows);
  const std::size_t batch_a = a.size() < 2 ? 0 : a.size() - 2;
  const std::size_t batch_b = b.size() < 2 ? 0 : b.size() - 2;
  Dims batch(std::max(batch_a, batch_b), 1);
  for (std::size_t i = 1; i <= batch.size(); ++i) {
    const std::int64_t x = i <= batch_a ? a[batch_a - i] : 1;
    const std::int64_t y = i <= batch_b ? b[batch_b - i] : 1;
    if (x != y && x != 1 && y != 1) ctx.fail("batch axes of {} and {} do not broadcast", x, y);
    batch[batch.size() - i] = x == 1 ? y : x;
  }
  Dims shape = batch;
  if (a.size() > 1) shape.push_back(a[a.size() - 2]);
  if (b.size() > 1) shape.push_back(b.back());
  if (is_integer(ctx.in(0).dtype)) {
    const auto z = multiply(to_ints(ctx.in(0)), to_ints(ctx.in(1)), a, b, batch, m, k, n);
    if (ctx.in(0).dtype == DType::kInt64)
      return ctx.set(0, Tensor::of(shape, std::span<const std::int64_t>(z)));
    return ctx.set(0, Tensor::of(ctx.in(0).dtype, shape, std::vector<double>(z.begin(), z.end())));
  }
  ctx.set(0, Tensor::of(ctx.in(0).dtype, shape,
                        multiply(to_doubles(ctx.in(0)), to_doubles(ctx.in(1)), a, b, batch, m, k, n)));
}

}  // namespace

void register_matmul(OpTable& table) {
  table.add({.type = "MatMul", .infer = infer, .cost = cost, .compute = compute, .channels = channels});
}

}  // namespace compressor::ops
