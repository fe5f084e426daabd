// dtype: one table that says all there is to say of an element type.
#include "compressor/tensor/dtype.h"

#include <array>

#include "compressor/base/error.h"

namespace compressor {
namespace {

enum class Family { kNone, kFloat, kInteger, kOther };

struct Entry {
  std::string_view name;
  int bits;
  Family family;
};

constexpr std::array<Entry, 27> kTypes = {{
    {"undefined", 0, Family::kNone},       {"float32", 32, Family::kFloat},
    {"uint8", 8, Family::kInteger},        {"int8", 8, Family::kInteger},
    {"uint16", 16, Family::kInteger},      {"int16", 16, Family::kInteger},
    {"int32", 32, Family::kInteger},       {"int64", 64, Family::kInteger},
    {"string", 0, Family::kOther},         {"bool", 8, Family::kOther},
    {"float16", 16, Family::kFloat},       {"float64", 64, Family::kFloat},
    {"uint32", 32, Family::kInteger},      {"uint64", 64, Family::kInteger},
    {"complex64", 64, Family::kOther},     {"complex128", 128, Family::kOther},
    {"bfloat16", 16, Family::kFloat},      {"float8e4m3fn", 8, Family::kFloat},
    {"float8e4m3fnuz", 8, Family::kFloat}, {"float8e5m2", 8, Family::kFloat},
    {"float8e5m2fnuz", 8, Family::kFloat}, {"uint4", 4, Family::kInteger},
    {"int4", 4, Family::kInteger},         {"float4e2m1", 4, Family::kFloat},
    {"float8e8m0", 8, Family::kFloat},     {"uint2", 2, Family::kInteger},
    {"int2", 2, Family::kInteger},
}};

const Entry& entry(DType type) {
  static constexpr Entry kUnknown = {"unknown", 0, Family::kNone};
  const auto i = static_cast<std::int64_t>(type);
  if (i < 0 || i >= static_cast<std::int64_t>(kTypes.size())) return kUnknown;
  return kTypes[static_cast<std::size_t>(i)];
}

}  // namespace

bool is_known(DType type) {
  return entry(type).family != Family::kNone;
}
std::string_view name(DType type) {
  return entry(type).name;
}
int bits(DType type) {
  return entry(type).bits;
}
bool is_float(DType type) {
  return entry(type).family == Family::kFloat;
}
bool is_integer(DType type) {
  return entry(type).family == Family::kInteger;
}

DType dtype_of(std::string_view name) {
  if (name == "float") return DType::kFloat;
  if (name == "double") return DType::kDouble;
  for (std::size_t i = 1; i < kTypes.size(); ++i) {
    if (kTypes[i].name == name) return static_cast<DType>(i);
  }
  return DType::kUndefined;
}

std::uint64_t packed_bytes(DType type, std::uint64_t count) {
  const auto width = static_cast<std::uint64_t>(bits(type));
  if (width == 0) return 0;
  if (count > (UINT64_MAX >> 1U) / width)
    throw Error::model("{} elements of {}: more bytes than a file can hold", count, name(type));
  return (count * width + 7) / 8;
}

}  // namespace compressor
