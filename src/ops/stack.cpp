// stack: blocks of elements copied behind each other.
#include "ops/stack.h"

#include <utility>

#include "compressor/base/error.h"

namespace compressor::ops {
namespace {

std::int64_t product_of(const Dims& shape, std::size_t from, std::size_t to) {
  std::int64_t n = 1;
  for (std::size_t i = from; i < to; ++i) n *= shape[i];
  return n;
}

}  // namespace

Tensor joined(std::span<const Tensor> parts, std::int64_t axis) {
  if (parts.empty()) throw Error::model("there are no tensors to join");
  const auto at = static_cast<std::size_t>(axis);
  Dims shape = parts[0].shape;
  CHECK(at < shape.size(), "axis {} of {}", axis, to_string(shape));
  shape[at] = 0;
  for (const Tensor& part : parts) {
    Dims other = part.shape;
    const bool same_rank = other.size() == shape.size();
    const std::int64_t length = same_rank ? std::exchange(other[at], 0) : 0;
    Dims first = shape;
    first[at] = 0;
    if (other != first || part.dtype != parts[0].dtype) {
      throw Error::model("{} of {} cannot be joined with {} of {} along axis {}", to_string(part.shape),
                         name(part.dtype), to_string(parts[0].shape), name(parts[0].dtype), axis);
    }
    shape[at] += length;
  }
  const std::int64_t outer = product_of(shape, 0, at);
  const std::int64_t row = product_of(shape, at, shape.size());
  CellsOut out(parts[0].dtype, shape);
  std::int64_t column = 0;
  for (const Tensor& part : parts) {
    const Cells cells(part);
    const std::int64_t width = product_of(part.shape, at, shape.size());
    for (std::int64_t o = 0; o < outer; ++o) out.copy(o * row + column, cells, o * width, width);
    column += width;
  }
  return out.finish();
}

Tensor stacked(std::span<const Tensor> parts, std::int64_t axis) {
  std::vector<Tensor> wide;
  wide.reserve(parts.size());
  for (const Tensor& part : parts) {
    Dims shape = part.shape;
    shape.insert(shape.begin() + axis, 1);
    wide.push_back(part.reshaped(std::move(shape)));
  }
  return joined(wide, axis);
}

Tensor part_of(const Tensor& x, std::int64_t axis, std::int64_t from, std::int64_t length) {
  const Strides strides = row_major(x.shape);
  Dims shape = x.shape;
  shape[static_cast<std::size_t>(axis)] = length;
  return take_strided(x, shape, strides, from * strides[static_cast<std::size_t>(axis)]);
}

Tensor without_axis(const Tensor& x, std::int64_t axis) {
  Dims shape = x.shape;
  shape.erase(shape.begin() + axis);
  return x.reshaped(std::move(shape));
}

}  // namespace compressor::ops
