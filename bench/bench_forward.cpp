// bench_forward: ResNet-50 and MobileNet-v2 forward in our engine, beside the bare oneDNN primitives of the
// same convolutions and products, one after the other. bench/forward.sh puts ONNX Runtime beside both.
//
//   bench_forward [--benchmark_filter=...]
//
// With COMPRESSOR_BENCH_SAVE=DIR the models are written there, as <net>_<batch>.onnx, and nothing is
// measured.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <iostream>

#include "builder.h"
#include "compressor/base/threads.h"
#include "compressor/engine/executor.h"
#include "compressor/kernels/convolution.h"
#include "compressor/kernels/product.h"
#include "compressor/onnx/save.h"

namespace compressor::build {
namespace {

V bottleneck(Net& net, V x, std::int64_t in, std::int64_t width, std::int64_t stride) {
  const std::int64_t out = 4 * width;
  V y = net.cbr(x, in, width, {.kernel = 1});
  y = net.cbr(y, width, width, {.kernel = 3, .stride = stride});
  y = net.bn(net.conv(y, width, out, {.kernel = 1}), out);
  if (in != out || stride != 1) x = net.bn(net.conv(x, in, out, {.kernel = 1, .stride = stride}), out);
  return net.relu(net.add(y, x));
}

Model resnet50(std::int64_t batch) {
  Net net;
  V x = net.cbr(net.input("x", {batch, 3, 224, 224}), 3, 64, {.kernel = 7, .stride = 2});
  x = net.op("MaxPool", {x},
             {attr("kernel_shape", Ints{3, 3}), attr("strides", Ints{2, 2}), attr("pads", Ints{1, 1, 1, 1})});
  std::int64_t in = 64;
  const std::int64_t blocks[] = {3, 4, 6, 3};
  for (std::int64_t stage = 0; stage < 4; ++stage) {
    const std::int64_t width = 64 << stage;
    for (std::int64_t i = 0; i < blocks[stage]; ++i) {
      x = bottleneck(net, x, in, width, i == 0 && stage > 0 ? 2 : 1);
      in = 4 * width;
    }
  }
  net.output(net.linear(net.gap(x), 2048, 1000));
  return net.done();
}

V relu6(Net& net, V x) {
  return net.op("Clip", {x, net.number(0), net.number(6)});
}

V inverted(Net& net, V x, std::int64_t in, std::int64_t out, std::int64_t factor, std::int64_t stride) {
  const std::int64_t wide = in * factor;
  V y = x;
  if (factor != 1) y = relu6(net, net.bn(net.conv(y, in, wide, {.kernel = 1}), wide));
  y = relu6(net, net.bn(net.conv(y, wide, wide, {.kernel = 3, .stride = stride, .group = wide}), wide));
  y = net.bn(net.conv(y, wide, out, {.kernel = 1}), out);
  return in == out && stride == 1 ? net.add(y, x) : y;
}

Model mobilenet(std::int64_t batch) {
  struct Stage {
    std::int64_t factor, out, times, stride;
  };
  Net net;
  V x = net.bn(net.conv(net.input("x", {batch, 3, 224, 224}), 3, 32, {.kernel = 3, .stride = 2}), 32);
  x = relu6(net, x);
  std::int64_t in = 32;
  for (const Stage& s : {Stage{1, 16, 1, 1}, Stage{6, 24, 2, 2}, Stage{6, 32, 3, 2}, Stage{6, 64, 4, 2},
                         Stage{6, 96, 3, 1}, Stage{6, 160, 3, 2}, Stage{6, 320, 1, 1}}) {
    for (std::int64_t i = 0; i < s.times; ++i) {
      x = inverted(net, x, in, s.out, s.factor, i == 0 ? s.stride : 1);
      in = s.out;
    }
  }
  x = relu6(net, net.bn(net.conv(x, 320, 1280, {.kernel = 1}), 1280));
  net.output(net.linear(net.gap(x), 1280, 1000));
  return net.done();
}

Model make(const std::string& name, std::int64_t batch) {
  return name == "resnet50" ? resnet50(batch) : mobilenet(batch);
}

kernels::Buffer filled(std::uint64_t count) {
  const kernels::Buffer buffer(count * sizeof(float));
  Random random(3);
  for (std::uint64_t i = 0; i < count; ++i) buffer.as<float>()[i] = static_cast<float>(random.uniform());
  return buffer;
}

/// The convolutions and products of a model, ready to run on memory of their own.
class Primitives {
 public:
  explicit Primitives(const Model& model) {
    const FactsMap facts = infer_facts(model);
    std::uint64_t most = 0;
    for (const Node& node : model.graph->nodes()) {
      if (node.is("Conv")) add_convolution(node, facts);
      if (node.is("Gemm")) add_product(node, facts);
      if (!node.is("Conv") && !node.is("Gemm")) continue;
      for (const Value* v : {node.input(0), node.output(0)}) most = std::max(most, size(facts, *v));
    }
    x_ = filled(most);
    y_ = filled(most);
    bias_ = filled(4096);
  }
  void run() const {
    bool turn = false;
    for (const Conv& c : convolutions_) {
      const kernels::Buffer& from = turn ? y_ : x_;
      c.kernel->forward(from.as<float>(), c.weight, bias_.as<float>(), (turn ? x_ : y_).as<float>());
      turn = !turn;
    }
    for (const Product& p : products_)
      p.kernel->run(x_.as<float>(), p.weight, bias_.as<float>(), y_.as<float>());
  }

 private:
  struct Conv {
    std::shared_ptr<const kernels::Convolution> kernel;
    kernels::Buffer weight;
  };
  struct Product {
    std::shared_ptr<const kernels::Product> kernel;
    std::vector<kernels::Buffer> weight;
  };
  static std::int64_t dim(const FactsMap& facts, const Value& v, std::size_t i) {
    return facts.of(v).dims[i].number();
  }
  static std::uint64_t size(const FactsMap& facts, const Value& v) {
    std::uint64_t n = 1;
    for (std::size_t i = 0; i < facts.of(v).dims.size(); ++i)
      n *= static_cast<std::uint64_t>(dim(facts, v, i));
    return n;
  }
  void add_convolution(const Node& node, const FactsMap& facts) {
    const Dims& w = node.input(1)->initializer()->shape;
    kernels::ConvShape s;
    s.n = dim(facts, *node.input(0), 0);
    s.groups = node.int_or("group", 1);
    s.c_in = dim(facts, *node.input(0), 1);
    s.c_out = w[0];
    for (std::size_t i = 0; i < 2; ++i) {
      s.in[i + 1] = dim(facts, *node.input(0), i + 2);
      s.out[i + 1] = dim(facts, *node.output(0), i + 2);
      s.kernel[i + 1] = w[i + 2];
      s.stride[i + 1] = node.ints_or("strides", {})[i];
      s.pad_begin[i + 1] = node.ints_or("pads", {})[i];
      s.pad_end[i + 1] =
          (s.out[i + 1] - 1) * s.stride[i + 1] + s.kernel[i + 1] - s.in[i + 1] - s.pad_begin[i + 1];
    }
    const auto kernel = kernels::convolution(s, {}, false, true);
    const kernels::Buffer plain = filled(num_elements(w));
    convolutions_.push_back({kernel, kernel->pack(plain.data())});
  }
  void add_product(const Node& node, const FactsMap& facts) {
    const Dims& w = node.input(1)->initializer()->shape;
    const auto kernel = kernels::product(
        {.m = dim(facts, *node.input(0), 0), .n = w[0], .k = w[1], .trans_b = true}, {}, true);
    const kernels::Buffer plain = filled(num_elements(w));
    products_.push_back({kernel, kernel->pack(plain.data())});
  }

  std::vector<Conv> convolutions_;
  std::vector<Product> products_;
  kernels::Buffer x_, y_, bias_;
};

void engine(benchmark::State& state, const std::string& name, std::int64_t batch) {
  const Model model = make(name, batch);
  Executor executor(model);
  const Dims shape{batch, 3, 224, 224};
  Tensor x;
  x.dtype = DType::kFloat;
  x.shape = shape;
  x.bytes = filled(num_elements(shape)).bytes();
  const Executor::Feeds feeds{{"x", x}};
  executor.run(feeds);
  kernels::reset_peak();
  const std::uint64_t before = kernels::memory_use().live;
  for ([[maybe_unused]] auto _ : state) executor.run(feeds);
  state.counters["activations_MB"] = static_cast<double>(kernels::memory_use().peak - before) / 1e6;
}

void primitives(benchmark::State& state, const std::string& name, std::int64_t batch) {
  const Primitives all(make(name, batch));
  all.run();
  for ([[maybe_unused]] auto _ : state) all.run();
}

void register_all() {
  for (const char* name : {"resnet50", "mobilenet"}) {
    for (const std::int64_t batch : {1, 32}) {
      const std::string of = std::string(name) + "_" + std::to_string(batch);
      benchmark::RegisterBenchmark(("engine/" + of).c_str(), engine, name, batch)
          ->UseRealTime()
          ->Unit(benchmark::kMillisecond);
      benchmark::RegisterBenchmark(("primitives/" + of).c_str(), primitives, name, batch)
          ->UseRealTime()
          ->Unit(benchmark::kMillisecond);
    }
  }
}

}  // namespace
}  // namespace compressor::build

int main(int argc, char** argv) {
  using namespace compressor;
  if (const char* folder = std::getenv("COMPRESSOR_BENCH_SAVE")) {
    for (const char* name : {"resnet50", "mobilenet"}) {
      for (const std::int64_t batch : {1, 32}) {
        save_model(build::make(name, batch),
                   std::string(folder) + "/" + name + "_" + std::to_string(batch) + ".onnx");
      }
    }
    return 0;
  }
  build::register_all();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
