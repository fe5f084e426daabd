// bench_train_step: one training step of ResNet-20 on CIFAR-10's shapes: forward, cross-entropy, backward,
// SGD with momentum. bench/train_step.sh puts PyTorch beside it.
//
//   bench_train_step [--benchmark_filter=...]      arguments: batch size, stretches of checkpointing
//
// With COMPRESSOR_BENCH_PROFILE=1 the forward seconds by operator are printed at the end.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <iostream>

#include "builder.h"
#include "compressor/kernels/memory.h"
#include "engine/training_net.h"

namespace compressor::build {
namespace {

constexpr std::int64_t kClasses = 10;

/// The shortcut of the paper: every second pixel, new channels are zeros.
V block(Net& net, V x, std::int64_t in, std::int64_t out) {
  const std::int64_t stride = in == out ? 1 : 2;
  V y = net.cbr(x, in, out, {.stride = stride});
  y = net.bn(net.conv(y, out, out), out);
  if (in != out) {
    x = net.op("Slice",
               {x, net.ints({0, 0}), net.ints({INT32_MAX, INT32_MAX}), net.ints({2, 3}), net.ints({2, 2})});
    const std::int64_t side = (out - in) / 2;
    x = net.op("Pad", {x, net.ints({0, side, 0, 0, 0, side, 0, 0})});
  }
  return net.relu(net.add(y, x));
}

Model resnet20(std::int64_t batch) {
  Net net;
  V x = net.cbr(net.input("x", {batch, 3, 32, 32}), 3, 16);
  std::int64_t in = 16;
  for (const std::int64_t out : {16, 32, 64}) {
    for (int i = 0; i < 3; ++i) {
      x = block(net, x, in, out);
      in = out;
    }
  }
  net.output(net.linear(net.gap(x), 64, kClasses));
  return net.done();
}

void update(Executor& executor, const Executor::Gradients& gradients,
            std::map<const Value*, std::vector<float>>& momenta) {
  for (auto& [value, m] : momenta) {
    const auto w = executor.parameter(*value);
    const BytesView view = gradients.at(value).bytes.view();
    const auto* g = reinterpret_cast<const float*>(view.data());
    for (std::size_t i = 0; i < w.size(); ++i) {
      m[i] = 0.9F * m[i] + g[i] + 1e-4F * w[i];
      w[i] -= 0.01F * m[i];
    }
  }
}

void report(Executor& executor) {
  std::map<std::string, double> by_op;
  for (const auto& [node, seconds] : executor.take_timing()) by_op[node->op()] += seconds;
  for (const auto& [op, seconds] : by_op) std::cerr << op << " " << seconds << " s\n";
}

void train_step(benchmark::State& state) {
  const std::int64_t batch = state.range(0);
  const Model model = resnet20(batch);
  ExecutorOptions options;
  options.training = true;
  options.batch_statistics = true;
  options.parameters = trainable(model);
  options.stretches = static_cast<int>(state.range(1));
  Executor executor(model, options);
  std::map<const Value*, std::vector<float>> momenta;
  for (const Value* v : options.parameters) momenta[v].resize(executor.parameter(*v).size());

  Random random(1);
  std::vector<float> pictures(static_cast<std::size_t>(batch) * 3 * 32 * 32);
  for (float& v : pictures) v = static_cast<float>(random.normal());
  std::vector<std::int64_t> labels(static_cast<std::size_t>(batch));
  for (std::int64_t& l : labels) l = static_cast<std::int64_t>(random.uniform() * kClasses);
  const Executor::Feeds feeds{{"x", Tensor::of({batch, 3, 32, 32}, std::span<const float>(pictures))}};
  double first = -1;
  double last = 0;
  const auto step = [&] {
    const Loss loss = cross_entropy(executor.run(feeds)[0].tensor, labels);
    update(executor, executor.backward({{model.graph->outputs()[0], loss.gradient}}), momenta);
    last = loss.value;
    if (first < 0) first = last;
  };
  step();
  executor.take_timing();
  kernels::reset_peak();
  for (auto _ : state) step();
  state.counters["first_loss"] = first;
  state.counters["last_loss"] = last;
  state.counters["peak_MB"] = static_cast<double>(kernels::memory_use().peak) / 1e6;
  if (std::getenv("COMPRESSOR_BENCH_PROFILE")) report(executor);
}

BENCHMARK(train_step)->Args({128, 0})->Args({128, 5})->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace compressor::build

BENCHMARK_MAIN();
