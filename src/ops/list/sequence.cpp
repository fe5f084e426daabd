// sequence: sequences of tensors, made, read, changed and joined; what is in them is only known by its type.
#include "compressor/ops/run.h"
#include "ops/bodies.h"
#include "ops/movement.h"
#include "ops/stack.h"

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

const std::vector<RunValue>& elements(RunContext& ctx, std::size_t i) {
  const RunValue& x = ctx.value(i);
  if (x.kind != RunValue::Kind::kSequence) ctx.fail("input {} is no sequence", i);
  return *x.elements;
}

/// The position at input i, counted from the end where it is negative, in [0, most].
std::int64_t position(RunContext& ctx, std::size_t i, std::int64_t length, std::int64_t most) {
  const std::vector<std::int64_t> values = to_ints(ctx.in(i));
  if (values.size() != 1) ctx.fail("the position has {} elements, expected 1", values.size());
  const std::int64_t at = values[0] < 0 ? values[0] + length : values[0];
  if (at < 0 || at > most) ctx.fail("position {} is outside of a sequence of {}", values[0], length);
  return at;
}

bool run_empty(RunContext& ctx) {
  ctx.set(0, RunValue::sequence({}));
  return true;
}

bool run_construct(RunContext& ctx) {
  std::vector<RunValue> all;
  for (std::size_t i = 0; i < ctx.num_inputs(); ++i) all.emplace_back(ctx.in(i));
  ctx.set(0, RunValue::sequence(std::move(all)));
  return true;
}

bool run_at(RunContext& ctx) {
  const auto& all = elements(ctx, 0);
  const auto length = static_cast<std::int64_t>(all.size());
  ctx.set(0, all[static_cast<std::size_t>(position(ctx, 1, length, length - 1))]);
  return true;
}

bool run_insert(RunContext& ctx) {
  std::vector<RunValue> all = elements(ctx, 0);
  const auto length = static_cast<std::int64_t>(all.size());
  const std::int64_t at = ctx.has(2) ? position(ctx, 2, length, length) : length;
  all.insert(all.begin() + at, ctx.in(1));
  ctx.set(0, RunValue::sequence(std::move(all)));
  return true;
}

bool run_erase(RunContext& ctx) {
  std::vector<RunValue> all = elements(ctx, 0);
  const auto length = static_cast<std::int64_t>(all.size());
  if (length == 0) ctx.fail("the sequence is empty");
  all.erase(all.begin() + (ctx.has(1) ? position(ctx, 1, length, length - 1) : length - 1));
  ctx.set(0, RunValue::sequence(std::move(all)));
  return true;
}

bool run_length(RunContext& ctx) {
  ctx.set(0, Tensor::scalar(static_cast<std::int64_t>(elements(ctx, 0).size())));
  return true;
}

/// Lengths of the parts of an axis.
Ints part_lengths(RunContext& ctx, std::int64_t length) {
  if (!ctx.has(1)) return Ints(static_cast<std::size_t>(length), 1);
  const Ints given = to_ints(ctx.in(1));
  Ints parts = given;
  if (ctx.in(1).rank() == 0) {
    if (given[0] < 1) ctx.fail("parts of {}, expected at least 1", given[0]);
    parts.clear();
    for (std::int64_t at = 0; at < length; at += given[0]) parts.push_back(std::min(given[0], length - at));
  }
  std::int64_t sum = 0;
  for (const std::int64_t part : parts) {
    if (part < 0) ctx.fail("a part of {}, expected at least 0", part);
    sum += part;
  }
  if (sum != length) ctx.fail("parts are {} long, the axis {}", sum, length);
  return parts;
}

bool run_split(RunContext& ctx) {
  const Tensor& x = ctx.in(0);
  const std::int64_t axis = axis_in(ctx.node(), ctx.node().int_or("axis", 0), x.rank());
  const bool drops = !ctx.has(1) && ctx.node().int_or("keepdims", 1) == 0;
  std::vector<RunValue> all;
  std::int64_t at = 0;
  for (const std::int64_t length : part_lengths(ctx, x.shape[static_cast<std::size_t>(axis)])) {
    Tensor part = part_of(x, axis, at, length);
    all.emplace_back(drops ? without_axis(part, axis) : std::move(part));
    at += length;
  }
  ctx.set(0, RunValue::sequence(std::move(all)));
  return true;
}

bool run_concat(RunContext& ctx) {
  std::vector<Tensor> parts;
  for (const RunValue& v : elements(ctx, 0)) parts.push_back(v.tensor);
  if (parts.empty()) ctx.fail("the sequence is empty");
  const bool is_new = ctx.node().int_or("new_axis", 0) != 0;
  const std::int64_t axis =
      axis_in(ctx.node(), ctx.node().int_or("axis", 0), parts[0].rank() + (is_new ? 1 : 0));
  ctx.set(0, is_new ? stacked(parts, axis) : joined(parts, axis));
  return true;
}

bool run_map(RunContext& ctx) {
  const Graph* body = ctx.node().body("body");
  if (!body) ctx.fail("attribute 'body' is missing");
  const std::size_t length = elements(ctx, 0).size();
  std::vector<std::vector<RunValue>> made(ctx.node().outputs().size());
  if (body->outputs().size() < made.size()) ctx.fail("the body has {} outputs", body->outputs().size());
  for (std::size_t k = 0; k < length; ++k) {
    std::vector<RunValue> arguments;
    for (std::size_t i = 0; i < ctx.num_inputs(); ++i) {
      const bool sequence = ctx.value(i).kind == RunValue::Kind::kSequence;
      if (sequence && elements(ctx, i).size() != length) {
        ctx.fail("sequences have {} and {} elements", length, elements(ctx, i).size());
      }
      arguments.push_back(sequence ? elements(ctx, i)[k] : ctx.value(i));
    }
    std::vector<RunValue> results = ctx.run_body(*body, std::move(arguments));
    for (std::size_t i = 0; i < made.size(); ++i) made[i].push_back(std::move(results[i]));
  }
  for (std::size_t i = 0; i < made.size(); ++i) ctx.set(i, RunValue::sequence(std::move(made[i])));
  return true;
}

}  // namespace

void register_sequence(OpTable& table) {
  const auto add = [&](const char* type, std::int64_t since, void (*infer)(InferContext&),
                       bool (*run)(RunContext&)) {
    table.add({.type = type,
               .since = since,
               .infer = infer,
               .channels = [](ChannelContext& ctx) { ctx.freeze_all("goes through a sequence"); },
               .run = run});
  };
  add("SequenceEmpty", 11, infer_empty, run_empty);
  add("SequenceConstruct", 11, infer_construct, run_construct);
  add("SequenceAt", 11, infer_at, run_at);
  add("SequenceInsert", 11, infer_insert, run_insert);
  add("SequenceErase", 11, infer_erase, run_erase);
  add("SequenceLength", 11, infer_length, run_length);
  add("SplitToSequence", 11, infer_split, run_split);
  add("ConcatFromSequence", 11, infer_concat, run_concat);
  table.add({.type = "SequenceMap", .since = 17, .infer = infer_map, .run = run_map});
}

}  // namespace compressor::ops
