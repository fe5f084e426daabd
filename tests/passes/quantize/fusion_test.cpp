// fusion_test: what ONNX Runtime makes of our files: as many integer kernels as the report says that layers
// were quantized.
#include <gtest/gtest.h>

#include "builder.h"
#include "compressor/base/random.h"
#include "compressor/onnx/load.h"
#include "compressor/passes/quantize.h"
#include "referee.h"

namespace compressor {
namespace {

using build::Net;
using build::V;

constexpr std::uint64_t kSeed = 31;

/// Seeded random samples for a model of fixed shapes (an open first axis is 1).
PassContext::Batches random_samples(const Model& model) {
  return [&model](const std::function<void(const PassContext::Inputs&)>& visit) {
    Random random(kSeed);
    for (int batch = 0; batch < 2; ++batch) {
      PassContext::Inputs inputs;
      for (const Value* v : model.graph->inputs()) {
        if (v->initializer()) continue;
        Dims shape;
        for (const Dim& d : v->type().dims) shape.push_back(d.known() ? d.value : 1);
        std::vector<float> values(num_elements(shape));
        for (float& x : values) x = static_cast<float>(random.normal());
        inputs[v->name()] = Tensor::of(shape, std::span<const float>(values));
      }
      visit(inputs);
    }
  };
}

struct Quantized {
  Model model;
  std::int64_t layers = 0;  ///< convolutions and products that the report says are quantized
};

Quantized quantize(const Model& before, const std::string& target, const std::string& format = "qdq") {
  Quantize pass;
  pass.mode.set("static");
  pass.target.set(target);
  pass.format.set(format);
  pass.check();
  PassContext context;
  context.batches = random_samples(before);
  Quantized q{.model = before.clone()};
  pass.run(q.model, context);
  for (const LayerRecord& l : context.result.layers) q.layers += l.action == "quantized" ? 1 : 0;
  return q;
}

std::int64_t sum_of(const judge::OpCounts& ops, const std::vector<std::string>& names) {
  std::int64_t n = 0;
  for (const std::string& name : names) n += ops.of(name);
  return n;
}

/// Every layer of the report is an integer kernel of the optimized graph, whichever form the file has.
void expect_fused(const Model& before, std::int64_t least, const std::string& what) {
  const std::vector<std::string> kernels = {"QLinearConv", "QLinearMatMul", "QGemm", "MatMulIntegerToFloat",
                                            "DynamicQuantizeMatMul"};
  for (const char* target : {"generic", "ort-cpu", "ort-cpu-avx2"}) {
    for (const char* format : {"qdq", "qoperator"}) {
      const Quantized q = quantize(before, target, format);
      EXPECT_GE(q.layers, least) << what;
      const judge::OpCounts ops = judge::optimized_ops(q.model);
      EXPECT_EQ(sum_of(ops, kernels), q.layers) << what << ", " << target << ", " << format << ": " << ops;
      EXPECT_EQ(sum_of(ops, {"Conv", "FusedConv", "Gemm", "FusedGemm"}), 0) << what << ", " << ops;
    }
  }
}

TEST(FusionLongReferee, ResNet20HasAnIntegerKernelForEveryLayer) {
  REQUIRE_REFEREE();
  REQUIRE_MODELS();
  const Model model = load_model(judge::models_folder() + "/cifar10_resnet20.onnx");
  expect_fused(model, 20, "resnet20");
  const judge::OpCounts ops = judge::optimized_ops(quantize(model, "generic").model);
  EXPECT_GE(ops.of("QLinearAdd"), 6) << ops;
}

TEST(FusionLongReferee, SqueezeNetHasAnIntegerKernelForEveryLayer) {
  REQUIRE_REFEREE();
  REQUIRE_MODELS();
  expect_fused(load_model(judge::models_folder() + "/imagenet_squeezenet_v1.1.onnx"), 26, "squeezenet");
}

/// Self-attention with two heads and a feed-forward part, as exporters write it.
Model attention() {
  Net n;
  const V x = n.input("x", {1, 16, 32});
  const auto heads = [&](V v, const build::Ints& perm) {
    return n.transpose(n.reshape(n.matmul(v, n.weight({32, 32}, 0.1)), {1, 16, 2, 16}), perm);
  };
  const V q = heads(x, {0, 2, 1, 3}), k = heads(x, {0, 2, 3, 1}), v = heads(x, {0, 2, 1, 3});
  V y = n.matmul(n.softmax(n.mul(n.matmul(q, k), n.number(0.25F))), v);
  y = n.matmul(n.reshape(n.transpose(y, {0, 2, 1, 3}), {1, 16, 32}), n.weight({32, 32}, 0.1));
  y = n.layer_norm(n.add(x, y), 32);
  const V h = n.relu(n.add(n.matmul(y, n.weight({32, 64}, 0.1)), n.weight({64})));
  n.output(n.layer_norm(n.add(y, n.matmul(h, n.weight({64, 32}, 0.1))), 32));
  return n.done();
}

TEST(FusionReferee, AttentionHasAnIntegerKernelForEveryProduct) {
  REQUIRE_REFEREE();
  expect_fused(attention(), 8, "attention");
  for (const char* format : {"qdq", "qoperator"}) {
    const judge::Difference d =
        judge::difference(attention(), quantize(attention(), "ort-cpu-avx2", format).model);
    EXPECT_EQ(d.error, "") << format;
    EXPECT_GT(d.sqnr_db, 20) << format;
  }
  const Quantized all = quantize(attention(), "ort-cpu", "qoperator");
  for (const Node& node : all.model.graph->nodes())
    EXPECT_FALSE(node.is("Softmax") || node.is("MatMul")) << node.label();
}

}  // namespace
}  // namespace compressor
