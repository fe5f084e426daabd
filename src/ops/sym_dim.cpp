// sym_dim: arithmetic of monomials.
#include "compressor/ops/sym_dim.h"

#include <algorithm>

#include "compressor/base/error.h"

namespace compressor {

SymDim SymDim::symbol(std::string name) {
  SymDim d(1);
  d.symbols_.push_back(std::move(name));
  return d;
}

std::int64_t SymDim::number() const {
  CHECK(is_number(), "{} is not a number", to_string());
  return coefficient_;
}

std::optional<std::int64_t> SymDim::maybe_number() const {
  return is_number() ? std::optional(coefficient_) : std::nullopt;
}

std::optional<std::int64_t> SymDim::with_symbols_one() const {
  return known_ ? std::optional(coefficient_) : std::nullopt;
}

std::string SymDim::to_string() const {
  if (!known_) return "?";
  std::string text = coefficient_ == 1 && !symbols_.empty() ? "" : std::to_string(coefficient_);
  for (const std::string& s : symbols_) text += (text.empty() ? "" : "*") + s;
  return text;
}

SymDim operator*(const SymDim& a, const SymDim& b) {
  if (a.is_number() && a.coefficient_ == 0) return a;
  if (b.is_number() && b.coefficient_ == 0) return b;
  if (!a.known_ || !b.known_) return {};
  SymDim result(0);
  if (__builtin_mul_overflow(a.coefficient_, b.coefficient_, &result.coefficient_)) return {};
  result.symbols_ = a.symbols_;
  result.symbols_.insert(result.symbols_.end(), b.symbols_.begin(), b.symbols_.end());
  std::sort(result.symbols_.begin(), result.symbols_.end());
  return result;
}

SymDim operator+(const SymDim& a, const SymDim& b) {
  if (!a.known_ || !b.known_) return {};
  if (a.coefficient_ == 0) return b;
  if (b.coefficient_ == 0) return a;
  if (a.symbols_ != b.symbols_) return {};
  SymDim result = a;
  if (__builtin_add_overflow(a.coefficient_, b.coefficient_, &result.coefficient_)) return {};
  if (result.coefficient_ == 0) result.symbols_.clear();
  return result;
}

SymDim operator-(const SymDim& a, const SymDim& b) {
  return a + b * SymDim(-1);
}

SymDim SymDim::divided_by(const SymDim& b) const {
  if (!known_ || !b.known_ || b.coefficient_ == 0) return {};
  if (coefficient_ == INT64_MIN && b.coefficient_ == -1) return {};  // the quotient, and % itself, overflow
  if (coefficient_ % b.coefficient_ != 0) return {};
  SymDim result(coefficient_ / b.coefficient_);
  result.symbols_ = symbols_;
  for (const std::string& s : b.symbols_) {
    const auto it = std::find(result.symbols_.begin(), result.symbols_.end(), s);
    if (it == result.symbols_.end()) return coefficient_ == 0 ? SymDim(0) : SymDim();
    result.symbols_.erase(it);
  }
  return result;
}

SymDim product(const SymDims& dims) {
  SymDim result(1);
  for (const SymDim& d : dims) result = result * d;
  return result;
}

std::string to_string(const SymDims& dims) {
  if (dims.empty()) return "scalar";
  std::string text;
  for (std::size_t i = 0; i < dims.size(); ++i) text += (i == 0 ? "" : "x") + dims[i].to_string();
  return text;
}

std::optional<std::vector<std::int64_t>> numbers(const SymDims& dims) {
  std::vector<std::int64_t> result;
  for (const SymDim& d : dims) {
    if (!d.is_number()) return std::nullopt;
    result.push_back(d.number());
  }
  return result;
}

SymDims sym_dims(const std::vector<std::int64_t>& dims) {
  return {dims.begin(), dims.end()};
}

}  // namespace compressor
