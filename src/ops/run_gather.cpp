// run_gather: rows are copied in parallel; gradients are added up in pieces cut by the sizes alone, or row by
// row of the table.
#include "ops/run_gather.h"

#include <cstring>

#include "compressor/kernels/in_parallel.h"
#include "ops/places.h"
#include "ops/real.h"

namespace compressor::ops {
namespace {

/// A Gather as [outer, n, inner] -> [outer, count, inner].
struct Table {
  std::int64_t outer = 1, n = 1, inner = 1, count = 1;
  Dims shape;  ///< of the output
};

Table table_of(const Node& node, const Dims& x, const Dims& indices) {
  const std::int64_t axis = axis_in(node, node.int_or("axis", 0), static_cast<std::int64_t>(x.size()));
  const auto at = x.begin() + axis;
  Table t;
  t.shape.assign(x.begin(), at);
  t.outer = static_cast<std::int64_t>(num_elements(t.shape));
  t.n = *at;
  t.inner = static_cast<std::int64_t>(num_elements({at + 1, x.end()}));
  t.count = static_cast<std::int64_t>(num_elements(indices));
  t.shape.insert(t.shape.end(), indices.begin(), indices.end());
  t.shape.insert(t.shape.end(), at + 1, x.end());
  return t;
}

/// From the front, and inside.
Ints positions(const Node& node, const Tensor& indices, std::int64_t n) {
  Ints list = to_ints(indices);
  for (std::int64_t& i : list) {
    if (i < -n || i >= n) {
      throw Error::model("node '{}' ({}): index {} is outside an axis of {}", node.label(), node.op(), i, n);
    }
    if (i < 0) i += n;
  }
  return list;
}

template <class T>
void look_up(const Table& t, const Ints& at, const std::byte* from, std::byte* to) {
  const T* x = reinterpret_cast<const T*>(from);
  T* y = reinterpret_cast<T*>(to);
  for (std::int64_t o = 0; o < t.outer; ++o) {
    kernels::in_parallel(t.count > kParallelWork, t.count, [&](std::int64_t i) {
      y[o * t.count + i] = x[o * t.n + at[static_cast<std::size_t>(i)]];
    });
  }
}

void copy_rows(const Table& t, const Ints& at, std::size_t row, const std::byte* from, std::byte* to) {
  const auto bytes = static_cast<std::int64_t>(row);
  kernels::in_parallel(t.outer * t.count * bytes > kParallelWork, t.outer * t.count, [&](std::int64_t i) {
    const std::int64_t source = i / t.count * t.n + at[static_cast<std::size_t>(i % t.count)];
    std::memcpy(to + i * bytes, from + source * bytes, row);
  });
}

/// Narrow rows: pieces of the indices have tables of their own, which are added up in order.
void add_pieces(const Table& t, const Ints& at, const float* dy, float* dx) {
  const std::int64_t size = t.n * t.inner;
  constexpr std::int64_t kLeast = 1 << 14;
  const std::int64_t most = std::max<std::int64_t>(1, t.count * t.inner / std::max(size, kLeast));
  const std::int64_t pieces = std::min<std::int64_t>(16, most);
  std::vector<double> sums(static_cast<std::size_t>(pieces * size));
  kernels::in_parallel(pieces > 1, pieces, [&](std::int64_t p) {
    double* own = sums.data() + p * size;
    for (std::int64_t i = t.count * p / pieces; i < t.count * (p + 1) / pieces; ++i) {
      double* row = own + at[static_cast<std::size_t>(i)] * t.inner;
      for (std::int64_t j = 0; j < t.inner; ++j) row[j] += static_cast<double>(dy[i * t.inner + j]);
    }
  });
  for (std::int64_t k = 0; k < size; ++k) {
    double sum = 0;
    for (std::int64_t p = 0; p < pieces; ++p) sum += sums[static_cast<std::size_t>(p * size + k)];
    dx[k] = static_cast<float>(sum);
  }
}

/// Wide rows: the readers of every row of the table, in order.
void add_readers(const Table& t, const Ints& at, const float* dy, float* dx) {
  std::vector<std::int64_t> start(static_cast<std::size_t>(t.n) + 1);
  for (const std::int64_t i : at) ++start[static_cast<std::size_t>(i) + 1];
  for (std::size_t k = 1; k < start.size(); ++k) start[k] += start[k - 1];
  std::vector<std::int64_t> next(start.begin(), start.end() - 1);
  std::vector<std::int64_t> readers(at.size());
  for (std::size_t i = 0; i < at.size(); ++i) {
    readers[static_cast<std::size_t>(next[static_cast<std::size_t>(at[i])]++)] = static_cast<std::int64_t>(i);
  }
#pragma omp parallel for schedule(dynamic, 64) if (t.count * t.inner > kParallelWork)
  for (std::int64_t r = 0; r < t.n; ++r) {
    float* row = dx + r * t.inner;
    std::memset(row, 0, static_cast<std::size_t>(t.inner) * sizeof(float));
    const std::int64_t end = start[static_cast<std::size_t>(r) + 1];
    for (std::int64_t k = start[static_cast<std::size_t>(r)]; k < end; ++k) {
      const float* from = dy + readers[static_cast<std::size_t>(k)] * t.inner;
      for (std::int64_t j = 0; j < t.inner; ++j) row[j] += from[j];
    }
  }
}

/// dx = the sum of what was read of every row.
void add_rows(const Table& t, const Ints& at, const float* dy, float* dx) {
  if (t.inner < 16) return add_pieces(t, at, dy, dx);
  add_readers(t, at, dy, dx);
}

}  // namespace

bool run_gather(RunContext& ctx) {
  const RunValue& x = ctx.value(0);
  if (ctx.portable() || x.kind != RunValue::Kind::kTensor || x.tensor.dtype == DType::kString) return false;
  if (bits(x.tensor.dtype) < 8 || x.tensor.shape.empty()) return false;
  const Table t = table_of(ctx.node(), ctx.shape(0), ctx.shape(1));
  const Ints at = positions(ctx.node(), ctx.in(1), t.n);
  const Tensor& table = ctx.in(0);
  const auto width = static_cast<std::size_t>(bits(table.dtype)) / 8;
  const BytesView view = table.bytes.view();
  std::byte* y = ctx.out(0, table.dtype, t.shape);
  const std::size_t row = width * static_cast<std::size_t>(t.inner);
  switch (row) {
    case 1:
      look_up<std::uint8_t>(t, at, view.data(), y);
      break;
    case 4:
      if (width == 4) {
        look_up<std::uint32_t>(t, at, view.data(), y);
        break;
      }
      [[fallthrough]];
    default:
      copy_rows(t, at, row, view.data(), y);
  }
  return true;
}

void gather_gradient(GradientContext& ctx) {
  if (!ctx.wants(0)) return;
  const Table t = table_of(ctx.node(), ctx.in_shape(0), ctx.in_shape(1));
  const Ints at = positions(ctx.node(), ctx.in(1), t.n);
  const float* dy = ctx.grad(0);
  float* dx = ctx.grad_in(0);
  for (std::int64_t o = 0; o < t.outer; ++o) {
    add_rows(t, at, dy + o * t.count * t.inner, dx + o * t.n * t.inner);
  }
}

void gather_elements_gradient(GradientContext& ctx) {
  if (!ctx.wants(0)) return;
  const Dims& x = ctx.in_shape(0);
  const Ints places = named_elements(ctx.node(), x, ctx.in(1));
  const float* dy = ctx.grad(0);
  float* dx = ctx.grad_in(0);
  std::memset(dx, 0, num_elements(x) * sizeof(float));
  for (const std::int64_t at : places) dx[at] += *dy++;
}

void gather_nd_gradient(GradientContext& ctx) {
  const auto size = static_cast<std::int64_t>(num_elements(ctx.in_shape(0)));
  if (!ctx.wants(0) || size == 0) return;
  NamedSlices rows = named_slices(ctx.node(), ctx.in_shape(0), ctx.in(1), ctx.node().int_or("batch_dims", 0));
  Table t;
  t.n = size / rows.slice;
  t.inner = rows.slice;
  t.count = static_cast<std::int64_t>(rows.offsets.size());
  for (std::int64_t& at : rows.offsets) at /= rows.slice;
  add_rows(t, rows.offsets, ctx.grad(0), ctx.grad_in(0));
}

}  // namespace compressor::ops
