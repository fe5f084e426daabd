// QuantizeLinear and DequantizeLinear in the engine against the portable kernels, to the bit.
#include "engine/run_rules.h"

namespace compressor::build {
namespace {

Tensor zeros_of(DType type, std::int64_t n) {
  std::vector<double> values;
  for (std::int64_t i = 0; i < n; ++i)
    values.push_back(static_cast<double>(type == DType::kInt8 ? i % 5 - 2 : 100 + i % 7));
  return n == 1 ? Tensor::of(type, {}, values) : Tensor::of(type, {n}, values);
}

TEST(QuantizeRun, IsAsPortableToTheBit) {
  const Dims shape{2, 6, 37, 40};
  for (const DType type : {DType::kInt8, DType::kUint8}) {
    for (const std::int64_t axis : {-100, 1, 3, -4}) {  // -100: one scale
      for (const bool channels_last : {false, true}) {
        const std::int64_t n = axis == -100 ? 1 : shape[static_cast<std::size_t>(axis < 0 ? axis + 4 : axis)];
        Net net;
        V x = maybe_convolved(net, shape, channels_last);
        V scale = n == 1 ? net.number(0.017F) : net.positive({n}, 0.01);
        V zero = net.constant(zeros_of(type, n));
        const Settings settings = n == 1 ? Settings{} : Settings{attr("axis", axis)};
        V q = net.op("QuantizeLinear", {x, scale, zero}, settings);
        net.output(q, type);
        net.output(net.op("DequantizeLinear", {q, scale, zero}, settings));
        // A convolution in front of it does not have the portable one's bits: a code may be off by one.
        expect_fast_as_portable(net.done(), {.tolerance = channels_last ? 0.011 : 0.0});
      }
    }
  }
}

TEST(QuantizeRun, RoundsHalvesToEvenAndSaturates) {
  const std::vector<float> x{0.5F, 1.5F, 2.5F, -0.5F, -1.5F, 300, -300, std::nanf(""), 126.5F, -127.5F};
  Net net;
  V q = net.op("QuantizeLinear",
               {net.input("x", {10}), net.number(1), net.constant(zeros_of(DType::kInt8, 1))});
  net.output(q, DType::kInt8);
  const Model model = net.done();
  Executor executor(model);
  const auto out = to_doubles(executor.run({{"x", Tensor::of({10}, std::span<const float>(x))}})[0].tensor);
  EXPECT_EQ(out, (std::vector<double>{-2, 0, 0, -2, -4, 127, -128, -128, 124, -128}));
}

}  // namespace
}  // namespace compressor::build
