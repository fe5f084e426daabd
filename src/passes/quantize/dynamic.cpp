// dynamic: products whose input gets its scale while the model runs.
//
//   x -> MatMul(W) -> y   ==>   x -> DynamicQuantizeLinear -> (q, s, z)
//                               (q, W', z) -> MatMulInteger -> Cast -> Mul(s * s_w) -> y
//   Gemm(W, C)            ==>   the same, then Add C
//
// W' is int8 [K, N] with a scale for every column. ONNX Runtime fuses all of it into one kernel. The
// operators are those of opset 11.
#include "passes/quantize/dynamic.h"

#include <map>
#include <tuple>

#include "compressor/base/error.h"
#include "compressor/codec/storage.h"
#include "compressor/ops/facts.h"
#include "compressor/rewrite/upgrade.h"

namespace compressor::quantize {
namespace {

constexpr std::int64_t kOpset = 11;

/// Codes of [N, K] as [K, N].
Bytes transposed(const Bytes& codes, std::size_t n, std::size_t k) {
  const BytesView from = codes.view();
  std::vector<std::byte> to(n * k);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < k; ++j) to[j * n + i] = from.bytes()[i * k + j];
  }
  return Bytes::own(std::move(to));
}

class Dynamic {
 public:
  Dynamic(Model& model, const StaticOptions& options, PassContext& context)
      : model_(model), options_(options), context_(context), facts_(infer_facts(model)) {}

  void run() {
    context_.result.unit = "nodes";
    std::vector<std::pair<Graph*, const Node*>> work;
    model_.each_graph([&](Graph& graph) {
      for (const Node* node : graph.node_list()) {
        if (const std::string why = refusal(*node); why.empty()) {
          work.emplace_back(&graph, node);
        } else if (why != kNoProduct) {
          context_.skip(*node, why);
        }
      }
    });
    context_.result.eligible = static_cast<std::int64_t>(work.size()) + context_.result.skipped;
    if (work.empty()) {
      const auto& layers = context_.result.layers;
      throw Error::target("nothing can be quantized{}",
                          layers.empty() ? std::string(": the model has no MatMul or Gemm")
                                         : fmt::format(": '{}' {}", layers[0].node, layers[0].detail));
    }
    for (const auto& [graph, node] : work) rewrite(*graph, *node);
    context_.result.done = static_cast<std::int64_t>(work.size());
    context_.result.changed = true;
    raise_ir(model_, 4);
    context_.note(fmt::format("target {}: exact on {}", options_.target.name, options_.target.exact_on));
  }

 private:
  static constexpr const char* kNoProduct = "-";

  std::string refusal(const Node& node) const {
    if (node.is("Conv") || node.is("ConvTranspose") || node.is("LSTM") || node.is("GRU") || node.is("RNN"))
      return "is no product: mode dynamic takes MatMul and Gemm";
    if (!node.is("MatMul") && !node.is("Gemm")) return kNoProduct;
    if (!context_.filter.matches(node)) return "is left out by --include or --exclude";
    if (!node.input(0) || !node.input(1) || !node.output(0)) return "lacks an operand";
    if (facts_.of(*node.input(0)).dtype != DType::kFloat) return "works on another type than float32";
    const auto w = fixed_constant(model_, *node.input(1));
    if (!w)
      return fmt::format("has weight '{}', which is computed or may be replaced by a caller",
                         node.input(1)->name());
    if (w->dtype != DType::kFloat || w->rank() != 2 || !weight_spot(model_, node))
      return fmt::format("has weight '{}' of type {} and shape {}, expected a matrix of float32",
                         node.input(1)->name(), name(w->dtype), to_string(w->shape));
    if (node.is("Gemm") &&
        (node.float_or("alpha", 1) != 1 || node.float_or("beta", 1) != 1 || node.int_or("transA", 0) != 0))
      return "has alpha, beta or transA";
    const codec::Blocks one{.dims = {1, 1, w->size()}, .block = {1, 1, w->size()}};
    return fit(*w, one, {}).finite ? "" : "has a weight that is not finite";
  }

  const Value* add(Graph& graph, const Node& before, const std::string& op, std::vector<const Value*> inputs,
                   const std::string& name, std::size_t outputs = 1, std::vector<Attribute> settings = {}) {
    NodeSpec spec{.op = op, .inputs = std::move(inputs)};
    for (std::size_t i = 0; i < outputs; ++i) spec.outputs.push_back(graph.fresh_name(name));
    spec.attributes = std::move(settings);
    spec.name = name;
    return graph.add_node(std::move(spec), &before).output(0);
  }

  struct Stored {
    const Value *codes = nullptr, *scales = nullptr;
    std::string text;
  };

  /// The weight as int8 [K, N] and its scales [N]; once for all that read it alike.
  const Stored& stored(Graph& graph, const Node& node) {
    const Value& source = *node.input(1);
    const WeightSpot spot = *weight_spot(model_, node);
    Stored& known = stored_[{&graph, source.name(), spot.axis}];
    if (known.codes) return known;
    const Tensor weight = *fixed_constant(model_, source);
    codec::Grid grid = weight_grid(weight, spot, options_);
    const std::int64_t k = weight.shape[spot.axis == 0 ? 1 : 0], n = weight.shape[spot.axis == 0 ? 0 : 1];
    Tensor codes;
    codes.dtype = DType::kInt8;
    codes.shape = {k, n};
    codes.bytes = spot.axis == 0
                      ? transposed(grid.codes, static_cast<std::size_t>(n), static_cast<std::size_t>(k))
                      : grid.codes;
    known.codes = graph.add_initializer(graph.fresh_name(source.name() + ".q"), std::move(codes));
    known.scales = graph.add_initializer(graph.fresh_name(source.name() + ".scale"),
                                         Tensor::of({n}, std::span<const float>(grid.scale)));
    known.text = fmt::format("weight '{}': int8, {} scales", source.name(), n);
    return known;
  }

  /// The quantized input; once for all products of a value in a graph.
  const Node& quantized(Graph& graph, const Node& node) {
    const Value& x = *node.input(0);
    const Node*& known = inputs_[{&graph, &x}];
    if (!known)
      known = add(graph, node, "DynamicQuantizeLinear", {&x}, x.name() + ".quantize", 3)->producer();
    return *known;
  }

  void rewrite(Graph& graph, const Node& node) {
    const Value& source = *node.input(1);
    const Value& y = *node.output(0);
    const std::string stem = y.name();
    const Stored& w = stored(graph, node);
    const Node& q = quantized(graph, node);
    context_.done(node, "quantized", w.text);
    const Value* sum =
        add(graph, node, "MatMulInteger", {q.output(0), w.codes, q.output(2)}, stem + ".product");
    std::vector<Attribute> to;
    to.emplace_back("to", static_cast<std::int64_t>(DType::kFloat));
    const Value* whole = add(graph, node, "Cast", {sum}, stem + ".cast", 1, std::move(to));
    const Value* scale = add(graph, node, "Mul", {q.output(1), w.scales}, stem + ".scale");
    const Value* result = add(graph, node, "Mul", {whole, scale}, stem + ".dequantize");
    if (node.is("Gemm") && node.input(2))
      result = add(graph, node, "Add", {result, node.input(2)}, stem + ".add");
    graph.replace_uses(y, *result);
    graph.erase(node);
    if (!source.uses().empty() || &source.graph() != &graph) return;
    if (source.initializer()) {
      if (source.is_input()) graph.erase_input(source);
      return graph.erase_initializer(source);
    }
    graph.erase(*source.producer());
  }

  Model& model_;
  const StaticOptions& options_;
  PassContext& context_;
  FactsMap facts_;
  std::map<std::tuple<const Graph*, std::string, std::int64_t>, Stored> stored_;
  std::map<std::pair<const Graph*, const Value*>, const Node*> inputs_;
};

}  // namespace

void quantize_dynamic(Model& model, const StaticOptions& options, PassContext& context) {
  if (model.opset() < kOpset) {
    if (const std::string why = why_not_upgrade(model, kOpset); !why.empty())
      throw Error::model("mode dynamic needs opset {}: {}", kOpset, why);
    context.note(fmt::format("opset raised from {} to {}", model.opset(), kOpset));
    upgrade(model, kOpset);
  }
  Dynamic(model, options, context).run();
}

}  // namespace compressor::quantize
