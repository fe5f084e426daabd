// npy_read: numpy's array format, read.
#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>

#include "compressor/base/error.h"
#include "compressor/base/memory_map.h"
#include "compressor/data/numpy.h"
#include "data/npy.h"

namespace compressor {
namespace data {
namespace {

// The dictionary {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), } and nothing more of Python.
class HeaderText {
 public:
  HeaderText(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  NpyHeader parse() {
    NpyHeader header;
    bool descr = false, order = false, shape = false;
    expect('{');
    while (!accept('}')) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr") {
        read_type(header);
        descr = true;
      } else if (key == "fortran_order") {
        header.fortran = truth();
        order = true;
      } else if (key == "shape") {
        read_shape(header);
        shape = true;
      } else {
        fail("unknown key '" + key + "'");
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_space();
    if (!text_.empty()) fail("something follows the dictionary");
    if (!descr || !order || !shape) fail("expected the keys descr, fortran_order and shape");
    return header;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error::io("{}: damaged array header: {}", name_, what);
  }
  void skip_space() {
    while (!text_.empty() && (text_[0] == ' ' || text_[0] == '\n' || text_[0] == '\t'))
      text_.remove_prefix(1);
  }
  bool accept(char c) {
    skip_space();
    if (text_.empty() || text_[0] != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  void expect(char c) {
    if (!accept(c)) fail(std::string("expected '") + c + "'");
  }
  std::string quoted() {
    skip_space();
    if (text_.empty() || (text_[0] != '\'' && text_[0] != '"')) {
      if (!text_.empty() && text_[0] == '[')
        throw Error::io("{}: has a structured type, expected plain numbers", name_);
      fail("expected a quoted word");
    }
    const std::size_t end = text_.find(text_[0], 1);
    if (end == std::string_view::npos) fail("a quote is not closed");
    std::string word(text_.substr(1, end - 1));
    text_.remove_prefix(end + 1);
    return word;
  }
  bool truth() {
    skip_space();
    for (const bool value : {false, true}) {
      const std::string_view word = value ? "True" : "False";
      if (!text_.starts_with(word)) continue;
      text_.remove_prefix(word.size());
      return value;
    }
    fail("expected True or False");
  }
  std::optional<std::int64_t> number() {
    skip_space();
    std::int64_t value = 0;
    const auto [stop, error] = std::from_chars(text_.data(), text_.data() + text_.size(), value);
    if (error != std::errc()) return std::nullopt;
    text_.remove_prefix(static_cast<std::size_t>(stop - text_.data()));
    return value;
  }
  void read_shape(NpyHeader& header) {
    constexpr std::size_t kMostAxes = 64;
    expect('(');
    while (const auto n = number()) {
      if (*n < 0) fail("a dimension is negative");
      header.shape.push_back(*n);
      if (header.shape.size() > kMostAxes) fail("more than 64 axes");
      if (!accept(',')) break;
    }
    expect(')');
  }
  void read_type(NpyHeader& header) {
    const std::string word = quoted();
    const auto unknown = [&] {
      return Error::io("{}: has elements of type '{}', expected numbers, bool or fixed-length text", name_,
                       word);
    };
    if (word.size() < 2) throw unknown();
    if (word[1] == 'O') throw Error::io("{}: holds pickled Python objects, which are not read", name_);
    header.big_endian = word[0] == '>';
    std::uint64_t count = 0;
    const auto [stop, error] = std::from_chars(word.data() + 2, word.data() + word.size(), count);
    constexpr std::uint64_t kLongestText = 1U << 20U;
    if (error != std::errc() || stop != word.data() + word.size() || count > kLongestText) throw unknown();
    header.item_size = count;
    if (word[1] == 'S' || word[1] == 'U') {
      header.dtype = DType::kString;
      header.wide_text = word[1] == 'U';
      header.item_size = header.wide_text ? 4 * count : count;
      return;
    }
    struct Known {
      char kind;
      std::uint64_t size;
      DType dtype;
    };
    static constexpr std::array<Known, 14> kKnown = {{{'b', 1, DType::kBool},
                                                      {'i', 1, DType::kInt8},
                                                      {'i', 2, DType::kInt16},
                                                      {'i', 4, DType::kInt32},
                                                      {'i', 8, DType::kInt64},
                                                      {'u', 1, DType::kUint8},
                                                      {'u', 2, DType::kUint16},
                                                      {'u', 4, DType::kUint32},
                                                      {'u', 8, DType::kUint64},
                                                      {'f', 2, DType::kFloat16},
                                                      {'f', 4, DType::kFloat},
                                                      {'f', 8, DType::kDouble},
                                                      {'c', 8, DType::kComplex64},
                                                      {'c', 16, DType::kComplex128}}};
    for (const Known& known : kKnown) {
      if (known.kind == word[1] && known.size == count) header.dtype = known.dtype;
    }
    if (header.dtype == DType::kUndefined) throw unknown();
  }

  std::string_view text_;
  const std::string& name_;
};

std::uint64_t product(const Dims& shape, std::uint64_t item, const std::string& name) {
  std::uint64_t total = item;
  for (const std::int64_t d : shape) {
    if (d != 0 && total > (std::uint64_t{1} << 62U) / static_cast<std::uint64_t>(d))
      throw Error::io("{}: announces an array of {} elements of {} bytes, too large", name, to_string(shape),
                      item);
    total *= static_cast<std::uint64_t>(d);
  }
  return total;
}

void swap_bytes(std::vector<std::byte>& bytes, std::uint64_t width) {
  if (width < 2) return;
  for (std::size_t i = 0; i + width <= bytes.size(); i += width)
    std::reverse(bytes.begin() + static_cast<std::ptrdiff_t>(i),
                 bytes.begin() + static_cast<std::ptrdiff_t>(i + width));
}

// First axis fastest -> last axis fastest.
std::vector<std::byte> row_major(const std::vector<std::byte>& in, const Dims& shape, std::uint64_t item) {
  std::vector<std::byte> out(in.size());
  Dims index(shape.size(), 0), step(shape.size(), 1);
  for (std::size_t a = 1; a < shape.size(); ++a) step[a] = step[a - 1] * shape[a - 1];
  std::int64_t from = 0;
  for (std::size_t to = 0; to + item <= out.size(); to += item) {
    std::memcpy(&out[to], &in[static_cast<std::size_t>(from) * item], item);
    for (std::size_t a = shape.size(); a-- > 0;) {
      from += step[a];
      if (++index[a] < shape[a]) break;
      from -= step[a] * shape[a];
      index[a] = 0;
    }
  }
  return out;
}

void append_utf8(std::string& out, std::uint32_t c) {
  const auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (c < 0x80) return put(c);
  if (c < 0x800) return put(0xC0U | c >> 6U), put(0x80U | (c & 0x3FU));
  if (c < 0x10000) return put(0xE0U | c >> 12U), put(0x80U | (c >> 6U & 0x3FU)), put(0x80U | (c & 0x3FU));
  put(0xF0U | (c >> 18U & 0x07U));
  put(0x80U | (c >> 12U & 0x3FU));
  put(0x80U | (c >> 6U & 0x3FU));
  put(0x80U | (c & 0x3FU));
}

// Fixed-length elements, filled up with NULs.
Tensor strings_of(const NpyHeader& header, const std::vector<std::byte>& bytes) {
  auto list = std::make_shared<std::vector<std::string>>(num_elements(header.shape));
  for (std::size_t i = 0; i < list->size() && header.item_size > 0; ++i) {
    std::string& text = (*list)[i];
    const std::byte* at = bytes.data() + i * header.item_size;
    if (!header.wide_text) {
      text.assign(reinterpret_cast<const char*>(at), header.item_size);
    } else {
      for (std::uint64_t c = 0; c < header.item_size / 4; ++c) {
        std::uint32_t code = 0;
        std::memcpy(&code, at + 4 * c, 4);
        append_utf8(text, code);
      }
    }
    text.erase(text.find_last_not_of('\0') + 1);
  }
  Tensor tensor;
  tensor.dtype = DType::kString;
  tensor.shape = header.shape;
  tensor.strings = std::move(list);
  return tensor;
}

std::uint64_t swap_width(const NpyHeader& header) {
  if (header.wide_text) return 4;
  if (header.dtype == DType::kString) return 1;
  const bool complex = header.dtype == DType::kComplex64 || header.dtype == DType::kComplex128;
  return complex ? header.item_size / 2 : header.item_size;
}

}  // namespace

NpyHeader parse_npy_header(std::span<const std::byte> begin, const std::string& name) {
  constexpr std::string_view kMagic = "\x93NUMPY";
  const std::string_view text(reinterpret_cast<const char*>(begin.data()), begin.size());
  if (!text.starts_with(kMagic)) throw Error::io("{}: not a numpy array: the first bytes are wrong", name);
  if (text.size() < 10) throw Error::io("{}: cut short inside the array header", name);
  const auto byte = [&](std::size_t i) { return static_cast<std::uint64_t>(begin[i]); };
  const std::uint64_t version = byte(6);
  if (version < 1 || version > 3)
    throw Error::io("{}: array format version {}, expected 1 to 3", name, version);
  const std::size_t prefix = version == 1 ? 10 : 12;
  if (text.size() < prefix) throw Error::io("{}: cut short inside the array header", name);
  std::uint64_t length = byte(8) | byte(9) << 8U;
  if (version > 1) length |= byte(10) << 16U | byte(11) << 24U;
  if (length + prefix > kNpyHeaderLimit)
    throw Error::io("{}: array header of {} bytes, expected at most {}", name, length, kNpyHeaderLimit - 12);
  if (length > text.size() - prefix) throw Error::io("{}: cut short inside the array header", name);
  NpyHeader header = HeaderText(text.substr(prefix, length), name).parse();
  header.data_offset = prefix + length;
  header.data_size = product(header.shape, header.item_size, name);
  if (header.dtype == DType::kString) product(header.shape, sizeof(std::string), name);
  return header;
}

Tensor npy_tensor(const NpyHeader& header, const Bytes& data, const std::string& name) {
  CHECK(data.size() == header.data_size, "{}", name);
  Tensor tensor;
  tensor.dtype = header.dtype;
  tensor.shape = header.shape;
  const bool as_it_is =
      !header.big_endian && !header.fortran && header.dtype != DType::kString && header.dtype != DType::kBool;
  if (as_it_is) {
    tensor.bytes = data;
    return tensor;
  }
  std::vector<std::byte> bytes(data.size());
  data.read(0, bytes);
  if (header.big_endian) swap_bytes(bytes, swap_width(header));
  if (header.fortran && header.item_size > 0) bytes = row_major(bytes, header.shape, header.item_size);
  if (header.dtype == DType::kString) return strings_of(header, bytes);
  if (header.dtype == DType::kBool) {
    for (std::byte& b : bytes) b = b == std::byte{0} ? std::byte{0} : std::byte{1};
  }
  tensor.bytes = Bytes::own(std::move(bytes));
  return tensor;
}

}  // namespace data

Tensor read_npy(const std::string& path) {
  const auto file = MappedFile::open(path);
  const std::uint64_t size = file->bytes().size();
  const data::NpyHeader header =
      data::parse_npy_header(file->bytes().first(std::min(size, data::kNpyHeaderLimit)), path);
  if (header.data_size != size - header.data_offset) {
    throw Error::io("{}: holds {} bytes of data, expected {} for {}", path, size - header.data_offset,
                    header.data_size, to_string(header.shape));
  }
  constexpr std::uint64_t kStaysMapped = std::uint64_t{1} << 20U;
  const Bytes data = header.data_size >= kStaysMapped
                         ? Bytes::map(file, header.data_offset, header.data_size)
                         : Bytes::copy(file->bytes().subspan(header.data_offset));
  return data::npy_tensor(header, data, path);
}

}  // namespace compressor
