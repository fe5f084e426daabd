// zeroing: which weights become zero, exactly how many, and which layers are left alone and why.
#include "passes/prune/zeroing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "compressor/base/error.h"
#include "compressor/base/threads.h"
#include "compressor/onnx/load.h"
#include "compressor/onnx/save.h"
#include "passes/prune/mask.h"
#include "passes/prune/small_nets.h"
#include "passes/prune/zeroed.h"
#include "referee.h"

namespace compressor::prune {
namespace {

using namespace testing_nets;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using Granularity = ZeroingOptions::Granularity;
using Criterion = ZeroingOptions::Criterion;

/// The values with the `count` smallest magnitudes zero, the first of equal ones first.
std::vector<double> zero_smallest(std::vector<double> values, std::size_t count) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return std::fabs(values[a]) < std::fabs(values[b]); });
  for (std::size_t i = 0; i < count; ++i) values[order[i]] = 0;
  return values;
}

class ZeroWeights : public testing::TestWithParam<DType> {};

TEST_P(ZeroWeights, TakesExactlyTheSmallestAndKeepsTheType) {
  const Tensor before = weight({8, 4, 3, 3}, GetParam());
  Model model = one_layer("Conv", {1, 4, 9, 9}, before);
  const PassContext context = pruned(model, {.ratio = 0.3});
  const Tensor after = weight_in(model);
  EXPECT_EQ(after.dtype, GetParam());
  EXPECT_EQ(after.shape, before.shape);
  EXPECT_EQ(to_doubles(after), zero_smallest(to_doubles(before), 86)) << "floor(0.3 * 288), seed " << kSeed;
  EXPECT_TRUE(context.result.changed);
  EXPECT_EQ(context.result.eligible, 288);
  EXPECT_EQ(context.result.done, 86);
}

INSTANTIATE_TEST_SUITE_P(Types, ZeroWeights,
                         testing::Values(DType::kFloat, DType::kFloat16, DType::kBFloat16, DType::kDouble));

TEST(ZeroWeight, EqualMagnitudesGoByPosition) {
  const std::vector<float> values = {1, -1, 1, -1, 1, -1, 1, -1};
  Model model = one_layer("MatMul", {1, 4}, Tensor::of({4, 2}, values));
  pruned(model, {.ratio = 0.4});
  EXPECT_THAT(to_floats(weight_in(model)), ElementsAre(0, 0, 0, -1, 1, -1, 1, -1));
}

TEST(ZeroWeight, ZerosThatAreThereCount) {
  const std::vector<float> values = {0, 5, -0.0F, 4, 3, 2};
  Model model = one_layer("MatMul", {1, 2}, Tensor::of({2, 3}, values));
  const PassContext context = pruned(model, {.ratio = 0.5});
  EXPECT_THAT(to_floats(weight_in(model)), ElementsAre(0, 5, 0, 4, 3, 0));
  EXPECT_THAT(context.result.layers.at(0).detail, HasSubstr("zeros 2 -> 3, density 0.5, threshold 2"));
}

TEST(ZeroWeight, NothingChangesWhereEnoughIsZero) {
  const std::vector<float> values = {0, 0, 0, 4};
  Model model = one_layer("MatMul", {1, 2}, Tensor::of({2, 2}, values));
  const PassContext context = pruned(model, {.ratio = 0.5});
  EXPECT_FALSE(context.result.changed);
  EXPECT_FALSE(weight_in(model).bytes.is_derived());
}

TEST(ZeroWeight, HalvesWithSubnormalsAndInfinities) {
  Tensor w;
  w.dtype = DType::kFloat16;
  w.shape = {2, 4};
  const std::vector<std::uint16_t> halves = {0x0001, 0x8002, 0x03FF, 0x0400, 0x7C00, 0xFC00, 0x3C00, 0x7E00};
  w.bytes = Bytes::copy(std::as_bytes(std::span(halves)));
  Model model = one_layer("MatMul", {1, 2}, w);
  pruned(model, {.ratio = 0.375});
  std::vector<std::uint16_t> after(8);
  weight_in(model).bytes.read(0, std::as_writable_bytes(std::span(after)));
  EXPECT_THAT(after, ElementsAre(0, 0, 0, 0x0400, 0x7C00, 0xFC00, 0x3C00, 0x7E00));
}

TEST(ZeroWeight, GlobalRanksAllLayersTogether) {
  for (const DType other : {DType::kFloat, DType::kDouble}) {  // of two widths, too
    Model model = empty_model();
    Graph& g = *model.graph;
    const Tensor a = weight({10, 20}, DType::kFloat, 1);
    const Tensor b = Tensor::of(other, {20, 5}, [] {
      std::vector<double> v = numbers(100, 2);
      for (double& x : v) x *= 0.25;
      return v;
    }());
    const Value* x = g.add_input("x", Type::tensor(DType::kFloat, {1, 10}));
    const Value* z = g.add_input("z", Type::tensor(other, {1, 20}));
    g.add_output(
        *g.add_node({.op = "MatMul", .inputs = {x, g.add_initializer("a", a)}, .outputs = {"p"}}).output(0));
    g.add_output(
        *g.add_node({.op = "MatMul", .inputs = {z, g.add_initializer("b", b)}, .outputs = {"q"}}).output(0));
    pruned(model, {.ratio = 0.5, .global = true});
    std::vector<double> all = to_doubles(a);
    const std::vector<double> more = to_doubles(b);
    all.insert(all.end(), more.begin(), more.end());
    std::vector<double> after = to_doubles(weight_in(model, "a"));
    const std::vector<double> rest = to_doubles(weight_in(model, "b"));
    after.insert(after.end(), rest.begin(), rest.end());
    EXPECT_EQ(after, zero_smallest(all, 150)) << name(other);
  }
}

TEST(ZeroWeight, ALayerWithARatioOfItsOwnIsNotPartOfTheRanking) {
  Model model = empty_model();
  Graph& g = *model.graph;
  const Value* x = g.add_input("x", Type::tensor(DType::kFloat, {1, 10}));
  const Value* y = nullptr;
  for (const std::string layer : {"a", "b", "c"}) {
    y = g.add_node(
             {.op = "MatMul",
              .inputs = {y ? y : x, g.add_initializer(layer + "_w", weight({10, 10}, DType::kFloat, 3))},
              .outputs = {layer + "_y"},
              .name = layer})
            .output(0);
  }
  g.add_output(*y);
  const auto ratio_of = [](const Node& node) -> std::optional<double> {
    if (node.name() == "a") return 0.29;
    if (node.name() == "b") return 0.0;
    return std::nullopt;
  };
  const PassContext context = pruned(model, {.ratio = 0.5, .global = true, .ratio_of = ratio_of});
  EXPECT_EQ(zeros_of(weight_in(model, "a_w")), 29U);  // 0.29 * 100 is 28.999999999999996
  EXPECT_EQ(zeros_of(weight_in(model, "b_w")), 0U);
  EXPECT_EQ(zeros_of(weight_in(model, "c_w")), 50U);
  EXPECT_THAT(reasons(context), ElementsAre("weight 'b_w' has ratio 0"));
}

TEST(ZeroWeight, RandomTakesTheCountAndDependsOnTheSeed) {
  std::vector<Tensor> results;
  for (const std::uint64_t seed : {1, 1, 2}) {
    Model model = one_layer("MatMul", {1, 40}, weight({40, 50}));
    PassContext context;
    context.seed = seed;
    prune_by_zeroing(model, {.criterion = Criterion::kRandom, .ratio = 0.25}, context);
    EXPECT_EQ(zeros_of(weight_in(model)), 500U);
    results.push_back(weight_in(model));
  }
  EXPECT_TRUE(equal(results[0], results[1]));
  EXPECT_FALSE(equal(results[0], results[2]));
}

TEST(ZeroWeight, AWeightThatSeveralNodesReadIsPrunedOnce) {
  Model model = one_layer("MatMul", {5, 6}, weight({6, 6}));
  Graph& g = *model.graph;
  const Node& again =
      g.add_node({.op = "MatMul", .inputs = {g.find("y"), g.find("w")}, .outputs = {"z"}, .name = "again"});
  g.add_output(*again.output(0));
  const PassContext context = pruned(model, {.ratio = 0.5});
  EXPECT_EQ(zeros_of(weight_in(model)), 18U);
  EXPECT_EQ(context.result.eligible, 36);
  ASSERT_EQ(context.result.layers.size(), 1U);
  EXPECT_THAT(context.result.layers[0].detail, HasSubstr("read by 2 nodes"));
}

TEST(ZeroWeight, WeightsInConstantNodesAndBehindATranspose) {
  Model model = empty_model();
  Graph& g = *model.graph;
  const Value* x = g.add_input("x", Type::tensor(DType::kFloat, {1, 6}));
  const Value* w =
      g.add_node({.op = "Constant", .inputs = {}, .outputs = {"w"}, .attributes = {}, .name = "c"}).output(0);
  g.set_attribute(*w->producer(), Attribute("value", weight({4, 6})));
  Attribute perm("perm", Attribute::Ints{1, 0});
  std::vector<Attribute> attributes;
  attributes.push_back(std::move(perm));
  const Value* t =
      g.add_node({.op = "Transpose", .inputs = {w}, .outputs = {"t"}, .attributes = std::move(attributes)})
          .output(0);
  g.add_output(*g.add_node({.op = "MatMul", .inputs = {x, t}, .outputs = {"y"}}).output(0));
  const Tensor before = weight_in(model);
  pruned(model, {.ratio = 0.5});
  EXPECT_EQ(to_doubles(weight_in(model)), zero_smallest(to_doubles(before), 12));
  // Stored as [outputs, inputs]: 2:4 runs along the rows.
  Model rows = model.clone();
  rows.graph->set_attribute(*rows.graph->find("w")->producer(), Attribute("value", before));
  pruned(rows, {.granularity = Granularity::kNm});
  const std::vector<double> values = to_doubles(weight_in(rows));
  for (std::size_t row = 0; row < 4; ++row) {
    const auto first = values.begin() + static_cast<std::ptrdiff_t>(row * 6);
    EXPECT_EQ(std::count(first, first + 4, 0.0), 2);
    EXPECT_EQ(std::count(first + 4, first + 6, 0.0), 0);
  }
}

TEST(ZeroWeight, WeightsInBodies) {
  Model model = empty_model();
  Graph& g = *model.graph;
  const Value* x = g.add_input("x", Type::tensor(DType::kFloat, {1, 6}));
  const Value* condition = g.add_input("condition", Type::tensor(DType::kBool, {}));
  const Value* outer = g.add_initializer("outer", weight({6, 6}, DType::kFloat, 5));
  const Node& node = g.add_node({.op = "If", .inputs = {condition}, .outputs = {"y"}, .name = "if"});
  for (const std::string branch : {"then_branch", "else_branch"}) {
    g.set_attribute(node, Attribute(branch, std::make_unique<Graph>(node)));
    Graph& body = g.body(node, branch);
    const Value* w = branch == "then_branch" ? outer : body.add_initializer("inner", weight({6, 6}));
    body.add_output(
        *body.add_node({.op = "MatMul", .inputs = {x, w}, .outputs = {branch + "_y"}, .name = branch})
             .output(0));
  }
  g.add_output(*node.output(0));
  const PassContext context = pruned(model, {.ratio = 0.5});
  EXPECT_EQ(zeros_of(weight_in(model, "outer")), 18U);
  EXPECT_EQ(zeros_of(*g.body(node, "else_branch").find("inner")->initializer()), 18U);
  EXPECT_EQ(context.result.eligible, 72);
}

TEST(ZeroWeight, RecurrentWeightsAndProductsOnTheLeft) {
  Model model = empty_model();
  Graph& g = *model.graph;
  const Value* x = g.add_input("x", Type::tensor(DType::kFloat, {7, 2, 3}));
  const Value* w = g.add_initializer("w", weight({1, 12, 3}));
  const Value* r = g.add_initializer("r", weight({1, 12, 4}));
  std::vector<Attribute> attributes;
  attributes.emplace_back("hidden_size", std::int64_t{4});
  g.add_output(
      *g.add_node({.op = "GRU", .inputs = {x, w, r}, .outputs = {"y"}, .attributes = std::move(attributes)})
           .output(0));
  const Value* left = g.add_initializer("left", weight({5, 7}));
  const Value* m = g.add_input("m", Type::tensor(DType::kFloat, {7, 3}));
  g.add_output(*g.add_node({.op = "MatMul", .inputs = {left, m}, .outputs = {"z"}}).output(0));
  pruned(model, {.ratio = 0.5});
  EXPECT_EQ(zeros_of(weight_in(model, "w")), 18U);
  EXPECT_EQ(zeros_of(weight_in(model, "r")), 24U);
  EXPECT_EQ(zeros_of(weight_in(model, "left")), 17U);
}

TEST(ZeroWeight, SaysWhyALayerIsLeftAlone) {
  Model model = one_layer("Conv", {1, 4, 9, 9}, weight({8, 4, 3, 3}));
  Graph& g = *model.graph;
  const Value* x = g.find("x");
  const auto layer = [&](const std::string& name, const Value* w) {
    g.add_output(
        *g.add_node({.op = "Conv", .inputs = {x, w}, .outputs = {name + "_y"}, .name = name}).output(0));
  };
  const std::vector<std::int64_t> dims = {8, 4, 3, 3};
  const Value* shape = g.add_initializer("shape", Tensor::of({4}, std::span<const std::int64_t>(dims)));
  layer("filled",
        g.add_node({.op = "ConstantOfShape", .inputs = {shape}, .outputs = {"filled_w"}}).output(0));
  layer("fed", g.add_input("fed_w", Type::tensor(DType::kFloat, dims)));
  const Value* q = g.add_initializer("q", weight({8, 4, 3, 3}, DType::kInt8));
  const Value* scale = g.add_initializer("scale", Tensor::scalar(0.1F));
  layer("quantized",
        g.add_node({.op = "DequantizeLinear", .inputs = {q, scale}, .outputs = {"quantized_w"}}).output(0));
  layer("computed", g.add_node({.op = "Relu", .inputs = {g.find("w")}, .outputs = {"computed_w"}}).output(0));
  layer("small", g.add_initializer("small_w", weight({1, 4, 1, 1})));
  layer("left_out", g.add_initializer("left_out_w", weight({8, 4, 3, 3})));
  PassContext context;
  context.filter = NodeFilter({}, {"left_out"});
  prune_by_zeroing(model, {.ratio = 0.5, .min_size = 10}, context);
  EXPECT_EQ(zeros_of(weight_in(model)), 144U);
  EXPECT_EQ(zeros_of(weight_in(model, "left_out_w")), 0U);
  EXPECT_EQ(context.result.skipped, 6);
  const std::vector<std::string> why = reasons(context);
  for (const char* text :
       {"one value everywhere", "is the graph input 'fed_w'", "is quantized", "is computed by",
        "has 4 elements, fewer than", "left out by --include or --exclude"}) {
    EXPECT_THAT(why, Contains(HasSubstr(text)));
  }
}

TEST(ZeroWeight, AWeightSharedWithALayerThatIsLeftOutStays) {
  Model model = one_layer("MatMul", {5, 6}, weight({6, 6}));
  Graph& g = *model.graph;
  g.add_output(
      *g.add_node({.op = "MatMul", .inputs = {g.find("y"), g.find("w")}, .outputs = {"z"}, .name = "again"})
           .output(0));
  PassContext context;
  context.filter = NodeFilter({"layer"}, {});
  try {
    prune_by_zeroing(model, {.ratio = 0.5}, context);
    FAIL() << "expected that nothing can be zeroed";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kTarget);
    EXPECT_THAT(error.what(), HasSubstr("is read by 'again' too"));
  }
}

TEST(ZeroWeight, ReportsWhatASparseKernelCouldSkip) {
  Model model = one_layer("Conv", {1, 4, 9, 9}, weight({8, 4, 3, 3}));
  const PassContext context = pruned(model, {.ratio = 0.5});
  EXPECT_THAT(context.result.notes, Contains(HasSubstr("skip 7056 of 1.411e+04 MACs (50.0 %)")));
  EXPECT_THAT(context.result.notes, Contains(HasSubstr("the file is not smaller")));
}

TEST(ZeroWeight, TheSameBytesAtAnyNumberOfThreadsAndAnyRangeOfReading) {
  const Tensor before = weight({1100, 1001});
  std::vector<Tensor> results;
  const int threads_before = threads();
  for (const int t : {1, 2}) {
    set_threads(t);
    Model model = one_layer("MatMul", {1, 1100}, before);
    pruned(model, {.ratio = 0.7});
    results.push_back(weight_in(model));
  }
  set_threads(threads_before);
  EXPECT_TRUE(equal(results[0], results[1]));
  const BytesView whole = results[0].bytes.view();
  Random random(kSeed);
  for (int i = 0; i < 200; ++i) {
    const std::uint64_t from = random.below(whole.size());
    std::vector<std::byte> part(std::min<std::uint64_t>(random.below(9000), whole.size() - from));
    results[0].bytes.read(from, part);
    ASSERT_TRUE(std::equal(part.begin(), part.end(), whole.data() + from))
        << "from " << from << ", seed " << kSeed;
  }
}

TEST(ZeroWeight, SavesAndLoadsAsComputed) {
  Model model = one_layer("Conv", {1, 4, 9, 9}, weight({8, 4, 3, 3}, DType::kFloat16));
  pruned(model, {.ratio = 0.5});
  const judge::TempFolder folder;
  save_model(model, folder.file("m.onnx"));
  const Model loaded = load_model(folder.file("m.onnx"));
  EXPECT_TRUE(equal(weight_in(loaded), weight_in(model)));
  EXPECT_EQ(zeros_of(weight_in(loaded)), 144U);
}

TEST(Zeroing, RealModelsLoseTheirShareAndRun) {
  REQUIRE_MODELS();
  for (const std::string& path : judge::real_models()) {
    SCOPED_TRACE(path);
    Model model = load_model(path);
    PassContext context;
    try {
      prune_by_zeroing(model, {.ratio = 0.5}, context);
    } catch (const Error& error) {
      ASSERT_EQ(error.kind(), ErrorKind::kTarget) << error.what();
      EXPECT_FALSE(reasons(context).empty());
      continue;
    }
    model.verify();
    for (const LayerRecord& layer : context.result.layers) EXPECT_FALSE(layer.detail.empty());
    EXPECT_GE(2 * context.result.done + static_cast<std::int64_t>(context.result.layers.size()),
              context.result.eligible);
    if (!judge::is_there()) continue;
    const judge::Check check = judge::check_of(model);
    EXPECT_TRUE(check.loads) << check.reply;
  }
}

}  // namespace
}  // namespace compressor::prune
