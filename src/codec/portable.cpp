// portable: a weight that operators of opset 7 decode, so that every runtime loads it.
//
//   8 bits    q -> Cast -> [Sub zero ->] Mul scale [-> Reshape] -> W'
//   4, 2      bytes [.., n] -> Cast int32 -> Gather(table [256, 8 / bits]) [.., n, 8 / bits] -> [Sub zero ->]
//             Mul scale -> Reshape -> W'
//             and where a byte has codes of several scales
//             bytes -> Cast int32 -> Gather(table) [-> Reshape -> Slice] -> Reshape -> [Sub zero ->]
//             Mul scale [-> Reshape] -> W'
//
// The table (int8, cast to float once) holds for every byte the codes that are packed in it; all weights
// share it. Zero points of 4 and 2 bits are packed and decoded the same way. ONNX Runtime folds all of it
// into one float constant when it loads the model, so that nothing is decoded while it runs. W' = (q - zero)
// * scale in float32, as DequantizeLinear gives it. Only what is stored and what comes out is named after the
// weight, and steps between are letters (i: index, u: unpacked, q: codes, s: scaled): in a small network
// their names would weigh as much as many a weight.

#include <fmt/ranges.h>

#include <algorithm>

#include "codec/form.h"
#include "compressor/base/error.h"

namespace compressor::codec {
namespace {

/// The shape in which codes meet scales, and that of the scales, which broadcast to it.
struct View {
  Dims codes, scales;
  bool bytes = false;  ///< the last axis of codes is what one byte holds
};

View view_of(const Grid& grid) {
  if (grid.scale.size() == 1) return {grid.shape, {}};
  if (const auto axis = scale_axis(grid)) {
    View v{grid.shape, Dims(grid.shape.size(), 1)};
    v.scales[static_cast<std::size_t>(*axis)] = grid.shape[static_cast<std::size_t>(*axis)];
    while (v.scales.front() == 1) v.scales.erase(v.scales.begin());  // broadcasting aligns from the right
    return v;
  }
  View v;
  for (std::size_t i = 0; i < 3; ++i) {
    const auto n = static_cast<std::int64_t>(grid.blocks.dims[i]);
    const auto block = static_cast<std::int64_t>(grid.blocks.block[i]);
    const auto count = static_cast<std::int64_t>(grid.blocks.count(i));
    if (n == 1 && v.codes.empty()) continue;
    if (count > 1 && block > 1) {
      v.codes.push_back(count), v.scales.push_back(count);
      v.codes.push_back(block), v.scales.push_back(1);
    } else {
      v.codes.push_back(n), v.scales.push_back(count);
    }
  }
  return v;
}

/// `view` with the codes as they come out of the table, where all codes of a byte share a scale; else as it
/// is.
View by_bytes(const View& view, DType code) {
  const std::int64_t per_byte = 8 / bits(code);
  if (per_byte == 1 || view.codes.empty()) return view;
  View v = view;
  const bool one_scale = v.scales.empty();
  if (!one_scale && v.scales.back() != 1) return view;
  while (v.codes.size() > 1 && (one_scale || (v.scales.size() > 1 && v.scales[v.scales.size() - 2] == 1))) {
    const std::int64_t last = v.codes.back();
    v.codes.pop_back();
    v.codes.back() *= last;
    if (!one_scale) v.scales.pop_back();
  }
  if (v.codes.back() % per_byte != 0) return view;
  v.codes.back() /= per_byte;
  v.codes.push_back(per_byte);
  if (!one_scale) v.scales.push_back(1);
  v.bytes = true;
  return v;
}

/// int8 [256, codes of a byte]: row b holds the codes packed in byte b.
Tensor table(DType code) {
  const int width = bits(code);
  const int per_byte = 8 / width;
  const int mask = (1 << width) - 1;
  const int sign = lowest(code) < 0 ? 1 << (width - 1) : 0;
  std::vector<double> values;
  for (int byte = 0; byte < 256; ++byte) {
    for (int k = 0; k < per_byte; ++k) {
      const int raw = (byte >> (k * width)) & mask;
      values.push_back((raw ^ sign) - sign);
    }
  }
  return Tensor::of(DType::kInt8, {256, per_byte}, std::span<const double>(values));
}

/// One constant for all that ask for the same under the same name.
const Value* shared(const Place& place, const std::string& stem, const Tensor& content) {
  const Value* known = place.graph.resolve(stem);
  if (known && known->initializer() && equal(*known->initializer(), content)) return known;
  return add_constant(place, stem, content);
}

const Value* shared_shape(const Place& place, const Dims& shape) {
  const Dims rank{static_cast<std::int64_t>(shape.size())};
  return shared(place, fmt::format("shape.{}", fmt::join(shape, "x")), Tensor::of(rank, std::span(shape)));
}

const Value* cast(const Place& place, const Value* value, DType to, const std::string& name) {
  std::vector<Attribute> settings;
  settings.emplace_back("to", static_cast<std::int64_t>(to));
  return add_op(place, "Cast", {value}, name, std::move(settings));
}

/// The table as floats, which are four times as many bytes as what is stored of it.
const Value* shared_table(const Place& place, DType code) {
  const std::string stem = "unpack." + std::string(name(code));
  const Value* stored = shared(place, stem + ".q", table(code));
  for (const Use& use : stored->uses()) {
    const Value* floats = use.node && use.node->is("Cast") ? use.node->output(0) : nullptr;
    if (floats && place.graph.resolve(floats->name()) == floats) return floats;
  }
  return cast(place, stored, DType::kFloat, stem);
}

/// Packed bytes of that shape -> floats, with one more axis.
const Value* unpacked(const Place& place, const Bytes& bytes, DType code, const Dims& shape,
                      const std::string& stem) {
  const Value* index =
      cast(place, add_constant(place, stem, stored(DType::kUint8, shape, bytes)), DType::kInt32, "i");
  return add_op(place, "Gather", {shared_table(place, code), index}, "u");
}

/// One byte an element -> float, in the given shape.
const Value* numbers(const Place& place, const Bytes& codes, DType code, const Dims& shape,
                     const std::string& stem) {
  if (bits(code) == 8)
    return cast(place, add_constant(place, stem, stored(code, shape, codes)), DType::kFloat, "q");
  const Bytes bytes = pack(codes, bits(code));
  const Value* x = unpacked(place, bytes, code, {static_cast<std::int64_t>(bytes.size())}, stem);
  const auto per_byte = static_cast<std::uint64_t>(8 / bits(code));
  if (codes.size() % per_byte != 0) {
    x = add_op(place, "Reshape", {x, shared_shape(place, {-1})}, "u");
    x = add_op(place, "Slice",
               {x, shared_shape(place, {0}), shared_shape(place, {static_cast<std::int64_t>(codes.size())})},
               "u");
  }
  return add_op(place, "Reshape", {x, shared_shape(place, shape)}, "q");
}

Bytes byte_each(const std::vector<std::int32_t>& values) {
  std::vector<std::byte> bytes;
  for (const std::int32_t v : values) bytes.push_back(static_cast<std::byte>(v & 0xFF));
  return Bytes::own(std::move(bytes));
}

// ---- and back --------------------------------------------------------------------------------------------

/// The producer of `value` when it is that operator; null otherwise.
const Node* made_by(const Value* value, std::string_view op) {
  const Node* node = value ? value->producer() : nullptr;
  return node && node->is(op) ? node : nullptr;
}

/// The code type whose table this is.
std::optional<DType> type_of(const Tensor& t) {
  for (const DType code : {DType::kInt4, DType::kUint4, DType::kInt2, DType::kUint2}) {
    if (equal(t, table(code))) return code;
  }
  return std::nullopt;
}

struct Numbers {
  Bytes codes;
  DType code = DType::kUndefined;
  Dims shape;
};

std::optional<Numbers> lift_numbers(const Value* value) {
  if (const Node* node = made_by(value, "Cast")) {
    const auto stored = constant(node->input(0));
    if (!stored || (stored->dtype != DType::kInt8 && stored->dtype != DType::kUint8)) return std::nullopt;
    return Numbers{stored->bytes, stored->dtype, stored->shape};
  }
  const Node* reshape = made_by(value, "Reshape");  // else codes are as they come out of the table
  const auto shape = reshape ? constant(reshape->input(1)) : std::nullopt;
  if (reshape && !shape) return std::nullopt;
  const Value* x = reshape ? reshape->input(0) : value;
  if (const Node* slice = made_by(x, "Slice")) {
    const Node* flat = made_by(slice->input(0), "Reshape");
    if (!flat) return std::nullopt;
    x = flat->input(0);
  }
  const Node* gather = made_by(x, "Gather");
  const Node* index = gather ? made_by(gather->input(1), "Cast") : nullptr;
  const auto packed = index ? constant(index->input(0)) : std::nullopt;
  const Node* floats = gather ? made_by(gather->input(0), "Cast") : nullptr;
  const auto rows = floats ? constant(floats->input(0)) : std::nullopt;
  if (!packed || !rows || packed->dtype != DType::kUint8) return std::nullopt;
  const auto code = type_of(*rows);
  if (!code) return std::nullopt;
  Numbers n{{}, *code, shape ? to_ints(*shape) : packed->shape};
  if (!shape) n.shape.push_back(8 / bits(*code));
  const std::uint64_t elements = num_elements(n.shape);
  if (packed_bytes(*code, elements) != packed->bytes.size()) return std::nullopt;
  n.codes = unpack(packed->bytes, elements, *code);
  return n;
}

/// The blocks of codes of shape `codes` under scales of shape `scales`; nullopt where these do not broadcast.
std::optional<Blocks> blocks_of(const Dims& codes, const Dims& scales) {
  struct Axis {
    std::uint64_t n, block;
    bool varies;
  };
  std::vector<Axis> axes;
  if (scales.size() > codes.size()) return std::nullopt;
  const std::size_t front = codes.size() - scales.size();
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const std::int64_t s = i < front ? 1 : scales[i - front];
    if (s != 1 && s != codes[i]) return std::nullopt;
    const auto n = static_cast<std::uint64_t>(codes[i]);
    if (n == 1) continue;
    if (s == 1 && !axes.empty()) {  // a stretch of elements that share a scale
      axes.back().block = axes.back().varies ? n : axes.back().block * n;
      axes.back().n *= n;
      axes.back().varies = false;
    } else if (s == 1) {
      axes.push_back({n, n, false});
    } else if (!axes.empty() && axes.back().varies) {
      axes.back().n *= n;
    } else {
      axes.push_back({n, 1, true});
    }
  }
  if (axes.size() > 3) return std::nullopt;
  Blocks b;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    b.dims[3 - axes.size() + i] = axes[i].n;
    b.block[3 - axes.size() + i] = axes[i].block;
  }
  return b;
}

}  // namespace

std::string why_not_portable(const Grid& grid) {
  if (grid.scale.size() == 1 || scale_axis(grid)) return "";
  for (std::size_t i = 0; i < 3; ++i) {
    if (grid.blocks.count(i) > 1 && grid.blocks.dims[i] % grid.blocks.block[i] != 0)
      return fmt::format("has {} values in groups of {}, which does not divide them", grid.blocks.dims[i],
                         grid.blocks.block[i]);
  }
  return "";
}

const Value* lower_portable(const Place& place, const Grid& grid, const std::string& stem) {
  const View view = by_bytes(view_of(grid), grid.code);
  const Value* w = view.bytes ? unpacked(place, pack(grid.codes, bits(grid.code)), grid.code,
                                         Dims(view.codes.begin(), view.codes.end() - 1), stem + ".q")
                              : numbers(place, grid.codes, grid.code, view.codes, stem + ".q");
  if (!grid.zero.empty()) {
    const Value* zero = numbers(place, byte_each(grid.zero), grid.code, view.scales, stem + ".zero");
    w = add_op(place, "Sub", {w, zero}, "q");
  }
  const Value* scale = add_constant(place, stem + ".scale", scales_tensor(grid, view.scales));
  const std::string result = stem + ".float";
  if (view.codes == grid.shape) {
    w = add_op(place, "Mul", {w, scale}, result);
  } else {
    w = add_op(place, "Mul", {w, scale}, "s");
    w = add_op(place, "Reshape", {w, shared_shape(place, grid.shape)}, result);
  }
  return as_type(place, w, grid, stem);
}

std::optional<Grid> lift_portable(const Value& value) {
  Grid grid;
  const Value* v = &value;
  std::optional<Dims> shape;
  if (const Node* reshape = made_by(v, "Reshape")) {
    const auto target = constant(reshape->input(1));
    if (!target) return std::nullopt;
    shape = to_ints(*target);
    v = reshape->input(0);
  }
  const Node* mul = made_by(v, "Mul");
  const auto scale = mul ? constant(mul->input(1)) : std::nullopt;
  if (!scale || scale->dtype != DType::kFloat) return std::nullopt;
  const Value* centred = mul->input(0);
  const Node* sub = made_by(centred, "Sub");
  const auto codes = lift_numbers(sub ? sub->input(0) : centred);
  if (!codes) return std::nullopt;
  const auto blocks = blocks_of(codes->shape, scale->shape);
  if (!blocks || blocks->count() != scale->size()) return std::nullopt;
  grid.shape = shape.value_or(codes->shape);
  grid.code = codes->code;
  grid.blocks = *blocks;
  grid.scale = to_floats(*scale);
  grid.codes = codes->codes;
  if (sub) {
    const auto zero = lift_numbers(sub->input(1));
    if (!zero || num_elements(zero->shape) != scale->size()) return std::nullopt;
    const DType type = lowest(zero->code) < 0 ? DType::kInt8 : DType::kUint8;
    for (const std::int64_t z : to_ints(stored(type, zero->shape, zero->codes)))
      grid.zero.push_back(static_cast<std::int32_t>(z));
  }
  return grid;
}

}  // namespace compressor::codec
