// npy_write: numpy's array format, written.
#include <algorithm>
#include <cstring>
#include <functional>
#include <optional>
#include <set>

#include "compressor/base/atomic_file.h"
#include "compressor/base/error.h"
#include "compressor/data/numpy.h"
#include "data/npy.h"
#include "data/zip.h"

namespace compressor {
namespace data {
namespace {

std::string descr_of(DType dtype) {
  switch (dtype) {
    case DType::kBool:
      return "|b1";
    case DType::kInt8:
      return "|i1";
    case DType::kUint8:
      return "|u1";
    case DType::kInt16:
      return "<i2";
    case DType::kUint16:
      return "<u2";
    case DType::kInt32:
      return "<i4";
    case DType::kUint32:
      return "<u4";
    case DType::kInt64:
      return "<i8";
    case DType::kUint64:
      return "<u8";
    case DType::kFloat16:
      return "<f2";
    case DType::kFloat:
      return "<f4";
    case DType::kDouble:
      return "<f8";
    case DType::kComplex64:
      return "<c8";
    case DType::kComplex128:
      return "<c16";
    default:
      return "";
  }
}

// The type that holds the same numbers where numpy has none of that name.
DType widened(DType dtype) {
  if (!descr_of(dtype).empty()) return dtype;
  if (is_float(dtype)) return DType::kFloat;
  return dtype == DType::kUint4 || dtype == DType::kUint2 ? DType::kUint8 : DType::kInt8;
}

// The characters of UTF-8 text; nullopt where it is none.
std::optional<std::vector<std::uint32_t>> characters(const std::string& text) {
  std::vector<std::uint32_t> list;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t more = lead < 0x80 ? 0 : lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
    if ((lead >= 0x80 && lead < 0xC2) || lead > 0xF4 || more >= text.size() - i) return std::nullopt;
    std::uint32_t code = more == 0 ? lead : lead & (0x3FU >> more);
    for (std::size_t k = 1; k <= more; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      if ((next & 0xC0U) != 0x80) return std::nullopt;
      code = code << 6U | (next & 0x3FU);
    }
    list.push_back(code);
    i += more + 1;
  }
  return list;
}

NpyArray text_array(const Tensor& tensor) {
  const std::vector<std::string> none;
  const std::vector<std::string>& strings = tensor.strings ? *tensor.strings : none;
  std::vector<std::vector<std::uint32_t>> wide;
  std::size_t longest = 1, longest_wide = 1;
  for (const std::string& s : strings) {
    longest = std::max(longest, s.size());
    if (auto list = characters(s)) {
      longest_wide = std::max(longest_wide, list->size());
      wide.push_back(std::move(*list));
    }
  }
  const bool unicode = wide.size() == strings.size();
  const std::size_t item = unicode ? 4 * longest_wide : longest;
  std::vector<std::byte> bytes(strings.size() * item);
  for (std::size_t i = 0; i < strings.size(); ++i) {
    if (unicode && !wide[i].empty()) std::memcpy(&bytes[i * item], wide[i].data(), 4 * wide[i].size());
    if (!unicode && !strings[i].empty()) std::memcpy(&bytes[i * item], strings[i].data(), strings[i].size());
  }
  NpyArray array;
  array.header =
      npy_header(tensor.shape, unicode ? fmt::format("<U{}", longest_wide) : fmt::format("|S{}", longest));
  array.tensor.dtype = DType::kUint8;
  array.tensor.shape = {static_cast<std::int64_t>(bytes.size())};
  array.tensor.bytes = Bytes::own(std::move(bytes));
  return array;
}

void for_pieces(const Bytes& bytes, const std::function<void(std::span<const std::byte>)>& visit) {
  constexpr std::uint64_t kPiece = std::uint64_t{1} << 20U;
  std::vector<std::byte> piece(std::min(bytes.size(), kPiece));
  for (std::uint64_t done = 0; done < bytes.size(); done += piece.size()) {
    const std::span<std::byte> part = std::span(piece).first(std::min(kPiece, bytes.size() - done));
    bytes.read(done, part);
    visit(part);
  }
}

}  // namespace

std::string npy_header(const Dims& shape, const std::string& descr) {
  std::string dims;
  for (const std::int64_t d : shape) dims += (dims.empty() ? "" : ", ") + std::to_string(d);
  if (shape.size() == 1) dims += ",";
  std::string dict = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", descr, dims);
  const std::size_t unpadded = 10 + dict.size() + 1;
  dict += std::string((64 - unpadded % 64) % 64, ' ') + "\n";
  std::string header("\x93NUMPY\x01\x00", 8);
  header += static_cast<char>(dict.size() & 0xFFU);
  header += static_cast<char>(dict.size() >> 8U);
  return header + dict;
}

NpyArray npy_array(const Tensor& tensor) {
  if (tensor.dtype == DType::kString) return text_array(tensor);
  NpyArray array = {tensor, ""};
  const DType dtype = widened(tensor.dtype);
  if (!is_known(tensor.dtype))
    throw Error::usage("a tensor of type {} cannot be written", name(tensor.dtype));
  if (dtype != tensor.dtype) array.tensor = Tensor::of(dtype, tensor.shape, to_doubles(tensor));
  array.header = npy_header(tensor.shape, descr_of(dtype));
  return array;
}

}  // namespace data

void write_npy(const std::string& path, const Tensor& tensor) {
  const data::NpyArray array = data::npy_array(tensor);
  AtomicFile file(path);
  file.write(array.header);
  data::for_pieces(array.tensor.bytes, [&](std::span<const std::byte> piece) { file.write(piece); });
  file.commit();
}

void write_npz(const std::string& path, const std::vector<std::pair<std::string, Tensor>>& arrays,
               bool deflate) {
  std::set<std::string> names;
  for (const auto& [name, tensor] : arrays) {
    if (!names.insert(name).second) throw Error::usage("{}: array '{}' is given twice", path, name);
    if (name.size() > 60000 || name.find('\0') != std::string::npos)
      throw Error::usage("{}: array '{}' has a name that an archive cannot hold", path, name);
  }
  AtomicFile file(path);
  data::ZipWriter zip(file);
  for (const auto& [name, tensor] : arrays) {
    const data::NpyArray array = data::npy_array(tensor);
    const auto header = std::as_bytes(std::span(array.header));
    if (deflate) {
      zip.begin_deflated(name + ".npy");
      zip.write(header);
      data::for_pieces(array.tensor.bytes, [&](std::span<const std::byte> piece) { zip.write(piece); });
      zip.end();
      continue;
    }
    std::uint32_t crc = data::crc32_of(header);
    data::for_pieces(array.tensor.bytes,
                     [&](std::span<const std::byte> piece) { crc = data::crc32_of(piece, crc); });
    zip.begin_stored(name + ".npy", header.size() + array.tensor.bytes.size(), crc);
    file.write(header);
    data::for_pieces(array.tensor.bytes, [&](std::span<const std::byte> piece) { file.write(piece); });
  }
  zip.finish();
  file.commit();
}

}  // namespace compressor
