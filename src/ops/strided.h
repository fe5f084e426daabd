// strided: walking a row-major shape with any number of operands that have strides of their own.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "compressor/tensor/tensor.h"

namespace compressor::ops {

using Strides = std::vector<std::int64_t>;

inline Strides row_major(const Dims& shape) {
  Strides strides(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

/// How a tensor of `shape` is read when it is broadcast to `out`: aligned from the right, 0 where it repeats.
inline Strides broadcast_strides(const Dims& shape, const Dims& out) {
  const Strides own = row_major(shape);
  Strides strides(out.size(), 0);
  const std::size_t lead = out.size() - shape.size();
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] != 1) strides[lead + i] = own[i];
  }
  return strides;
}

/// Where a run starts in each operand, and how far apart its elements are there.
template <std::size_t N>
struct Run {
  std::int64_t out = 0;    ///< row-major position in the shape
  std::int64_t count = 0;  ///< elements of the run
  std::array<std::int64_t, N> at{};
  std::array<std::int64_t, N> step{};
};

/// Calls fn(const Run<N>&) for every innermost run of `shape`, in row-major order. Neighbouring axes that all
/// operands read as one are walked as one.
template <std::size_t N, class Fn>
void walk(const Dims& shape, const std::array<Strides, N>& strides, const std::array<std::int64_t, N>& start,
          Fn&& fn) {
  Dims dims;
  std::array<Strides, N> steps;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 0) return;
    if (shape[i] == 1) continue;
    bool one = !dims.empty();
    for (std::size_t k = 0; one && k < N; ++k) one = steps[k].back() == strides[k][i] * shape[i];
    if (one) {
      dims.back() *= shape[i];
    } else {
      dims.push_back(shape[i]);
    }
    for (std::size_t k = 0; k < N; ++k) {
      if (one) {
        steps[k].back() = strides[k][i];
      } else {
        steps[k].push_back(strides[k][i]);
      }
    }
  }
  Run<N> run;
  run.count = dims.empty() ? 1 : dims.back();
  run.at = start;
  for (std::size_t k = 0; k < N; ++k) run.step[k] = dims.empty() ? 0 : steps[k].back();
  const std::size_t outer = dims.empty() ? 0 : dims.size() - 1;
  Dims index(outer, 0);
  while (true) {
    fn(static_cast<const Run<N>&>(run));
    run.out += run.count;
    std::size_t axis = outer;
    while (axis-- > 0) {
      for (std::size_t k = 0; k < N; ++k) run.at[k] += steps[k][axis];
      if (++index[axis] < dims[axis]) break;
      for (std::size_t k = 0; k < N; ++k) run.at[k] -= steps[k][axis] * dims[axis];
      index[axis] = 0;
    }
    if (axis == static_cast<std::size_t>(-1)) return;
  }
}

}  // namespace compressor::ops
