// random_test: random operators have the moments they promise, and the same numbers in every executor.
#include <gtest/gtest.h>

#include <cmath>

#include "builder.h"
#include "compressor/engine/executor.h"

namespace compressor {
namespace {

using build::attr;

struct Moments {
  double mean = 0, deviation = 0;
};

Moments moments(const Tensor& tensor) {
  const std::vector<double> x = to_doubles(tensor);
  Moments m;
  for (const double v : x) m.mean += v / static_cast<double>(x.size());
  for (const double v : x) m.deviation += (v - m.mean) * (v - m.mean) / static_cast<double>(x.size());
  m.deviation = std::sqrt(m.deviation);
  return m;
}

std::vector<Tensor> run(const Model& model, Executor& executor) {
  std::vector<Tensor> outputs;
  for (const ops::RunValue& v : executor.run({})) outputs.push_back(v.tensor);
  EXPECT_EQ(outputs.size(), model.graph->outputs().size());
  return outputs;
}

TEST(Random, NormalAndUniformAreSeeded) {
  build::Net net;
  const build::Settings shape{attr("shape", build::Ints{100, 200})};
  build::Settings normal = shape;
  normal.push_back(attr("mean", 3.0F));
  normal.push_back(attr("scale", 2.0F));
  normal.push_back(attr("seed", 5.0F));
  net.output(net.op("RandomNormal", {}, normal));
  net.output(net.op("RandomNormal", {}, normal));
  build::Settings uniform = shape;
  uniform.push_back(attr("low", -1.0F));
  uniform.push_back(attr("high", 5.0F));
  net.output(net.op("RandomUniform", {}, uniform));
  const Model model = net.done();
  Executor first(model);
  Executor second(model);
  const std::vector<Tensor> a = run(model, first);
  const std::vector<Tensor> b = run(model, second);
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(equal(a[i], b[i])) << i;
  EXPECT_FALSE(equal(a[0], a[1])) << "two nodes with one seed";
  EXPECT_FALSE(equal(a[0], run(model, first)[0])) << "two runs";
  EXPECT_NEAR(moments(a[0]).mean, 3, 0.06);
  EXPECT_NEAR(moments(a[0]).deviation, 2, 0.04);
  EXPECT_NEAR(moments(a[2]).mean, 2, 0.06);
  EXPECT_NEAR(moments(a[2]).deviation, 6 / std::sqrt(12.0), 0.04);
}

TEST(Random, BernoulliAndMultinomialFollowTheirChances) {
  build::Net net;
  const std::vector<float> chances(20000, 0.3F);
  net.output(net.op("Bernoulli", {net.constant(Tensor::of({20000}, std::span<const float>(chances)))}));
  const std::vector<float> logs{std::log(0.5F), std::log(1.5F)};
  net.output(net.op("Multinomial", {net.constant(Tensor::of({1, 2}, std::span<const float>(logs)))},
                    {attr("sample_size", std::int64_t{20000})}),
             DType::kInt32);
  const Model model = net.done();
  Executor executor(model);
  const std::vector<Tensor> y = run(model, executor);
  EXPECT_NEAR(moments(y[0]).mean, 0.3, 0.015);
  EXPECT_NEAR(moments(y[1]).mean, 0.75, 0.015);
}

}  // namespace
}  // namespace compressor
