// integer_product: rows of 16-bit numbers times rows of 16-bit numbers, a tile of sums at a time.
//
// A multiply-add of pairs (pmaddwd, vpdpwssd) does a sum's step for 8 to 32 pairs in one instruction and does
// not saturate, unlike the 8-bit instructions of processors without VNNI. The compiler makes it of plain
// loops, once for each kind of processor.
#include "compressor/kernels/integer_product.h"

#include <algorithm>

#include "compressor/kernels/in_parallel.h"

namespace compressor::kernels {
namespace {

/// Products of 255 * 255 that a 32-bit sum holds.
constexpr std::int64_t kExact = 32768;
/// Rows and columns that one task does: their operands stay in the cache.
constexpr std::int64_t kRows = 16, kColumns = 64;

struct Task {
  const std::int16_t* a;
  const std::int16_t* b;
  std::int32_t* c;
  std::int64_t rows, columns;  ///< of this task
  std::int64_t n, k;           ///< row lengths of c, and of a and b
};

void add(std::int32_t& sum, std::int32_t more) {
  sum = static_cast<std::int32_t>(static_cast<std::uint32_t>(sum) + static_cast<std::uint32_t>(more));
}

[[gnu::always_inline]] inline std::int32_t dot(const std::int16_t* a, const std::int16_t* b, std::int64_t k) {
  std::int32_t s = 0;
  for (std::int64_t t = 0; t < k; ++t) s += a[t] * b[t];
  return s;
}

/// Four columns at once, so that a's row is read once for them.
[[gnu::always_inline]] inline void dot4(const std::int16_t* a, const std::int16_t* b, std::int64_t stride,
                                        std::int64_t k, std::int32_t* c) {
  const std::int16_t* b1 = b + stride;
  const std::int16_t* b2 = b1 + stride;
  const std::int16_t* b3 = b2 + stride;
  std::int32_t s0 = 0;
  std::int32_t s1 = 0;
  std::int32_t s2 = 0;
  std::int32_t s3 = 0;
  for (std::int64_t t = 0; t < k; ++t) {
    const std::int32_t x = a[t];
    s0 += x * b[t];
    s1 += x * b1[t];
    s2 += x * b2[t];
    s3 += x * b3[t];
  }
  add(c[0], s0);
  add(c[1], s1);
  add(c[2], s2);
  add(c[3], s3);
}

[[gnu::always_inline]] inline void task(const Task& t) {
  for (std::int64_t i = 0; i < t.rows; ++i) std::fill_n(t.c + i * t.n, t.columns, 0);
  for (std::int64_t from = 0; from < t.k; from += kExact) {
    const std::int64_t k = std::min(kExact, t.k - from);
    for (std::int64_t i = 0; i < t.rows; ++i) {
      const std::int16_t* a = t.a + i * t.k + from;
      std::int32_t* c = t.c + i * t.n;
      std::int64_t j = 0;
      for (; j + 4 <= t.columns; j += 4) dot4(a, t.b + j * t.k + from, t.k, k, c + j);
      for (; j < t.columns; ++j) add(c[j], dot(a, t.b + j * t.k + from, k));
    }
  }
}

void task_anywhere(const Task& t) {
  task(t);
}

using TaskFn = void (*)(const Task&);

#if defined(__x86_64__) && defined(__GNUC__)
[[gnu::target("avx2")]] void task_avx2(const Task& t) {
  task(t);
}

[[gnu::target("avx512f,avx512bw,avx512vl,avx512vnni")]] void task_vnni(const Task& t) {
  task(t);
}

TaskFn best_task() {
  if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512vnni")) {
    return task_vnni;
  }
  return __builtin_cpu_supports("avx2") ? task_avx2 : task_anywhere;
}
#else
TaskFn best_task() {
  return task_anywhere;
}
#endif

}  // namespace

void integer_product(const std::int16_t* a, const std::int16_t* b, std::int32_t* c, std::int64_t m,
                     std::int64_t n, std::int64_t k) {
  static const TaskFn run = best_task();
  const std::int64_t down = (m + kRows - 1) / kRows;
  const std::int64_t across = (n + kColumns - 1) / kColumns;
  const std::int64_t count = down * across;
  // Below that a second thread is not worth waking.
  [[maybe_unused]] const bool large = m * n * k > (1 << 22);
  in_parallel(large && count > 1, count, [&](std::int64_t i) {
    const std::int64_t row = i / across * kRows;
    const std::int64_t column = i % across * kColumns;
    run({a + row * k, b + column * k, c + row * n + column, std::min(kRows, m - row),
         std::min(kColumns, n - column), n, k});
  });
}

}  // namespace compressor::kernels
