// storage_test: every form decodes to the numbers of the grid, is read back as the grid, and takes the bytes
// that its bits ask for.
#include "compressor/codec/storage.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "builder.h"
#include "referee.h"

namespace compressor::codec {
namespace {

using build::Net;
using build::V;

struct Case {
  std::string name;
  Dims shape;
  Blocks blocks;
};

/// Shapes that meet every way of cutting: tensor, axes, groups along rows, columns, odd numbers of elements.
std::vector<Case> cases() {
  return {
      {"tensor", {6, 10}, {{1, 1, 60}, {1, 1, 60}}},
      {"odd tensor", {3, 3, 3}, {{1, 1, 27}, {1, 1, 27}}},
      {"rows", {6, 4, 3, 3}, {{1, 6, 36}, {1, 1, 36}}},
      {"columns", {6, 10}, {{1, 6, 10}, {1, 6, 1}}},
      {"middle axis", {4, 5, 2, 2}, {{4, 5, 4}, {4, 1, 4}}},
      {"groups of a row", {4, 8, 3, 3}, {{1, 4, 72}, {1, 1, 24}}},
      {"groups of a column", {64, 5}, {{1, 64, 5}, {1, 16, 1}}},
      {"groups of K, transposed", {5, 64}, {{1, 5, 64}, {1, 1, 16}}},
      {"stack of matrices", {3, 32, 5}, {{3, 32, 5}, {1, 16, 1}}},
      {"last group is short", {40, 3}, {{1, 40, 3}, {1, 16, 1}}},
      {"last group of a row is short", {3, 40}, {{1, 3, 40}, {1, 1, 16}}},
  };
}

Grid random_grid(const Case& c, DType code, bool zeros, Random& random) {
  Grid g;
  g.shape = c.shape;
  g.code = code;
  g.blocks = c.blocks;
  const auto span = static_cast<std::uint64_t>(std::int64_t{highest(code)} - lowest(code) + 1);
  for (std::uint64_t i = 0; i < c.blocks.count(); ++i) {
    g.scale.push_back(static_cast<float>(0.01 + random.uniform()));
    if (zeros) g.zero.push_back(lowest(code) + static_cast<std::int32_t>(random.below(span)));
  }
  std::vector<std::byte> codes;
  for (std::uint64_t i = 0; i < c.blocks.size(); ++i)
    codes.push_back(
        static_cast<std::byte>((lowest(code) + static_cast<std::int32_t>(random.below(span))) & 0xFF));
  g.codes = Bytes::own(std::move(codes));
  return g;
}

template <class Visit>
void each_grid(std::uint64_t seed, Visit&& visit) {
  Random random(seed);
  for (const Case& c : cases()) {
    for (const DType code :
         {DType::kInt8, DType::kUint8, DType::kInt4, DType::kUint4, DType::kInt2, DType::kUint2}) {
      for (const bool zeros : {false, true})
        visit(c, random_grid(c, code, zeros, random),
              fmt::format("{} {}{} (seed {})", c.name, name(code), zeros ? " zeros" : "", seed));
    }
  }
}

/// The decoded weight is the only output, plus an input that is passed on.
Model decoder(const Grid& grid, Storage storage) {
  Net n(std::max<std::int64_t>(13, opset_needed(storage, grid)));
  const V x = n.input("x", {1});
  const Value& w = lower({.graph = n.graph()}, grid, storage, "w");
  n.output(n.add(&w, x));
  return n.done();
}

Model constant_model(const Grid& grid) {
  Net n;
  const V x = n.input("x", {1});
  n.output(n.add(n.constant(decode(grid)), x));
  return n.done();
}

const Value& weight_of(const Model& model) {
  return *model.graph->nodes().back().input(0);
}

constexpr Storage kDecoders[] = {Storage::kQdq, Storage::kBlocked, Storage::kPortable};

TEST(Storage, DecodeIsTheFormula) {
  Grid g;
  g.shape = {2, 3};
  g.blocks = {{1, 2, 3}, {1, 1, 3}};
  g.scale = {0.5F, 2};
  g.zero = {1, -1};
  g.codes =
      Bytes::copy(std::as_bytes(std::span<const std::int8_t>(std::vector<std::int8_t>{1, 2, -3, 0, 5, 127})));
  EXPECT_EQ(to_floats(decode(g)), (std::vector<float>{0, 0.5F, -2, 2, 12, 256}));
}

TEST(Storage, PackingPutsTheFirstCodeLow) {
  const std::vector<std::uint8_t> codes = {1, 2, 3, 0, 2};
  const Bytes bytes = Bytes::copy(std::as_bytes(std::span(codes)));
  const BytesView two = pack(bytes, 2).view();
  EXPECT_EQ(two.bytes()[0], std::byte{0b00111001});
  EXPECT_EQ(two.bytes()[1], std::byte{0b00000010});
  const BytesView four = pack(bytes, 4).view();
  ASSERT_EQ(four.size(), 3U);
  EXPECT_EQ(four.bytes()[0], std::byte{0x21});
  EXPECT_EQ(four.bytes()[2], std::byte{0x02});
}

TEST(Storage, WhatIsLoweredIsLiftedAgain) {
  int seen = 0;
  each_grid(11, [&](const Case&, const Grid& grid, const std::string& what) {
    for (const Storage storage : kDecoders) {
      if (!why_not(storage, grid).empty()) continue;
      const Model model = decoder(grid, storage);
      model.verify();
      const auto lifted = lift(weight_of(model));
      ASSERT_TRUE(lifted) << what << " storage " << static_cast<int>(storage);
      EXPECT_EQ(lifted->shape, grid.shape) << what;
      EXPECT_EQ(lifted->code, grid.code) << what;
      EXPECT_EQ(to_floats(decode(*lifted)), to_floats(decode(grid)))
          << what << " storage " << static_cast<int>(storage);
      ++seen;
    }
  });
  EXPECT_GT(seen, 200);
}

TEST(Storage, StoredBytesAreThoseOfTheBits) {
  each_grid(12, [&](const Case&, const Grid& grid, const std::string& what) {
    for (const Storage storage : kDecoders) {
      if (!why_not(storage, grid).empty()) continue;
      const Model model = decoder(grid, storage);
      std::uint64_t bytes = 0;
      for (const Value* v : model.graph->initializers()) {
        const bool payload = v->name().starts_with("w.q") || v->name().starts_with("w.scale") ||
                             v->name().starts_with("w.zero");
        if (payload && v->initializer()->dtype != DType::kInt64) bytes += v->initializer()->bytes.size();
      }
      EXPECT_LE(bytes, grid.counted_bytes() + 2) << what;
      EXPECT_GE(bytes, grid.counted_bytes()) << what;
    }
  });
}

TEST(Storage, OtherGraphsAreNotLifted) {
  Net n;
  const V x = n.input("x", {4, 4});
  const V scaled = n.mul(n.op("Cast", {n.weight({4, 4})}, {build::attr("to", std::int64_t{1})}), n.number(2));
  n.output(n.add(x, scaled));
  const Model model = n.done();
  EXPECT_FALSE(lift(*scaled));
  EXPECT_FALSE(lift(*x));
}

TEST(Storage, GroupsThatDoNotDivideAreRefusedByPortable) {
  const Case c{"", {40, 3}, {{1, 40, 3}, {1, 16, 1}}};
  Random random(3);
  const Grid g = random_grid(c, DType::kInt4, false, random);
  EXPECT_THAT(why_not(Storage::kPortable, g), testing::HasSubstr("40 values in groups of 16"));
  EXPECT_EQ(why_not(Storage::kBlocked, g), "");
  EXPECT_THAT(why_not(Storage::kQdq, g), testing::HasSubstr("scales by group"));
}

TEST(StorageReferee, EveryFormDecodesToTheSameBits) {
  REQUIRE_REFEREE();
  each_grid(13, [&](const Case&, const Grid& grid, const std::string& what) {
    const Model plain = constant_model(grid);
    for (const Storage storage : kDecoders) {
      if (!why_not(storage, grid).empty()) continue;
      const judge::Difference d = judge::difference(plain, decoder(grid, storage));
      EXPECT_EQ(d.error, "") << what << " storage " << static_cast<int>(storage);
      EXPECT_EQ(d.max_abs, 0) << what << " storage " << static_cast<int>(storage);
    }
  });
}

/// x -> MatMul or Gemm (decoded weight) -> y.
Model product(const Grid& grid, bool gemm, bool transposed) {
  Net n;
  const std::int64_t k = grid.shape[transposed ? 1 : 0], out = grid.shape[transposed ? 0 : 1];
  const V x = n.input("x", {2, k});
  const V w = n.constant(decode(grid));
  if (gemm) {
    n.output(n.op("Gemm", {x, w, n.weight({out})},
                  {build::attr("transB", std::int64_t{transposed}), build::attr("beta", 0.5F)}));
  } else {
    n.output(n.matmul(x, w));
  }
  return n.done();
}

TEST(StorageReferee, MatMulNBitsMultipliesByTheSameWeight) {
  REQUIRE_REFEREE();
  Random random(14);
  for (const Case& c : cases()) {
    if (c.shape.size() != 2) continue;
    for (const DType code :
         {DType::kInt8, DType::kUint8, DType::kInt4, DType::kUint4, DType::kInt2, DType::kUint2}) {
      Grid grid = random_grid(c, code, lowest(code) == 0, random);
      if (!why_not(Storage::kMatMulNBits, grid).empty()) continue;
      const bool transposed = grid.blocks.block[2] > 1;
      for (const bool gemm : {true, false}) {
        if (transposed && !gemm) continue;
        const Model before = product(grid, gemm, transposed);
        Model after = before.clone();
        after.opsets.push_back({.domain = "com.microsoft", .version = 1});
        const Node& node = after.graph->nodes().back();
        std::string why;
        const auto p = product_of(node, *node.input(1), grid.shape, why);
        ASSERT_TRUE(p) << why;
        const NBits constants = lower_nbits({.graph = *after.graph, .before = &node}, grid, *p, "w");
        replace_product(*after.graph, node, grid, *p, constants);
        after.verify();
        const std::string what = fmt::format("{} {} gemm {}", c.name, name(code), gemm);
        const judge::Difference d = judge::difference(before, after);
        EXPECT_EQ(d.error, "") << what;
        EXPECT_LT(d.max_rel, 1e-5) << what;
        for (const Node& n : after.graph->nodes()) {
          const auto lifted = lift_nbits(n);
          if (!lifted) continue;
          const std::vector<float> have = to_floats(decode(*lifted)), want = to_floats(decode(grid));
          ASSERT_EQ(have.size(), want.size());
          for (std::size_t i = 0; i < have.size(); ++i) {
            const std::size_t rows = p->n, columns = p->k;
            const std::size_t at = p->transposed ? i : (i % columns) * rows + i / columns;
            ASSERT_EQ(have[i], want[at]) << what << " element " << i;
          }
        }
      }
    }
  }
}

TEST(StorageReferee, ThePortableFormIsFoldedWhenTheModelIsLoaded) {
  REQUIRE_REFEREE();
  each_grid(15, [&](const Case&, const Grid& grid, const std::string& what) {
    if (!why_not(Storage::kPortable, grid).empty()) return;
    const judge::OpCounts ops = judge::optimized_ops(decoder(grid, Storage::kPortable));
    EXPECT_EQ(ops, judge::OpCounts({{"Add", 1}})) << what;
  });
}

}  // namespace
}  // namespace compressor::codec
