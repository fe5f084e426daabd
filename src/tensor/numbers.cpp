// numbers: whole tensors, or parts of them, read as numbers.
#include <algorithm>
#include <cmath>

#include "compressor/base/error.h"
#include "compressor/tensor/tensor.h"
#include "tensor/convert.h"

namespace compressor {
namespace {

void check_payload(const Tensor& tensor) {
  if (!is_known(tensor.dtype) || bits(tensor.dtype) == 0 || tensor.dtype == DType::kComplex64 ||
      tensor.dtype == DType::kComplex128) {
    throw Error::model("a tensor of type {} cannot be read as numbers", name(tensor.dtype));
  }
  const std::uint64_t expected = packed_bytes(tensor.dtype, tensor.size());
  if (tensor.bytes.size() != expected) {
    throw Error::model("a tensor of type {} and shape {} has {} bytes, expected {}", name(tensor.dtype),
                       to_string(tensor.shape), tensor.bytes.size(), expected);
  }
}

}  // namespace

std::vector<double> to_doubles(const Tensor& tensor) {
  check_payload(tensor);
  std::vector<double> out(tensor.size());
  decode(tensor.dtype, tensor.bytes.view().bytes(), 0, out);
  return out;
}

std::vector<std::int64_t> to_ints(const Tensor& tensor) {
  check_payload(tensor);
  std::vector<std::int64_t> out(tensor.size());
  if (tensor.dtype == DType::kInt64 || tensor.dtype == DType::kUint64) {  // past 2^53 a double is not exact
    if (!out.empty()) tensor.bytes.read(0, std::as_writable_bytes(std::span(out)));
    return out;
  }
  const std::vector<double> numbers = to_doubles(tensor);
  std::transform(numbers.begin(), numbers.end(), out.begin(), [](double v) {
    if (std::isnan(v)) return std::int64_t{0};
    return v >= 9.2e18 ? INT64_MAX : v <= -9.2e18 ? INT64_MIN : static_cast<std::int64_t>(v);
  });
  return out;
}

void read_floats(const Tensor& tensor, std::uint64_t first, std::span<float> out) {
  check_payload(tensor);
  CHECK(first <= tensor.size() && out.size() <= tensor.size() - first);
  if (out.empty()) return;
  if (tensor.dtype == DType::kFloat) return tensor.bytes.read(first * 4, std::as_writable_bytes(out));
  constexpr std::size_t kChunk = 8192;  // a multiple of 8, so that sub-byte chunks start on a byte
  const auto width = static_cast<std::uint64_t>(bits(tensor.dtype));
  std::vector<std::byte> packed;
  std::vector<double> numbers;
  for (std::size_t at = 0; at < out.size(); at += kChunk) {
    const std::size_t n = std::min(kChunk, out.size() - at);
    const std::uint64_t begin_bit = (first + at) * width;
    const std::uint64_t end_bit = begin_bit + n * width;
    packed.resize((end_bit + 7) / 8 - begin_bit / 8);
    tensor.bytes.read(begin_bit / 8, packed);
    numbers.resize(n);
    decode(tensor.dtype, packed, begin_bit % 8 / width, numbers);
    std::transform(numbers.begin(), numbers.end(), out.begin() + static_cast<std::ptrdiff_t>(at),
                   [](double v) { return static_cast<float>(v); });
  }
}

std::vector<float> to_floats(const Tensor& tensor) {
  std::vector<float> out(tensor.size());
  read_floats(tensor, 0, out);
  return out;
}

}  // namespace compressor
