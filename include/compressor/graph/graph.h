// graph: the in-memory form of a model. Graph owns nodes and values and is the only one who changes them.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "compressor/tensor/tensor.h"

namespace compressor {

class Graph;
class Node;

/// One dimension of a declared type: a number, a name ("batch"), or neither.
struct Dim {
  std::int64_t value = -1;  ///< -1 when not a number
  std::string param;
  std::string denotation;
  std::string unknown = {};  ///< serialized fields that have no member here
  bool known() const { return value >= 0; }
  bool operator==(const Dim&) const = default;
};

/// A declared type (ONNX TypeProto).
struct Type {
  enum class Kind : std::uint8_t { kNone, kTensor, kSparseTensor, kSequence, kOptional, kMap, kOpaque };
  Kind kind = Kind::kNone;
  DType dtype = DType::kUndefined;  ///< of the elements; of the keys for kMap
  bool has_shape = false;
  std::vector<Dim> dims;
  std::shared_ptr<const Type> element;  ///< of a sequence, optional or map
  std::string opaque_domain, opaque_name;
  std::string denotation;
  std::string unknown;        ///< serialized fields of TypeProto that have no member here
  std::string kind_unknown;   ///< the same of its TypeProto.Tensor, .Sequence, ...
  std::string shape_unknown;  ///< the same of its TensorShapeProto

  static Type tensor(DType dtype, const Dims& dims);
};

/// A constant in coordinate form (ONNX SparseTensorProto).
struct SparseTensor {
  Tensor values;   ///< [nnz]
  Tensor indices;  ///< [nnz] or [nnz, rank], int64
  Dims dims;
  std::string unknown;  ///< serialized fields that have no member here
};

/// Where a value is read: input `index` of `node`, or output `index` of `graph` when node is null.
struct Use {
  const Node* node = nullptr;
  std::size_t index = 0;
  const Graph* graph = nullptr;  ///< the graph that holds the node, or whose output it is
  bool operator==(const Use&) const = default;
};

/// A named edge: a graph input, an initializer, or the output of a node.
class Value {
 public:
  const std::string& name() const { return name_; }
  /// The declared type: of an input or output, or from value_info. Kind kNone when the file says nothing.
  const Type& type() const { return type_; }
  /// The node that computes it; null for inputs and initializers.
  const Node* producer() const { return producer_; }
  std::size_t output_index() const { return output_index_; }
  const Graph& graph() const { return *graph_; }
  bool is_input() const { return is_input_; }
  /// The constant of an initializer; null otherwise. Before IR version 4 an initializer is also an input.
  const Tensor* initializer() const { return initializer_ ? &*initializer_ : nullptr; }
  const SparseTensor* sparse_initializer() const { return sparse_ ? &*sparse_ : nullptr; }
  /// Every reader, those in bodies of If/Loop/Scan and the graph's outputs included.
  std::span<const Use> uses() const { return uses_; }
  bool is_graph_output() const;
  const std::string& doc() const { return doc_; }
  const std::string& unknown() const { return unknown_; }
  /// Position among the file's value_info entries; negative when it has none.
  std::int64_t info_rank() const { return info_rank_; }

 private:
  friend class Graph;
  std::string name_;
  Type type_;
  const Node* producer_ = nullptr;
  std::size_t output_index_ = 0;
  Graph* graph_ = nullptr;
  bool is_input_ = false;
  std::optional<Tensor> initializer_;
  std::optional<SparseTensor> sparse_;
  std::vector<Use> uses_;
  std::string doc_;
  std::string unknown_;
  std::int64_t info_rank_ = -1;
};

/// A named setting of a node. The alternative of `value` says the type; kGraph and kGraphs own their bodies.
struct Attribute {
  using Ints = std::vector<std::int64_t>;
  using Floats = std::vector<float>;
  using Strings = std::vector<std::string>;
  using Body = std::unique_ptr<Graph>;
  using Bodies = std::vector<std::unique_ptr<Graph>>;
  using AnyValue = std::variant<std::monostate, std::int64_t, float, std::string, Tensor, SparseTensor, Type,
                                Body, Ints, Floats, Strings, std::vector<Tensor>, std::vector<SparseTensor>,
                                std::vector<Type>, Bodies>;
  std::string name;
  AnyValue value;
  std::string ref;   ///< inside a function: the name of the caller's attribute that gives the value
  int ref_type = 0;  ///< AttributeProto.type of a reference
  std::string doc;
  std::string unknown;

  Attribute() = default;
  Attribute(std::string n, AnyValue v) : name(std::move(n)), value(std::move(v)) {}
  template <class T>
  const T* get() const {
    return std::get_if<T>(&value);
  }
};

/// A copy of an attribute that holds no body. Throws an internal Error for one that does.
Attribute copy_plain(const Attribute& attribute);

using NodeId = std::uint64_t;

/// One operator application. Missing optional inputs and outputs are null.
class Node {
 public:
  /// Stable over edits and clones, unique in its model.
  NodeId id() const { return id_; }
  const std::string& op() const { return op_; }
  /// "" for ai.onnx.
  const std::string& domain() const { return domain_; }
  const std::string& overload() const { return overload_; }
  /// The file's name for it; may be empty and need not be unique.
  const std::string& name() const { return name_; }
  const std::string& doc() const { return doc_; }
  const std::string& unknown() const { return unknown_; }
  const Graph& graph() const { return *graph_; }
  bool is(std::string_view op) const { return domain_.empty() && op_ == op; }
  /// For messages: the name, or "Conv -> 'y'" when it has none.
  std::string label() const;

  std::span<const Value* const> inputs() const { return {inputs_.data(), inputs_.size()}; }
  std::span<const Value* const> outputs() const { return {outputs_.data(), outputs_.size()}; }
  /// Null when there is no such input or output.
  const Value* input(std::size_t i) const { return i < inputs_.size() ? inputs_[i] : nullptr; }
  const Value* output(std::size_t i) const { return i < outputs_.size() ? outputs_[i] : nullptr; }

  std::span<const Attribute> attributes() const { return attributes_; }
  const Attribute* attribute(std::string_view name) const;
  /// The attribute's value, or the default when it is absent. Throw Error::model when it has another type.
  std::int64_t int_or(std::string_view name, std::int64_t otherwise) const;
  float float_or(std::string_view name, float otherwise) const;
  std::string string_or(std::string_view name, std::string_view otherwise) const;
  std::vector<std::int64_t> ints_or(std::string_view name, std::vector<std::int64_t> otherwise) const;
  std::vector<float> floats_or(std::string_view name, std::vector<float> otherwise) const;
  /// Null when absent.
  const Tensor* tensor(std::string_view name) const;
  const Graph* body(std::string_view name) const;
  /// Every body in the attributes, in order.
  std::vector<const Graph*> bodies() const;

 private:
  friend class Graph;
  NodeId id_ = 0;
  std::string op_, domain_, overload_, name_, doc_, unknown_;
  std::vector<const Value*> inputs_, outputs_;
  std::vector<Attribute> attributes_;
  Graph* graph_ = nullptr;
  std::list<Node>::iterator self_;
};

/// What Graph::add_node needs to know.
struct NodeSpec {
  std::string op;
  std::vector<const Value*> inputs = {};  ///< null for a missing optional one
  /// Names of new values; "" for a missing optional output. Names that are taken get a number appended.
  std::vector<std::string> outputs = {};
  std::vector<Attribute> attributes = {};
  std::string name = {}, domain = {}, overload = {}, doc = {}, unknown = {};
};

/// Lets maps keyed by strings be asked with string_views.
struct StringHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};

/// Nodes in the order of the file (a topological order once sorted) and the values between them. A body of
/// If/Loop/Scan is a Graph of its own whose nodes may read values of the graphs around it.
class Graph {
 public:
  Graph();
  explicit Graph(const Node& holder);  ///< a body: captures resolve into the graph that holds `holder`
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  // Reading.
  const std::string& name() const { return name_; }
  const std::string& doc() const { return doc_; }
  /// Serialized fields that have no member here; value_info entries that no value here answers to are among
  /// them.
  const std::string& unknown() const { return unknown_; }
  /// The node whose attribute this body is; null for the main graph and for functions.
  const Node* holder() const { return holder_; }
  const Graph* parent() const { return holder_ ? &holder_->graph() : nullptr; }
  const std::list<Node>& nodes() const { return nodes_; }
  /// A copy of the node list, for loops that add or erase.
  std::vector<const Node*> node_list() const;
  std::span<const Value* const> inputs() const { return {inputs_.data(), inputs_.size()}; }
  std::span<const Value* const> outputs() const { return {outputs_.data(), outputs_.size()}; }
  /// The serialized entry that the file has for output `index` where it says something else than the value
  /// does (the value is an input too, or another graph's); mostly empty. Holds while the value keeps that
  /// name.
  const std::string& output_note(std::size_t index) const;
  std::span<const Value* const> initializers() const { return {initializers_.data(), initializers_.size()}; }
  std::span<const Value* const> sparse_initializers() const { return {sparse_.data(), sparse_.size()}; }
  std::vector<const Value*> values() const;  ///< sorted by name
  /// By name, in this graph only; null when there is none.
  const Value* find(std::string_view name) const;
  /// By name, here or in the graphs around it.
  const Value* resolve(std::string_view name) const;

  // Building. Names of values are unique in a graph; names that the Graph makes up are unique in the whole
  // nest.
  const Value* add_input(const std::string& name, Type type);
  const Value* add_initializer(const std::string& name, Tensor tensor);
  const Value* add_sparse_initializer(const std::string& name, SparseTensor tensor);
  /// Adds at the end, or before `before`. Throws Error::model when an output name is already taken exactly
  /// and `exact_names` is set; otherwise picks a free name.
  const Node& add_node(NodeSpec spec, const Node* before = nullptr, bool exact_names = false);
  void add_output(const Value& value);
  /// A value that nothing here produces yet: a loader's forward reference, or the output of a node to be
  /// added.
  const Value* add_value(const std::string& name, Type type = {});
  std::string fresh_name(std::string_view stem) const;

  // Changing.
  void set_input(const Node& node, std::size_t index, const Value* value);
  void set_inputs(const Node& node, std::vector<const Value*> values);
  /// Drops trailing or middle outputs by making them absent; the value must be unused.
  void drop_output(const Node& node, std::size_t index);
  /// Appends an absent output slot's value, or replaces an absent one.
  const Value* add_node_output(const Node& node, const std::string& name);
  void set_attribute(const Node& node, Attribute attribute);  ///< replaces one of the same name
  void erase_attribute(const Node& node, std::string_view name);
  void set_op(const Node& node, const std::string& op, const std::string& domain = "");
  void set_node_name(const Node& node, const std::string& name);
  /// Turns a body attribute into changeable form.
  Graph& body(const Node& node, std::string_view name);
  std::vector<Graph*> bodies(const Node& node);
  void set_initializer(const Value& value, Tensor tensor);  ///< of an initializer; its declared type follows
  void set_type(const Value& value, Type type);
  void set_info_rank(const Value& value, std::int64_t rank);
  void set_value_notes(const Value& value, std::string doc, std::string unknown);
  /// Every reader of `from`, bodies and graph outputs included, reads `to` instead. When `from` is a graph
  /// output, `to` takes over its name and declared type (the interface stays); ask can_replace first.
  void replace_uses(const Value& from, const Value& to);
  /// False when `from` is a graph output and `to` cannot take its name (an input, an initializer, another
  /// graph's value, or an output already), or `from` cannot give it away: it is an input too.
  static bool can_replace(const Value& from, const Value& to);
  void rename(const Value& value, const std::string& name);
  void set_output(std::size_t index, const Value& value);
  void set_output_note(std::size_t index, std::string note);
  /// A graph input that nothing reads any more, or that is now an initializer.
  void erase_input(const Value& value);
  /// The node's outputs must have no uses. Its bodies go with it.
  void erase(const Node& node);
  /// An initializer without uses.
  void erase_initializer(const Value& value);
  void move_before(const Node& node, const Node& before);
  /// Stable topological order, bodies included (a node that holds a body reads all that the body captures).
  /// Throws Error::model naming a node on a cycle.
  void sort();
  bool is_sorted() const;
  void set_name(std::string name) { name_ = std::move(name); }
  void set_doc(std::string doc) { doc_ = std::move(doc); }
  void set_unknown(std::string unknown) { unknown_ = std::move(unknown); }

  /// A deep copy that shares weights; node ids stay. Only for a main graph or a function's body.
  std::unique_ptr<Graph> clone() const;
  /// Copies the nodes, values and initializers of `body` into this graph before `before`, reading `arguments`
  /// for the body's inputs; returns the values that stand for the body's outputs. For inlining.
  std::vector<const Value*> splice(const Graph& body, std::span<const Value* const> arguments,
                                   const Node* before, std::string_view prefix);

  /// Throws an internal Error naming the first broken invariant: uses that do not match inputs, values of
  /// foreign graphs, unsorted nodes, names that are not unique.
  void verify() const;

 private:
  using ValueMap = std::unordered_map<const Value*, const Value*>;
  Value* own(const Value& value);
  Node* own(const Node& node);
  static void add_use(const Value* value, const Use& use);
  static void remove_use(const Value* value, const Use& use);
  static void release_body(Graph& body);  ///< drops the uses that a body's nodes make of outer values
  void release_bodies(Attribute& attribute);
  void adopt_bodies(Attribute& attribute, const Node& holder);
  Value* make_value(const std::string& name);
  void copy_value(const Value& from, ValueMap& map, const std::string& name);
  const Node& copy_node(const Node& from, ValueMap& map, const Node* before, const std::string* name_prefix);
  std::unique_ptr<Graph> clone_body(ValueMap& map, const Node* holder) const;
  void fill_clone(Graph& copy, ValueMap& map) const;
  static Attribute clone_attribute(const Attribute& attribute, ValueMap& map, const Node& holder);
  bool name_taken(std::string_view name) const;
  const Graph& root() const;

  std::string name_, doc_, unknown_;
  const Node* holder_ = nullptr;
  std::list<Node> nodes_;
  std::unordered_map<std::string, std::unique_ptr<Value>, StringHash, std::equal_to<>> values_;
  std::vector<const Value*> inputs_, outputs_, initializers_, sparse_;
  std::vector<std::string> output_notes_;  ///< shorter than outputs_ where the rest is empty
  std::shared_ptr<NodeId> next_id_;        ///< shared by a nest of graphs
};

/// The constant that a value always has: an initializer (that is not also a changeable input of the graph, or
/// is one by the old IR's habit), or the `value*` attribute of a Constant node; nullopt otherwise.
std::optional<Tensor> constant_of(const Value& value);

}  // namespace compressor
