// facts: what is known of a value before anything runs: its type, its shape, and small integer contents.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "compressor/graph/model.h"
#include "compressor/ops/sym_dim.h"

namespace compressor {

/// Known of one value. Sequences, maps and optionals only say what they are.
struct Facts {
  Type::Kind kind = Type::Kind::kNone;
  DType dtype = DType::kUndefined;
  bool ranked = false;  ///< dims is meaningful; a scalar is ranked with no dims
  SymDims dims;
  /// Contents in row-major order, each known or not: for the integers that shapes are computed with.
  std::optional<SymDims> contents;
  /// The whole constant, where the value is one.
  std::shared_ptr<const Tensor> constant;
  /// Of a sequence or optional: the element.
  std::shared_ptr<const Facts> element;

  static Facts of(DType dtype, SymDims dims);
  static Facts of(const Tensor& tensor);
  static Facts of(const Type& type);

  std::int64_t rank() const { return static_cast<std::int64_t>(dims.size()); }
  /// All dimensions are numbers.
  bool is_static() const;
  /// The dimensions as numbers; nullopt unless is_static().
  std::optional<Dims> shape() const;
  /// Axis with negative values counted from the end; throws Error::model outside [-rank, rank).
  const SymDim& dim(std::int64_t axis) const;
};

struct InferOptions {
  /// Shapes of graph inputs that replace the declared ones.
  std::map<std::string, SymDims> input_shapes;
  /// Constants up to this many elements are computed while inferring, so that shape arithmetic resolves.
  std::uint64_t max_computed_elements = 4096;
};

/// Facts of every value of a model, its bodies included.
class FactsMap {
 public:
  /// Empty facts for a value it does not know.
  const Facts& of(const Value& value) const;
  void set(const Value& value, Facts facts) { facts_[&value] = std::move(facts); }
  bool knows(const Value& value) const { return facts_.contains(&value); }

  /// A node whose shapes could not be inferred, and why; its outputs have their declared types.
  struct Problem {
    const Node* node;
    std::string why;
  };
  std::vector<Problem> problems;

 private:
  std::unordered_map<const Value*, Facts> facts_;
};

/// Runs every operator's shape rule in order. Unknown operators give what value_info declares. A dimension
/// that no rule can tell becomes a symbol of its own ("~value.axis"), so that equal unknowns are seen to be
/// equal. Throws Error::usage when options name an input that is not there or another rank.
FactsMap infer_facts(const Model& model, const InferOptions& options = {});

}  // namespace compressor
