// op: the contexts that rules see, and the table of operators.
#include "compressor/ops/op.h"

#include <algorithm>

namespace compressor::ops {

void register_all(OpTable& table);  // made by CMake from the folder list/

InferContext::InferContext(const Node& node, std::int64_t opset, std::vector<const Facts*> inputs,
                           BodyFn body)
    : node_(node),
      opset_(opset),
      inputs_(std::move(inputs)),
      outputs_(node.outputs().size()),
      body_(std::move(body)) {}

const Facts& InferContext::in(std::size_t i) const {
  if (!has(i)) fail("input {} is missing", i);
  return *inputs_[i];
}

const Tensor* InferContext::constant(std::size_t i) const {
  return has(i) ? inputs_[i]->constant.get() : nullptr;
}

std::optional<std::vector<std::int64_t>> InferContext::ints(std::size_t i) const {
  const SymDims* c = contents(i);
  return c ? numbers(*c) : std::nullopt;
}

const SymDims* InferContext::contents(std::size_t i) const {
  return has(i) && inputs_[i]->contents ? &*inputs_[i]->contents : nullptr;
}

std::optional<std::vector<std::int64_t>> InferContext::ints_or_attribute(std::size_t i,
                                                                         std::string_view name) const {
  if (has(i)) return ints(i);
  if (!node_.attribute(name)) return std::nullopt;
  return node_.ints_or(name, {});
}

void InferContext::set(std::size_t i, DType dtype, SymDims dims) {
  set(i, Facts::of(dtype, std::move(dims)));
}

void InferContext::set(std::size_t i, Facts facts) {
  if (i < outputs_.size()) outputs_[i] = std::move(facts);
}

void InferContext::set_unranked(std::size_t i, DType dtype) {
  if (i >= outputs_.size()) return;
  outputs_[i] = {};
  outputs_[i].kind = Type::Kind::kTensor;
  outputs_[i].dtype = dtype;
}

void InferContext::set_contents(std::size_t i, SymDims contents) {
  if (i < outputs_.size()) outputs_[i].contents = std::move(contents);
}

std::vector<double> CostContext::dims(const std::vector<const Facts*>& list, std::size_t i) const {
  std::vector<double> result;
  if (i >= list.size() || !list[i] || !list[i]->ranked) {
    ok_ = false;
    return result;
  }
  for (const SymDim& d : list[i]->dims) {
    const auto n = d.with_symbols_one();
    if (!n) ok_ = false;
    result.push_back(static_cast<double>(n.value_or(0)));
  }
  return result;
}

double CostContext::size(const std::vector<double>& dims) {
  double product = 1;
  for (const double d : dims) product *= d;
  return product;
}

ComputeContext::ComputeContext(const Node& node, std::int64_t opset, std::vector<const Tensor*> inputs)
    : node_(node), opset_(opset), inputs_(std::move(inputs)), outputs_(node.outputs().size()) {}

const Tensor& ComputeContext::in(std::size_t i) const {
  if (!has(i)) fail("input {} is missing", i);
  return *inputs_[i];
}

std::optional<std::vector<std::int64_t>> ComputeContext::ints_or_attribute(std::size_t i,
                                                                           std::string_view name) const {
  if (has(i)) return to_ints(*inputs_[i]);
  if (!node_.attribute(name)) return std::nullopt;
  return node_.ints_or(name, {});
}

void ComputeContext::set(std::size_t i, Tensor tensor) {
  if (i < outputs_.size()) outputs_[i] = std::move(tensor);
}

namespace {

bool overlap(const Op& a, const Op& b) {
  const auto end = [](const Op& op) { return op.until == 0 ? INT64_MAX : op.until; };
  return a.since <= end(b) && b.since <= end(a);
}

std::string key(std::string_view domain, std::string_view type) {
  return std::string(domain) + ":" + std::string(type);
}

}  // namespace

void OpTable::add(Op op) {
  auto& entries = by_name_[key(op.domain, op.type)];
  for (const std::size_t i : entries) CHECK(!overlap(ops_[i], op), "operator {} is listed twice", op.type);
  entries.push_back(ops_.size());
  ops_.push_back(std::move(op));
}

const Op* OpTable::find(std::string_view domain, std::string_view type, std::int64_t opset) const {
  const auto it = by_name_.find(key(domain, type));
  if (it == by_name_.end()) return nullptr;
  for (const std::size_t i : it->second) {
    const Op& op = ops_[i];
    if (opset >= op.since && (op.until == 0 || opset <= op.until)) return &op;
  }
  return nullptr;
}

const OpTable& op_table() {
  static const OpTable kTable = [] {
    OpTable t;
    register_all(t);
    return t;
  }();
  return kTable;
}

const Op* find_op(const Model& model, const Node& node) {
  if (!model.functions.empty() && model.find_function(node)) return nullptr;
  return op_table().find(node.domain(), node.op(), opset_of(model, node));
}

std::int64_t opset_of(const Model& model, const Node& node) {
  if (!model.functions.empty()) {
    const Graph* top = &node.graph();
    while (top->parent()) top = top->parent();
    for (const Function& f : model.functions) {
      if (f.body.get() != top) continue;
      for (const OpsetImport& import : f.opsets) {
        if (import.domain == node.domain()) return import.version;
      }
    }
  }
  const std::int64_t version = model.opset(node.domain());
  return version > 0 ? version : 1;
}

SymDims broadcast(const InferContext& ctx, const SymDims& a, const SymDims& b) {
  SymDims result(std::max(a.size(), b.size()));
  for (std::size_t i = 0; i < result.size(); ++i) {  // i counts from the right
    const SymDim one(1);
    const SymDim& x = i < a.size() ? a[a.size() - 1 - i] : one;
    const SymDim& y = i < b.size() ? b[b.size() - 1 - i] : one;
    SymDim& r = result[result.size() - 1 - i];
    if (x == y || y == one) {
      r = x;
    } else if (x == one) {
      r = y;
    } else if (x.is_number() && y.is_number()) {
      ctx.fail("shapes {} and {} do not broadcast", to_string(a), to_string(b));
    } else {
      r = x.is_number() ? x : y.is_number() ? y : SymDim();  // a number past 1 wins over a symbol
    }
  }
  return result;
}

std::int64_t normalize_axis(const InferContext& ctx, std::int64_t axis, std::int64_t rank) {
  if (axis < -rank || axis >= rank) ctx.fail("axis {} is outside a tensor of rank {}", axis, rank);
  return axis < 0 ? axis + rank : axis;
}

}  // namespace compressor::ops
