// sequence_kernels: recurrent operators, attention and rotary embeddings against ONNX Runtime.
#include <gtest/gtest.h>

#include <cmath>

#include "ops/judged.h"
#include "referee.h"

namespace compressor::ops {
namespace {

using Strings = std::vector<std::string>;
constexpr double kClose = 5e-6;
constexpr std::int64_t kSteps = 5, kBatch = 3, kInputs = 4, kHidden = 6;

struct Cell {
  std::string op;
  std::int64_t gates;
  std::size_t activations;
};
const Cell kCells[] = {{"LSTM", 4, 3}, {"GRU", 3, 2}, {"RNN", 1, 1}};
const char* const kDirections[] = {"forward", "reverse", "bidirectional"};

/// X, W, R and B; more is added by the caller.
Judged recurrent(Draw& draw, const Cell& cell, const std::string& direction) {
  const std::int64_t d = direction == "bidirectional" ? 2 : 1;
  Judged j(cell.op, "", 14);
  j.in(draw.normal({kSteps, kBatch, kInputs}))
      .in(draw.normal({d, cell.gates * kHidden, kInputs}, 0.7))
      .in(draw.normal({d, cell.gates * kHidden, kHidden}, 0.7))
      .in(draw.normal({d, 2 * cell.gates * kHidden}));
  j.set("hidden_size", kHidden).set("direction", direction);
  j.outputs(std::vector<bool>(cell.op == "LSTM" ? 3 : 2, true));
  return j;
}

TEST(RecurrentKernel, DirectionsReferee) {
  REQUIRE_REFEREE();
  Draw draw(21);
  for (const Cell& cell : kCells) {
    for (const char* direction : kDirections) recurrent(draw, cell, direction).agrees(0, kClose);
  }
}

TEST(RecurrentKernel, LengthsStatesPeepholesAndClipReferee) {
  REQUIRE_REFEREE();
  Draw draw(22);
  for (const Cell& cell : kCells) {
    for (const std::string direction : kDirections) {
      const std::int64_t d = direction == "bidirectional" ? 2 : 1;
      for (const std::vector<double>& lengths :
           {std::vector<double>{5, 2, 4}, std::vector<double>{5, 0, 1}}) {
        for (const float clip : {0.0F, 0.4F}) {
          Judged j = recurrent(draw, cell, direction);
          j.in(Tensor::of(DType::kInt32, {kBatch}, lengths)).in(draw.normal({d, kBatch, kHidden}));
          if (cell.op == "LSTM") j.in(draw.normal({d, kBatch, kHidden})).in(draw.normal({d, 3 * kHidden}));
          if (clip > 0) j.set("clip", clip);
          j.agrees(1e-6, kClose);
        }
      }
    }
  }
}

TEST(RecurrentKernel, VariantsReferee) {
  REQUIRE_REFEREE();
  Draw draw(23);
  for (const char* direction : kDirections) {
    recurrent(draw, kCells[0], direction).set("input_forget", std::int64_t{1}).agrees(0, kClose);
    recurrent(draw, kCells[1], direction).set("linear_before_reset", std::int64_t{1}).agrees(0, kClose);
  }
}

TEST(RecurrentKernel, ActivationsReferee) {
  REQUIRE_REFEREE();
  Draw draw(24);
  for (const Cell& cell : kCells) {
    for (const char* name :
         {"Relu", "LeakyRelu", "HardSigmoid", "Elu", "Softsign", "Affine", "ScaledTanh", "ThresholdedRelu"}) {
      Strings names(cell.activations, "Sigmoid");
      names.back() = name;
      Judged j = recurrent(draw, cell, "forward");
      j.set("activations", names).set("activation_alpha", std::vector<float>{0.4F});
      j.set("activation_beta", std::vector<float>{0.3F}).agrees(1e-6, kClose);
    }
  }
}

// Batch first is the same numbers in another order; runtimes do not have it.
TEST(RecurrentKernel, LayoutMovesTheBatch) {
  Draw draw(25);
  const Tensor x = draw.normal({kSteps, 1, kInputs});
  const Tensor w = draw.normal({1, 4 * kHidden, kInputs});
  const Tensor r = draw.normal({1, 4 * kHidden, kHidden});
  const auto plain = Judged("LSTM", "", 14).in(x).in(w).in(r).outputs({true, true, true}).compute();
  const auto first = Judged("LSTM", "", 14)
                         .in(x.reshaped({1, kSteps, kInputs}))
                         .in(w)
                         .in(r)
                         .set("layout", std::int64_t{1})
                         .outputs({true, true, true})
                         .compute();
  EXPECT_EQ(first[0]->shape, (Dims{1, kSteps, 1, kHidden}));
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(to_floats(*plain[i]), to_floats(*first[i])) << i;
}

// One unit, one step, weights one: h = tanh(x + h0).
TEST(RecurrentKernel, OneUnitByHand) {
  const auto one = [](float v) { return Tensor::of({1, 1, 1}, std::vector<float>{v}); };
  const auto made =
      Judged("RNN", "", 14).in(one(0.5F)).in(one(1)).in(one(1)).missing().missing().in(one(0.25F)).compute();
  EXPECT_NEAR(to_floats(*made[0])[0], std::tanh(0.75), 1e-6);
}

struct Heads {
  std::int64_t query, key;
};

/// Q [2, H, 5, 8], K [2, h, 7, 8], V [2, h, 7, 6], as rank 4 or 3.
Judged attention(Draw& draw, const Heads& heads, bool split) {
  Judged j("Attention", "", 23);
  if (split) {
    j.in(draw.normal({2, 5, heads.query * 8}))
        .in(draw.normal({2, 7, heads.key * 8}))
        .in(draw.normal({2, 7, heads.key * 6}));
    return j.set("q_num_heads", heads.query).set("kv_num_heads", heads.key);
  }
  return j.in(draw.normal({2, heads.query, 5, 8}))
      .in(draw.normal({2, heads.key, 7, 8}))
      .in(draw.normal({2, heads.key, 7, 6}));
}

TEST(AttentionKernel, MasksCachesAndStagesReferee) {
  REQUIRE_REFEREE();
  Draw draw(26);
  for (const Heads& heads : {Heads{4, 4}, Heads{4, 2}, Heads{6, 1}}) {
    for (const bool split : {false, true}) {
      attention(draw, heads, split).agrees(0, kClose);
      attention(draw, heads, split).set("is_causal", std::int64_t{1}).agrees(0, kClose);
      attention(draw, heads, split).in(draw.integers(DType::kBool, {2, 1, 5, 7}, 0, 1)).agrees(0, kClose);
      attention(draw, heads, split)
          .in(draw.normal({2, heads.query, 5, 10}))
          .in(draw.normal({2, heads.key, 3, 8}))
          .in(draw.normal({2, heads.key, 3, 6}))
          .outputs({true, true, true})
          .agrees(0, kClose);
      for (std::int64_t mode = 0; mode < 4; ++mode) {
        attention(draw, heads, split)
            .in(draw.normal({5, 7}))
            .set("softcap", 1.5F)
            .set("scale", 0.3F)
            .set("qk_matmul_output_mode", mode)
            .outputs({true, false, false, true})
            .agrees(0, kClose);
      }
    }
  }
}

// No key is left to the second query: its row is zero, not NaN.
TEST(AttentionKernel, AQueryWithoutKeysIsZero) {
  const Tensor ones = Tensor::of({1, 1, 2, 1}, std::vector<float>{1, 1});
  const Tensor values = Tensor::of({1, 1, 2, 1}, std::vector<float>{3, 5});
  const Tensor mask = Tensor::of(DType::kBool, {2, 2}, std::vector<double>{1, 1, 0, 0});
  const auto made = Judged("Attention", "", 23).in(ones).in(ones).in(values).in(mask).compute();
  EXPECT_EQ(to_floats(*made[0]), (std::vector<float>{4, 0}));
}

TEST(RotaryKernel, HalvesNeighboursAndPositionsReferee) {
  REQUIRE_REFEREE();
  Draw draw(27);
  for (const std::int64_t interleaved : {0, 1}) {
    Judged("RotaryEmbedding", "", 23)
        .in(draw.normal({2, 3, 5, 8}))
        .in(draw.normal({50, 4}))
        .in(draw.normal({50, 4}))
        .in(draw.integers(DType::kInt64, {2, 5}, 0, 49))
        .set("interleaved", interleaved)
        .agrees(0, kClose);
    Judged("RotaryEmbedding", "", 23)
        .in(draw.normal({2, 5, 24}))
        .in(draw.normal({2, 5, 2}))
        .in(draw.normal({2, 5, 2}))
        .set("interleaved", interleaved)
        .set("num_heads", std::int64_t{3})
        .set("rotary_embedding_dim", std::int64_t{4})
        .agrees(0, kClose);
  }
}

// A quarter turn: (a, b) -> (-b, a).
TEST(RotaryKernel, AQuarterTurnByHand) {
  const Tensor zero = Tensor::of({1, 1, 1}, std::vector<float>{0});
  const Tensor one = Tensor::of({1, 1, 1}, std::vector<float>{1});
  const auto made = Judged("RotaryEmbedding", "", 23)
                        .in(Tensor::of({1, 1, 1, 2}, std::vector<float>{2, 3}))
                        .in(zero)
                        .in(one)
                        .compute();
  EXPECT_EQ(to_floats(*made[0]), (std::vector<float>{-3, 2}));
}

}  // namespace
}  // namespace compressor::ops
