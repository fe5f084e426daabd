// run_movement: operators that bring elements to other places, in the engine: one walk over strides whatever
// order the elements lie in, and the same walk backwards for gradients.
#pragma once

#include <vector>

#include "compressor/ops/run.h"
#include "ops/movement.h"

namespace compressor::ops {

/// One loop of a movement: n steps of in_step along an axis of the input and of out_step along one of the
/// output. An axis of -1: stays where it is.
struct Move {
  std::int64_t n = 1;
  std::int64_t in_axis = -1, in_step = 1;
  std::int64_t out_axis = -1, out_step = 1;
};

/// y[.. out_first + i * out_step ..] = x[.. in_first + i * in_step ..] for all loops.
struct Moves {
  std::vector<Move> loops;
  Ints in_first = {}, out_first = {};  ///< by axis; empty: zeros
  bool covers_in = true;               ///< every element of the input goes somewhere
  bool covers_out = true;              ///< every element of the output comes from somewhere
  bool repeats = false;                ///< an element of the input goes to several places
};
/// Loops over the axes of a shape, each along itself.
Moves along_axes(const Dims& shape);

/// False for strings, sequences and elements of less than a byte.
bool can_move(const RunContext& ctx, std::size_t i);
/// Output o of `shape` from input i, in the input's order where both have the same rank.
void run_moves(RunContext& ctx, std::size_t i, std::size_t o, const Moves& moves, const Dims& shape);
/// Copies into an output that other inputs fill up.
void move_into(RunContext& ctx, std::size_t i, const Moves& moves, const Dims& shape, Layout layout,
               std::byte* out);
/// The gradient of input i from that of output o: its elements are brought back, and added up.
void moved_gradient(GradientContext& ctx, std::size_t i, std::size_t o, const Moves& moves);

/// The gradient of an operator that keeps the elements in plain order: Reshape and its kin.
void reshape_gradient(GradientContext& ctx);

}  // namespace compressor::ops
