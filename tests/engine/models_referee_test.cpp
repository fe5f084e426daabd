// models_referee: real networks in the executor and in ONNX Runtime, on the same seeded inputs.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "compressor/base/random.h"
#include "compressor/base/threads.h"
#include "compressor/data/numpy.h"
#include "compressor/engine/executor.h"
#include "compressor/onnx/load.h"
#include "referee.h"

namespace compressor {
namespace {

constexpr std::uint64_t kSeed = 20261124;
constexpr double kTolerance = 1e-4;

std::string stem(const std::string& path) {
  return std::filesystem::path(path).filename().string();
}

/// Detectors that read bytes as they are; the scores of noise around zero would be noise themselves.
bool reads_bytes(const std::string& path) {
  return path.find("yolox") != std::string::npos || path.find("yunet") != std::string::npos;
}

/// Numbers like those the network is fed with: open axes are 1 where first, else 16.
Executor::Feeds seeded_feeds(const Model& model, const std::string& path) {
  Random random(kSeed);
  Executor::Feeds feeds;
  for (const Value* v : model.graph->inputs()) {
    if (v->initializer()) continue;
    Dims shape;
    const std::int64_t open = path.find("silero") != std::string::npos ? 512 : 16;  // it takes 32 ms of sound
    for (const Dim& d : v->type().dims) {
      const bool first = shape.empty() || v->type().dims.size() == 3;
      shape.push_back(d.known() ? d.value : first ? 1 : open);
    }
    std::vector<double> numbers(num_elements(shape));
    const bool real = is_float(v->type().dtype);
    const bool bytes = !real || reads_bytes(path);
    for (double& n : numbers)
      n = bytes ? static_cast<double>(random.below(real ? 256 : 100)) : random.normal();
    if (v->name() == "sr") numbers.assign(1, 16000);  // a sampling rate
    feeds[v->name()] = Tensor::of(v->type().dtype, shape, numbers);
  }
  return feeds;
}

std::vector<Tensor> run(const Model& model, const Executor::Feeds& feeds, ExecutorOptions options = {}) {
  std::vector<Tensor> results;
  for (ops::RunValue& v : Executor(model, std::move(options)).run(feeds))
    results.push_back(std::move(v.tensor));
  return results;
}

/// max |a - b| / max |b|
double difference(const Tensor& a, const Tensor& b) {
  if (a.shape != b.shape || a.dtype != b.dtype) return HUGE_VAL;
  const std::vector<double> x = to_doubles(a);
  const std::vector<double> y = to_doubles(b);
  double worst = 0;
  double scale = 1e-9;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (std::isnan(x[i]) != std::isnan(y[i])) return HUGE_VAL;
    worst = std::max(worst, std::fabs(x[i] - y[i]));
    scale = std::max(scale, std::fabs(y[i]));
  }
  return worst / scale;
}

TEST(RealModelsReferee, LongOutputsAreThoseOfOnnxRuntime) {
  REQUIRE_REFEREE();
  REQUIRE_MODELS();
  const judge::TempFolder folder;
  for (const std::string& path : judge::real_models()) {
    SCOPED_TRACE(stem(path));
    const Model model = load_model(path);
    const Executor::Feeds feeds = seeded_feeds(model, path);
    std::vector<std::pair<std::string, Tensor>> arrays;
    for (const auto& [name, value] : feeds) arrays.emplace_back(name, value.tensor);
    write_npz(folder.file("feeds.npz"), arrays);
    const std::string refused =
        judge::error_of_run(path, {.feeds = folder.file("feeds.npz"), .save = folder.file("out.npz")});
    if (!refused.empty()) {
      std::printf("%s: ONNX Runtime refuses these inputs: %s\n", stem(path).c_str(),
                  refused.substr(0, 120).c_str());
      continue;
    }
    const auto expected = read_npz(folder.file("out.npz"));
    const std::vector<Tensor> results = run(model, feeds);
    for (std::size_t i = 0; i < results.size(); ++i) {
      const std::string& name = model.graph->outputs()[i]->name();
      ASSERT_TRUE(expected.contains(name)) << name;
      EXPECT_LE(difference(results[i], expected.at(name)), kTolerance)
          << "output " << name << ", seed " << kSeed;
    }
  }
}

TEST(RealModels, LongBitsDoNotDependOnTheNumberOfThreads) {
  REQUIRE_MODELS();
  const int before = threads();
  for (const std::string& path : judge::real_models()) {
    SCOPED_TRACE(stem(path));
    const Model model = load_model(path);
    const Executor::Feeds feeds = seeded_feeds(model, path);
    set_threads(1);
    const std::vector<Tensor> one = run(model, feeds);
    set_threads(2);
    const std::vector<Tensor> two = run(model, feeds);
    for (std::size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(equal(one[i], two[i])) << "output " << i;
  }
  set_threads(before);
}

TEST(RealModels, LongFusedAndSingleNodesAgree) {
  REQUIRE_MODELS();
  for (const std::string& path : judge::real_models()) {
    SCOPED_TRACE(stem(path));
    const Model model = load_model(path);
    const Executor::Feeds feeds = seeded_feeds(model, path);
    ExecutorOptions single;
    single.fuse = false;
    const std::vector<Tensor> a = run(model, feeds);
    const std::vector<Tensor> b = run(model, feeds, single);
    for (std::size_t i = 0; i < a.size(); ++i)
      EXPECT_LE(difference(a[i], b[i]), kTolerance) << "output " << i;
  }
}

}  // namespace
}  // namespace compressor
