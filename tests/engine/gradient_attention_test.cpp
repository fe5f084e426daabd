// Gradients of Attention against differences: heads that share keys, masks, soft caps, and keys of the past.
#include "engine/gradient_check.h"

namespace compressor::build {
namespace {

struct AttentionCase {
  const char* name;
  Dims q, k, v;
  Dims mask = {};
  Settings settings = {};
};

void PrintTo(const AttentionCase& c, std::ostream* out) {
  *out << c.name;
}

class AttentionGradient : public testing::TestWithParam<AttentionCase> {};

TEST_P(AttentionGradient, MatchesDifferences) {
  const AttentionCase& c = GetParam();
  Net net(23);
  std::vector<V> inputs{net.input("q", c.q), net.input("k", c.k), net.input("v", c.v)};
  if (!c.mask.empty()) inputs.push_back(net.input("mask", c.mask));
  net.output(net.op("Attention", inputs, c.settings));
  expect_gradients(net.done());
}

const Setting heads4 = attr("q_num_heads", std::int64_t{4});
const Setting heads2 = attr("kv_num_heads", std::int64_t{2});
const Setting causal = attr("is_causal", std::int64_t{1});
const Setting capped = attr("softcap", 0.8F);

INSTANTIATE_TEST_SUITE_P(
    All, AttentionGradient,
    testing::Values(
        AttentionCase{"Plain", {2, 2, 3, 4}, {2, 2, 5, 4}, {2, 2, 5, 3}},
        AttentionCase{"SharedKeys", {2, 4, 3, 4}, {2, 2, 5, 4}, {2, 2, 5, 3}},
        AttentionCase{"Rows", {2, 3, 8}, {2, 5, 4}, {2, 5, 6}, {}, {heads4, heads2}},
        AttentionCase{"Scaled", {1, 2, 3, 4}, {1, 2, 5, 4}, {1, 2, 5, 3}, {}, {attr("scale", 1.3F)}},
        AttentionCase{"Causal", {1, 2, 4, 4}, {1, 2, 4, 4}, {1, 2, 4, 3}, {}, {causal}},
        AttentionCase{"Capped", {1, 2, 3, 4}, {1, 2, 5, 4}, {1, 2, 5, 3}, {}, {capped}},
        AttentionCase{"Mask", {2, 4, 3, 4}, {2, 2, 5, 4}, {2, 2, 5, 3}, {2, 4, 3, 5}},
        AttentionCase{"MaskOfAllHeads", {2, 4, 3, 4}, {2, 2, 5, 4}, {2, 2, 5, 3}, {2, 1, 3, 5}},
        AttentionCase{"MaskOfKeys", {2, 3, 8}, {2, 5, 4}, {2, 5, 6}, {1, 5}, {heads4, heads2, capped}},
        AttentionCase{"ShortMask", {2, 2, 3, 4}, {2, 2, 5, 4}, {2, 2, 5, 3}, {3, 4}, {causal}}),
    [](const auto& c) { return std::string(c.param.name); });

TEST(AttentionWithPastGradient, MatchesDifferences) {
  for (const bool presents : {false, true}) {
    Net net(23);
    const auto y = net.ops("Attention",
                           {net.input("q", {2, 3, 8}), net.input("k", {2, 3, 4}), net.input("v", {2, 3, 6}),
                            nullptr, net.input("past_k", {2, 2, 4, 2}), net.input("past_v", {2, 2, 4, 3})},
                           3, {heads4, heads2, causal});
    net.output(y[0]);
    if (presents) net.output(y[1]);
    if (presents) net.output(y[2]);
    expect_gradients(net.done());
  }
}

/// The second query sees no key at all.
TEST(AttentionOfNothingGradient, IsZero) {
  Net net(23);
  const std::vector<double> seen{1, 0, 1, 0, 0, 0, 1, 1, 1};
  const V mask = net.constant(Tensor::of(DType::kBool, {3, 3}, seen));
  net.output(net.op("Attention", {net.input("q", {1, 2, 3, 4}), net.input("k", {1, 2, 3, 4}),
                                  net.input("v", {1, 2, 3, 2}), mask}));
  expect_gradients(net.done());
}

TEST(AttentionScoresGradient, IsRefused) {
  Net net(23);
  const auto y =
      net.ops("Attention",
              {net.input("q", {1, 2, 3, 4}), net.input("k", {1, 2, 3, 4}), net.input("v", {1, 2, 3, 2})}, 4);
  net.output(y[3]);
  EXPECT_THROW(expect_gradients(net.done()), Error);
}

}  // namespace
}  // namespace compressor::build
