// tensor: making tensors and comparing them.
#include "compressor/tensor/tensor.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "compressor/base/error.h"
#include "tensor/convert.h"

namespace compressor {

std::uint64_t num_elements(const Dims& dims) {
  std::uint64_t count = 1;
  bool zero = false;
  for (const std::int64_t d : dims) {
    if (d < 0) throw Error::model("shape {} has a negative dimension", to_string(dims));
    zero = zero || d == 0;
  }
  if (zero) return 0;
  for (const std::int64_t d : dims) {
    if (__builtin_mul_overflow(count, static_cast<std::uint64_t>(d), &count) || count > (UINT64_MAX >> 1U)) {
      throw Error::model("shape {} has more elements than can be counted", to_string(dims));
    }
  }
  return count;
}

std::string to_string(const Dims& dims) {
  if (dims.empty()) return "scalar";
  std::string text;
  for (const std::int64_t d : dims) text += (text.empty() ? "" : "x") + std::to_string(d);
  return text;
}

std::uint64_t Tensor::byte_size() const {
  if (dtype != DType::kString) return packed_bytes(dtype, size());
  std::uint64_t total = 0;
  if (strings) {
    for (const std::string& s : *strings) total += s.size();
  }
  return total;
}

Tensor Tensor::of(const Dims& shape, std::span<const float> values) {
  CHECK(num_elements(shape) == values.size(), "{} values for shape {}", values.size(), to_string(shape));
  Tensor t;
  t.dtype = DType::kFloat;
  t.shape = shape;
  t.bytes = Bytes::copy(std::as_bytes(values));
  return t;
}

Tensor Tensor::of(const Dims& shape, std::span<const std::int64_t> values) {
  CHECK(num_elements(shape) == values.size(), "{} values for shape {}", values.size(), to_string(shape));
  Tensor t;
  t.dtype = DType::kInt64;
  t.shape = shape;
  t.bytes = Bytes::copy(std::as_bytes(values));
  return t;
}

Tensor Tensor::of(DType dtype, const Dims& shape, std::span<const double> values) {
  CHECK(num_elements(shape) == values.size(), "{} values for shape {}", values.size(), to_string(shape));
  Tensor t;
  t.dtype = dtype;
  t.shape = shape;
  std::vector<std::byte> out(packed_bytes(dtype, values.size()));
  encode(dtype, values, out);
  t.bytes = Bytes::own(std::move(out));
  return t;
}

Tensor Tensor::reshaped(Dims new_shape) const {
  CHECK(num_elements(new_shape) == size(), "{} reshaped to {}", to_string(shape), to_string(new_shape));
  Tensor t = *this;
  t.shape = std::move(new_shape);
  return t;
}

bool equal(const Tensor& a, const Tensor& b) {
  if (a.dtype != b.dtype || a.shape != b.shape) return false;
  if (a.dtype == DType::kString) {
    if (!a.strings || !b.strings) return a.strings == b.strings;
    return *a.strings == *b.strings;
  }
  if (a.bytes.size() != b.bytes.size()) return false;
  constexpr std::uint64_t kChunk = 1U << 16U;
  std::vector<std::byte> x(std::min(kChunk, a.bytes.size()));
  std::vector<std::byte> y(x.size());
  for (std::uint64_t at = 0; at < a.bytes.size(); at += kChunk) {
    const std::uint64_t n = std::min(kChunk, a.bytes.size() - at);
    a.bytes.read(at, std::span(x).first(n));
    b.bytes.read(at, std::span(y).first(n));
    if (std::memcmp(x.data(), y.data(), n) != 0) return false;
  }
  return true;
}

}  // namespace compressor
