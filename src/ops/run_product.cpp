// run_product: float32 products matrix by matrix; a right-hand side that is constant is packed once.
//
// A batch of small matrices is shared among threads matrix by matrix; a large product is cut into tiles.
#include "ops/run_product.h"

#include <algorithm>
#include <cstring>
#include <exception>

#include "compressor/kernels/in_parallel.h"
#include "compressor/kernels/product.h"
#include "ops/elements.h"
#include "ops/run_elementwise.h"

namespace compressor::ops {
namespace {

using kernels::ProductShape;

struct State {
  struct Prepared {
    ProductShape shape;
    bool bias = false;
    std::shared_ptr<const kernels::Product> product;
    std::vector<kernels::Buffer> packed;
  };
  static constexpr std::size_t kMost = 16;
  std::vector<Prepared> list;

  Prepared& of(const ProductShape& shape, const Activation& f, bool bias) {
    for (Prepared& p : list) {
      if (p.shape == shape && p.bias == bias) return p;
    }
    if (list.size() == kMost) list.erase(list.begin());
    list.push_back({shape, bias, kernels::product(shape, f, bias), {}});
    return list.back();
  }
};

/// Offsets, in matrices, of the operand's matrix for every matrix of the output.
std::vector<std::int64_t> matrices(const Dims& batch, const Dims& shape) {
  const Dims own(shape.begin(), shape.size() < 2 ? shape.begin() : shape.end() - 2);
  std::vector<std::int64_t> offsets;
  offsets.reserve(num_elements(batch));
  walk<1>(batch, {broadcast_strides(own, batch)}, {0}, [&](const Run<1>& run) {
    for (std::int64_t i = 0; i < run.count; ++i) offsets.push_back(run.at[0] + i * run.step[0]);
  });
  return offsets;
}

/// numpy's matmul of two shapes.
struct Meeting {
  ProductShape one;
  Dims batch;
  Dims shape;  ///< of the output
};

std::optional<Meeting> meet(const Dims& a, const Dims& b) {
  if (a.empty() || b.empty()) return std::nullopt;
  Meeting meeting;
  meeting.one.m = a.size() < 2 ? 1 : a[a.size() - 2];
  meeting.one.k = a.back();
  meeting.one.n = b.size() < 2 ? 1 : b.back();
  if (meeting.one.k != (b.size() < 2 ? b[0] : b[b.size() - 2])) return std::nullopt;
  const Dims outer_a(a.begin(), a.size() < 2 ? a.begin() : a.end() - 2);
  const Dims outer_b(b.begin(), b.size() < 2 ? b.begin() : b.end() - 2);
  meeting.batch = broadcast_shape(outer_a, outer_b);
  meeting.shape = meeting.batch;
  if (a.size() > 1) meeting.shape.push_back(meeting.one.m);
  if (b.size() > 1) meeting.shape.push_back(meeting.one.n);
  if (num_elements(meeting.shape) == 0 || meeting.one.k == 0) return std::nullopt;
  // One right-hand side for all: one tall product.
  if (num_elements(outer_b) == 1 && !outer_a.empty()) {
    meeting.one.m *= static_cast<std::int64_t>(num_elements(outer_a));
    meeting.batch.clear();
  }
  return meeting;
}

/// y[i] = a[i] b[i], each matrix on one thread where there are several.
void multiply(const ProductShape& shape, const float* a, const std::vector<std::int64_t>& at_a,
              const float* b, const std::vector<std::int64_t>& at_b, float* y) {
  const auto product = kernels::product(shape, {}, false);
  CHECK(product, "no product for these sizes");
  const auto count = static_cast<std::int64_t>(at_a.size());
  std::exception_ptr error;
  kernels::in_parallel(count > 1, count, [&](std::int64_t i) {
    const auto k = static_cast<std::size_t>(i);
    try {
      product->run(a + at_a[k] * shape.m * shape.k, b + at_b[k] * shape.k * shape.n, nullptr,
                   y + i * shape.m * shape.n);
    } catch (...) {
#pragma omp critical(compressor_multiply)
      error = std::current_exception();
    }
  });
  if (error) std::rethrow_exception(error);
}

std::vector<std::int64_t> in_order(std::size_t count) {
  std::vector<std::int64_t> offsets(count);
  for (std::size_t i = 0; i < count; ++i) offsets[i] = static_cast<std::int64_t>(i);
  return offsets;
}

Tensor float_tensor(Dims shape, const kernels::Buffer& buffer) {
  Tensor t;
  t.dtype = DType::kFloat;
  t.shape = std::move(shape);
  t.bytes = buffer.bytes();
  return t;
}

void add_into(float* y, const float* z, std::int64_t n) {
  constexpr std::int64_t kPiece = 1 << 14;
  kernels::in_parallel(n > 2 * kPiece, (n + kPiece - 1) / kPiece, [&](std::int64_t p) {
    for (std::int64_t i = p * kPiece; i < std::min(n, (p + 1) * kPiece); ++i) y[i] += z[i];
  });
}

}  // namespace

bool run_matmul(RunContext& ctx) {
  if (ctx.portable() || ctx.dtype(0) != DType::kFloat || ctx.dtype(1) != DType::kFloat) return false;
  const auto meeting = meet(ctx.shape(0), ctx.shape(1));
  if (!meeting) return false;
  const std::size_t add = ctx.epilogue().add;
  if (add != 0 && (ctx.dtype(add) != DType::kFloat || ctx.shape(add) != meeting->shape)) return false;
  const float* a = ctx.floats(0);
  const auto size = static_cast<std::int64_t>(num_elements(meeting->shape));
  if (!meeting->batch.empty()) {
    const auto at_a = matrices(meeting->batch, ctx.shape(0));
    const auto at_b = matrices(meeting->batch, ctx.shape(1));
    const float* b = ctx.floats(1);
    float* y = ctx.out_floats(0, meeting->shape);
    multiply(meeting->one, a, at_a, b, at_b, y);
    if (add != 0) add_into(y, ctx.floats(add), size);
    kernels::activate(ctx.epilogue().activation, y, y, size);
    return true;
  }
  const Activation inner = add == 0 ? ctx.epilogue().activation : Activation{};
  State::Prepared& p = ctx.state().get<State>().of(meeting->one, inner, false);
  if (!p.product) return false;
  if (ctx.is_constant(1) && p.packed.empty())
    p.packed = p.product->pack(ctx.value(1).tensor.bytes.view().data());
  float* y = ctx.out_floats(0, meeting->shape);
  if (!p.packed.empty() && ctx.is_constant(1)) {
    p.product->run(a, p.packed, nullptr, y);
  } else {
    p.product->run(a, ctx.floats(1), nullptr, y);
  }
  if (add != 0) {
    add_into(y, ctx.floats(add), size);
    kernels::activate(ctx.epilogue().activation, y, y, size);
  }
  return true;
}

bool run_gemm(RunContext& ctx) {
  if (ctx.portable() || ctx.dtype(0) != DType::kFloat || ctx.dtype(1) != DType::kFloat) return false;
  const Node& node = ctx.node();
  if (node.float_or("alpha", 1) != 1.0F || ctx.epilogue().add != 0) return false;
  const Dims& a = ctx.shape(0);
  const Dims& b = ctx.shape(1);
  if (a.size() != 2 || b.size() != 2) return false;
  ProductShape shape;
  shape.trans_a = node.int_or("transA", 0) != 0;
  shape.trans_b = node.int_or("transB", 0) != 0;
  shape.m = a[shape.trans_a ? 1 : 0];
  shape.k = a[shape.trans_a ? 0 : 1];
  shape.n = b[shape.trans_b ? 0 : 1];
  if (b[shape.trans_b ? 1 : 0] != shape.k || shape.m < 1 || shape.n < 1 || shape.k < 1) return false;
  const bool bias = ctx.has(2) && node.float_or("beta", 1) != 0.0F;
  if (bias) {
    const Dims& c = ctx.shape(2);
    const bool row = c.size() <= 2 && !c.empty() && c.back() == shape.n && (c.size() == 1 || c[0] == 1);
    if (!row || ctx.dtype(2) != DType::kFloat || node.float_or("beta", 1) != 1.0F) return false;
  }
  State::Prepared& p = ctx.state().get<State>().of(shape, ctx.epilogue().activation, bias);
  if (!p.product) return false;
  if (ctx.is_constant(1) && p.packed.empty())
    p.packed = p.product->pack(ctx.value(1).tensor.bytes.view().data());
  const float* x = ctx.floats(0);
  const float* c = bias ? ctx.floats(2) : nullptr;
  float* y = ctx.out_floats(0, {shape.m, shape.n});
  if (!p.packed.empty() && ctx.is_constant(1)) {
    p.product->run(x, p.packed, c, y);
  } else {
    p.product->run(x, ctx.floats(1), c, y);
  }
  return true;
}

// da = dy b', db = a' dy, matrix by matrix, summed where an operand was broadcast.
void matmul_gradient(GradientContext& ctx) {
  Dims a = ctx.in_shape(0);
  Dims b = ctx.in_shape(1);
  Dims y = ctx.out_shape(0);
  if (a.size() < 2) {
    a.insert(a.begin(), 1);
    y.insert(y.end() - (b.size() < 2 ? 0 : 1), 1);
  }
  if (b.size() < 2) {
    b.push_back(1);
    y.push_back(1);
  }
  const Dims outer_a(a.begin(), a.end() - 2);
  const Dims outer_b(b.begin(), b.end() - 2);
  const Dims batch = broadcast_shape(outer_a, outer_b);
  const std::size_t count = num_elements(batch);
  const std::int64_t m = a[a.size() - 2];
  const std::int64_t k = a.back();
  const std::int64_t n = b.back();
  const float* dy = ctx.grad(0);
  if (ctx.wants(0)) {
    Dims full = batch;
    full.insert(full.end(), {m, k});
    const kernels::Buffer buffer(num_elements(full) * sizeof(float));
    if (num_elements(outer_b) == 1) {
      const auto rows = static_cast<std::int64_t>(count) * m;
      multiply({.m = rows, .n = k, .k = n, .trans_b = true}, dy, {0}, ctx.in_floats(1), {0},
               buffer.as<float>());
    } else {
      multiply({.m = m, .n = k, .k = n, .trans_b = true}, dy, in_order(count), ctx.in_floats(1),
               matrices(batch, b), buffer.as<float>());
    }
    ctx.set(0, sum_to(float_tensor(full, buffer), a).reshaped(ctx.in_shape(0)));
  }
  if (ctx.wants(1)) {
    if (num_elements(outer_b) == 1 && outer_a == batch) {
      const auto rows = static_cast<std::int64_t>(count) * m;
      multiply({.m = k, .n = n, .k = rows, .trans_a = true}, ctx.in_floats(0), {0}, dy, {0}, ctx.grad_in(1));
      return;
    }
    Dims full = batch;
    full.insert(full.end(), {k, n});
    const kernels::Buffer buffer(num_elements(full) * sizeof(float));
    multiply({.m = k, .n = n, .k = m, .trans_a = true}, ctx.in_floats(0), matrices(batch, a), dy,
             in_order(count), buffer.as<float>());
    ctx.set(1, sum_to(float_tensor(full, buffer), b).reshaped(ctx.in_shape(1)));
  }
}

void gemm_gradient(GradientContext& ctx) {
  const Node& node = ctx.node();
  const bool ta = node.int_or("transA", 0) != 0;
  const bool tb = node.int_or("transB", 0) != 0;
  const float alpha = node.float_or("alpha", 1);
  const float beta = node.float_or("beta", 1);
  const std::int64_t m = ctx.out_shape(0)[0];
  const std::int64_t n = ctx.out_shape(0)[1];
  const std::int64_t k = ctx.in_shape(0)[ta ? 0 : 1];
  const float* dy = ctx.grad(0);
  const auto scaled = [](float* data, float by, std::uint64_t size) {
    if (by == 1.0F) return;
    for (std::uint64_t i = 0; i < size; ++i) data[i] *= by;
  };
  if (ctx.wants(0)) {
    float* da = ctx.grad_in(0);
    if (ta) {  // a [k, m]: da = b dy'
      multiply({.m = k, .n = m, .k = n, .trans_a = tb, .trans_b = true}, ctx.in_floats(1), {0}, dy, {0}, da);
    } else {  // da = dy b'
      multiply({.m = m, .n = k, .k = n, .trans_a = false, .trans_b = !tb}, dy, {0}, ctx.in_floats(1), {0},
               da);
    }
    scaled(da, alpha, static_cast<std::uint64_t>(m * k));
  }
  if (ctx.wants(1)) {
    float* db = ctx.grad_in(1);
    if (tb) {  // b [n, k]: db = dy' a
      multiply({.m = n, .n = k, .k = m, .trans_a = true, .trans_b = ta}, dy, {0}, ctx.in_floats(0), {0}, db);
    } else {  // db = a' dy
      multiply({.m = k, .n = n, .k = m, .trans_a = !ta, .trans_b = false}, ctx.in_floats(0), {0}, dy, {0},
               db);
    }
    scaled(db, alpha, static_cast<std::uint64_t>(k * n));
  }
  if (ctx.has(2) && ctx.wants(2)) {
    const Tensor dc = sum_to(ctx.grad_tensor(0), ctx.in_shape(2));
    std::vector<float> numbers = to_floats(dc);
    for (float& v : numbers) v *= beta;
    ctx.set(2, Tensor::of(dc.shape, std::span<const float>(numbers)));
  }
}

}  // namespace compressor::ops
