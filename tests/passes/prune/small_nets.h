// small_nets: models of a layer or two with seeded weights, for tests of zeroing.
#pragma once

#include <string>
#include <vector>

#include "compressor/base/random.h"
#include "compressor/graph/model.h"

namespace compressor::prune::testing_nets {

inline constexpr std::uint64_t kSeed = 99;

inline std::vector<double> numbers(std::size_t n, std::uint64_t seed = kSeed) {
  Random random(seed);
  std::vector<double> values(n);
  for (double& v : values) v = random.normal();
  return values;
}

inline Tensor weight(const Dims& shape, DType type = DType::kFloat, std::uint64_t seed = kSeed) {
  return Tensor::of(type, shape, numbers(num_elements(shape), seed));
}

inline Model empty_model(std::int64_t opset = 13) {
  Model model;
  model.ir_version = 8;
  model.opsets.push_back({.domain = "", .version = opset});
  model.graph->set_name("test");
  return model;
}

/// x -> op(x, w) -> y, with the weight an initializer "w".
inline Model one_layer(const std::string& op, const Dims& input, const Tensor& w,
                       std::vector<Attribute> attributes = {}) {
  Model model = empty_model();
  Graph& g = *model.graph;
  const Value* x = g.add_input("x", Type::tensor(w.dtype, input));
  const Value* weights = g.add_initializer("w", w);
  const Node& node = g.add_node({.op = op,
                                 .inputs = {x, weights},
                                 .outputs = {"y"},
                                 .attributes = std::move(attributes),
                                 .name = "layer"});
  g.add_output(*node.output(0));
  return model;
}

inline Tensor weight_in(const Model& model, const std::string& name = "w") {
  return constant_of(*model.graph->find(name)).value();
}

}  // namespace compressor::prune::testing_nets
