// product_bias: MatMul and the Add behind it, in a form that stays two operators or becomes one with codes.
//
// ONNX Runtime turns MatMul -> Add(b [N]) into Gemm before it looks for integer kernels, and then finds none:
// b is float. With two axes we make that Gemm ourselves, so that its bias becomes int32; with more, a bias of
// as many axes as the product is left alone by that rule, and the MatMul gets its integer kernel.
#include "passes/quantize/integer/product_bias.h"

#include "compressor/base/error.h"
#include "compressor/ops/facts.h"

namespace compressor::quantize {
namespace {

struct Match {
  const Node *product = nullptr, *add = nullptr;
  std::size_t side = 0;  ///< the input of Add that is the bias
  Tensor bias;
  std::int64_t rank = 0;
};

std::optional<Match> match(const Model& model, const FactsMap& facts, const Node& add) {
  if (!add.is("Add") || add.inputs().size() != 2 || !add.output(0)) return std::nullopt;
  for (const std::size_t side : {1U, 0U}) {
    const Value *y = add.input(1 - side), *b = add.input(side);
    if (!y || !b || y->is_graph_output() || y->uses().size() != 1) continue;
    const Node* product = y->producer();
    if (!product || !product->is("MatMul") || &product->graph() != &add.graph() || !product->input(0) ||
        !product->input(1))
      continue;
    const auto bias = fixed_constant(model, *b);
    const auto weight = fixed_constant(model, *product->input(1));
    const Facts& x = facts.of(*product->input(0));
    const bool fits = bias && weight && bias->dtype == DType::kFloat && weight->dtype == DType::kFloat &&
                      weight->rank() == 2 && bias->shape == Dims{weight->shape[1]} && x.ranked &&
                      x.rank() >= 2;
    if (fits) return Match{product, &add, side, *bias, x.rank()};
  }
  return std::nullopt;
}

void make_gemm(Model& model, const Match& m) {
  Graph& graph = model.changeable(m.add->graph());
  const Value& y = *m.add->output(0);
  const bool is_output = y.is_graph_output();
  const std::string name = y.name();
  NodeSpec spec{.op = "Gemm",
                .inputs = {m.product->input(0), m.product->input(1), m.add->input(m.side)},
                .outputs = {graph.fresh_name(name)}};
  spec.name = m.product->name();
  const Value& sum = *graph.add_node(std::move(spec), m.add).output(0);
  graph.replace_uses(y, sum);
  const Node& product = *m.product;
  graph.erase(*m.add);
  graph.erase(product);
  if (!is_output) graph.rename(sum, name);
}

void raise_rank(Model& model, const Match& m) {
  Graph& graph = model.changeable(m.add->graph());
  const Value& b = *m.add->input(m.side);
  Tensor bias = m.bias;
  bias.shape.insert(bias.shape.begin(), static_cast<std::size_t>(m.rank - 1), 1);
  bias.notes = nullptr;
  graph.set_input(*m.add, m.side,
                  graph.add_initializer(graph.fresh_name(b.name() + ".wide"), std::move(bias)));
  if (!b.uses().empty()) return;
  Graph& home = model.changeable(b.graph());
  if (b.producer()) return home.erase(*b.producer());
  if (b.is_input()) home.erase_input(b);
  home.erase_initializer(b);
}

}  // namespace

std::int64_t place_product_biases(Model& model) {
  const FactsMap facts = infer_facts(model);
  std::int64_t made = 0;
  for (const Node* node : model.node_list()) {
    const auto m = match(model, facts, *node);
    if (!m) continue;
    if (m->rank > 2) {
      raise_rank(model, *m);
    } else {
      make_gemm(model, *m);
      ++made;
    }
  }
  return made;
}

}  // namespace compressor::quantize
