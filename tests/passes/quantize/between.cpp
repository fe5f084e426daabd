// between: the layer behind the operator.
#include "passes/quantize/between.h"

#include "compressor/ops/facts.h"

namespace compressor::quantize::between {

Model close(Around& around, V result) {
  Model model = around.done();
  if (around.imports_microsoft()) model.opsets.push_back({.domain = "com.microsoft", .version = 1});
  const Facts facts = infer_facts(model).of(*result);
  Random random(3);
  int count = 1000;
  build::Builder tail(*model.graph, model.opset(), random, count);
  if (facts.dtype != DType::kFloat) result = tail.op("Cast", {result}, {attr("to", std::int64_t{1})});
  const V y = facts.rank() == 4 ? tail.conv(result, facts.dim(1).number(), 16, {.bias = true})
                                : tail.dense(result, facts.dim(-1).number(), 48);
  Type t;
  t.kind = Type::Kind::kTensor;
  t.dtype = DType::kFloat;
  model.graph->set_type(*y, std::move(t));
  model.graph->add_output(*y);
  return model;
}

}  // namespace compressor::quantize::between
