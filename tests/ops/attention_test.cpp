// attention_test: kernels of com.microsoft's attention and of rotary embeddings against ONNX Runtime.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "ops/judged.h"
#include "referee.h"

namespace compressor::ops {
namespace {

constexpr auto kMicrosoft = "com.microsoft";
constexpr double kClose = 5e-6;
constexpr std::int64_t kYes = 1;

Tensor int32s(const Dims& dims, const std::vector<double>& values) {
  return Tensor::of(DType::kInt32, dims, values);
}

/// x [2, 5, 12], 3 heads of 4.
Judged attention(Draw& draw) {
  Judged j("Attention", kMicrosoft);
  j.in(draw.normal({2, 5, 12})).in(draw.normal({12, 36}, 0.4)).in(draw.normal({36}));
  j.set("num_heads", std::int64_t{3});
  return j;
}

TEST(MicrosoftAttention, MasksOfEveryFormReferee) {
  REQUIRE_REFEREE();
  Draw draw(41);
  attention(draw).agrees(0, kClose);
  attention(draw).set("unidirectional", kYes).agrees(0, kClose);
  attention(draw).set("scale", 0.3F).agrees(0, kClose);
  attention(draw).in(int32s({2}, {5, 3})).agrees(0, kClose);
  attention(draw).in(int32s({4}, {5, 3, 1, 0})).agrees(0, kClose);
  attention(draw).in(draw.integers(DType::kInt32, {2, 5}, 0, 1)).agrees(0, kClose);
  attention(draw)
      .in(draw.integers(DType::kInt32, {2, 5, 5}, 0, 1))
      .set("unidirectional", kYes)
      .agrees(0, kClose);
  attention(draw).in(int32s({2, 5}, std::vector<double>(10, 0))).agrees(0, kClose);
  attention(draw)
      .in(int32s({2, 5}, {1, 1, 1, 0, 0, 1, 1, 1, 1, 1}))
      .set("mask_filter_value", -5.0F)
      .agrees(0, kClose);
  attention(draw).missing().missing().in(draw.normal({1, 3, 5, 5})).agrees(0, kClose);
}

TEST(MicrosoftAttention, PastAndWidthsReferee) {
  REQUIRE_REFEREE();
  Draw draw(42);
  attention(draw)
      .missing()
      .in(draw.normal({2, 2, 3, 4, 4}))
      .set("unidirectional", kYes)
      .outputs({true, true})
      .agrees(0, kClose);
  attention(draw)
      .in(draw.integers(DType::kInt32, {2, 9}, 0, 1))
      .in(draw.normal({2, 2, 3, 4, 4}))
      .outputs({true, true})
      .agrees(0, kClose);
  Judged("Attention", kMicrosoft)
      .in(draw.normal({2, 5, 12}))
      .in(draw.normal({12, 30}, 0.4))
      .in(draw.normal({30}))
      .set("num_heads", std::int64_t{3})
      .set("qkv_hidden_sizes", std::vector<std::int64_t>{12, 12, 6})
      .agrees(0, kClose);
}

TEST(MicrosoftMultiHeadAttention, LayoutsReferee) {
  REQUIRE_REFEREE();
  Draw draw(43);
  const auto heads = [](Judged j) { return j.set("num_heads", std::int64_t{3}); };
  const std::string type = "MultiHeadAttention";
  const Judged base(type, kMicrosoft);
  // Three inputs, other lengths and widths.
  heads(Judged(base).in(draw.normal({2, 5, 12})).in(draw.normal({2, 7, 12})).in(draw.normal({2, 7, 6})))
      .agrees(0, kClose);
  heads(Judged(base)
            .in(draw.normal({2, 5, 12}))
            .in(draw.normal({2, 7, 12}))
            .in(draw.normal({2, 7, 12}))
            .in(draw.normal({36}))
            .in(draw.integers(DType::kInt32, {2, 7}, 0, 1))
            .in(draw.normal({2, 1, 5, 7})))
      .agrees(0, kClose);
  // Keys and values by head.
  heads(Judged(base).in(draw.normal({2, 5, 12})).in(draw.normal({2, 3, 7, 4})).in(draw.normal({2, 3, 7, 4})))
      .agrees(0, kClose);
  // Past.
  heads(Judged(base)
            .in(draw.normal({2, 2, 12}))
            .in(draw.normal({2, 2, 12}))
            .in(draw.normal({2, 2, 12}))
            .missing()
            .missing()
            .missing()
            .in(draw.normal({2, 3, 6, 4}))
            .in(draw.normal({2, 3, 6, 4})))
      .set("unidirectional", kYes)
      .outputs({true, true, true})
      .agrees(0, kClose);
}

/// [2, 5, 3, parts, 4] with part p of every head from the p-th of [2, 5, 12].
Tensor packed_parts(const std::vector<Tensor>& parts) {
  std::vector<std::vector<float>> from;
  for (const Tensor& t : parts) from.push_back(to_floats(t));
  std::vector<float> all;
  for (std::size_t row = 0; row < 30; ++row) {
    for (const std::vector<float>& part : from) {
      all.insert(all.end(), part.begin() + static_cast<std::ptrdiff_t>(row * 4),
                 part.begin() + static_cast<std::ptrdiff_t>(row * 4 + 4));
    }
  }
  return Tensor::of({2, 5, 3, static_cast<std::int64_t>(parts.size()), 4}, std::span<const float>(all));
}

TEST(MicrosoftMultiHeadAttention, PackedInputsAreTheSameNumbers) {
  Draw draw(47);
  const Tensor q = draw.normal({2, 5, 12});
  const Tensor k = draw.normal({2, 5, 12});
  const Tensor v = draw.normal({2, 5, 12});
  const auto result = [](Judged j) { return *j.set("num_heads", std::int64_t{3}).compute()[0]; };
  const Judged base("MultiHeadAttention", kMicrosoft);
  const Tensor expected = result(Judged(base).in(q).in(k).in(v));
  EXPECT_TRUE(equal(result(Judged(base).in(packed_parts({q, k, v}))), expected));
  EXPECT_TRUE(equal(result(Judged(base).in(q).in(packed_parts({k, v}))), expected));
}

struct Step {
  std::int64_t length, past, buffer;  ///< buffer: length of the past tensors
};

/// 2 samples, 6 heads and 2 of keys, 16 wide.
Judged group(Draw& draw, const Step& step, bool packed, bool rotary) {
  Judged j("GroupQueryAttention", kMicrosoft);
  const std::int64_t total = step.length + step.past;
  if (packed) {
    j.in(draw.normal({2, step.length, 160})).missing().missing();
  } else {
    j.in(draw.normal({2, step.length, 96}))
        .in(draw.normal({2, step.length, 32}))
        .in(draw.normal({2, step.length, 32}));
  }
  if (step.buffer > 0) {
    j.in(draw.normal({2, 2, step.buffer, 16})).in(draw.normal({2, 2, step.buffer, 16}));
  } else {
    j.missing().missing();
  }
  const auto last = static_cast<double>(total - 1);
  j.in(int32s({2}, {last, last})).in(int32s({1}, {last + 1}));
  if (rotary) j.in(draw.normal({20, 8})).in(draw.normal({20, 8}));
  j.set("num_heads", std::int64_t{6}).set("kv_num_heads", std::int64_t{2});
  j.set("do_rotary", std::int64_t{rotary});
  return j.outputs({true, true, true});
}

TEST(MicrosoftGroupQueryAttention, PromptsAndStepsReferee) {
  REQUIRE_REFEREE();
  Draw draw(44);
  for (const bool packed : {false, true}) {
    for (const bool rotary : {false, true}) {
      for (const Step& step : {Step{5, 0, 0}, Step{1, 6, 6}}) {
        SCOPED_TRACE(
            fmt::format("packed {}, rotary {}, {} after {}", packed, rotary, step.length, step.past));
        group(draw, step, packed, rotary).agrees(0, kClose);
      }
    }
  }
  group(draw, {1, 6, 6}, false, true).set("rotary_interleaved", kYes).agrees(0, kClose);
}

TEST(MicrosoftGroupQueryAttention, WindowsCapsAndSinksReferee) {
  REQUIRE_REFEREE();
  Draw draw(45);
  for (const Step& step : {Step{7, 0, 0}, Step{1, 6, 6}}) {
    SCOPED_TRACE(fmt::format("{} after {}", step.length, step.past));
    group(draw, step, false, false).set("local_window_size", std::int64_t{3}).agrees(0, kClose);
    group(draw, step, false, false).set("softcap", 0.8F).agrees(0, kClose);
    group(draw, step, false, false).set("smooth_softmax", kYes).agrees(0, kClose);
    group(draw, step, false, true).missing().missing().in(draw.normal({6})).agrees(0, kClose);
    group(draw, step, false, true)
        .missing()
        .in(draw.normal({2, 6, step.length, step.length + step.past}))
        .agrees(0, kClose);
  }
}

TEST(RotaryEmbedding, BothDomainsReferee) {
  REQUIRE_REFEREE();
  Draw draw(46);
  const Tensor ids = draw.integers(DType::kInt64, {2, 5}, 0, 9);
  for (const std::int64_t interleaved : {0, 1}) {
    Judged("RotaryEmbedding", kMicrosoft)
        .in(draw.normal({2, 5, 24}))
        .in(ids)
        .in(draw.normal({10, 4}))
        .in(draw.normal({10, 4}))
        .set("interleaved", interleaved)
        .agrees(1e-6);
    Judged("RotaryEmbedding", kMicrosoft)
        .in(draw.normal({2, 3, 5, 8}))
        .in(Tensor::of({1}, std::span<const std::int64_t>(std::vector<std::int64_t>{4})))
        .in(draw.normal({10, 4}))
        .in(draw.normal({10, 4}))
        .set("interleaved", interleaved)
        .agrees(1e-6);
    Judged("RotaryEmbedding", kMicrosoft)
        .in(draw.normal({2, 5, 24}))
        .in(ids)
        .in(draw.normal({10, 3}))
        .in(draw.normal({10, 3}))
        .set("interleaved", interleaved)
        .set("num_heads", std::int64_t{3})
        .set("rotary_embedding_dim", std::int64_t{6})
        .agrees(1e-6);
    Judged("RotaryEmbedding", "", 23)
        .in(draw.normal({2, 3, 5, 8}))
        .in(draw.normal({10, 4}))
        .in(draw.normal({10, 4}))
        .in(ids)
        .set("interleaved", interleaved)
        .agrees(1e-6);
    Judged("RotaryEmbedding", "", 23)
        .in(draw.normal({2, 5, 24}))
        .in(draw.normal({2, 5, 3}))
        .in(draw.normal({2, 5, 3}))
        .set("interleaved", interleaved)
        .set("num_heads", std::int64_t{3})
        .set("rotary_embedding_dim", std::int64_t{6})
        .agrees(1e-6);
  }
}

}  // namespace
}  // namespace compressor::ops
