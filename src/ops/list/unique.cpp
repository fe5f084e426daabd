// Unique: the different elements, or slices along an axis; how many there are is not known before.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "ops/expect.h"
#include "ops/movement.h"

namespace compressor::ops {
namespace {

// y, indices, inverse_indices, counts
void infer(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  const bool along_axis = ctx.node().attribute("axis") != nullptr;
  SymDims y{SymDim()};
  SymDim all = x.ranked ? product(x.dims) : SymDim();
  if (along_axis && !x.ranked) {
    ctx.set_unranked(0, x.dtype);
  } else {
    if (along_axis) {
      const auto axis = static_cast<std::size_t>(normalize_axis(ctx, ctx.node().int_or("axis", 0), x.rank()));
      y = x.dims;
      all = y[axis];
      y[axis] = {};
    }
    ctx.set(0, x.dtype, std::move(y));
  }
  for (std::size_t i = 1; i < 4; ++i) {
    if (ctx.wants(i)) ctx.set(i, DType::kInt64, {i == 2 ? all : SymDim()});
  }
}

/// The slices along an axis, or the elements, as rows of one type that can be compared.
template <class T>
struct Rows {
  std::vector<T> values;  ///< [count, width]
  std::int64_t count = 0, width = 0;

  int compare(std::int64_t a, std::int64_t b) const {
    const T* x = values.data() + a * width;
    const T* y = values.data() + b * width;
    for (std::int64_t i = 0; i < width; ++i) {
      if (x[i] < y[i]) return -1;
      if (y[i] < x[i]) return 1;
    }
    return 0;
  }
};

/// Which rows are the first of their kind, in the order of the output; and for every row which of those it
/// is.
struct Kinds {
  Ints first, inverse, counts;
};

template <class T>
Kinds kinds_of(const Rows<T>& rows, bool sorted) {
  Ints order(static_cast<std::size_t>(rows.count));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::int64_t a, std::int64_t b) { return rows.compare(a, b) < 0; });
  Kinds kinds;
  kinds.inverse.resize(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (i == 0 || rows.compare(order[i - 1], order[i]) != 0) {
      kinds.first.push_back(order[i]);
      kinds.counts.push_back(0);
    }
    ++kinds.counts.back();
    kinds.inverse[static_cast<std::size_t>(order[i])] = static_cast<std::int64_t>(kinds.first.size()) - 1;
  }
  if (sorted) return kinds;
  // In the order in which they first appear.
  Ints rank(kinds.first.size());
  std::iota(rank.begin(), rank.end(), 0);
  std::sort(rank.begin(), rank.end(), [&](std::int64_t a, std::int64_t b) {
    return kinds.first[static_cast<std::size_t>(a)] < kinds.first[static_cast<std::size_t>(b)];
  });
  Kinds found;
  Ints place(rank.size());
  for (std::size_t i = 0; i < rank.size(); ++i) {
    const auto k = static_cast<std::size_t>(rank[i]);
    found.first.push_back(kinds.first[k]);
    found.counts.push_back(kinds.counts[k]);
    place[k] = static_cast<std::int64_t>(i);
  }
  for (const std::int64_t k : kinds.inverse) found.inverse.push_back(place[static_cast<std::size_t>(k)]);
  return found;
}

/// Whole rows brought to the front, for slices along `axis`.
Tensor axis_first(const Tensor& x, std::size_t axis) {
  Dims shape = x.shape;
  Strides strides = row_major(shape);
  std::rotate(shape.begin(), shape.begin() + static_cast<std::ptrdiff_t>(axis),
              shape.begin() + static_cast<std::ptrdiff_t>(axis) + 1);
  std::rotate(strides.begin(), strides.begin() + static_cast<std::ptrdiff_t>(axis),
              strides.begin() + static_cast<std::ptrdiff_t>(axis) + 1);
  return take_strided(x, shape, strides);
}

Kinds kinds_of(const Tensor& rows, std::int64_t count, bool sorted) {
  const std::int64_t width = count > 0 ? static_cast<std::int64_t>(rows.size()) / count : 0;
  if (rows.dtype == DType::kString) return kinds_of(Rows<std::string>{*rows.strings, count, width}, sorted);
  return with_domain(rows.dtype, [&]<class T>(T) {
    const Elements<T> x(rows);
    return kinds_of(Rows<T>{{x.span().begin(), x.span().end()}, count, width}, sorted);
  });
}

Tensor indices(const Ints& values) {
  return Tensor::of({static_cast<std::int64_t>(values.size())}, std::span<const std::int64_t>(values));
}

void compute(ComputeContext& ctx) {
  const Tensor& x = ctx.in(0);
  const bool sorted = ctx.node().int_or("sorted", 1) != 0;
  const bool along_axis = ctx.node().attribute("axis") != nullptr;
  const auto size = static_cast<std::int64_t>(x.size());
  Tensor rows = x.reshaped({size});
  std::size_t axis = 0;
  if (along_axis) {
    axis = static_cast<std::size_t>(axis_in(ctx.node(), ctx.node().int_or("axis", 0), x.rank()));
    rows = axis_first(x, axis);
  }
  const std::int64_t count = rows.shape[0];
  const std::int64_t width = count > 0 ? size / count : 0;
  const Kinds kinds = kinds_of(rows, count, sorted);
  Dims shape = along_axis ? x.shape : Dims{0};
  shape[axis] = static_cast<std::int64_t>(kinds.first.size());
  // y's slices lie along the axis: [outer, kinds, inner].
  const Cells cells(x);
  CellsOut y(x.dtype, shape);
  const auto inner = along_axis ? row_major(x.shape)[axis] : 1;
  const std::int64_t outer = inner > 0 ? width / inner : 0;
  for (std::int64_t o = 0; o < outer; ++o) {
    for (std::size_t k = 0; k < kinds.first.size(); ++k) {
      y.copy((o * shape[axis] + static_cast<std::int64_t>(k)) * inner, cells,
             (o * count + kinds.first[k]) * inner, inner);
    }
  }
  ctx.set(0, y.finish());
  ctx.set(1, indices(kinds.first));
  ctx.set(2, indices(kinds.inverse));
  ctx.set(3, indices(kinds.counts));
}

}  // namespace

void register_unique(OpTable& table) {
  table.add({.type = "Unique", .infer = infer, .compute = compute});
}

}  // namespace compressor::ops
