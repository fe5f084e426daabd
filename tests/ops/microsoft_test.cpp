// microsoft_test: kernels of com.microsoft's floating point operators against ONNX Runtime.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "ops/judged.h"
#include "referee.h"

namespace compressor::ops {
namespace {

constexpr auto kMicrosoft = "com.microsoft";
constexpr double kClose = 2e-6;

Tensor bytes(Draw& draw, const Dims& dims) {
  return draw.integers(DType::kUint8, dims, 0, 255);
}

TEST(MatMulNBits, BitsAndBlocksReferee) {
  REQUIRE_REFEREE();
  Draw draw(31);
  const std::int64_t n = 37;
  for (const std::int64_t k : {64, 72}) {
    for (const std::int64_t bits : {2, 4, 8}) {
      for (const int zeros : {0, 1, 2}) {
        if (bits == 8 && zeros == 2) continue;  // ONNX Runtime does not take them
        const std::int64_t block = 32;
        const std::int64_t blocks = (k + block - 1) / block;
        Judged product("MatMulNBits", kMicrosoft);
        product.in(draw.normal({2, 3, k})).in(bytes(draw, {n, blocks, block * bits / 8}));
        product.in(draw.positive({n, blocks}, 0.1));
        if (zeros == 0) product.missing();
        if (zeros == 1) product.in(bytes(draw, {n, (blocks * bits + 7) / 8}));
        if (zeros == 2) product.in(draw.positive({n, blocks}, 5));
        product.missing().in(draw.normal({n}));
        product.set("K", k).set("N", n).set("bits", bits).set("block_size", block);
        SCOPED_TRACE(fmt::format("K {}, {} bits, zero points {}", k, bits, zeros));
        product.agrees(0, 5e-5);
      }
    }
  }
}

TEST(MatMulNBits, GroupsGoWithTheirIndex) {
  // w = (code - 8) * scale of the group that g_idx names: codes 9 everywhere.
  Judged product("MatMulNBits", kMicrosoft);
  const std::vector<double> ones(16, 1);
  const std::vector<double> codes(16, 0x99);
  std::vector<double> groups(32, 0);
  groups[0] = groups[5] = 1;
  product.in(Tensor::of(DType::kFloat, {1, 32}, std::vector<double>(32, 1)));
  product.in(Tensor::of(DType::kUint8, {1, 2, 8}, codes));
  product.in(Tensor::of(DType::kFloat, {1, 2}, std::vector<double>{1, 100})).missing();
  product.in(Tensor::of(DType::kInt32, {32}, groups));
  product.set("K", std::int64_t{32}).set("N", std::int64_t{1}).set("block_size", std::int64_t{16});
  product.set("bits", std::int64_t{4});
  EXPECT_EQ(to_floats(*product.compute()[0]).at(0), 30 + 200);
}

TEST(FusedMatMul, TransposesAndScalesReferee) {
  REQUIRE_REFEREE();
  Draw draw(32);
  const auto product = [](Tensor a, Tensor b) {
    Judged j("FusedMatMul", kMicrosoft);
    j.in(std::move(a)).in(std::move(b)).set("alpha", 0.7F);
    return j;
  };
  const std::int64_t yes = 1;
  product(draw.normal({2, 3, 70, 90}), draw.normal({3, 90, 5})).agrees(0, kClose);
  product(draw.normal({2, 5, 7}), draw.normal({2, 5, 6})).set("transA", yes).agrees(0, kClose);
  product(draw.normal({2, 5, 7}), draw.normal({3, 1, 6, 7})).set("transB", yes).agrees(0, kClose);
  product(draw.normal({4, 2, 7}), draw.normal({2, 7, 6})).set("transBatchA", yes).agrees(0, kClose);
  product(draw.normal({2, 4, 7}), draw.normal({7, 2, 6})).set("transBatchB", yes).agrees(0, kClose);
  product(draw.normal({7, 2, 4}), draw.normal({6, 2, 7}))
      .set("transA", yes)
      .set("transBatchA", yes)
      .set("transB", yes)
      .set("transBatchB", yes)
      .agrees(0, kClose);
}

TEST(FusedGemm, ActivatesReferee) {
  REQUIRE_REFEREE();
  Draw draw(33);
  for (const char* activation : {"Relu", "Tanh", "LeakyRelu", "Sigmoid"}) {
    Judged gemm("FusedGemm", kMicrosoft);
    gemm.in(draw.normal({5, 30})).in(draw.normal({8, 30})).in(draw.normal({8}));
    gemm.set("transB", std::int64_t{1}).set("alpha", 0.3F).set("beta", 0.5F);
    gemm.set("activation", std::string(activation));
    if (std::string(activation) == "LeakyRelu") gemm.set("activation_alpha", 0.2F);
    SCOPED_TRACE(activation);
    gemm.agrees(1e-6, kClose);
  }
}

TEST(MicrosoftGelu, WithAndWithoutBiasReferee) {
  REQUIRE_REFEREE();
  Draw draw(34);
  Judged("FastGelu", kMicrosoft).in(draw.normal({3, 4, 16}, 2)).in(draw.normal({16})).agrees(1e-6, kClose);
  Judged("FastGelu", kMicrosoft).in(draw.normal({3, 4, 16}, 2)).agrees(1e-6, kClose);
  Judged("BiasGelu", kMicrosoft).in(draw.normal({3, 4, 16}, 2)).in(draw.normal({16})).agrees(1e-6, kClose);
  Judged("Gelu", kMicrosoft).in(draw.normal({3, 4, 16}, 2)).agrees(1e-6, kClose);
  Judged("QuickGelu", kMicrosoft).in(draw.normal({3, 4, 16}, 2)).set("alpha", 1.5F).agrees(1e-6, kClose);
}

TEST(SkipNormalization, FullAndSimplifiedReferee) {
  REQUIRE_REFEREE();
  Draw draw(35);
  for (const Dims& skip : {Dims{2, 5, 16}, Dims{1, 5, 16}, Dims{5, 16}}) {
    Judged("SkipLayerNormalization", kMicrosoft)
        .in(draw.normal({2, 5, 16}))
        .in(draw.normal(skip))
        .in(draw.normal({16}))
        .in(draw.normal({16}))
        .in(draw.normal({16}))
        .set("epsilon", 1e-5F)
        .outputs({true, false, false, true})
        .agrees(1e-6, kClose);
    Judged("SkipSimplifiedLayerNormalization", kMicrosoft)
        .in(draw.normal({2, 5, 16}))
        .in(draw.normal(skip))
        .in(draw.normal({16}))
        .in(draw.normal({16}))
        .outputs({true, false, false, true})
        .agrees(1e-6, kClose);
  }
  Judged("SkipLayerNormalization", kMicrosoft)
      .in(draw.normal({2, 5, 16}))
      .in(draw.normal({2, 5, 16}))
      .in(draw.normal({16}))
      .agrees(1e-6, kClose);
}

TEST(EmbedLayerNormalization, SumsAndCountsReferee) {
  REQUIRE_REFEREE();
  Draw draw(36);
  const Dims ids{2, 5};
  const auto embed = [&](bool segments) {
    Judged j("EmbedLayerNormalization", kMicrosoft);
    j.in(draw.integers(DType::kInt32, ids, 0, 19));
    segments ? j.in(draw.integers(DType::kInt32, ids, 0, 1)) : j.missing();
    j.in(draw.normal({20, 16})).in(draw.normal({9, 16}));
    segments ? j.in(draw.normal({2, 16})) : j.missing();
    return j.in(draw.normal({16})).in(draw.normal({16}));
  };
  embed(true).outputs({true, true, true}).agrees(1e-6, kClose);
  embed(false).outputs({true, true}).agrees(1e-6, kClose);
  embed(true)
      .in(Tensor::of(DType::kInt32, ids, std::vector<double>{1, 1, 1, 0, 0, 1, 0, 1, 1, 0}))
      .in(draw.integers(DType::kInt32, ids, 0, 8))
      .outputs({true, true})
      .agrees(1e-6, kClose);
}

}  // namespace
}  // namespace compressor::ops
