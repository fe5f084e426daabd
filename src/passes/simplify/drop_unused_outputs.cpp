// drop unused outputs: LSTM -> y, y_h, y_c, with y_h and y_c unread   ==>   LSTM -> y
//
// For outputs that the specification calls optional: Dropout's mask, MaxPool's indices, the states of
// recurrent nodes, the statistics of LayerNormalization.
#include "passes/simplify/rewrites.h"

namespace compressor::simplify {
namespace {

bool apply(Rewriter& r, const Node& node) {
  const bool recurrent = node.is("LSTM") || node.is("GRU") || node.is("RNN");
  const auto unread = [](const Value* v) { return v && v->uses().empty(); };
  bool any_read = false;
  for (const Value* v : node.outputs()) any_read = any_read || (v && !v->uses().empty());
  if (!any_read) return false;  // dead as a whole
  bool changed = false;
  for (std::size_t i = node.outputs().size(); i-- > (recurrent ? 0U : 1U);) {
    if (!unread(node.output(i))) continue;
    r.drop_output(node, i);
    changed = true;
  }
  return changed;
}

}  // namespace

Rewrite drop_unused_outputs() {
  return {.name = "drop-unused-outputs",
          .roots = {"Dropout", "MaxPool", "LSTM", "GRU", "RNN", "LayerNormalization"},
          .apply = apply};
}

}  // namespace compressor::simplify
