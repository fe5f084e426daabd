// convert: element by element between packed types and numbers, narrow floats included.
#include "tensor/convert.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "compressor/base/error.h"
#include "compressor/tensor/tensor.h"

namespace compressor {
namespace {

/// A float format of up to 16 bits: sign, exponent, mantissa, and what its special codes mean.
struct Narrow {
  int exponent_bits;
  int mantissa_bits;
  int bias;
  enum class Special { kIeee, kNanOnly, kNegativeZeroIsNan, kNone } special;
};

constexpr Narrow kHalf = {5, 10, 15, Narrow::Special::kIeee};
constexpr Narrow kE4M3FN = {4, 3, 7, Narrow::Special::kNanOnly};
constexpr Narrow kE4M3FNUZ = {4, 3, 8, Narrow::Special::kNegativeZeroIsNan};
constexpr Narrow kE5M2 = {5, 2, 15, Narrow::Special::kIeee};
constexpr Narrow kE5M2FNUZ = {5, 2, 16, Narrow::Special::kNegativeZeroIsNan};
constexpr Narrow kE2M1 = {2, 1, 1, Narrow::Special::kNone};

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

double narrow_to_double(std::uint32_t code, const Narrow& f) {
  const int width = 1 + f.exponent_bits + f.mantissa_bits;
  const bool negative = (code >> (width - 1) & 1U) != 0;
  const std::uint32_t exponent = code >> f.mantissa_bits & ((1U << f.exponent_bits) - 1);
  const std::uint32_t mantissa = code & ((1U << f.mantissa_bits) - 1);
  const std::uint32_t top = (1U << f.exponent_bits) - 1;
  if (f.special == Narrow::Special::kIeee && exponent == top)
    return mantissa != 0 ? kNan : (negative ? -kInf : kInf);
  if (f.special == Narrow::Special::kNanOnly && exponent == top && mantissa == (1U << f.mantissa_bits) - 1)
    return kNan;
  if (f.special == Narrow::Special::kNegativeZeroIsNan && negative && exponent == 0 && mantissa == 0)
    return kNan;
  const double fraction = exponent == 0 ? mantissa : mantissa + static_cast<double>(1U << f.mantissa_bits);
  const double magnitude =
      std::ldexp(fraction, std::max<int>(static_cast<int>(exponent), 1) - f.bias - f.mantissa_bits);
  return negative ? -magnitude : magnitude;
}

std::uint32_t double_to_narrow(double value, const Narrow& f) {
  const int width = 1 + f.exponent_bits + f.mantissa_bits;
  const std::uint32_t sign = std::signbit(value) ? 1U << (width - 1) : 0;
  const std::uint32_t top = (1U << f.exponent_bits) - 1;
  const std::uint32_t full = (1U << f.mantissa_bits) - 1;
  std::uint32_t largest = 0;  // the code of the largest finite number
  std::uint32_t nan = 0;
  switch (f.special) {
    case Narrow::Special::kIeee:
      largest = (top - 1) << f.mantissa_bits | full;
      nan = top << f.mantissa_bits | 1U << (f.mantissa_bits - 1);
      break;
    case Narrow::Special::kNanOnly:
      largest = top << f.mantissa_bits | (full - 1);
      nan = top << f.mantissa_bits | full;
      break;
    case Narrow::Special::kNegativeZeroIsNan:
      largest = top << f.mantissa_bits | full;
      nan = 1U << (width - 1);
      break;
    case Narrow::Special::kNone:
      largest = top << f.mantissa_bits | full;
      nan = 0;
      break;
  }
  if (std::isnan(value)) return nan;
  const double magnitude = std::fabs(value);
  const bool ieee = f.special == Narrow::Special::kIeee && f.mantissa_bits == 10;
  if (std::isinf(value)) return sign | (ieee ? top << f.mantissa_bits : largest);
  int exponent = 0;
  std::frexp(magnitude, &exponent);                 // magnitude = m 2^exponent, m in [0.5, 1)
  const int lowest = 1 - f.bias - f.mantissa_bits;  // the step of subnormal numbers is 2^lowest
  const int step = std::max(exponent - 1 - f.mantissa_bits, lowest);
  const double scaled = std::nearbyint(std::ldexp(magnitude, -step));
  if (scaled == 0) return f.special == Narrow::Special::kNegativeZeroIsNan ? 0 : sign;
  auto code = static_cast<std::uint64_t>(scaled);
  if (step > lowest) code += static_cast<std::uint64_t>(step - lowest) << f.mantissa_bits;
  // A mantissa that rounded up to the next power of two carries into the exponent by itself.
  if (code > largest) return sign | (ieee ? top << f.mantissa_bits : largest);
  return sign | static_cast<std::uint32_t>(code);
}

template <class T>
void decode_as(std::span<const std::byte> packed, std::uint64_t first, std::span<double> out) {
  const std::byte* at = packed.data() + first * sizeof(T);
  for (double& v : out) {
    T x;
    std::memcpy(&x, at, sizeof(T));
    v = static_cast<double>(x);
    at += sizeof(T);
  }
}

template <class T>
T saturate(double value) {
  if (std::isnan(value)) return 0;
  const double rounded = std::nearbyint(value);
  if (rounded <= static_cast<double>(std::numeric_limits<T>::min())) return std::numeric_limits<T>::min();
  if (rounded >= static_cast<double>(std::numeric_limits<T>::max())) return std::numeric_limits<T>::max();
  return static_cast<T>(rounded);
}

template <class T>
void encode_as(std::span<const double> values, std::span<std::byte> packed) {
  std::byte* at = packed.data();
  for (const double v : values) {
    T x;
    if constexpr (std::is_floating_point_v<T>) {
      x = static_cast<T>(v);
    } else {
      x = saturate<T>(v);
    }
    std::memcpy(at, &x, sizeof(T));
    at += sizeof(T);
  }
}

std::uint32_t bits_at(std::span<const std::byte> packed, std::uint64_t index, int width) {
  const std::uint64_t bit = index * static_cast<std::uint64_t>(width);
  return std::to_integer<std::uint32_t>(packed[bit / 8]) >> (bit % 8) & ((1U << width) - 1);
}

void put_bits(std::span<std::byte> packed, std::uint64_t index, int width, std::uint32_t code) {
  const std::uint64_t bit = index * static_cast<std::uint64_t>(width);
  const std::uint32_t mask = ((1U << width) - 1) << (bit % 8);
  const std::uint32_t old = std::to_integer<std::uint32_t>(packed[bit / 8]) & ~mask;
  packed[bit / 8] = static_cast<std::byte>(old | (code << (bit % 8) & mask));
}

const Narrow* narrow_of(DType type) {
  switch (type) {
    case DType::kFloat16:
      return &kHalf;
    case DType::kFloat8E4M3FN:
      return &kE4M3FN;
    case DType::kFloat8E4M3FNUZ:
      return &kE4M3FNUZ;
    case DType::kFloat8E5M2:
      return &kE5M2;
    case DType::kFloat8E5M2FNUZ:
      return &kE5M2FNUZ;
    case DType::kFloat4E2M1:
      return &kE2M1;
    default:
      return nullptr;
  }
}

int sign_extend(std::uint32_t code, int width) {
  const int value = static_cast<int>(code);
  return value >= 1 << (width - 1) ? value - (1 << width) : value;
}

}  // namespace

void decode(DType type, std::span<const std::byte> packed, std::uint64_t first, std::span<double> out) {
  if (const Narrow* f = narrow_of(type)) {
    const int width = bits(type);
    for (std::size_t i = 0; i < out.size(); ++i) {
      std::uint32_t code = 0;
      if (width == 16) {
        std::uint16_t half = 0;
        std::memcpy(&half, packed.data() + (first + i) * 2, 2);
        code = half;
      } else {
        code = bits_at(packed, first + i, width);
      }
      out[i] = narrow_to_double(code, *f);
    }
    return;
  }
  switch (type) {
    case DType::kFloat:
      return decode_as<float>(packed, first, out);
    case DType::kDouble:
      return decode_as<double>(packed, first, out);
    case DType::kUint8:
      return decode_as<std::uint8_t>(packed, first, out);
    case DType::kInt8:
      return decode_as<std::int8_t>(packed, first, out);
    case DType::kUint16:
      return decode_as<std::uint16_t>(packed, first, out);
    case DType::kInt16:
      return decode_as<std::int16_t>(packed, first, out);
    case DType::kUint32:
      return decode_as<std::uint32_t>(packed, first, out);
    case DType::kInt32:
      return decode_as<std::int32_t>(packed, first, out);
    case DType::kUint64:
      return decode_as<std::uint64_t>(packed, first, out);
    case DType::kInt64:
      return decode_as<std::int64_t>(packed, first, out);
    case DType::kBool:
      decode_as<std::uint8_t>(packed, first, out);
      for (double& v : out) v = v != 0 ? 1 : 0;
      return;
    case DType::kBFloat16:
      for (std::size_t i = 0; i < out.size(); ++i) {
        std::uint16_t half = 0;
        std::memcpy(&half, packed.data() + (first + i) * 2, 2);
        out[i] = static_cast<double>(bfloat16_to_float(half));
      }
      return;
    case DType::kFloat8E8M0:
      for (std::size_t i = 0; i < out.size(); ++i) {
        const auto code = std::to_integer<int>(packed[first + i]);
        out[i] = code == 255 ? kNan : std::ldexp(1.0, code - 127);
      }
      return;
    case DType::kUint4:
    case DType::kUint2:
      for (std::size_t i = 0; i < out.size(); ++i) out[i] = bits_at(packed, first + i, bits(type));
      return;
    case DType::kInt4:
    case DType::kInt2:
      for (std::size_t i = 0; i < out.size(); ++i)
        out[i] = sign_extend(bits_at(packed, first + i, bits(type)), bits(type));
      return;
    default:
      throw Error::model("elements of type {} are not numbers that can be read", name(type));
  }
}

void encode(DType type, std::span<const double> values, std::span<std::byte> packed) {
  CHECK(packed.size() == packed_bytes(type, values.size()));
  const int width = bits(type);
  if (const Narrow* f = narrow_of(type)) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::uint32_t code = double_to_narrow(values[i], *f);
      if (width == 16) {
        const auto half = static_cast<std::uint16_t>(code);
        std::memcpy(packed.data() + i * 2, &half, 2);
      } else {
        put_bits(packed, i, width, code);
      }
    }
    return;
  }
  switch (type) {
    case DType::kFloat:
      return encode_as<float>(values, packed);
    case DType::kDouble:
      return encode_as<double>(values, packed);
    case DType::kUint8:
      return encode_as<std::uint8_t>(values, packed);
    case DType::kInt8:
      return encode_as<std::int8_t>(values, packed);
    case DType::kUint16:
      return encode_as<std::uint16_t>(values, packed);
    case DType::kInt16:
      return encode_as<std::int16_t>(values, packed);
    case DType::kUint32:
      return encode_as<std::uint32_t>(values, packed);
    case DType::kInt32:
      return encode_as<std::int32_t>(values, packed);
    case DType::kUint64:
      return encode_as<std::uint64_t>(values, packed);
    case DType::kInt64:
      return encode_as<std::int64_t>(values, packed);
    case DType::kBool:
      for (std::size_t i = 0; i < values.size(); ++i)
        packed[i] = static_cast<std::byte>(values[i] != 0 ? 1 : 0);
      return;
    case DType::kBFloat16:
      for (std::size_t i = 0; i < values.size(); ++i) {
        const std::uint16_t half = float_to_bfloat16(static_cast<float>(values[i]));
        std::memcpy(packed.data() + i * 2, &half, 2);
      }
      return;
    case DType::kFloat8E8M0:
      for (std::size_t i = 0; i < values.size(); ++i) {
        const double exponent = std::nearbyint(std::log2(std::fabs(values[i])));
        packed[i] = static_cast<std::byte>(
            std::isnan(values[i]) ? 255 : static_cast<int>(std::clamp(exponent + 127, 0.0, 254.0)));
      }
      return;
    case DType::kUint4:
    case DType::kUint2:
    case DType::kInt4:
    case DType::kInt2: {
      const bool is_signed = type == DType::kInt4 || type == DType::kInt2;
      const double low = is_signed ? -(1 << (width - 1)) : 0;
      const double high = is_signed ? (1 << (width - 1)) - 1 : (1 << width) - 1;
      for (std::size_t i = 0; i < values.size(); ++i) {
        const int v = static_cast<int>(std::clamp(std::nearbyint(values[i]), low, high));
        put_bits(packed, i, width, static_cast<std::uint32_t>(v) & ((1U << width) - 1));
      }
      return;
    }
    default:
      throw Error::model("elements of type {} are not numbers that can be written", name(type));
  }
}

std::uint16_t float_to_half(float value) {
  return static_cast<std::uint16_t>(double_to_narrow(value, kHalf));
}
float half_to_float(std::uint16_t code) {
  return static_cast<float>(narrow_to_double(code, kHalf));
}

std::uint16_t float_to_bfloat16(float value) {
  const auto code = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) return static_cast<std::uint16_t>(code >> 16U | 0x40U);
  return static_cast<std::uint16_t>((code + 0x7FFFU + (code >> 16U & 1U)) >> 16U);
}

float bfloat16_to_float(std::uint16_t code) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(code) << 16U);
}

}  // namespace compressor
