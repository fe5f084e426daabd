// convert: a loop for each pair of types, in pieces that threads share.
#include "compressor/kernels/convert.h"

#include <algorithm>
#include <type_traits>

#include "compressor/kernels/in_parallel.h"

namespace compressor::kernels {
namespace {

constexpr std::int64_t kPiece = 1 << 14;

struct Bool {
  std::uint8_t value;
};

template <class From, class To>
void loop(const From* x, To* y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    if constexpr (std::is_same_v<To, Bool>) {
      y[i].value = x[i] != From{} ? 1 : 0;
    } else {
      // NOLINTNEXTLINE(bugprone-signed-char-misuse): an int8 is a number, not a character
      y[i] = static_cast<To>(x[i]);
    }
  }
}

template <class From, class To>
bool run(const std::byte* x, std::byte* y, std::int64_t n) {
  const auto* from = reinterpret_cast<const From*>(x);
  auto* to = reinterpret_cast<To*>(y);
  in_parallel(n > 2 * kPiece, (n + kPiece - 1) / kPiece, [&](std::int64_t p) {
    loop(from + p * kPiece, to + p * kPiece, std::min(kPiece, n - p * kPiece));
  });
  return true;
}

template <class From>
bool run_from(const std::byte* x, DType to, std::byte* y, std::int64_t n) {
  if (to == DType::kFloat) return run<From, float>(x, y, n);
  if (to == DType::kBool) return run<From, Bool>(x, y, n);
  if constexpr (std::is_integral_v<From>) {
    if (to == DType::kUint8) return run<From, std::uint8_t>(x, y, n);
    if (to == DType::kInt8) return run<From, std::int8_t>(x, y, n);
    if (to == DType::kInt32) return run<From, std::int32_t>(x, y, n);
    if (to == DType::kInt64) return run<From, std::int64_t>(x, y, n);
  }
  return false;
}

}  // namespace

bool convert(DType from, const std::byte* x, DType to, std::byte* y, std::int64_t n) {
  switch (from) {
    case DType::kBool:
    case DType::kUint8:
      return run_from<std::uint8_t>(x, to, y, n);
    case DType::kInt8:
      return run_from<std::int8_t>(x, to, y, n);
    case DType::kInt32:
      return run_from<std::int32_t>(x, to, y, n);
    case DType::kInt64:
      return run_from<std::int64_t>(x, to, y, n);
    case DType::kFloat:
      return run_from<float>(x, to, y, n);
    default:
      return false;
  }
}

}  // namespace compressor::kernels
