// product: a matrix product in registers, four rows and 64 bytes of columns at a time.
#include "ops/product.h"

#include <algorithm>
#include <cstring>

#if defined(__x86_64__) && defined(__GNUC__)
#define COMPRESSOR_HAS_AVX2_CLONE 1
#endif

namespace compressor::ops {
namespace {

constexpr std::int64_t kRows = 4;
constexpr std::int64_t kDepth = 256;  ///< of k that one packed strip of b holds

template <class T>
struct Lanes {
  typedef T Vector __attribute__((vector_size(32)));  // NOLINT(modernize-use-using)
  static constexpr std::int64_t kCount = 32 / static_cast<std::int64_t>(sizeof(T));
  static constexpr std::int64_t kColumns = 2 * kCount;
};

/// c [R, columns] += a [R, k] b [k, kColumns]; of c's columns only the first `columns` are there.
template <class T, int R>
[[gnu::always_inline]] inline void tile(std::int64_t k, const T* a, std::int64_t lda, const T* b,
                                        std::int64_t ldb, T* c, std::int64_t ldc, std::int64_t columns) {
  using V = typename Lanes<T>::Vector;
  V sum[R][2];
  for (int r = 0; r < R; ++r) sum[r][0] = sum[r][1] = V{};
  for (std::int64_t t = 0; t < k; ++t) {
    V b0;
    V b1;
    std::memcpy(&b0, b + t * ldb, sizeof b0);
    std::memcpy(&b1, b + t * ldb + Lanes<T>::kCount, sizeof b1);
    for (int r = 0; r < R; ++r) {
      const T factor = a[r * lda + t];
      sum[r][0] += factor * b0;
      sum[r][1] += factor * b1;
    }
  }
  for (int r = 0; r < R; ++r) {
    T row[Lanes<T>::kColumns];
    std::memcpy(row, &sum[r][0], sizeof sum[r]);
    for (std::int64_t j = 0; j < columns; ++j) c[r * ldc + j] += row[j];
  }
}

/// c [n] += a [k] b [k, n], n eight vectors: for a row that stands alone, more columns keep the adders busy.
template <class T>
[[gnu::always_inline]] inline void strip_of_row(std::int64_t k, const T* a, const T* b, std::int64_t ldb,
                                                T* c) {
  using V = typename Lanes<T>::Vector;
  constexpr int kVectors = 8;
  V sum[kVectors];
  for (V& v : sum) v = V{};
  for (std::int64_t t = 0; t < k; ++t) {
    const T factor = a[t];
    for (int j = 0; j < kVectors; ++j) {
      V v;
      std::memcpy(&v, b + t * ldb + j * Lanes<T>::kCount, sizeof v);
      sum[j] += factor * v;
    }
  }
  T row[kVectors * Lanes<T>::kCount];
  std::memcpy(row, sum, sizeof sum);
  for (std::int64_t j = 0; j < kVectors * Lanes<T>::kCount; ++j) c[j] += row[j];
}

template <class T>
[[gnu::always_inline]] inline void tiles(std::int64_t m, std::int64_t k, const T* a, std::int64_t lda,
                                         const T* b, std::int64_t ldb, T* c, std::int64_t ldc,
                                         std::int64_t columns) {
  std::int64_t i = 0;
  for (; i + kRows <= m; i += kRows) tile<T, 4>(k, a + i * lda, lda, b, ldb, c + i * ldc, ldc, columns);
  a += i * lda;
  c += i * ldc;
  if (m - i == 3) tile<T, 3>(k, a, lda, b, ldb, c, ldc, columns);
  if (m - i == 2) tile<T, 2>(k, a, lda, b, ldb, c, ldc, columns);
  if (m - i == 1) tile<T, 1>(k, a, lda, b, ldb, c, ldc, columns);
}

template <class T>
[[gnu::always_inline]] inline void blocks(std::int64_t m, std::int64_t n, std::int64_t k, const T* a,
                                          std::int64_t lda, const T* b, std::int64_t ldb, T* c,
                                          std::int64_t ldc) {
  constexpr std::int64_t kColumns = Lanes<T>::kColumns;
  T strip[kDepth * kColumns];
  for (std::int64_t t = 0; t < k; t += kDepth) {
    const std::int64_t depth = std::min(kDepth, k - t);
    std::int64_t j = 0;
    for (; m == 1 && j + 4 * kColumns <= n; j += 4 * kColumns)
      strip_of_row(depth, a + t, b + t * ldb + j, ldb, c + j);
    for (; j < n; j += kColumns) {
      const std::int64_t columns = std::min(kColumns, n - j);
      const T* from = b + t * ldb + j;
      // Few rows do not pay for a copy of b.
      if (columns == kColumns && m < 2 * kRows) {
        tiles<T>(m, depth, a + t, lda, from, ldb, c + j, ldc, columns);
        continue;
      }
      if (columns < kColumns) std::fill_n(strip, depth * kColumns, T{});
      for (std::int64_t d = 0; d < depth; ++d) {
        std::memcpy(strip + d * kColumns, from + d * ldb, static_cast<std::size_t>(columns) * sizeof(T));
      }
      tiles<T>(m, depth, a + t, lda, strip, kColumns, c + j, ldc, columns);
    }
  }
}

template <class T>
void plain(std::int64_t m, std::int64_t n, std::int64_t k, const T* a, std::int64_t lda, const T* b,
           std::int64_t ldb, T* c, std::int64_t ldc) {
  blocks<T>(m, n, k, a, lda, b, ldb, c, ldc);
}

#ifdef COMPRESSOR_HAS_AVX2_CLONE
template <class T>
[[gnu::target("avx2")]] void wide(std::int64_t m, std::int64_t n, std::int64_t k, const T* a,
                                  std::int64_t lda, const T* b, std::int64_t ldb, T* c, std::int64_t ldc) {
  blocks<T>(m, n, k, a, lda, b, ldb, c, ldc);
}
#endif

template <class T>
void dispatch(std::int64_t m, std::int64_t n, std::int64_t k, const T* a, std::int64_t lda, const T* b,
              std::int64_t ldb, T* c, std::int64_t ldc) {
#ifdef COMPRESSOR_HAS_AVX2_CLONE
  static const bool avx2 = __builtin_cpu_supports("avx2") != 0;
  if (avx2) return wide(m, n, k, a, lda, b, ldb, c, ldc);
#endif
  plain(m, n, k, a, lda, b, ldb, c, ldc);
}

}  // namespace

void add_product(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, std::int64_t lda,
                 const float* b, std::int64_t ldb, float* c, std::int64_t ldc) {
  dispatch(m, n, k, a, lda, b, ldb, c, ldc);
}

void add_product(std::int64_t m, std::int64_t n, std::int64_t k, const double* a, std::int64_t lda,
                 const double* b, std::int64_t ldb, double* c, std::int64_t ldc) {
  dispatch(m, n, k, a, lda, b, ldb, c, ldc);
}

void add_product(std::int64_t m, std::int64_t n, std::int64_t k, const std::int64_t* a, std::int64_t lda,
                 const std::int64_t* b, std::int64_t ldb, std::int64_t* c, std::int64_t ldc) {
  dispatch(m, n, k, a, lda, b, ldb, c, ldc);
}

}  // namespace compressor::ops
