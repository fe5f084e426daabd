// gptq_test: the rounding against the textbook, its promises, and what the pass makes of it.
#include "passes/quantize/gptq.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "builder.h"
#include "compressor/base/random.h"
#include "compressor/base/threads.h"
#include "compressor/codec/storage.h"
#include "compressor/onnx/load.h"
#include "compressor/passes/quantize.h"
#include "passes/quantize/static_rounding.h"
#include "referee.h"

namespace compressor {
namespace {

using quantize::gptq;
using quantize::OutputLoss;
using quantize::RoundingTask;
using testing::HasSubstr;

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
  for (auto& row : layer.task.codes)
    row = {.range = {-20, 28}, .top = 3, .bottom = 9, .highest = 100, .lowest = -90};
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

// ---- the pass --------------------------------------------------------------------------------------------

/// Convolutions (grouped, depthwise), Gemm both ways round, MatMul, a shared weight.
Model network() {
  build::Net n(13);
  auto x = n.input("x", {4, 8, 8, 8});
  x = n.relu(n.conv(x, 8, 16, {.bias = true}));
  x = n.relu(n.conv(x, 16, 32, {.group = 4}));
  x = n.relu(n.conv(x, 32, 32, {.group = 32}));
  x = n.relu(n.linear(n.op("Flatten", {n.op("GlobalAveragePool", {x})}), 32, 48));
  x = n.relu(n.op("Gemm", {x, n.weight({48, 32}), n.weight({32})}));
  const auto shared = n.weight({32, 32});
  x = n.relu(n.matmul(n.relu(n.matmul(x, shared)), shared));
  n.output(n.dense(x, 32, 16));
  return n.done();
}

std::vector<Tensor> samples(const Dims& shape, std::size_t count) {
  Random random(kSeed + 6);
  std::vector<Tensor> list;
  for (std::size_t i = 0; i < count; ++i) {
    std::vector<float> x(num_elements(shape));
    float before = 0;
    for (float& v : x) before = v = 0.8F * before + static_cast<float>(random.normal());  // neighbours alike
    list.push_back(Tensor::of(shape, std::span<const float>(x)));
  }
  return list;
}

PassResult run(Model& model, const std::vector<Tensor>& list, const std::function<void(Quantize&)>& set) {
  Quantize quantize;
  set(quantize);
  quantize.check();
  PassContext context;
  const std::string input = model.graph->inputs()[0]->name();
  context.batches = [&](const std::function<void(const PassContext::Inputs&)>& visit) {
    for (const Tensor& t : list) visit({{input, t}});
  };
  quantize.run(model, context);
  model.verify();
  return std::move(context.result);
}

double output_error(const Model& a, const Model& b, const std::vector<Tensor>& list) {
  Executor x(a);
  Executor y(b);
  const std::string input = a.graph->inputs()[0]->name();
  double noise = 0, signal = 0;
  for (const Tensor& t : list) {
    const auto p = to_doubles(x.run({{input, t}})[0].tensor);
    const auto q = to_doubles(y.run({{input, t}})[0].tensor);
    for (std::size_t i = 0; i < p.size(); ++i) noise += (p[i] - q[i]) * (p[i] - q[i]), signal += p[i] * p[i];
  }
  return noise / signal;
}

void gptq_of_4_bits(Quantize& q) {
  q.mode.set("weight-only"), q.bits.set("4"), q.rounding.set("gptq");
}

TEST(QuantizeGptq, OutputsChangeLessThanWithTheNearestCodes) {
  const Model before = network();
  const auto list = samples({4, 8, 8, 8}, 24);
  for (const char* granularity : {"tensor", "channel", "group"}) {
    for (const char* bits : {"4", "2"}) {
      Model nearest = before.clone(), rounded = before.clone();
      run(nearest, {},
          [&](Quantize& q) { q.mode.set("weight-only"), q.bits.set(bits), q.granularity.set(granularity); });
      const PassResult r = run(rounded, list, [&](Quantize& q) {
        gptq_of_4_bits(q), q.bits.set(bits), q.granularity.set(granularity);
      });
      EXPECT_LT(output_error(before, rounded, list), 0.7 * output_error(before, nearest, list))
          << granularity << bits;
      for (const LayerRecord& layer : r.layers) {
        if (layer.action != "quantized") continue;
        EXPECT_THAT(layer.detail, HasSubstr("output SNR")) << layer.node;
      }
    }
  }
}

TEST(QuantizeGptq, EveryStorageHoldsTheSameWeights) {
  build::Net n(13);
  n.output(n.dense(n.relu(n.dense(n.relu(n.linear(n.input("x", {8, 64}), 64, 96)), 96, 48)), 48, 32));
  const Model before = n.done();
  const auto list = samples({8, 64}, 40);
  std::vector<double> errors;
  for (const char* storage : {"portable", "blocked", "matmulnbits"}) {
    Model after = before.clone();
    const PassResult r = run(after, list, [&](Quantize& q) {
      gptq_of_4_bits(q);
      q.storage.set(storage);
      q.group_size.set(16);
    });
    EXPECT_EQ(r.done, 3);
    errors.push_back(output_error(before, after, list));
  }
  EXPECT_GT(errors[0], 0);
  EXPECT_NEAR(errors[1], errors[0], 1e-3 * errors[0]);
  EXPECT_NEAR(errors[2], errors[0], 1e-3 * errors[0]);
}

TEST(QuantizeGptq, SameBytesAtAnyNumberOfThreads) {
  const auto list = samples({4, 8, 8, 8}, 3);
  const auto hash = [&](int count, const char* mode) {
    set_threads(count);
    Model model = network();
    run(model, list, [&](Quantize& q) { q.mode.set(mode), q.rounding.set("gptq"); });
    const judge::TempFolder folder;
    return save_model(model, folder.file("m.onnx"), {.hash = true}).hash;
  };
  for (const char* mode : {"weight-only", "static"}) EXPECT_EQ(hash(1, mode), hash(2, mode)) << mode;
  set_threads(0);
}

TEST(QuantizeGptq, MemoryLimitMakesPassesAndLayersThatDoNotFitAreNamed) {
  const auto list = samples({4, 8, 8, 8}, 2);
  build::Net n(13);
  n.output(n.dense(n.relu(n.dense(n.input("x", {2, 1200}), 1200, 32)), 32, 64));
  Model model = n.done();
  const PassResult r =
      run(model, samples({2, 1200}, 2), [](Quantize& q) { gptq_of_4_bits(q), q.max_memory.set(1); });
  EXPECT_THAT(r.layers[0].detail, HasSubstr("to the nearest codes: it has inputs whose second moment takes"));
  EXPECT_THAT(r.layers[1].detail, HasSubstr("output SNR"));
}

/// Largest sum of two codes of one sign in a row.
std::int32_t largest_pair(const std::vector<std::int64_t>& codes, std::size_t first, std::size_t count) {
  std::vector<std::int64_t> up{0, 0}, down{0, 0};
  for (std::size_t i = first; i < first + count; ++i)
    (codes[i] > 0 ? up : down).push_back(std::abs(codes[i]));
  std::sort(up.rbegin(), up.rend()), std::sort(down.rbegin(), down.rend());
  return static_cast<std::int32_t>(std::max(up[0] + up[1], down[0] + down[1]));
}

TEST(QuantizeGptq, PairsOfStaticCodesStaySafe) {
  const Model before = network();
  const auto list = samples({4, 8, 8, 8}, 8);
  Model nearest = before.clone(), rounded = before.clone();
  run(nearest, list, [](Quantize& q) { q.mode.set("static"); });
  const PassResult r = run(rounded, list, [](Quantize& q) { q.mode.set("static"), q.rounding.set("gptq"); });
  std::size_t rows = 0, changed = 0;
  for (const Node& node : rounded.graph->nodes()) {
    const Node* decode = node.is("Conv") ? node.input(1)->producer() : nullptr;
    if (!decode || node.int_or("group", 1) == 32) continue;  // no pairs in depthwise
    const Tensor codes = *decode->input(0)->initializer();
    const auto count = codes.size() / static_cast<std::size_t>(codes.shape[0]);
    const auto values = to_ints(codes);
    for (std::size_t first = 0; first < values.size(); first += count, ++rows)
      EXPECT_LE(largest_pair(values, first, count), 128);
    for (const Node& other : nearest.graph->nodes()) {
      if (other.id() == node.id())
        changed += !equal(codes, *other.input(1)->producer()->input(0)->initializer());
    }
  }
  EXPECT_GE(rows, 48U);
  EXPECT_EQ(changed, 2U);
  EXPECT_THAT(r.layers[0].detail, HasSubstr("output SNR"));
}

TEST(StaticRounding, CodesThatAreSafeInPairsKeepTheNearest) {
  Random random(kSeed + 7);
  for (int trial = 0; trial < 100; ++trial) {
    std::vector<std::int32_t> nearest;
    const auto top = static_cast<std::int32_t>(random.below(128)),
               bottom = static_cast<std::int32_t>(random.below(128));
    nearest.push_back(top), nearest.push_back(-bottom);
    for (int i = 0; i < 20; ++i) {
      const std::int32_t room = i % 2 == 0 ? std::min(top, 128 - top) : std::min(bottom, 128 - bottom);
      const auto size = static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(room) + 1));
      nearest.push_back(i % 2 == 0 ? size : -size);
    }
    const quantize::RowCodes codes = quantize::pair_safe_codes(nearest);
    for (std::size_t i = 0; i < nearest.size(); ++i) {
      EXPECT_LE(nearest[i], codes.high(i)) << "trial " << trial << " seed " << kSeed + 7;
      EXPECT_GE(nearest[i], codes.low(i));
      for (std::size_t j = 0; j < i; ++j) {
        EXPECT_LE(codes.high(i) + codes.high(j), 128);
        EXPECT_GE(codes.low(i) + codes.low(j), -128);
      }
    }
  }
}

TEST(QuantizeGptq, NeedsDataAndAModeThatRounds) {
  const auto refused = [](const std::function<void(Quantize&)>& set, const char* why) {
    Quantize q;
    set(q);
    Model model = network();
    PassContext context;
    try {
      q.check();
      q.run(model, context);
      ADD_FAILURE() << "expected: " << why;
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::kUsage);
      EXPECT_THAT(e.what(), HasSubstr(why));
    }
  };
  refused(gptq_of_4_bits, "needs --data");
  refused([](Quantize& q) { q.rounding.set("gptq"); }, "needs --data");
  refused([](Quantize& q) { q.rounding.set("gptq"), q.mode.set("dynamic"); }, "found dynamic");
  refused([](Quantize& q) { q.damping.set(0.1); }, "--rounding gptq");
}

}  // namespace
}  // namespace compressor
