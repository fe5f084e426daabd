// prune_test: the pass's options one by one, on small nets: criteria, scope, budgets, ratios by layer,
// branches.
#include "compressor/passes/prune.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "builder.h"
#include "compressor/analysis/profile.h"
#include "compressor/base/threads.h"
#include "compressor/onnx/save.h"

namespace compressor {
namespace {

using build::Net;
using build::V;
using testing::HasSubstr;

/// x -> Conv(3, 8) BN Relu -> Conv(8, 12) BN Relu -> mean -> Gemm(12, 5), with names.
Model chain() {
  Net n;
  V x = n.input("x", {1, 3, 8, 8});
  x = n.cbr(x, 3, 8);
  x = n.cbr(x, 8, 12);
  n.output(n.linear(n.gap(x), 12, 5));
  return n.done();
}

/// Three blocks x + Conv(Relu(BN(Conv(x)))) of which the second has the smallest weights.
Model residual() {
  Net n;
  V x = n.cbr(n.input("x", {1, 3, 8, 8}), 3, 8);
  for (const float scale : {1.0F, 0.01F, 2.0F}) {
    V y = n.conv(n.cbr(x, 8, 8), 8, 8);
    y = n.mul(y, n.number(1));
    const Tensor w = Tensor::of({8, 8, 3, 3}, std::span<const float>(std::vector<float>(576, scale)));
    y = n.conv_with(y, n.constant(w), nullptr);
    x = n.add(x, y);
  }
  n.output(n.linear(n.gap(x), 8, 5));
  return n.done();
}

PassResult run(Model& model, const std::function<void(Prune&)>& set) {
  Prune prune;
  set(prune);
  prune.check();
  PassContext context;
  prune.run(model, context);
  model.verify();
  return std::move(context.result);
}

std::int64_t width(const Model& model, std::size_t nth_conv) {
  for (const Node& node : model.graph->nodes()) {
    if (node.is("Conv") && nth_conv-- == 0) return constant_of(*node.input(1))->shape[0];
  }
  return -1;
}

TEST(Prune, EveryCriterionCutsWhatIsAskedFor) {
  for (const PruneMethod& method : prune_methods()) {
    Model model = chain();
    const PassResult r = run(model, [&](Prune& p) {
      p.ratio.set(0.5);
      p.criterion.set(method.name);
    });
    EXPECT_EQ(r.done, 4 + 6) << method.name;
    EXPECT_EQ(width(model, 0), 4) << method.name;
    EXPECT_FALSE(method.source.empty());
  }
}

TEST(Prune, TheScaleOfTheNormDecidesForBnScale) {
  Model model = chain();
  // gamma of the first norm: 8 .. 1, so that the last four go.
  for (const Node& node : model.graph->nodes()) {
    if (!node.is("BatchNormalization")) continue;
    const std::vector<float> gamma = {8, 7, 6, 5, 4, 3, 2, 1};
    model.graph->set_initializer(*node.input(1), Tensor::of({8}, std::span(gamma)));
    break;
  }
  const PassResult r = run(model, [](Prune& p) {
    p.ratio.set(0.5);
    p.criterion.set("bn-scale");
  });
  bool seen = false;
  for (const Removed& removed : r.removed) {
    if (removed.of != 8) continue;
    seen = true;
    EXPECT_EQ(removed.index, (std::vector<std::int64_t>{4, 5, 6, 7})) << removed.tensor;
  }
  EXPECT_TRUE(seen);
}

TEST(Prune, TheFilterNearestTheOthersGoesForFpgm) {
  Net n;
  const V x = n.input("x", {1, 1, 4, 4});
  // Filters 0, 1, 4, 9: the sums of distances are 14, 12, 12, 22; 1 stands before 4.
  const std::vector<float> w = {0, 1, 4, 9};
  const V y = n.conv_with(x, n.constant(Tensor::of({4, 1, 1, 1}, std::span(w))), nullptr, {.kernel = 1});
  n.output(n.linear(n.gap(y), 4, 2));
  Model model = n.done();
  const PassResult r = run(model, [](Prune& p) {
    p.ratio.set(0.25);
    p.criterion.set("fpgm");
  });
  ASSERT_FALSE(r.removed.empty());
  EXPECT_EQ(r.removed[0].index, (std::vector<std::int64_t>{1}));
}

TEST(Prune, RandomFollowsTheSeed) {
  const auto removed = [](std::uint64_t seed) {
    Model model = chain();
    Prune prune;
    prune.ratio.set(0.5);
    prune.criterion.set("random");
    PassContext context;
    context.seed = seed;
    prune.run(model, context);
    std::vector<std::vector<std::int64_t>> all;
    for (const Removed& r : context.result.removed) all.push_back(r.index);
    return all;
  };
  EXPECT_EQ(removed(1), removed(1));
  EXPECT_NE(removed(1), removed(2));
}

TEST(Prune, ABudgetIsMetAndNotByFar) {
  for (const double share : {0.8, 0.5, 0.25}) {
    Model model = chain();
    const double before = profile(model).totals.macs;
    run(model, [&](Prune& p) {
      p.target_macs.set(fmt::format("{}%", share * 100));
      p.scope.set("global");
    });
    const double after = profile(model).totals.macs / before;
    EXPECT_LE(after, share);
    EXPECT_GT(after, share - 0.2);  // single channels of a small net are coarse
  }
  Model model = chain();
  const auto before = profile(model).totals.params;
  run(model, [](Prune& p) { p.target_params.set("50%"); });
  EXPECT_LE(profile(model).totals.params, before / 2);
}

TEST(Prune, ABudgetOutOfReachSaysWhatIsLeast) {
  Model model = chain();
  try {
    run(model, [](Prune& p) { p.target_macs.set("10"); });
    FAIL() << "expected an error";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kTarget);
    EXPECT_THAT(e.what(), HasSubstr("not reachable"));
  }
  EXPECT_THROW(run(model, [](Prune& p) { p.target_macs.set("much"); }), Error);
  EXPECT_THROW(run(model, [](Prune& p) { p.target_macs.set("9G"); }), Error);
}

TEST(Prune, OptionsThatDoNotGoTogetherAreRefused) {
  Model model = chain();
  const auto refused = [&](const std::function<void(Prune&)>& set) {
    try {
      run(model, set);
    } catch (const Error& e) {
      return e.kind() == ErrorKind::kUsage;
    }
    return false;
  };
  EXPECT_TRUE(refused([](Prune&) {}));
  EXPECT_TRUE(refused([](Prune& p) {
    p.ratio.set(0.5);
    p.target_macs.set("50%");
  }));
  EXPECT_TRUE(refused([](Prune& p) {
    p.granularity.set("nm");
    p.nm.set("4:2");
  }));
  EXPECT_TRUE(refused([](Prune& p) {
    p.ratio.set(0.5);
    p.nm.set("1:4");
  }));
  EXPECT_TRUE(refused([](Prune& p) {
    p.ratio.set(0.5);
    p.granularity.set("weight");
    p.criterion.set("fpgm");
  }));
  EXPECT_TRUE(refused([](Prune& p) {
    p.ratio.set(0.5);
    p.granularity.set("weight");
    p.round_to.set(8);
  }));
}

/// A file of ratios that goes with the test.
class RatioFile {
 public:
  explicit RatioFile(const std::string& text)
      : path_(testing::TempDir() + "ratios_" + std::to_string(getpid()) + ".yaml") {
    std::ofstream(path_) << text;
  }
  ~RatioFile() { std::remove(path_.c_str()); }
  RatioFile(const RatioFile&) = delete;
  RatioFile& operator=(const RatioFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(Prune, RatiosByLayerComeBeforeTheCommonOne) {
  Model model = chain();
  std::string first;
  for (const Node& node : model.graph->nodes()) {
    if (node.is("Conv") && first.empty()) first = node.name();
  }
  const RatioFile file("'^" + first + "$': 0\nop:Conv: {ratio: 0.75}\n");
  run(model, [&](Prune& p) {
    p.ratio.set(0.5);
    p.layers.set(file.path());
  });
  EXPECT_EQ(width(model, 0), 8);
  EXPECT_EQ(width(model, 1), 3);
}

TEST(Prune, ABadFileOfRatiosNamesItsLine) {
  Model model = chain();
  for (const char* text : {"conv: 0.5\nother: 2\n", "conv: 0.5\n'[': 0.1\n", "conv: 0.5\nother: much\n"}) {
    const RatioFile file(text);
    try {
      run(model, [&](Prune& p) {
        p.ratio.set(0.5);
        p.layers.set(file.path());
      });
      FAIL() << text;
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::kUsage);
      EXPECT_THAT(e.what(), HasSubstr("line 2"));
    }
  }
}

TEST(Prune, ExcludedMakersKeepTheirChannels) {
  Model model = chain();
  Prune prune;
  prune.ratio.set(0.5);
  PassContext context;
  context.filter = NodeFilter({}, {"op:Conv"});
  EXPECT_THROW(prune.run(model, context), Error);  // nothing else makes channels that may go
  context.filter = NodeFilter({}, {"op:Gemm"});
  prune.run(model, context);
  EXPECT_EQ(context.result.done, 4 + 6);
}

TEST(Prune, AVectorThatLayersHappenToShareTiesNothing) {
  Net n;
  V x = n.input("x", {1, 3, 8, 8});
  const V scale = n.positive({8});
  const V shift = n.weight({8});
  const V mean = n.weight({8});
  for (int i = 0; i < 2; ++i) {
    const V s = i == 0 ? scale : n.op("Identity", {scale});
    x = n.relu(n.op("BatchNormalization", {n.conv(x, i == 0 ? 3 : 8, 8), s, shift, mean, n.positive({8})}));
  }
  n.output(n.linear(n.gap(x), 8, 5));
  Model model = n.done();
  Model copy = model.clone();
  const PassResult r = run(copy, [](Prune& p) { p.explain.set(true); });
  EXPECT_EQ(r.eligible, 2) << "the two layers are groups of their own";
  EXPECT_EQ(run(model, [](Prune& p) { p.ratio.set(0.5); }).done, 4 + 4);
  for (const Node& node : model.graph->nodes()) EXPECT_FALSE(node.is("Identity"));
}

TEST(Prune, TheWeakestBranchIsRemoved) {
  Model model = residual();
  const std::size_t nodes = model.graph->nodes().size();
  const PassResult r = run(model, [](Prune& p) {
    p.ratio.set(0.34);
    p.granularity.set("layer");
  });
  EXPECT_EQ(r.eligible, 3);
  EXPECT_EQ(r.done, 1);
  EXPECT_EQ(model.graph->nodes().size(), nodes - 6 - 1);  // Conv, BN, Relu, Conv, Mul, Conv and the sum
  for (const Value* v : model.graph->initializers()) {
    if (v->initializer()->shape == Dims{8, 8, 3, 3}) {
      EXPECT_NE(to_floats(*v->initializer())[0], 0.01F) << "the branch of small weights went";
    }
  }
}

TEST(Prune, ABranchIsFoundOnlyWhereItKeepsTheShape) {
  Model model = chain();
  try {
    run(model, [](Prune& p) {
      p.ratio.set(0.5);
      p.granularity.set("layer");
    });
    FAIL() << "expected an error";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kTarget);
  }
}

TEST(Prune, ExplainSpeaksAndChangesNothing) {
  Model model = chain();
  const auto before = saved_bytes(model);
  const PassResult r = run(model, [](Prune& p) { p.explain.set(true); });
  EXPECT_EQ(saved_bytes(model), before);
  std::string text;
  for (const std::string& line : r.explanation) text += line + "\n";
  EXPECT_THAT(text, HasSubstr("8 filter classes"));
  EXPECT_THAT(text, HasSubstr("scores"));
  EXPECT_THAT(text, HasSubstr("not cut   graph output"));
}

TEST(Prune, TheSameBytesAtAnyNumberOfThreads) {
  const auto bytes = [](int count) {
    set_threads(count);
    Model model = chain();
    run(model, [](Prune& p) { p.ratio.set(0.3); });
    return saved_bytes(model);
  };
  const auto one = bytes(1);
  EXPECT_EQ(one, bytes(2));
  set_threads(0);
}

}  // namespace
}  // namespace compressor
