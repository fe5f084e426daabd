// Gradients through QuantizeLinear and DequantizeLinear: straight through inside the clip range, and to the
// scale as a learned step size (Esser et al. 2020, 1902.08153), against the formulas.
#include "engine/gradient_check.h"

namespace compressor::build {
namespace {

/// x -> QuantizeLinear -> DequantizeLinear -> y
struct Pair {
  Pair(const Dims& shape, const std::vector<float>& scales, const std::vector<double>& zeros, DType type)
      : scale(net.constant(scales.size() == 1
                               ? Tensor::scalar(scales[0])
                               : Tensor::of({static_cast<std::int64_t>(scales.size())}, std::span(scales)))) {
    const Dims dims = zeros.size() == 1 ? Dims{} : Dims{static_cast<std::int64_t>(zeros.size())};
    const V zero = net.constant(Tensor::of(type, dims, std::span(zeros)));
    x = net.input("x", shape);
    const V q = net.op("QuantizeLinear", {x, scale, zero}, {attr("axis", std::int64_t{1})});
    y = net.op("DequantizeLinear", {q, scale, zero}, {attr("axis", std::int64_t{1})});
    net.output(y);
  }
  Net net;
  V scale, x = nullptr, y = nullptr;
};

struct PairCase {
  const char* name;
  Dims shape;
  std::vector<float> scales;
  std::vector<double> zeros;
  DType type;
};

void PrintTo(const PairCase& c, std::ostream* out) {
  *out << c.name;
}

class QuantizeGradient : public testing::TestWithParam<PairCase> {};

TEST_P(QuantizeGradient, IsThatOfALearnedStepSize) {
  const PairCase& c = GetParam();
  constexpr std::uint64_t kSeed = 21;
  std::cout << "seed " << kSeed << "\n";
  Pair pair(c.shape, c.scales, c.zeros, c.type);
  const Model model = pair.net.done();
  Random random(kSeed);
  const std::size_t n = num_elements(c.shape);
  std::vector<float> x(n);
  std::vector<float> dy(n);
  for (float& v : x) v = static_cast<float>(3 * random.normal());
  for (float& v : dy) v = static_cast<float>(random.normal());
  Executor executor(model, {.training = true, .parameters = {pair.scale}, .gradients_of = {pair.x}});
  const Tensor out = executor.run({{"x", Tensor::of(c.shape, std::span<const float>(x))}})[0].tensor;
  const auto gradients = executor.backward({{pair.y, Tensor::of(c.shape, std::span<const float>(dy))}});
  const std::vector<float> dx = to_floats(gradients.at(pair.x));
  const std::vector<float> ds = to_floats(gradients.at(pair.scale));

  const double low = c.type == DType::kInt8 ? -128 : 0;
  const double high = c.type == DType::kInt8 ? 127 : 255;
  const std::size_t inner = n / static_cast<std::size_t>(c.shape[0] * c.shape[1]);
  std::vector<double> expected(c.scales.size());
  std::size_t clipped = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t k = c.scales.size() == 1 ? 0 : i / inner % c.scales.size();
    const double s = static_cast<double>(c.scales[k]);
    const double v = static_cast<double>(x[i] / c.scales[k]);
    const double bottom = low - c.zeros[k];
    const double top = high - c.zeros[k];
    const double code = std::nearbyint(v);
    const bool inside = code >= bottom && code <= top;
    clipped += inside ? 0 : 1;
    EXPECT_NEAR(dx[i], inside ? dy[i] : 0, 1e-6) << i;
    expected[k] += static_cast<double>(dy[i]) * (inside ? code - v : std::clamp(code, bottom, top));
    EXPECT_NEAR(to_floats(out)[i], std::clamp(code, bottom, top) * s, 1e-5);
  }
  EXPECT_GT(clipped, 0U);
  EXPECT_LT(clipped, n);
  for (std::size_t k = 0; k < expected.size(); ++k)
    EXPECT_NEAR(ds[k], expected[k], 1e-3 * (1 + std::abs(expected[k])));
}

INSTANTIATE_TEST_SUITE_P(
    All, QuantizeGradient,
    testing::Values(PairCase{"PerTensorUint8", {2, 3, 4, 5}, {0.01F}, {100}, DType::kUint8},
                    PairCase{"PerTensorInt8", {2, 3, 4, 5}, {0.02F}, {0}, DType::kInt8},
                    PairCase{"PerChannel", {2, 3, 4, 5}, {0.01F, 0.02F, 0.005F}, {0, 7, -9}, DType::kInt8},
                    PairCase{"PerChannelOfAMatrix", {6, 3}, {0.01F, 0.02F, 0.005F}, {0, 0, 0}, DType::kInt8}),
    [](const auto& c) { return std::string(c.param.name); });

/// Codes may be moved in between, and lie channels-last.
TEST(QuantizeGradient, FlowsThroughWhatMovesCodes) {
  Net net;
  const V scale = net.number(0.05F);
  const V zero = net.constant(Tensor::of(DType::kInt8, {}, std::vector<double>{0}));
  const V x = net.input("x", {1, 2, 3, 3});
  V q = net.op("QuantizeLinear", {net.conv1x1(x, 2, 4), scale, zero});
  q = net.reshape(net.transpose(q, {0, 2, 3, 1}), {9, 4});
  const V y = net.op("DequantizeLinear", {q, scale, zero});
  net.output(net.linear(y, 4, 2));
  const Model model = net.done();
  Executor executor(model, {.training = true, .gradients_of = {x}});
  std::vector<float> numbers(18, 0.3F);
  executor.run({{"x", Tensor::of({1, 2, 3, 3}, std::span<const float>(numbers))}});
  std::vector<float> ones(18, 1.0F);
  const auto gradients =
      executor.backward({{model.graph->outputs()[0], Tensor::of({9, 2}, std::span<const float>(ones))}});
  const std::vector<float> dx = to_floats(gradients.at(x));
  double size = 0;
  for (const float v : dx) size += std::abs(static_cast<double>(v));
  EXPECT_GT(size, 0.01);
}

}  // namespace
}  // namespace compressor::build
