// gptq_test: the rounding against the textbook, and its promises.
#include "passes/quantize/rounding/gptq.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "compressor/base/random.h"
#include "compressor/base/threads.h"

namespace compressor {
namespace {

using quantize::gptq;
using quantize::OutputLoss;
using quantize::RoundingTask;

constexpr std::uint64_t kSeed = 11;

/// Inputs that depend on each other: X = A Z, A [columns, columns] of falling strength.
std::vector<float> correlated_moment(std::size_t columns, std::size_t samples, Random& random) {
  std::vector<double> mix(columns * columns);
  for (std::size_t i = 0; i < mix.size(); ++i)
    mix[i] = random.normal() / (1.0 + static_cast<double>(i % columns));
  std::vector<double> sums(columns * columns);
  std::vector<double> z(columns), x(columns);
  for (std::size_t n = 0; n < samples; ++n) {
    for (double& v : z) v = random.normal();
    for (std::size_t i = 0; i < columns; ++i) {
      x[i] = 0.05 * random.normal();
      for (std::size_t j = 0; j < columns; ++j) x[i] += mix[i * columns + j] * z[j];
    }
    for (std::size_t i = 0; i < columns; ++i) {
      for (std::size_t j = 0; j < columns; ++j) sums[i * columns + j] += x[i] * x[j];
    }
  }
  return {sums.begin(), sums.end()};
}

/// Rows with a scale for every `group` columns, at codes [-limit, limit].
struct Layer {
  RoundingTask task;
  std::vector<float> moment, scale;

  Layer(std::size_t rows, std::size_t columns, std::size_t group, int limit, Random& random) {
    moment = correlated_moment(columns, 4 * columns, random);
    task.rows = rows;
    task.columns = columns;
    task.moment = moment;
    for (std::size_t i = 0; i < rows * columns; ++i)
      task.weights.push_back(static_cast<float>(random.normal()));
    const std::size_t groups = (columns + group - 1) / group;
    for (std::size_t r = 0; r < rows; ++r) {
      task.row_scale.push_back(r * groups);
      task.codes.push_back({.range = {-limit, limit}});
    }
    for (std::size_t c = 0; c < columns; ++c) task.column_scale.push_back(c / group);
    for (std::size_t i = 0; i < rows * groups; ++i) scale.push_back(2.5F / static_cast<float>(limit));
    task.scale = scale;
  }
  double decoded(const std::vector<std::int32_t>& codes, std::size_t r, std::size_t c) const {
    return codes[r * task.columns + c] * static_cast<double>(scale[task.row_scale[r] + task.column_scale[c]]);
  }
  /// tr(dW M dW^T), by the definition.
  double error(const std::vector<std::int32_t>& codes) const {
    double sum = 0;
    for (std::size_t r = 0; r < task.rows; ++r) {
      for (std::size_t i = 0; i < task.columns; ++i) {
        const double a = static_cast<double>(task.weights[r * task.columns + i]) - decoded(codes, r, i);
        for (std::size_t j = 0; j < task.columns; ++j) {
          const double b = static_cast<double>(task.weights[r * task.columns + j]) - decoded(codes, r, j);
          sum += a * b * static_cast<double>(moment[i * task.columns + j]);
        }
      }
    }
    return sum;
  }
  std::vector<std::int32_t> nearest() const {
    std::vector<std::int32_t> codes;
    for (std::size_t i = 0; i < task.weights.size(); ++i) {
      const std::size_t r = i / task.columns, c = i % task.columns;
      const auto s = static_cast<double>(scale[task.row_scale[r] + task.column_scale[c]]);
      codes.push_back(static_cast<std::int32_t>(std::clamp(
          std::nearbyint(static_cast<double>(task.weights[i]) / s),
          static_cast<double>(task.codes[r].range.low), static_cast<double>(task.codes[r].range.high))));
    }
    return codes;
  }
};

/// The inverse of a symmetric positive matrix by Gauss-Jordan.
std::vector<double> inverse(std::vector<double> a, std::size_t n) {
  std::vector<double> b(n * n);
  for (std::size_t i = 0; i < n; ++i) b[i * n + i] = 1;
  for (std::size_t i = 0; i < n; ++i) {
    const double pivot = a[i * n + i];
    for (std::size_t j = 0; j < n; ++j) a[i * n + j] /= pivot, b[i * n + j] /= pivot;
    for (std::size_t r = 0; r < n; ++r) {
      const double f = a[r * n + i];
      if (r == i) continue;
      for (std::size_t j = 0; j < n; ++j) a[r * n + j] -= f * a[i * n + j], b[r * n + j] -= f * b[i * n + j];
    }
  }
  return b;
}

/// Optimal brain quantization in a fixed order, with a fresh inverse for the columns that are left at each
/// step:
///   e = (w_q - quant(w_q)) / [H^-1]_qq,  w <- w - e [H^-1]_q,:
std::vector<std::int32_t> textbook(const Layer& layer, double damping) {
  const RoundingTask& t = layer.task;
  const std::size_t k = t.columns;
  double mean = 0;
  for (std::size_t i = 0; i < k; ++i)
    mean += static_cast<double>(layer.moment[i * k + i]) / static_cast<double>(k);
  std::vector<std::size_t> order(k);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return layer.moment[a * k + a] > layer.moment[b * k + b];
  });
  std::vector<std::int32_t> codes(t.weights.size());
  std::vector<double> w(t.weights.begin(), t.weights.end());
  for (std::size_t step = 0; step < k; ++step) {
    const std::size_t n = k - step;
    std::vector<double> h(n * n);
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j)
        h[i * n + j] = static_cast<double>(layer.moment[order[step + i] * k + order[step + j]]) +
                       (i == j ? damping * mean : 0);
    }
    const std::vector<double> inv = inverse(h, n);
    const std::size_t c = order[step];
    for (std::size_t r = 0; r < t.rows; ++r) {
      const auto s = static_cast<double>(layer.scale[t.row_scale[r] + t.column_scale[c]]);
      const auto low = static_cast<double>(t.codes[r].range.low),
                 high = static_cast<double>(t.codes[r].range.high);
      const double q = std::clamp(std::nearbyint(w[r * k + c] / s), low, high);
      codes[r * k + c] = static_cast<std::int32_t>(q);
      const double e = (w[r * k + c] - q * s) / inv[0];
      for (std::size_t j = 0; j < n; ++j) w[r * k + order[step + j]] -= e * inv[j];
    }
  }
  return codes;
}

TEST(Gptq, IsTheTextbooksRounding) {
  Random random(kSeed);
  for (const std::size_t columns : {1U, 5U, 33U, 150U}) {  // more than a block of columns
    const Layer layer(7, columns, 16, 7, random);
    OutputLoss loss;
    RoundingTask task = layer.task;
    const auto codes = gptq(task, {.damping = 0.01, .sweeps = 0}, loss);
    const auto expected = textbook(layer, 0.01);
    const auto nearest = layer.nearest();
    for (std::size_t r = 0; r < task.rows; ++r) {
      const auto row = [&](const std::vector<std::int32_t>& all) {
        return std::vector<std::int32_t>(all.begin() + static_cast<std::ptrdiff_t>(r * columns),
                                         all.begin() + static_cast<std::ptrdiff_t>((r + 1) * columns));
      };
      // A row whose nearest codes are better keeps those.
      if (row(codes) == row(nearest)) continue;
      EXPECT_EQ(row(codes), row(expected)) << columns << " columns, row " << r;
    }
    if (columns > 30) {
      EXPECT_NE(codes, nearest);
    }
  }
}

TEST(Gptq, TheErrorItReportsIsThatOfItsCodesAndNeverAboveTheNearest) {
  Random random(kSeed + 1);
  for (int trial = 0; trial < 12; ++trial) {
    const std::size_t columns = 8 + random.below(120);
    Layer layer(1 + random.below(70), columns, 8 + random.below(40), trial % 3 == 0 ? 1 : 7, random);
    const double nearest = layer.error(layer.nearest());
    OutputLoss loss;
    layer.task.fit_scales = trial % 2 == 1;
    const auto codes = gptq(layer.task, {}, loss);
    const double error = layer.error(codes);
    EXPECT_NEAR(loss.nearest, nearest, 1e-6 * nearest);
    EXPECT_NEAR(loss.noise, error, 1e-6 * nearest);
    EXPECT_LT(error, 0.8 * nearest) << "trial " << trial << " seed " << kSeed + 1;
    for (const std::int32_t c : codes) EXPECT_LE(std::abs(c), layer.task.codes[0].range.high);
  }
}

TEST(Gptq, SweepsAndScalesOnlyHelp) {
  Random random(kSeed + 2);
  const Layer layer(20, 90, 30, 1, random);
  const auto error = [&](int sweeps, bool scales) {
    Layer copy = layer;
    copy.task.moment = copy.moment, copy.task.scale = copy.scale, copy.task.fit_scales = scales;
    OutputLoss loss;
    gptq(copy.task, {.damping = 0.01, .sweeps = sweeps}, loss);
    return loss.noise;
  };
  EXPECT_LT(error(3, false), error(0, false));
  EXPECT_LT(error(3, true), error(3, false));
}

TEST(Gptq, InputsThatAreAlwaysZeroGoToTheNearestCode) {
  Random random(kSeed + 3);
  Layer layer(5, 24, 24, 7, random);
  for (const std::size_t dead : {0U, 7U, 23U}) {
    for (std::size_t i = 0; i < 24; ++i) layer.moment[dead * 24 + i] = layer.moment[i * 24 + dead] = 0;
  }
  OutputLoss loss;
  const auto codes = gptq(layer.task, {}, loss);
  const auto nearest = layer.nearest();
  for (std::size_t r = 0; r < 5; ++r) {
    for (const std::size_t dead : {0U, 7U, 23U}) EXPECT_EQ(codes[r * 24 + dead], nearest[r * 24 + dead]);
  }
  std::fill(layer.moment.begin(), layer.moment.end(), 0.0F);
  EXPECT_EQ(gptq(layer.task, {}, loss), nearest);
}

TEST(Gptq, RowsKeepTheirCodes) {
  Random random(kSeed + 4);
  Layer layer(6, 40, 40, 100, random);
  for (auto& row : layer.task.codes) {
    row.lows.assign(40, -20), row.highs.assign(40, 28);
    row.highs[3] = 100, row.lows[9] = -90;
  }
  OutputLoss loss;
  const auto codes = gptq(layer.task, {}, loss);
  bool used = false;
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const std::size_t c = i % 40;
    EXPECT_LE(codes[i], c == 3 ? 100 : 28);
    EXPECT_GE(codes[i], c == 9 ? -90 : -20);
    used = used || codes[i] > 28 || codes[i] < -20;
  }
  EXPECT_TRUE(used);
}

TEST(Gptq, SameBitsAtAnyNumberOfThreads) {
  Random random(kSeed + 5);
  const Layer layer(100, 70, 35, 7, random);
  const auto run = [&](int count) {
    set_threads(count);
    Layer copy = layer;
    copy.task.moment = copy.moment, copy.task.scale = copy.scale, copy.task.fit_scales = true;
    OutputLoss loss;
    auto codes = gptq(copy.task, {}, loss);
    return std::tuple(std::move(codes), copy.scale, loss.noise);
  };
  const auto one = run(1);
  EXPECT_EQ(one, run(2));
  EXPECT_EQ(one, run(5));
  set_threads(0);
}

}  // namespace
}  // namespace compressor
