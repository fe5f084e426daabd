// optional: values that may be absent: Optional, OptionalGetElement, OptionalHasElement.
#include "compressor/ops/run.h"
#include "ops/bodies.h"
#include "ops/movement.h"

namespace compressor::ops {
namespace {

void infer_make(InferContext& ctx) {
  Facts f;
  f.kind = Type::Kind::kOptional;
  if (ctx.has(0)) {
    f.element = std::make_shared<const Facts>(without_contents(ctx.in(0)));
  } else if (const Attribute* type = ctx.node().attribute("type"); type && type->get<Type>()) {
    f.element = std::make_shared<const Facts>(Facts::of(*type->get<Type>()));
  }
  ctx.set(0, std::move(f));
}

/// Since 18 the input may be no optional: then it is the element.
void infer_get(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  if (x.kind == Type::Kind::kOptional) return ctx.set(0, x.element ? *x.element : Facts());
  ctx.set(0, x);
}

void infer_has(InferContext& ctx) {
  ctx.set(0, DType::kBool, {});
  if (!ctx.has(0)) return ctx.set_contents(0, {SymDim(0)});
  if (ctx.in(0).kind != Type::Kind::kOptional) ctx.set_contents(0, {SymDim(1)});
}

void frozen(ChannelContext& ctx) {
  ctx.freeze_all("goes through an optional");
}

/// An optional is its element, or nothing.
bool run_make(RunContext& ctx) {
  ctx.set(0, ctx.has(0) ? ctx.value(0) : RunValue());
  return true;
}

bool run_get(RunContext& ctx) {
  if (!ctx.has(0)) ctx.fail("the optional holds nothing");
  ctx.set(0, ctx.value(0));
  return true;
}

bool run_has(RunContext& ctx) {
  const double has = ctx.has(0) ? 1 : 0;
  ctx.set(0, Tensor::of(DType::kBool, {}, std::span<const double>(&has, 1)));
  return true;
}

}  // namespace

void register_optional(OpTable& table) {
  table.add({.type = "Optional", .since = 15, .infer = infer_make, .channels = frozen, .run = run_make});
  table.add(
      {.type = "OptionalGetElement", .since = 15, .infer = infer_get, .channels = frozen, .run = run_get});
  table.add(
      {.type = "OptionalHasElement", .since = 15, .infer = infer_has, .channels = frozen, .run = run_has});
}

}  // namespace compressor::ops
