// sym_dim: a dimension or shape number that may hold symbols: 12, "batch", 4*batch*time, or nothing known.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace compressor {

/// A monomial coefficient * s1 * s2 * ... over named symbols, or unknown. Products and exact quotients stay
/// exact; sums of unlike monomials are unknown. Symbols stand for positive numbers.
class SymDim {
 public:
  SymDim() = default;                                                ///< unknown
  SymDim(std::int64_t value) : known_(true), coefficient_(value) {}  // NOLINT(google-explicit-constructor)
  static SymDim symbol(std::string name);

  bool is_unknown() const { return !known_; }
  /// A plain number.
  bool is_number() const { return known_ && symbols_.empty(); }
  std::int64_t number() const;  ///< only when is_number()
  std::optional<std::int64_t> maybe_number() const;
  const std::vector<std::string>& symbols() const { return symbols_; }
  std::int64_t coefficient() const { return coefficient_; }
  /// A single symbol with coefficient 1.
  bool is_symbol() const { return known_ && coefficient_ == 1 && symbols_.size() == 1; }
  /// The number when every symbol is 1; nullopt when unknown.
  std::optional<std::int64_t> with_symbols_one() const;
  std::string to_string() const;  ///< "12", "batch", "4*batch", "?"

  /// Same known monomial. Two unknowns are not equal.
  friend bool operator==(const SymDim& a, const SymDim& b) {
    return a.known_ && b.known_ && a.coefficient_ == b.coefficient_ && a.symbols_ == b.symbols_;
  }
  friend SymDim operator*(const SymDim& a, const SymDim& b);
  friend SymDim operator+(const SymDim& a, const SymDim& b);
  friend SymDim operator-(const SymDim& a, const SymDim& b);
  /// Exact quotient; unknown when b does not divide a as a monomial.
  SymDim divided_by(const SymDim& b) const;

 private:
  bool known_ = false;
  std::int64_t coefficient_ = 0;
  std::vector<std::string> symbols_;  ///< sorted, with repetition
};

using SymDims = std::vector<SymDim>;
SymDim product(const SymDims& dims);
/// "1x3x224x224", "batchx3x?x?", "scalar".
std::string to_string(const SymDims& dims);
/// All as numbers; nullopt when one is not.
std::optional<std::vector<std::int64_t>> numbers(const SymDims& dims);
SymDims sym_dims(const std::vector<std::int64_t>& dims);

}  // namespace compressor
