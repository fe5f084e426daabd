// dynamic_lstm: LSTM with weights of 8 bits, which one operator of ONNX Runtime computes in integers.
//
//   x -> LSTM(W [D, 4 H, I], R [D, 4 H, H], B, ..)   ==>
//   x -> com.microsoft DynamicQuantizeLSTM(W' int8 [D, I, 4 H], R' int8 [D, H, 4 H], B, .., scales [D, 4 H])
//
// A scale for every row of every gate; x and the state are rounded to 8 bits step by step.
#include "passes/quantize/integer/dynamic_lstm.h"

#include "compressor/base/error.h"
#include "compressor/ops/facts.h"
#include "passes/quantize/integer/static_weights.h"

namespace compressor::quantize {
namespace {

constexpr const char* kMicrosoft = "com.microsoft";

/// Of every direction, [rows, columns] as [columns, rows].
Bytes transposed(const Bytes& codes, std::size_t directions, std::size_t rows, std::size_t columns) {
  const BytesView from = codes.view();
  std::vector<std::byte> to(directions * rows * columns);
  for (std::size_t d = 0; d < directions; ++d) {
    const std::size_t first = d * rows * columns;
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t j = 0; j < columns; ++j)
        to[first + j * rows + i] = from.bytes()[first + i * columns + j];
    }
  }
  return Bytes::own(std::move(to));
}

void drop_if_unread(Graph& graph, const Value& v) {
  if (!v.uses().empty() || &v.graph() != &graph) return;
  if (!v.initializer()) return v.producer() ? graph.erase(*v.producer()) : void();
  if (v.is_input()) graph.erase_input(v);
  graph.erase_initializer(v);
}

}  // namespace

std::string DynamicLstm::refusal(const Node& node) const {
  if (!options_.target.microsoft)
    return "has an integer form in com.microsoft alone, which --target ort-cpu and ort-cpu-avx2 know";
  if (node.int_or("layout", 0) != 0) return "has its batch in front (layout 1), expected layout 0";
  for (const std::size_t i : {1U, 2U}) {
    const Value* v = node.input(i);
    const auto w = v ? fixed_constant(model_, *v) : std::nullopt;
    if (!w || w->dtype != DType::kFloat || w->rank() != 3 || w->size() == 0)
      return fmt::format("has weight '{}', expected a constant of float32 and 3 axes", v ? v->name() : "");
    const codec::Blocks one{.dims = {1, 1, w->size()}, .block = {1, 1, w->size()}};
    if (!fit(*w, one, {}).finite) return fmt::format("has weight '{}', which is not finite", v->name());
  }
  return "";
}

const DynamicLstm::Stored& DynamicLstm::stored(Graph& graph, const Value& weight) {
  Stored& known = stored_[{&graph, &weight}];
  if (known.codes) return known;
  const Tensor w = *fixed_constant(model_, weight);
  const std::int64_t d = w.shape[0], rows = w.shape[1], columns = w.shape[2];
  Tensor flat = w;
  flat.shape = {d * rows, columns};
  codec::Grid grid = weight_grid(flat, {.input = 1, .axis = 0, .paired = true}, options_);
  if (grid.scale.size() == 1) grid.scale.resize(static_cast<std::size_t>(d * rows), grid.scale[0]);
  Tensor codes;
  codes.dtype = DType::kInt8;
  codes.shape = {d, columns, rows};
  codes.bytes = transposed(grid.codes, static_cast<std::size_t>(d), static_cast<std::size_t>(rows),
                           static_cast<std::size_t>(columns));
  const std::vector<double> zeros(static_cast<std::size_t>(d * rows));
  const std::string stem = weight.name();
  known.codes = graph.add_initializer(graph.fresh_name(stem + ".q"), std::move(codes));
  known.scales = graph.add_initializer(graph.fresh_name(stem + ".scale"),
                                       Tensor::of({d, rows}, std::span<const float>(grid.scale)));
  known.zeros = graph.add_initializer(graph.fresh_name(stem + ".zero"),
                                      Tensor::of(DType::kInt8, {d, rows}, std::span<const double>(zeros)));
  return known;
}

std::string DynamicLstm::rewrite(Graph& graph, const Node& node) {
  const Value &w = *node.input(1), &r = *node.input(2);
  std::string text =
      fmt::format("weights '{}', '{}': int8, a scale for every row of every gate", w.name(), r.name());
  const Stored ws = stored(graph, w), rs = stored(graph, r);
  std::vector<const Value*> inputs{node.input(0), ws.codes, rs.codes};
  for (std::size_t i = 3; i < 8; ++i) inputs.push_back(node.input(i));
  inputs.insert(inputs.end(), {ws.scales, ws.zeros, rs.scales, rs.zeros});
  NodeSpec spec{.op = "DynamicQuantizeLSTM", .inputs = std::move(inputs)};
  spec.domain = kMicrosoft;
  spec.name = node.name();
  for (const Attribute& a : node.attributes()) {
    if (a.name != "layout") spec.attributes.push_back(copy_plain(a));
  }
  for (const Value* y : node.outputs())
    spec.outputs.push_back(y ? graph.fresh_name(y->name() + ".dynamic") : "");
  if (model_.opset(kMicrosoft) == 0) model_.opsets.push_back({.domain = kMicrosoft, .version = 1});
  const Node& lstm = graph.add_node(std::move(spec), &node);
  for (std::size_t i = 0; i < node.outputs().size(); ++i) {
    if (node.output(i)) graph.replace_uses(*node.output(i), *lstm.output(i));
  }
  graph.erase(node);
  drop_if_unread(graph, w);
  if (&w != &r) drop_if_unread(graph, r);
  return text;
}

}  // namespace compressor::quantize
