// qoperator: integer operators in the place of DequantizeLinear -> operator -> QuantizeLinear.
//
//   DQ(x) -> Conv(DQ(W), DQ(b)) -> Q        ==>   x -> QLinearConv(W, b)
//   DQ(a), DQ(b) -> MatMul -> Q             ==>   a, b -> QLinearMatMul
//   DQ(a), DQ(b) -> Add -> Q                ==>   a, b -> QLinearAdd             (com.microsoft, as all
//   below) DQ(x) -> Gemm(DQ(W), DQ(b)) [-> Q]      ==>   x -> QGemm(W, b) DQ(a), DQ(b) -> MatMul ==>   a, b
//   -> MatMulIntegerToFloat DQ(x) -> Sigmoid, AveragePool .. -> Q   ==>   x -> QLinearSigmoid,
//   QLinearAveragePool .. DQ(x) -> MaxPool, Reshape .. -> Q       ==>   x -> MaxPool, Reshape ..       where
//   Q has the scale of DQ
//
// Relu and Clip in front of Q disappear where the ends of the codes do the same, else they clip codes: Q is
// monotone, so Q(max(x, low)) = max(Q(x), Q(low)).
#include "passes/quantize/integer/qoperator.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "compressor/base/error.h"
#include "compressor/codec/grid.h"
#include "compressor/rewrite/rewriter.h"

namespace compressor::quantize {
namespace {

using Values = std::vector<const Value*>;

constexpr const char* kMicrosoft = "com.microsoft";

/// A tensor as whole numbers of 8 bits (32 for biases), with what they mean.
struct Coded {
  const Value *codes = nullptr, *scale = nullptr, *zero = nullptr;
  std::vector<float> scales;
  std::int64_t zero_code = 0;  ///< where there is one scale
  DType type = DType::kUndefined;

  bool same_grid(const Coded& other) const {
    return scales == other.scales && zero_code == other.zero_code && type == other.type;
  }
};

/// QuantizeLinear behind a node, and what an activation function between the two leaves of the codes.
struct Behind {
  const Node* quantize = nullptr;
  Coded to;
  double low = 0, high = 0;  ///< first and last code that are left
  bool clips = false;
};

/// The one node that reads the value, if it is one of the same graph.
const Node* only_reader(const Value* v) {
  if (!v || v->uses().size() != 1 || v->uses()[0].graph != &v->graph()) return nullptr;
  return v->uses()[0].node;
}

class ToCodes {
 public:
  ToCodes(Model& model, const Target& target) : model_(model), target_(target), rewriter_(model) {}

  void run(PassContext& context) {
    std::int64_t done = 0, eligible = 0;
    std::map<std::string, std::int64_t> kept;
    for (const Node* node : model_.node_list()) {
      if (!reads_codes(*node)) continue;
      ++eligible;
      const std::string why = rewrite(*node);
      done += why.empty() ? 1 : 0;
      if (!why.empty()) ++kept[fmt::format("{} {}", node->op(), why)];
    }
    rewriter_.remove_dead();
    model_.graph->sort();
    context.note(
        fmt::format("format qoperator: {} of {} operators that read codes compute on them", done, eligible));
    for (const auto& [what, count] : kept)
      context.note(fmt::format("kept between QuantizeLinear and DequantizeLinear: {} {}", count, what));
  }

 private:
  bool reads_codes(const Node& node) const {
    if (!node.domain().empty() || node.is("QuantizeLinear")) return false;
    return coded(node.input(0)) || (node.inputs().size() > 1 && coded(node.input(1)));
  }

  /// What stands in front of the value, when that is a DequantizeLinear with scales that we know.
  std::optional<Coded> coded(const Value* v) const {
    const Node* dq = v ? v->producer() : nullptr;
    if (!dq || !dq->is("DequantizeLinear") || dq->attribute("block_size")) return std::nullopt;
    return grid_of(*dq, dq->input(0));
  }

  std::optional<Coded> grid_of(const Node& node, const Value* codes) const {
    const auto scale = rewriter_.constant(node.input(1));
    const auto zero = rewriter_.constant(node.input(2));
    if (!scale || scale->dtype != DType::kFloat || (node.input(2) && !zero)) return std::nullopt;
    Coded c{.codes = codes, .scale = node.input(1), .zero = node.input(2), .scales = to_floats(*scale)};
    if (zero) {
      const std::vector<double> zeros = to_doubles(*zero);
      const bool one = std::all_of(zeros.begin(), zeros.end(), [&](double z) { return z == zeros[0]; });
      if (zeros.empty() || !one) return std::nullopt;
      c.zero_code = static_cast<std::int64_t>(zeros[0]);
      c.type = zero->dtype;
    } else if (const auto t = rewriter_.constant(codes)) {
      c.type = t->dtype;
    }
    const bool known = c.type == DType::kUint8 || c.type == DType::kInt8 || c.type == DType::kInt32;
    return known ? std::optional(c) : std::nullopt;
  }

  /// An activation: one scale, 8 bits.
  std::optional<Coded> activation(const Value* v) const {
    auto c = coded(v);
    return c && c->scales.size() == 1 && c->type != DType::kInt32 ? c : std::nullopt;
  }

  std::optional<std::pair<double, double>> limits(const Node& node) const {
    const double all = static_cast<double>(INFINITY);
    if (node.is("Relu")) return std::pair(0.0, all);
    std::pair<double, double> ends{-all, all};
    for (std::size_t i : {1U, 2U}) {
      if (!node.input(i)) continue;
      const auto t = rewriter_.constant(node.input(i));
      if (!t || t->size() != 1) return std::nullopt;
      (i == 1 ? ends.first : ends.second) = to_doubles(*t)[0];
    }
    return ends;
  }

  std::optional<Behind> behind(const Value* y) const {
    const Node* next = only_reader(y);
    std::pair<double, double> ends{-INFINITY, INFINITY};
    if (next && (next->is("Relu") || next->is("Clip")) && next->input(0) == y) {
      const auto found = limits(*next);
      if (!found || ends.first > ends.second) return std::nullopt;
      ends = *found;
      y = next->output(0);
      next = only_reader(y);
    }
    if (!next || !next->is("QuantizeLinear") || next->input(0) != y) return std::nullopt;
    const auto to = grid_of(*next, next->output(0));
    if (!to || to->scales.size() != 1 || !to->zero) return std::nullopt;
    Behind b{.quantize = next, .to = *to};
    const double first = codec::lowest(to->type), last = codec::highest(to->type);
    const auto code = [&](double v) {
      const auto scale = static_cast<double>(to->scales[0]);
      return std::clamp(std::nearbyint(v / scale) + static_cast<double>(to->zero_code), first, last);
    };
    b.low = code(ends.first);
    b.high = code(ends.second);
    b.clips = b.low > first || b.high < last;
    return b;
  }

  /// A zero point is given even where it is 0; it has the shape of the scale.
  const Value* zero_of(const Coded& c, const Node& before) {
    if (c.zero) return c.zero;
    const Dims shape = rewriter_.constant(c.scale)->shape;
    const Value*& known = zeros_[{&before.graph(), c.type, shape}];
    const std::vector<double> zeros(num_elements(shape));
    if (!known)
      known =
          rewriter_.add_constant("zero", Tensor::of(c.type, shape, std::span<const double>(zeros)), before);
    return known;
  }

  static std::vector<Attribute> settings(const Node& node) {
    std::vector<Attribute> copies;
    for (const Attribute& a : node.attributes()) copies.push_back(copy_plain(a));
    return copies;
  }

  const Node& add(const Node& node, const std::string& op, Values inputs, std::size_t outputs = 1) {
    NodeSpec spec{.op = op, .inputs = std::move(inputs), .attributes = settings(node)};
    spec.name = node.name();
    for (std::size_t i = 0; i < outputs; ++i) {
      const bool there = node.output(i) != nullptr;
      spec.outputs.push_back(there ? model_.graph->fresh_name(node.output(i)->name() + ".codes") : "");
    }
    const bool standard = op == node.op() || op == "QLinearConv" || op == "QLinearMatMul";
    if (!standard) {
      spec.domain = kMicrosoft;
      if (model_.opset(kMicrosoft) == 0) rewriter_.import(kMicrosoft, 1);
    }
    return rewriter_.add_node(std::move(spec), node);
  }

  /// Readers of what QuantizeLinear gave read the new codes.
  void put(const Behind& at, const Node& node, std::size_t output = 0) {
    const Value* codes = node.output(output);
    if (at.clips) {
      const auto bound = [&](double v) {
        return rewriter_.add_constant(codes->name() + ".end",
                                      Tensor::of(at.to.type, {}, std::span<const double>(&v, 1)), node);
      };
      NodeSpec clip{.op = "Clip", .inputs = {codes, bound(at.low), bound(at.high)}};
      clip.outputs = {model_.graph->fresh_name(codes->name() + ".clipped")};
      codes = rewriter_.add_node(std::move(clip), *at.quantize).output(0);
    }
    rewriter_.replace(*at.quantize->output(0), *codes);
  }

  Values triple(const Coded& c, const Node& before) { return {c.codes, c.scale, zero_of(c, before)}; }

  static void append(Values& to, const Values& from) { to.insert(to.end(), from.begin(), from.end()); }

  /// Why the node keeps its pairs; "" when it was rewritten.
  std::string rewrite(const Node& node) {
    const std::string& op = node.op();
    if (op == "Conv" || op == "MatMul" || op == "Gemm") return product(node);
    if (op == "Concat") return concat(node);
    if (op == "Shape") {
      rewriter_.set_input(node, 0, coded(node.input(0))->codes);
      return "";
    }
    if (op == "Softmax") return joined(node, {0});
    if (op == "Add" || op == "Mul") return joined(node, {0, 1});
    const bool unary =
        op == "GlobalAveragePool" || op == "AveragePool" || op == "Sigmoid" || op == "LeakyRelu";
    if (unary) return joined(node, {0});
    const auto& passing = target_.passing;
    if (std::find(passing.begin(), passing.end(), op) != passing.end()) return passed_on(node);
    return "has no operator on codes";
  }

  /// The bias as int32 with the scale of input times weight, or none.
  std::optional<Coded> bias(const Node& node, const Coded& x, const Coded& w) const {
    auto b = coded(node.input(2));
    if (!b || b->type != DType::kInt32 || b->zero_code != 0) return std::nullopt;
    for (std::size_t c = 0; c < b->scales.size(); ++c) {
      const float product = x.scales[0] * w.scales[w.scales.size() == 1 ? 0 : c];
      if (b->scales[c] != product) return std::nullopt;
    }
    return b;
  }

  std::string product(const Node& node) {
    const auto x = activation(node.input(0));
    const auto w = coded(node.input(1));
    if (!x || !w || w->type == DType::kInt32) return "reads floats";
    const auto at = behind(node.output(0));
    const bool wants_bias = !node.is("MatMul") && node.input(2);
    const auto b = wants_bias ? bias(node, *x, *w) : std::nullopt;
    if (wants_bias && !b) return "has a bias that is no int32 with the scale of input times weight";
    if (!at && node.is("Conv")) return "gives floats";
    if (!target_.microsoft && (!at || node.is("Gemm")))
      return at ? "has no operator on codes in ai.onnx" : "gives floats";
    if (!at && !node.output(0)) return "gives nothing";
    Values inputs = triple(*x, node);
    if (node.is("MatMul") && !at) {
      const Value* wz = zero_of(*w, node);
      const Node& n =
          add(node, "MatMulIntegerToFloat", {x->codes, w->codes, x->scale, w->scale, inputs[2], wz});
      rewriter_.replace(*node.output(0), *n.output(0));
      return "";
    }
    append(inputs, triple(*w, node));
    if (node.is("Gemm")) {
      inputs.push_back(b ? b->codes : nullptr);
      if (at) append(inputs, {at->to.scale, at->to.zero});
      const Node& n = add(node, "QGemm", inputs);
      model_.changeable(n.graph()).erase_attribute(n, "beta");
      if (at) put(*at, n);
      if (!at) rewriter_.replace(*node.output(0), *n.output(0));
      return "";
    }
    append(inputs, {at->to.scale, at->to.zero});
    if (b) inputs.push_back(b->codes);
    put(*at, add(node, node.is("Conv") ? "QLinearConv" : "QLinearMatMul", inputs));
    return "";
  }

  /// com.microsoft QLinear*, with scales of its own on either side.
  std::string joined(const Node& node, const std::vector<std::size_t>& operands) {
    if (!target_.microsoft) return "has no operator on codes in ai.onnx";
    const std::vector<std::int64_t> steps = node.ints_or("dilations", {});
    if (std::any_of(steps.begin(), steps.end(), [](std::int64_t s) { return s != 1; }))
      return "has dilations";
    const auto at = behind(node.output(0));
    if (!at) return "gives floats";
    Values inputs;
    for (const std::size_t i : operands) {
      const auto x = activation(node.input(i));
      if (!x) return "reads floats";
      if (x->type != at->to.type) return "reads codes of another type than it gives";
      append(inputs, triple(*x, node));
    }
    append(inputs, {at->to.scale, at->to.zero});
    const Node& n = add(node, "QLinear" + node.op(), inputs);
    if (node.is("Softmax")) model_.changeable(n.graph()).set_attribute(n, {"opset", model_.opset()});
    put(*at, n);
    return "";
  }

  std::string concat(const Node& node) {
    const auto at = behind(node.output(0));
    if (!at) return "gives floats";
    Values codes, all{at->to.scale, at->to.zero};
    bool alike = true;
    for (const Value* v : node.inputs()) {
      const auto x = activation(v);
      if (!x) return "reads floats";
      alike = alike && x->same_grid(at->to);
      codes.push_back(x->codes);
      append(all, triple(*x, node));
    }
    if (!alike && !target_.microsoft) return "reads codes of other scales";
    put(*at, add(node, alike ? "Concat" : "QLinearConcat", alike ? codes : all));
    return "";
  }

  /// The operator itself, on codes.
  std::string passed_on(const Node& node) {
    const auto x = activation(node.input(0));
    if (!x) return "reads floats";
    std::vector<std::optional<Behind>> at;
    for (const Value* y : node.outputs()) {
      at.push_back(y ? behind(y) : std::nullopt);
      if (y && !at.back()) return "gives floats";
      if (y && !x->same_grid(at.back()->to)) return "gives codes of another scale";
    }
    if (node.is("Resize") && node.string_or("mode", "nearest") != "nearest")
      return "interpolates, which runtimes round differently on codes";
    Values inputs(node.inputs().begin(), node.inputs().end());
    inputs[0] = x->codes;
    if (node.is("Pad") && node.string_or("mode", "constant") == "constant") {
      inputs.resize(std::max<std::size_t>(inputs.size(), 3), nullptr);
      const auto zero = static_cast<double>(x->zero_code);
      inputs[2] =
          rewriter_.add_constant("pad", Tensor::of(x->type, {}, std::span<const double>(&zero, 1)), node);
    }
    const Node& n = add(node, node.op(), inputs, node.outputs().size());
    for (std::size_t i = 0; i < at.size(); ++i) {
      if (at[i]) put(*at[i], n, i);
    }
    return "";
  }

  Model& model_;
  const Target& target_;
  Rewriter rewriter_;
  std::map<std::tuple<const Graph*, DType, Dims>, const Value*> zeros_;
};

}  // namespace

void to_qoperator(Model& model, const Target& target, PassContext& context) {
  ToCodes(model, target).run(context);
}

}  // namespace compressor::quantize
