// elements: typed and untyped access to the elements of constants.
#include "ops/elements.h"

#include <cmath>
#include <cstring>

#include "compressor/base/error.h"

namespace compressor::ops {
namespace {

bool is_native(DType type, Domain domain) {
  switch (domain) {
    case Domain::kFloat:
      return type == DType::kFloat;
    case Domain::kDouble:
      return type == DType::kDouble;
    case Domain::kInt:
      return type == DType::kInt64;
    default:
      return type == DType::kUint64;
  }
}

template <class T>
constexpr Domain domain_for() {
  if (std::is_same_v<T, float>) return Domain::kFloat;
  if (std::is_same_v<T, double>) return Domain::kDouble;
  return std::is_same_v<T, std::uint64_t> ? Domain::kUint : Domain::kInt;
}

template <class Narrow, class T>
Bytes narrow(std::span<const T> values) {
  std::vector<std::byte> out(values.size() * sizeof(Narrow));
  auto* to = reinterpret_cast<Narrow*>(out.data());
  for (std::size_t i = 0; i < values.size(); ++i) to[i] = static_cast<Narrow>(values[i]);
  return Bytes::own(std::move(out));
}

/// Integers of any width, wrapped.
template <class T>
Bytes pack_integers(DType type, std::span<const T> values) {
  switch (type) {
    case DType::kInt8:
    case DType::kUint8:
      return narrow<std::uint8_t>(values);
    case DType::kInt16:
    case DType::kUint16:
      return narrow<std::uint16_t>(values);
    case DType::kInt32:
    case DType::kUint32:
      return narrow<std::uint32_t>(values);
    case DType::kInt64:
    case DType::kUint64:
      return narrow<std::uint64_t>(values);
    case DType::kBool: {
      std::vector<std::byte> out(values.size());
      for (std::size_t i = 0; i < values.size(); ++i)
        out[i] = static_cast<std::byte>(values[i] != T{} ? 1 : 0);
      return Bytes::own(std::move(out));
    }
    default:
      break;
  }
  const auto width = static_cast<std::uint64_t>(bits(type));
  CHECK(width > 0 && width < 8, "{} is no integer type", name(type));
  std::vector<std::byte> out(packed_bytes(type, values.size()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto code = static_cast<std::uint64_t>(values[i]) & ((1U << width) - 1);
    out[i * width / 8] |= static_cast<std::byte>(code << (i * width % 8));
  }
  return Bytes::own(std::move(out));
}

/// Floats of any width, rounded to nearest even.
template <class T>
Bytes pack_floats(DType type, std::span<const T> values) {
  if (type == DType::kFloat) return narrow<float>(values);
  if (type == DType::kDouble) return narrow<double>(values);
  std::vector<std::byte> out(packed_bytes(type, values.size()));
  constexpr std::size_t kChunk = 4096;
  std::vector<double> chunk;
  for (std::size_t at = 0; at < values.size(); at += kChunk) {
    const std::size_t n = std::min(kChunk, values.size() - at);
    chunk.assign(values.begin() + static_cast<std::ptrdiff_t>(at),
                 values.begin() + static_cast<std::ptrdiff_t>(at + n));
    const Tensor part = Tensor::of(type, {static_cast<std::int64_t>(n)}, chunk);
    part.bytes.read(0, std::span(out).subspan(packed_bytes(type, at), part.bytes.size()));
  }
  return Bytes::own(std::move(out));
}

/// Toward zero; NaN is 0, what does not fit is the nearest that does.
template <class T>
std::int64_t truncate(T value) {
  if (std::isnan(value)) return 0;
  if (value >= static_cast<T>(9.2e18)) return INT64_MAX;
  if (value <= static_cast<T>(-9.2e18)) return INT64_MIN;
  return static_cast<std::int64_t>(value);
}

std::size_t cell_width(DType type) {
  if (type == DType::kString) return 0;
  CHECK(bits(type) > 0, "elements of {} cannot be moved", name(type));
  return std::max<std::size_t>(1, static_cast<std::size_t>(bits(type)) / 8);
}

template <std::size_t W>
void copy_strided(std::byte* to, const std::byte* from, std::int64_t count, std::int64_t step) {
  const std::int64_t stride = step * static_cast<std::int64_t>(W);
  for (std::int64_t i = 0; i < count; ++i)
    std::memcpy(to + i * static_cast<std::int64_t>(W), from + i * stride, W);
}

}  // namespace

Domain domain_of(DType type) {
  if (type == DType::kDouble) return Domain::kDouble;
  if (is_float(type)) return Domain::kFloat;
  if (type == DType::kUint64) return Domain::kUint;
  if (is_integer(type) || type == DType::kBool) return Domain::kInt;
  throw Error::model("elements of type {} are not numbers to compute with", name(type));
}

template <class T>
Elements<T>::Elements(const Tensor& tensor) {
  if (is_native(tensor.dtype, domain_for<T>()) && tensor.bytes.size() == tensor.byte_size()) {
    view_ = tensor.bytes.view();
    span_ = view_.as<T>();
    if (!span_.empty() || view_.size() == 0) return;
  }
  if constexpr (std::is_same_v<T, float>) {
    own_ = to_floats(tensor);
  } else if constexpr (std::is_same_v<T, double>) {
    own_ = to_doubles(tensor);
  } else {
    const std::vector<std::int64_t> ints = to_ints(tensor);
    own_.assign(ints.begin(), ints.end());
  }
  span_ = own_;
}

template <class T>
Result<T>::Result(DType type, Dims shape)
    : type_(type), shape_(std::move(shape)), size_(static_cast<std::int64_t>(num_elements(shape_))) {
  memory_ = kernels::Buffer(static_cast<std::size_t>(size_) * sizeof(T));
  std::memset(memory_.data(), 0, memory_.size());
}

template <class T>
Tensor Result<T>::finish() {
  Tensor tensor;
  tensor.dtype = type_;
  tensor.shape = shape_;
  if (is_native(type_, domain_for<T>())) {
    tensor.bytes = memory_.bytes();
    return tensor;
  }
  const std::span<const T> values = span();
  if (is_float(type_)) {
    tensor.bytes = pack_floats(type_, values);
    return tensor;
  }
  if constexpr (std::is_floating_point_v<T>) {
    Result<std::int64_t> whole(type_, shape_);
    for (std::int64_t i = 0; i < size_; ++i) whole[i] = truncate(values[static_cast<std::size_t>(i)]);
    return whole.finish();
  } else {
    tensor.bytes = pack_integers(type_, values);
    return tensor;
  }
}

template class Elements<float>;
template class Elements<double>;
template class Elements<std::int64_t>;
template class Elements<std::uint64_t>;
template class Result<float>;
template class Result<double>;
template class Result<std::int64_t>;
template class Result<std::uint64_t>;

Cells::Cells(const Tensor& tensor) : width_(cell_width(tensor.dtype)), strings_(tensor.strings) {
  if (width_ == 0) {
    if (!strings_ || strings_->size() != tensor.size())
      throw Error::model("a tensor of strings has no elements");
    return;
  }
  if (tensor.bytes.size() != tensor.byte_size()) {
    throw Error::model("a tensor of type {} and shape {} has {} bytes, expected {}", name(tensor.dtype),
                       to_string(tensor.shape), tensor.bytes.size(), tensor.byte_size());
  }
  view_ = tensor.bytes.view();
  data_ = view_.data();
  const auto width = static_cast<std::uint64_t>(bits(tensor.dtype));
  if (width >= 8) return;
  unpacked_.resize(tensor.size());
  for (std::size_t i = 0; i < unpacked_.size(); ++i) {
    const auto code = std::to_integer<unsigned>(data_[i * width / 8]) >> (i * width % 8);
    unpacked_[i] = static_cast<std::byte>(code & ((1U << width) - 1));
  }
  data_ = unpacked_.data();
}

CellsOut::CellsOut(DType type, Dims shape)
    : type_(type),
      shape_(std::move(shape)),
      size_(static_cast<std::int64_t>(num_elements(shape_))),
      width_(cell_width(type)) {
  if (width_ == 0) {
    strings_.resize(static_cast<std::size_t>(size_));
  } else {
    bytes_.resize(static_cast<std::size_t>(size_) * width_);
  }
}

void CellsOut::copy(std::int64_t to, const Cells& from, std::int64_t at, std::int64_t count,
                    std::int64_t step) {
  CHECK(width_ == from.width_, "elements of {} and of {} bytes", width_, from.width_);
  if (width_ == 0) {
    for (std::int64_t i = 0; i < count; ++i) {
      strings_[static_cast<std::size_t>(to + i)] = (*from.strings_)[static_cast<std::size_t>(at + i * step)];
    }
    return;
  }
  const auto w = static_cast<std::int64_t>(width_);
  std::byte* out = bytes_.data() + to * w;
  const std::byte* in = from.data_ + at * w;
  if (step == 1 || count == 1) {
    if (count > 0) std::memcpy(out, in, static_cast<std::size_t>(count * w));
    return;
  }
  switch (width_) {
    case 1:
      return copy_strided<1>(out, in, count, step);
    case 2:
      return copy_strided<2>(out, in, count, step);
    case 4:
      return copy_strided<4>(out, in, count, step);
    case 8:
      return copy_strided<8>(out, in, count, step);
    default:
      return copy_strided<16>(out, in, count, step);
  }
}

Tensor CellsOut::finish() {
  Tensor tensor;
  tensor.dtype = type_;
  tensor.shape = shape_;
  if (width_ == 0) {
    tensor.strings = std::make_shared<const std::vector<std::string>>(std::move(strings_));
    return tensor;
  }
  const auto width = static_cast<std::uint64_t>(bits(type_));
  if (width < 8) {
    std::vector<std::byte> packed(packed_bytes(type_, static_cast<std::uint64_t>(size_)));
    for (std::size_t i = 0; i < bytes_.size(); ++i) packed[i * width / 8] |= bytes_[i] << (i * width % 8);
    bytes_ = std::move(packed);
  }
  tensor.bytes = Bytes::own(std::move(bytes_));
  return tensor;
}

Tensor take_strided(const Tensor& from, const Dims& shape, const Strides& strides, std::int64_t start) {
  const Cells cells(from);
  CellsOut out(from.dtype, shape);
  walk<1>(shape, {strides}, {start},
          [&](const Run<1>& run) { out.copy(run.out, cells, run.at[0], run.count, run.step[0]); });
  return out.finish();
}

Dims broadcast_shape(const Dims& a, const Dims& b) {
  Dims out = a.size() < b.size() ? b : a;
  const Dims& shorter = a.size() < b.size() ? a : b;
  const std::size_t lead = out.size() - shorter.size();
  for (std::size_t i = 0; i < shorter.size(); ++i) {
    std::int64_t& d = out[lead + i];
    if (d == shorter[i] || shorter[i] == 1) continue;
    if (d != 1) throw Error::model("shapes {} and {} cannot be broadcast", to_string(a), to_string(b));
    d = shorter[i];
  }
  return out;
}

}  // namespace compressor::ops
