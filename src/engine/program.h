// program: a graph made ready to run: its values numbered, its nodes as steps that know when a value dies.
#pragma once

#include <memory>
#include <set>
#include <unordered_map>
#include <vector>

#include "compressor/ops/run.h"

namespace compressor::engine {

/// A value while it is alive, in the order it was made in and, once somebody asked, in the other one.
struct Held {
  ops::RunValue value;
  ops::RunValue other;
};
using HeldPtr = std::shared_ptr<Held>;

/// Where a step finds a value: in the frame `up` graphs outwards. slot < 0: a missing input.
struct Ref {
  int up = 0;
  int slot = -1;
};

/// The last run of a step that depends on nothing but shapes, while those stay what they were.
struct Memo {
  Dims shape;                   ///< of the value whose shape is asked for
  std::vector<HeldPtr> inputs;  ///< otherwise: the very values that were read
  std::vector<HeldPtr> outputs;
};

struct Step {
  const Node* node = nullptr;
  const ops::Op* op = nullptr;  ///< null: a call of a function
  const Function* function = nullptr;
  std::int64_t opset = 0;
  std::vector<Ref> inputs;   ///< the node's own, then what the epilogue adds
  std::vector<int> outputs;  ///< slots; -1: not wanted
  std::vector<bool> last;    ///< by input: nobody reads it afterwards
  std::vector<int> dies;     ///< slots that nobody reads after this step
  ops::Epilogue epilogue;
  std::vector<Step> parts;  ///< of a fused step: the steps as they were
  bool constant = false;    ///< all inputs are: runs once
  bool done = false;
  /// Shape or Size, or a step that reads only constants and what such steps made: graphs with open axes have
  /// hundreds of them, and most runs have the shapes of the run before.
  bool only_shapes = false;
  Memo memo;
  bool differentiable = false;  ///< lies on a way to a value whose gradient is asked for
  double seconds = 0;           ///< since somebody asked
  ops::NodeState state, gradient_state;
  /// Room for what a run of the step holds, so that it is not asked for each time.
  std::vector<HeldPtr> input_room, output_room;
};

struct Program {
  const Graph* graph = nullptr;
  const Program* parent = nullptr;
  std::unordered_map<const Value*, int> slot_of;
  std::vector<const Value*> values;  ///< by slot
  std::vector<HeldPtr> constants;    ///< by slot; null for what changes from run to run
  std::vector<bool> is_constant;     ///< by slot; also before it was computed
  std::vector<bool> only_shapes;     ///< by slot: made by such a step
  std::vector<bool> tapped;          ///< by slot
  std::vector<bool> wants_gradient;  ///< by slot
  std::vector<Step> steps;
  std::vector<Ref> outputs;

  /// The slot of a value, here or outwards.
  Ref find(const Value& value) const;
  bool constant_at(const Ref& ref) const;
};

/// Does a mask of ops::Keep name this input or output?
inline bool names(std::uint32_t mask, std::size_t i) {
  return i < 32 && ((mask >> i) & 1U) != 0;
}

/// What is asked of a program besides running.
struct Wishes {
  bool fuse = true;
  bool training = false;
  std::set<const Value*> taps, changing, gradients_of;
};

/// `opsets` is asked for the version of a node's domain. Throws Error::model for nodes out of order.
std::unique_ptr<Program> compile(const Model& model, const Graph& graph, const Program* parent,
                                 const FactsMap& facts, const Wishes& wishes);

/// Joins steps with those behind them where the first one's operator takes an epilogue.
///   x -> Conv(W, b) -> BN(s, t, mu, v) -> + r -> f -> y   ==>   y = f(Conv(W', b')(x) + r)
void fuse(const Model& model, Program& program, const FactsMap& facts);

/// Fills in last and dies of every step.
void find_lifetimes(Program& program);

}  // namespace compressor::engine
