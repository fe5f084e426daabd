// sequence: sequences of tensors, made, read, changed and joined; what is in them is only known by its type.
#include "ops/bodies.h"
#include "ops/movement.h"

namespace compressor::ops {
namespace {

Facts sequence_of(Facts element) {
  Facts f;
  f.kind = Type::Kind::kSequence;
  f.element = std::make_shared<const Facts>(without_contents(std::move(element)));
  return f;
}

Facts element_of(const Facts& sequence) {
  if (sequence.element) return *sequence.element;
  Facts f;
  f.kind = Type::Kind::kTensor;
  return f;
}

void infer_empty(InferContext& ctx) {
  Facts element;
  element.kind = Type::Kind::kTensor;
  element.dtype = static_cast<DType>(ctx.node().int_or("dtype", static_cast<std::int64_t>(DType::kFloat)));
  ctx.set(0, sequence_of(std::move(element)));
}

void infer_construct(InferContext& ctx) {
  Facts element = ctx.in(0);
  for (std::size_t i = 1; i < ctx.num_inputs(); ++i) element = either(element, ctx.in(i));
  ctx.set(0, sequence_of(std::move(element)));
}

void infer_at(InferContext& ctx) {
  ctx.set(0, element_of(ctx.in(0)));
}

void infer_insert(InferContext& ctx) {
  ctx.set(0, sequence_of(either(element_of(ctx.in(0)), ctx.in(1))));
}

void infer_erase(InferContext& ctx) {
  ctx.set(0, without_contents(ctx.in(0)));
}

void infer_length(InferContext& ctx) {
  ctx.set(0, DType::kInt64, {});
}

/// Parts of equal size where that is a number that divides the axis; of length 1, or none, without sizes.
void infer_split(InferContext& ctx) {
  Facts x = without_contents(ctx.in(0));
  if (!x.ranked) return ctx.set(0, sequence_of(std::move(x)));
  const std::int64_t axis = normalize_axis(ctx, ctx.node().int_or("axis", 0), x.rank());
  SymDim& d = x.dims[static_cast<std::size_t>(axis)];
  if (!ctx.has(1)) {
    if (ctx.node().int_or("keepdims", 1) != 0) {
      d = 1;
    } else {
      x.dims.erase(x.dims.begin() + axis);
    }
    return ctx.set(0, sequence_of(std::move(x)));
  }
  const auto sizes = ctx.ints(1);
  const SymDim whole = d;
  d = SymDim();
  if (sizes && !sizes->empty() && std::equal(sizes->begin() + 1, sizes->end(), sizes->begin())) {
    const SymDim part((*sizes)[0]);
    const bool one_size = ctx.in(1).ranked && ctx.in(1).rank() == 0;
    if (!one_size || !whole.divided_by(part).is_unknown()) d = part;
  }
  ctx.set(0, sequence_of(std::move(x)));
}

void infer_concat(InferContext& ctx) {
  Facts x = element_of(ctx.in(0));
  if (!x.ranked) return ctx.set(0, std::move(x));
  if (ctx.node().int_or("new_axis", 0) != 0) {
    x.dims.insert(x.dims.begin() + normalize_axis(ctx, ctx.node().int_or("axis", 0), x.rank() + 1), SymDim());
  } else {
    x.dims[static_cast<std::size_t>(normalize_axis(ctx, ctx.node().int_or("axis", 0), x.rank()))] = SymDim();
  }
  ctx.set(0, std::move(x));
}

/// The body sees one element of every sequence, and the tensors as they are.
void infer_map(InferContext& ctx) {
  const Graph* body = ctx.node().body("body");
  if (!body) ctx.fail("attribute 'body' is missing");
  std::vector<Facts> arguments;
  for (std::size_t i = 0; i < ctx.num_inputs(); ++i) {
    const bool sequence = ctx.in(i).kind == Type::Kind::kSequence;
    arguments.push_back(without_contents(sequence ? element_of(ctx.in(i)) : ctx.in(i)));
  }
  const std::vector<Facts> results = ctx.infer_body(*body, arguments);
  for (std::size_t i = 0; i < ctx.num_outputs() && i < results.size(); ++i)
    ctx.set(i, sequence_of(results[i]));
}

}  // namespace

void register_sequence(OpTable& table) {
  const auto add = [&](const char* type, std::int64_t since, std::function<void(InferContext&)> infer) {
    table.add({.type = type, .since = since, .infer = std::move(infer), .channels = [](ChannelContext& ctx) {
                 ctx.freeze_all("goes through a sequence");
               }});
  };
  add("SequenceEmpty", 11, infer_empty);
  add("SequenceConstruct", 11, infer_construct);
  add("SequenceAt", 11, infer_at);
  add("SequenceInsert", 11, infer_insert);
  add("SequenceErase", 11, infer_erase);
  add("SequenceLength", 11, infer_length);
  add("SplitToSequence", 11, infer_split);
  add("ConcatFromSequence", 11, infer_concat);
  table.add({.type = "SequenceMap", .since = 17, .infer = infer_map});
}

}  // namespace compressor::ops
