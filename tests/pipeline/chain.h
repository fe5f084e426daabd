// chain: three products in a row, of which the second has one weight far larger than all others, so that a
// grid over the whole tensor spoils it.
#pragma once

#include <iostream>
#include <string>
#include <vector>

#include "compressor/base/random.h"
#include "compressor/engine/executor.h"
#include "compressor/graph/model.h"

namespace compressor::testing_chain {

inline constexpr std::uint64_t kSeed = 7;
inline constexpr std::int64_t kWidth = 32;
/// Another name that a careless pattern would match: "layerA2".
inline const std::string kSpoiled = "layer.2";

inline std::vector<double> numbers(std::uint64_t n, std::uint64_t seed, double scale) {
  Random random(seed);
  std::vector<double> v(n);
  for (double& x : v) x = random.normal() * scale;
  return v;
}

inline Model chain() {
  std::cout << "seed " << kSeed << "\n";
  Model model;
  model.ir_version = 8;
  model.opsets.push_back({.domain = "", .version = 13});
  Graph& g = *model.graph;
  g.set_name("chain");
  const Value* x = g.add_input("x", Type::tensor(DType::kFloat, Dims{8, kWidth}));
  std::uint64_t seed = kSeed;
  for (const std::string& name : {std::string("layer.1"), kSpoiled, std::string("layerA2")}) {
    std::vector<double> w = numbers(static_cast<std::uint64_t>(kWidth * kWidth), ++seed, 0.2);
    if (name == kSpoiled) w[5] = 8;
    const Value* weight = g.add_initializer(name + ".w", Tensor::of(DType::kFloat, {kWidth, kWidth}, w));
    const Node& product = g.add_node(
        {.op = "MatMul", .inputs = {x, weight}, .outputs = {name + ".y"}, .attributes = {}, .name = name});
    x = product.output(0);
    if (name != "layerA2")
      x = g.add_node({.op = "Relu",
                      .inputs = {x},
                      .outputs = {name + ".relu"},
                      .attributes = {},
                      .name = name + ".r"})
              .output(0);
  }
  g.add_output(*x);
  return model;
}

inline std::vector<Executor::Feeds> inputs_of(int count) {
  std::vector<Executor::Feeds> feeds;
  for (int i = 0; i < count; ++i) {
    feeds.push_back({{"x", Tensor::of(DType::kFloat, {8, kWidth},
                                      numbers(8 * static_cast<std::uint64_t>(kWidth),
                                              100 + static_cast<std::uint64_t>(i), 1))}});
  }
  return feeds;
}

}  // namespace compressor::testing_chain
