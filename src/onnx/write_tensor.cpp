// write_tensor: TensorProto and SparseTensorProto, into the message or beside it.
#include "onnx/tensor_field.h"
#include "onnx/varints.h"
#include "onnx/write.h"

namespace compressor::wire {
namespace {

constexpr std::uint64_t kExternalFrom = 1024;  // smaller weights stay in the model
constexpr std::uint64_t kPage = 4096;          // large ones can be mapped on their own
constexpr std::uint64_t kLine = 64;
constexpr std::uint64_t kTypedUpTo = std::uint64_t{1} << 20U;

void put_entry(Rope& out, std::string_view key, std::string_view value) {
  std::string entry;
  put_text(entry, 1, key);
  put_text(entry, 2, value);
  put_text(out.text, 13, entry);
}

void put_external(SaveContext& context, Rope& out, const Tensor& tensor) {
  Rope& side = context.side;
  const std::uint64_t align = tensor.bytes.size() >= 4 * kPage ? kPage : kLine;
  side.text.append((align - side.size() % align) % align, '\0');
  put_entry(out, "location", context.location);
  put_entry(out, "offset", std::to_string(side.size()));
  put_entry(out, "length", std::to_string(tensor.bytes.size()));
  if (tensor.notes) {
    for (const auto& [key, value] : tensor.notes->external_extra) {
      if (key != "checksum") put_entry(out, key, value);  // of the file that it came from
    }
  }
  put_int(out.text, 14, 1);
  side.add(tensor.bytes);
}

/// The numbers in the field that the file had them in. Large ones that were changed go to raw_data, which is
/// never larger than varints of the same numbers.
void put_payload(Rope& out, const Tensor& tensor) {
  if (tensor.dtype == DType::kString) {
    if (!tensor.strings) return;
    for (const std::string& s : *tensor.strings) put_text(out.text, 6, s);
    return;
  }
  const TensorField field = tensor_field(tensor.dtype);
  const bool typed = tensor.field == Tensor::Field::kTyped && field.number != 0;
  if (!typed) {
    if (tensor.field == Tensor::Field::kRaw || !tensor.bytes.empty()) out.put(9, tensor.bytes);
    return;
  }
  if (tensor.bytes.empty()) return;
  if (!field.varint) return out.put(field.number, tensor.bytes);
  if (const auto encoded = encoded_varints(tensor.bytes)) return out.put(field.number, *encoded);
  if (tensor.bytes.size() > kTypedUpTo) return out.put(9, tensor.bytes);
  put_text(out.text, field.number, encode_varints(tensor.bytes, field.width, field.is_signed));
}

}  // namespace

Rope tensor_rope(SaveContext& context, const Tensor& tensor, const std::string& name, bool may_be_external) {
  if (tensor.dtype != DType::kString && bits(tensor.dtype) != 0) {
    CHECK(tensor.bytes.size() == tensor.byte_size(), "tensor '{}' has {} bytes for {} {}", name,
          tensor.bytes.size(), compressor::name(tensor.dtype), to_string(tensor.shape));
  }
  Rope out;
  if (tensor.notes) out.text = tensor.notes->unknown;
  for (const std::int64_t d : tensor.shape) put_int(out.text, 1, d);
  if (tensor.dtype != DType::kUndefined) put_int(out.text, 2, static_cast<std::int32_t>(tensor.dtype));
  const bool external = may_be_external && context.external && tensor.dtype != DType::kString &&
                        bits(tensor.dtype) != 0 && tensor.bytes.size() >= kExternalFrom;
  if (!external) put_payload(out, tensor);
  put_text_if(out.text, 8, name);
  if (tensor.notes) put_text_if(out.text, 12, context.doc(tensor.notes->doc));
  if (external) put_external(context, out, tensor);
  return out;
}

Rope sparse_tensor_rope(SaveContext& context, const SparseTensor& sparse, const std::string& name) {
  Rope out;
  out.text = sparse.unknown;
  out.put(1, tensor_rope(context, sparse.values, name, false));
  const bool no_indices = sparse.indices.dtype == DType::kUndefined && sparse.indices.bytes.empty();
  if (!no_indices) out.put(2, tensor_rope(context, sparse.indices, sparse.indices.name, false));
  for (const std::int64_t d : sparse.dims) put_int(out.text, 3, d);
  return out;
}

}  // namespace compressor::wire
