// places: indices are brought into range and multiplied by strides.
#include "ops/places.h"

namespace compressor::ops {

NamedSlices named_slices(const Node& node, const Dims& x, const Tensor& indices, std::int64_t batch) {
  if (indices.rank() == 0) fail_at(node, "indices are a scalar");
  const auto rank = static_cast<std::int64_t>(x.size());
  const std::int64_t depth = indices.shape.back();
  if (batch < 0 || batch >= indices.rank() || batch + depth > rank) {
    fail_at(node, "indices of shape {} into {} with batch_dims {}", to_string(indices.shape), to_string(x),
            batch);
  }
  NamedSlices named;
  named.slice = static_cast<std::int64_t>(num_elements({x.begin() + batch + depth, x.end()}));
  const Ints flat = to_ints(indices);
  if (depth == 0 || flat.empty()) return named;
  const auto batches = static_cast<std::int64_t>(num_elements({x.begin(), x.begin() + batch}));
  const auto tuples = static_cast<std::int64_t>(flat.size()) / depth;
  if (batches == 0 || tuples % batches != 0) {
    fail_at(node, "{} tuples of indices for a batch of {}", tuples, batches);
  }
  const std::int64_t batch_stride = static_cast<std::int64_t>(num_elements(x)) / batches;
  const Strides strides = row_major(x);
  for (std::int64_t t = 0; t < tuples; ++t) {
    std::int64_t at = t / (tuples / batches) * batch_stride;
    for (std::int64_t k = 0; k < depth; ++k) {
      const auto axis = static_cast<std::size_t>(batch + k);
      const std::int64_t i = flat[static_cast<std::size_t>(t * depth + k)];
      if (i < -x[axis] || i >= x[axis])
        fail_at(node, "index {} is outside axis {} of length {}", i, axis, x[axis]);
      at += (i < 0 ? i + x[axis] : i) * strides[axis];
    }
    named.offsets.push_back(at);
  }
  return named;
}

Ints named_elements(const Node& node, const Dims& x, const Tensor& indices) {
  const auto rank = static_cast<std::int64_t>(x.size());
  if (indices.rank() != rank)
    fail_at(node, "indices of shape {} into {}", to_string(indices.shape), to_string(x));
  const auto axis = static_cast<std::size_t>(axis_in(node, node.int_or("axis", 0), rank));
  for (std::size_t k = 0; k < x.size(); ++k) {
    if (k != axis && indices.shape[k] > x[k]) {
      fail_at(node, "indices of shape {} into {}", to_string(indices.shape), to_string(x));
    }
  }
  Strides strides = row_major(x);
  const std::int64_t along = strides[axis];
  const std::int64_t n = x[axis];
  strides[axis] = 0;
  Ints places = to_ints(indices);
  walk<1>(indices.shape, {strides}, {0}, [&](const Run<1>& run) {
    for (std::int64_t i = 0; i < run.count; ++i) {
      std::int64_t& k = places[static_cast<std::size_t>(run.out + i)];
      if (k < -n || k >= n) fail_at(node, "index {} is outside an axis of {}", k, n);
      k = (k < 0 ? k + n : k) * along + run.at[0] + i * run.step[0];
    }
  });
  return places;
}

}  // namespace compressor::ops
