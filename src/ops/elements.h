// elements: constants as arrays of one C++ type, and elements of any type that are moved but not looked at.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "compressor/kernels/memory.h"
#include "compressor/tensor/tensor.h"
#include "ops/strided.h"

namespace compressor::ops {

/// The C++ type in which arithmetic on an element type is done: float for float32 and narrower, double,
/// uint64, int64 for all other integers and bool.
enum class Domain : std::uint8_t { kFloat, kDouble, kInt, kUint };
/// Throws Error::model for strings, complex and unknown types.
Domain domain_of(DType type);

/// Calls fn(T{}) with the C++ type of the domain.
template <class Fn>
decltype(auto) with_domain(DType type, Fn&& fn) {
  switch (domain_of(type)) {
    case Domain::kFloat:
      return fn(float{});
    case Domain::kDouble:
      return fn(double{});
    case Domain::kUint:
      return fn(std::uint64_t{});
    default:
      return fn(std::int64_t{});
  }
}

/// The elements of a tensor as T (float, double, int64, uint64): not copied where they are that already.
template <class T>
class Elements {
 public:
  explicit Elements(const Tensor& tensor);
  Elements(const Elements&) = delete;
  Elements& operator=(const Elements&) = delete;
  std::size_t size() const { return span_.size(); }
  const T* data() const { return span_.data(); }
  T operator[](std::int64_t i) const { return span_[static_cast<std::size_t>(i)]; }
  std::span<const T> span() const { return span_; }

 private:
  BytesView view_;
  std::vector<T> own_;
  std::span<const T> span_;
};

/// Elements of T to be filled in (zeros at first), that become a tensor of `type`: floats are rounded to
/// nearest even, integers wrap.
template <class T>
class Result {
 public:
  Result(DType type, Dims shape);
  T* data() { return memory_.as<T>(); }
  T& operator[](std::int64_t i) { return data()[i]; }
  std::int64_t size() const { return size_; }
  std::span<T> span() { return {data(), static_cast<std::size_t>(size_)}; }
  Tensor finish();

 private:
  DType type_;
  Dims shape_;
  std::int64_t size_;
  kernels::Buffer memory_;
};

extern template class Elements<float>;
extern template class Elements<double>;
extern template class Elements<std::int64_t>;
extern template class Elements<std::uint64_t>;
extern template class Result<float>;
extern template class Result<double>;
extern template class Result<std::int64_t>;
extern template class Result<std::uint64_t>;

/// Elements of any type, strings and sub-byte ones included, to be copied from.
class Cells {
 public:
  explicit Cells(const Tensor& tensor);

 private:
  friend class CellsOut;
  std::size_t width_ = 0;  ///< bytes; 0 for strings
  BytesView view_;
  std::vector<std::byte> unpacked_;
  const std::byte* data_ = nullptr;
  std::shared_ptr<const std::vector<std::string>> strings_;
};

/// Elements of any type to be copied to. Starts as zeros or empty strings.
class CellsOut {
 public:
  CellsOut(DType type, Dims shape);
  /// Elements at + 0, step, 2 step, ... of `from` become elements to, to + 1, ...
  void copy(std::int64_t to, const Cells& from, std::int64_t at, std::int64_t count = 1,
            std::int64_t step = 1);
  std::int64_t size() const { return size_; }
  Tensor finish();

 private:
  DType type_;
  Dims shape_;
  std::int64_t size_;
  std::size_t width_;
  std::vector<std::byte> bytes_;
  std::vector<std::string> strings_;
};

/// The tensor of `shape` whose element at i0, i1, ... is that of `from` at start + sum(strides[k] * ik).
Tensor take_strided(const Tensor& from, const Dims& shape, const Strides& strides, std::int64_t start = 0);

/// The shape that numpy broadcasts a and b to. Throws Error::model when they do not fit.
Dims broadcast_shape(const Dims& a, const Dims& b);

}  // namespace compressor::ops
