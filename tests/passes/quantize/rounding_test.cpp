// rounding_test: what quantize makes of --rounding gptq, in weights alone and in static files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "builder.h"
#include "compressor/base/random.h"
#include "compressor/base/threads.h"
#include "compressor/codec/storage.h"
#include "compressor/onnx/load.h"
#include "compressor/onnx/save.h"
#include "compressor/passes/quantize.h"
#include "passes/quantize/pairs.h"
#include "passes/quantize/rounding/static_rounding.h"
#include "referee.h"

namespace compressor {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kSeed = 17;

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
  Random random(kSeed);
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
    const auto positions = static_cast<std::size_t>(codes.shape[2] * codes.shape[3]);
    const auto values = to_ints(codes);
    for (auto first = values.begin(); first != values.end();
         first += static_cast<std::ptrdiff_t>(count), ++rows) {
      const std::vector<std::int32_t> row(first, first + static_cast<std::ptrdiff_t>(count));
      EXPECT_LE(quantize::largest_pair(row, positions), 128);
    }
    for (const Node& other : nearest.graph->nodes()) {
      if (other.id() == node.id())
        changed += !equal(codes, *other.input(1)->producer()->input(0)->initializer());
    }
  }
  EXPECT_GE(rows, 48U);
  EXPECT_EQ(changed, 2U);
  EXPECT_THAT(r.layers[0].detail, HasSubstr("output SNR"));
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
