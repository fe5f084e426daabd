// drop dropout: x -> Dropout -> y -> Op   ==>   x -> Op
//
// Outside training: before opset 7 with is_test, up to 11 always, from 12 unless training_mode may be true.
// Not when the mask is read.
#include "passes/simplify/rewrites.h"

namespace compressor::simplify {
namespace {

bool infers(const Rewriter& r, const Node& node) {
  const std::int64_t opset = r.opset(node);
  if (opset < 7) return node.int_or("is_test", 0) != 0;
  if (opset < 12 || !node.input(2)) return true;
  const auto training = r.constant(node.input(2));
  return training && training->dtype == DType::kBool && training->size() == 1 &&
         to_ints(*training).front() == 0;
}

bool apply(Rewriter& r, const Node& node) {
  const Value* x = node.input(0);
  const Value* y = node.output(0);
  const Value* mask = node.output(1);
  if (!x || !y || (mask && !mask->uses().empty()) || !infers(r, node) || !Graph::can_replace(*y, *x))
    return false;
  r.replace(*y, *x);
  return true;
}

}  // namespace

Rewrite drop_dropout() {
  return {.name = "drop-dropout", .roots = {"Dropout"}, .apply = apply};
}

}  // namespace compressor::simplify
