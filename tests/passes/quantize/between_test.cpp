// between_test: every operator between two quantized layers, in every mode: the engine runs what comes out,
// the numbers stay, and ONNX Runtime computes the same.
#include "passes/quantize/between.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "compressor/base/error.h"
#include "compressor/data/numpy.h"
#include "compressor/engine/executor.h"
#include "compressor/onnx/save.h"
#include "compressor/ops/op.h"
#include "compressor/passes/quantize.h"
#include "referee.h"

namespace compressor::quantize::between {
namespace {

constexpr std::uint64_t kSeed = 20261125;
constexpr double kWeightsOnly = 30;  ///< dB that 8 bits keep where activations stay in float
constexpr double kSame = 25;         ///< dB between two engines, of which one may round a tie the other way

using Setup = void (*)(Quantize&);
struct Mode {
  const char* name = "";
  Setup setup = nullptr;
  bool integer = true;  ///< activations have codes too
};
const Mode kModes[] = {
    {"weight-only", [](Quantize& q) { q.mode.set("weight-only"); }, false},
    {"dynamic",
     [](Quantize& q) { q.mode.set("dynamic"), q.dynamic_conv.set(true), q.dynamic_activations.set(true); }},
    {"static", [](Quantize&) {}},
    {"static qoperator", [](Quantize& q) { q.format.set("qoperator"); }},
    {"static ort-cpu", [](Quantize& q) { q.target.set("ort-cpu"); }},
    {"static ort-cpu qoperator", [](Quantize& q) { q.target.set("ort-cpu"), q.format.set("qoperator"); }},
};

std::vector<Between> all() {
  std::vector<Between> list = elementwise();
  for (const auto& more : {moves(), layers()}) list.insert(list.end(), more.begin(), more.end());
  return list;
}

Executor::Feeds draw(const Model& model, Random& random) {
  Executor::Feeds feeds;
  for (const Value* v : model.graph->inputs()) {
    Dims shape;
    for (const Dim& d : v->type().dims) shape.push_back(d.value);
    std::vector<float> x(num_elements(shape));
    for (float& number : x) number = static_cast<float>(random.normal());
    feeds[v->name()] = Tensor::of(shape, std::span<const float>(x));
  }
  return feeds;
}

std::vector<double> outputs(const Model& model, const Executor::Feeds& feeds) {
  std::vector<double> all;
  for (const ops::RunValue& v : Executor(model).run(feeds)) {
    const std::vector<double> numbers = to_doubles(ops::plain(v));
    all.insert(all.end(), numbers.begin(), numbers.end());
  }
  return all;
}

/// dB; -infinity where there are other numbers of numbers, or some are none.
double snr(const std::vector<double>& exact, const std::vector<double>& found) {
  if (exact.size() != found.size()) return -HUGE_VAL;
  double signal = 1e-30, noise = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    signal += exact[i] * exact[i];
    noise += std::pow(exact[i] - found[i], 2);
  }
  if (!std::isfinite(noise)) return -HUGE_VAL;
  return noise > 0 ? 10 * std::log10(signal / noise) : HUGE_VAL;
}

PassContext::Batches calibration(const Model& model) {
  return [&model](const std::function<void(const PassContext::Inputs&)>& visit) {
    Random random(kSeed);
    for (int i = 0; i < 8; ++i) {
      PassContext::Inputs inputs;
      for (const auto& [name, value] : draw(model, random)) inputs.emplace(name, value.tensor);
      visit(inputs);
    }
  };
}

struct Quantized {
  Model model;
  std::string refused;  ///< why there is none
};

Quantized quantized(const Model& before, const Mode& mode) {
  Quantized q{.model = before.clone(), .refused = ""};
  Quantize pass;
  mode.setup(pass);
  PassContext context;
  if (pass.reads_data()) context.batches = calibration(before);
  try {
    pass.run(q.model, context);
    q.model.verify();
  } catch (const Error& e) {
    q.refused = e.what();
  }
  return q;
}

std::string judged(const Model& model, const Executor::Feeds& feeds, std::vector<double>& found) {
  const judge::TempFolder folder;
  save_model(model, folder.file("m.onnx"));
  std::vector<std::pair<std::string, Tensor>> arrays;
  for (const auto& [name, value] : feeds) arrays.emplace_back(name, value.tensor);
  write_npz(folder.file("in.npz"), arrays);
  std::string refused = judge::error_of_run(folder.file("m.onnx"),
                                            {.feeds = folder.file("in.npz"), .save = folder.file("out.npz")});
  if (!refused.empty()) return refused;
  const auto saved = read_npz(folder.file("out.npz"));
  for (const Value* y : model.graph->outputs()) {
    const std::vector<double> numbers = to_doubles(saved.at(y->name()));
    found.insert(found.end(), numbers.begin(), numbers.end());
  }
  return "";
}

Model net(const Between& line) {
  Around around(line.opset);
  return close(around, line.make(around));
}

TEST(Between, EveryOperatorHasALineOrAReason) {
  std::set<std::string> known;
  for (const Between& line : all()) known.insert(line.op);
  for (const auto& [op, why] : left_out()) EXPECT_TRUE(known.insert(op).second) << op << " has both";
  for (const ops::Op& op : ops::op_table().all()) {
    const std::string name = (op.domain.empty() ? "" : op.domain + ".") + op.type;
    EXPECT_TRUE(known.contains(name)) << name << ": add a line to the tables of between.h";
  }
}

TEST(Between, EveryModeKeepsTheNumbers) {
  for (const Between& line : all()) {
    const Model before = net(line);
    Random random(kSeed + 1);
    const Executor::Feeds feeds = draw(before, random);
    const std::vector<double> exact = outputs(before, feeds);
    for (const Mode& mode : kModes) {
      SCOPED_TRACE(line.op + ", " + mode.name);
      const Quantized q = quantized(before, mode);
      EXPECT_EQ(q.refused, "");
      if (!q.refused.empty()) continue;
      const double bound = mode.integer ? line.least : std::min(kWeightsOnly, line.least + 10);
      EXPECT_GE(snr(exact, outputs(q.model, feeds)), bound) << "seed " << kSeed;
    }
  }
}

TEST(BetweenReferee, OnnxRuntimeComputesTheSame) {
  REQUIRE_REFEREE();
  for (const Between& line : all()) {
    const Model before = net(line);
    Random random(kSeed + 1);
    const Executor::Feeds feeds = draw(before, random);
    std::vector<double> float_there;
    if (const std::string error = judged(before, feeds, float_there); !error.empty()) {
      std::printf("%s: ONNX Runtime does not know it: %s\n", line.op.c_str(), error.substr(0, 90).c_str());
      continue;
    }
    for (const Mode& mode : kModes) {
      SCOPED_TRACE(line.op + ", " + mode.name);
      const Quantized q = quantized(before, mode);
      if (!q.refused.empty()) continue;  // the other test says so
      std::vector<double> found;
      EXPECT_EQ(judged(q.model, feeds, found), "");
      EXPECT_GE(snr(outputs(q.model, feeds), found), mode.integer ? std::min(kSame, line.least) : 60);
    }
  }
}

}  // namespace

}  // namespace compressor::quantize::between
