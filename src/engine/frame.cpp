// frame: reorders and copies values on request.
#include "engine/frame.h"

#include <cstring>

#include "compressor/base/error.h"
#include "compressor/kernels/in_parallel.h"

namespace compressor::engine {
namespace {

using ops::Layout;

std::size_t width_of(DType type) {
  const int b = bits(type);
  return b >= 8 ? static_cast<std::size_t>(b) / 8 : 1;
}

/// Constants of a file stand where they stand: an element may lie across two words.
void align(Tensor& tensor) {
  if (tensor.dtype == DType::kString) return;
  if (tensor.bytes.is_derived()) tensor.bytes = tensor.bytes.materialized();
  const BytesView view = tensor.bytes.view();
  if (reinterpret_cast<std::uintptr_t>(view.data()) % width_of(tensor.dtype) == 0) return;
  const kernels::Buffer copy(view.size());
  std::memcpy(copy.data(), view.data(), view.size());
  tensor.bytes = copy.bytes();
}

}  // namespace

Tensor reordered(const Tensor& tensor, Layout from, Layout to) {
  if (from == to || kernels::same_order(tensor.shape)) return tensor;
  Tensor result = tensor;
  const kernels::Buffer buffer(tensor.bytes.size());
  const BytesView view = tensor.bytes.view();
  kernels::reorder(tensor.shape, width_of(tensor.dtype), from, view.data(), to, buffer.data());
  result.bytes = buffer.bytes();
  return result;
}

const Tensor& tensor_in(Held& held, Layout layout) {
  Tensor& own = held.value.tensor;
  align(own);
  if (held.value.layout == layout || kernels::same_order(own.shape)) return own;
  if (held.other.kind == ops::RunValue::Kind::kNone) {
    held.other = {reordered(own, held.value.layout, layout), layout};
  }
  return held.other.tensor;
}

void add_to(ops::RunValue& a, ops::RunValue b) {
  CHECK(a.tensor.shape == b.tensor.shape, "sum of {} and {}", to_string(a.tensor.shape),
        to_string(b.tensor.shape));
  if (a.layout != b.layout) {
    b.tensor = reordered(b.tensor, b.layout, a.layout);
    b.layout = a.layout;
  }
  const auto n = static_cast<std::int64_t>(a.tensor.size());
  const BytesView x = a.tensor.bytes.view();
  const BytesView y = b.tensor.bytes.view();
  const auto* from_a = reinterpret_cast<const float*>(x.data());
  const auto* from_b = reinterpret_cast<const float*>(y.data());
  kernels::Buffer buffer = kernels::Buffer::take_over(a.tensor.bytes);
  if (!buffer) buffer = kernels::Buffer::take_over(b.tensor.bytes);
  if (!buffer) buffer = kernels::Buffer(static_cast<std::size_t>(n) * sizeof(float));
  auto* to = buffer.as<float>();
  constexpr std::int64_t kPiece = 1 << 14;
  kernels::in_parallel(n > 2 * kPiece, (n + kPiece - 1) / kPiece, [&](std::int64_t p) {
    for (std::int64_t i = p * kPiece; i < std::min(n, (p + 1) * kPiece); ++i) to[i] = from_a[i] + from_b[i];
  });
  a.tensor.bytes = buffer.bytes();
}

}  // namespace compressor::engine
