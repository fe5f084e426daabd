// dynamic: products whose input gets its scale while the model runs.
//
//   x -> MatMul(W) -> y   ==>   x -> DynamicQuantizeLinear -> (q, s, z)
//                               (q, W', z) -> MatMulInteger -> Cast -> Mul(s * s_w) -> y
//   Gemm(W, C)            ==>   the same, then Add C
//   MatMul(x, y)          ==>   the same, with a DynamicQuantizeLinear for y      (where asked for)
//   Conv(W, b)            ==>   the same with ConvInteger, then Add b             (where asked for)
//   LSTM                  ==>   DynamicQuantizeLSTM                               (dynamic_lstm)
//
// W' is int8 [K, N] with a scale for every column. ONNX Runtime fuses all of it into one kernel; its
// ConvInteger is several times slower with int8 weights than with uint8 ones, so these have 128 added. The
// operators are those of opset 11.
#include "passes/quantize/integer/dynamic.h"

#include <map>
#include <tuple>

#include "compressor/base/error.h"
#include "compressor/codec/storage.h"
#include "compressor/ops/facts.h"
#include "compressor/rewrite/fold.h"
#include "compressor/rewrite/upgrade.h"
#include "passes/quantize/integer/dynamic_lstm.h"
#include "passes/quantize/integer/static_weights.h"

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
  Dynamic(Model& model, const StaticOptions& options, const DynamicOptions& which, PassContext& context)
      : model_(model),
        options_(options),
        which_(which),
        context_(context),
        facts_(infer_facts(model)),
        lstm_(model, options) {}

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
                          layers.empty() ? std::string(": the model has no MatMul, Gemm or LSTM")
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
    if (node.is("ConvTranspose") || node.is("GRU") || node.is("RNN"))
      return fmt::format("has no form with scales found while it runs: {}", node.op());
    const bool known = node.is("MatMul") || node.is("Gemm") || node.is("Conv") || node.is("LSTM");
    if (!known) return kNoProduct;
    if (!context_.filter.matches(node)) return "is left out by --include or --exclude";
    if (node.is("Conv") && !which_.convolutions)
      return "is a convolution, which few processors compute faster so: --dynamic-conv";
    if (!node.input(0) || !node.input(1)) return "lacks an operand";
    if (!node.output(0) && !node.is("LSTM")) return "gives nothing";
    if (facts_.of(*node.input(0)).dtype != DType::kFloat) return "works on another type than float32";
    if (node.is("LSTM")) return lstm_.refusal(node);
    const auto w = fixed_constant(model_, *node.input(1));
    if (!w && node.is("MatMul")) return refusal_of_two(node);
    if (!w)
      return fmt::format("has weight '{}', which is computed or may be replaced by a caller",
                         node.input(1)->name());
    if (node.is("Conv")) return refusal_of_conv(node, *w);
    if (w->dtype != DType::kFloat || w->rank() != 2 || !weight_spot(model_, node))
      return fmt::format("has weight '{}' of type {} and shape {}, expected a matrix of float32",
                         node.input(1)->name(), name(w->dtype), to_string(w->shape));
    if (node.is("Gemm") &&
        (node.float_or("alpha", 1) != 1 || node.float_or("beta", 1) != 1 || node.int_or("transA", 0) != 0))
      return "has alpha, beta or transA";
    return refusal_of_numbers(*w);
  }

  static std::string refusal_of_numbers(const Tensor& w) {
    const std::string why = why_no_codes(w);
    return why.empty() ? "" : "has a weight that " + why;
  }

  std::string refusal_of_two(const Node& node) const {
    const Value& w = *node.input(1);
    if (!which_.activations)
      return fmt::format(
          "has weight '{}', which is computed or may be replaced by a caller: "
          "--dynamic-activations takes those too",
          w.name());
    return facts_.of(w).dtype == DType::kFloat ? "" : "works on another type than float32";
  }

  std::string refusal_of_conv(const Node& node, const Tensor& w) const {
    const auto spot = weight_spot(model_, node);
    if (!spot || w.rank() < 3) return fmt::format("has a weight of shape {}", to_string(w.shape));
    if (!spot->paired) return "has one input a group, where integers are slower";
    return refusal_of_numbers(w);
  }

  const Value* add(Graph& graph, const Node& before, const std::string& op, std::vector<const Value*> inputs,
                   const std::string& name, std::size_t outputs = 1, std::vector<Attribute> settings = {}) {
    NodeSpec spec{.op = op, .inputs = std::move(inputs)};
    for (std::size_t i = 0; i < outputs; ++i) spec.outputs.push_back(graph.fresh_name(name));
    spec.attributes = std::move(settings);
    spec.name = spec.outputs[0];
    return graph.add_node(std::move(spec), &before).output(0);
  }

  struct Stored {
    const Value *codes = nullptr, *scales = nullptr, *zero = nullptr;
    std::string text = {};
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

  /// The weight of a convolution as uint8 with a zero point of 128, and its scales [M, 1, 1 ..].
  const Stored& stored_filters(Graph& graph, const Node& node) {
    const Value& source = *node.input(1);
    const WeightSpot spot = *weight_spot(model_, node);
    Stored& known = stored_[{&graph, source.name(), -1}];
    if (known.codes) return known;
    const Tensor weight = *fixed_constant(model_, source);
    StaticOptions exact = options_;
    exact.target.saturates = false;  // of u8 and u8 no pair does
    exact.target.per_channel = true;
    const codec::Grid grid = weight_grid(weight, spot, exact);
    const BytesView view = grid.codes.view();
    std::vector<std::byte> shifted(view.bytes().begin(), view.bytes().end());
    for (std::byte& b : shifted) b ^= std::byte{0x80};
    Tensor codes;
    codes.dtype = DType::kUint8;
    codes.shape = weight.shape;
    codes.bytes = Bytes::own(std::move(shifted));
    Dims shape(weight.shape.size() - 1, 1);
    shape[0] = weight.shape[0];
    known.codes = graph.add_initializer(graph.fresh_name(source.name() + ".q"), std::move(codes));
    known.scales = graph.add_initializer(graph.fresh_name(source.name() + ".scale"),
                                         Tensor::of(shape, std::span<const float>(grid.scale)));
    const double middle = 128;
    known.zero = graph.add_initializer(graph.fresh_name(source.name() + ".zero"),
                                       Tensor::of(DType::kUint8, {}, std::span<const double>(&middle, 1)));
    known.text = fmt::format("weight '{}': uint8, {} scales", source.name(), grid.scale.size());
    return known;
  }

  /// A quantized operand; once for all products of a value in a graph.
  const Node& quantized(Graph& graph, const Node& node, std::size_t operand = 0) {
    const Value& x = *node.input(operand);
    const Node*& known = inputs_[{&graph, &x}];
    if (!known)
      known = add(graph, node, "DynamicQuantizeLinear", {&x}, x.name() + ".quantize", 3)->producer();
    return *known;
  }

  /// The second operand of a product: a weight, or what a DynamicQuantizeLinear makes of an activation.
  Stored right(Graph& graph, const Node& node) {
    if (node.is("Conv")) return stored_filters(graph, node);
    if (fixed_constant(model_, *node.input(1))) return stored(graph, node);
    const Node& q = quantized(graph, node, 1);
    return {q.output(0), q.output(1), q.output(2), "both operands: uint8, scales found while it runs"};
  }

  /// The bias of a convolution, so that it goes with [N, M, ..].
  const Value* bias_of_filters(Graph& graph, const Node& node, const std::string& stem) {
    const std::int64_t rank = fixed_constant(model_, *node.input(1))->rank();
    Dims shape(static_cast<std::size_t>(rank) - 1, 1);
    shape[0] = -1;
    if (auto t = fixed_constant(model_, *node.input(2))) {
      shape[0] = static_cast<std::int64_t>(t->size());
      t->shape = shape;
      return graph.add_initializer(graph.fresh_name(stem + ".bias"), std::move(*t));
    }
    const Value* target = graph.add_initializer(graph.fresh_name(stem + ".shape"),
                                                Tensor::of({rank - 1}, std::span<const std::int64_t>(shape)));
    return add(graph, node, "Reshape", {node.input(2), target}, stem + ".bias");
  }

  static std::vector<Attribute> settings(const Node& node) {
    std::vector<Attribute> copies;
    for (const Attribute& a : node.attributes()) copies.push_back(copy_plain(a));
    return copies;
  }

  void rewrite(Graph& graph, const Node& node) {
    if (node.is("LSTM")) {
      const std::string label = node.label();
      LayerRecord record{.node = label, .op = node.op(), .action = "quantized", .detail = ""};
      record.detail = lstm_.rewrite(graph, node);
      context_.result.layers.push_back(std::move(record));
      return;
    }
    const Value& source = *node.input(1);
    const Value& y = *node.output(0);
    const std::string stem = y.name();
    const Stored w = right(graph, node);
    const Node& q = quantized(graph, node);
    context_.done(node, "quantized", w.text);
    const bool filters = node.is("Conv");
    std::vector<const Value*> operands{q.output(0), w.codes, q.output(2)};
    if (w.zero) operands.push_back(w.zero);
    const Value* sum = add(graph, node, filters ? "ConvInteger" : "MatMulInteger", std::move(operands),
                           stem + ".product", 1, filters ? settings(node) : std::vector<Attribute>{});
    std::vector<Attribute> to;
    to.emplace_back("to", static_cast<std::int64_t>(DType::kFloat));
    const Value* whole = add(graph, node, "Cast", {sum}, stem + ".cast", 1, std::move(to));
    const Value* scale = add(graph, node, "Mul", {q.output(1), w.scales}, stem + ".scale");
    const Value* result = add(graph, node, "Mul", {whole, scale}, stem + ".dequantize");
    const Value* bias = node.is("MatMul") ? nullptr : node.input(2);
    if (bias && filters) bias = bias_of_filters(graph, node, stem);
    if (bias) result = add(graph, node, "Add", {result, bias}, stem + ".add");
    const Value* left_over = filters ? node.input(2) : nullptr;
    graph.replace_uses(y, *result);
    graph.erase(node);
    drop_if_unread(graph, source);
    if (left_over) drop_if_unread(graph, *left_over);
  }

  /// A constant of this graph that nothing reads any more.
  static void drop_if_unread(Graph& graph, const Value& v) {
    if (!v.uses().empty() || &v.graph() != &graph) return;
    if (v.initializer()) {
      if (v.is_input()) graph.erase_input(v);
      return graph.erase_initializer(v);
    }
    if (v.producer() && v.producer()->is("Constant")) graph.erase(*v.producer());
  }

  Model& model_;
  const StaticOptions& options_;
  const DynamicOptions& which_;
  PassContext& context_;
  FactsMap facts_;
  DynamicLstm lstm_;
  std::map<std::tuple<const Graph*, std::string, std::int64_t>, Stored> stored_;
  std::map<std::pair<const Graph*, const Value*>, const Node*> inputs_;
};

}  // namespace

void quantize_dynamic(Model& model, const StaticOptions& options, const DynamicOptions& which,
                      PassContext& context) {
  note_closed(close_weights(model), context);
  if (model.opset() < kOpset) {
    if (const std::string why = why_not_upgrade(model, kOpset); !why.empty())
      throw Error::model("mode dynamic needs opset {}: {}", kOpset, why);
    context.note(fmt::format("opset raised from {} to {}", model.opset(), kOpset));
    upgrade(model, kOpset);
  }
  fold_weight_constants(model);
  Dynamic(model, options, which, context).run();
}

}  // namespace compressor::quantize
