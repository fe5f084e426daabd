// idx: the pictures and labels of MNIST and its kin.
//
//   0 0 T R, R big-endian sizes of 4 bytes, data; T = 8: bytes. train-images-idx3-ubyte.gz beside
//   train-labels-idx1-...
#include <algorithm>
#include <map>

#include "compressor/base/error.h"
#include "compressor/base/memory_map.h"
#include "data/format.h"
#include "data/inflate.h"

namespace compressor::data {
namespace {

struct Idx {
  Dims shape;
  Bytes bytes;
};

struct IdxHeader {
  Dims shape;
  std::uint64_t offset = 0;
};

IdxHeader parse_header(std::span<const std::byte> begin, const std::string& path) {
  if (begin.size() < 4)
    throw Error::io("{}: cut short: found {} bytes, expected an IDX header", path, begin.size());
  const auto byte = [&](std::size_t i) { return std::to_integer<std::uint32_t>(begin[i]); };
  constexpr std::uint32_t kBytes = 8, kMostAxes = 4;
  if (byte(0) != 0 || byte(1) != 0)
    throw Error::io("{}: not an IDX file: it begins with {:02x} {:02x}, expected 00 00", path, byte(0),
                    byte(1));
  if (byte(2) != kBytes)
    throw Error::io("{}: IDX of element type {:#04x}, expected bytes (0x08)", path, byte(2));
  if (byte(3) < 1 || byte(3) > kMostAxes)
    throw Error::io("{}: IDX with {} axes, expected 1 to 4", path, byte(3));
  IdxHeader header;
  header.offset = 4 + 4 * static_cast<std::uint64_t>(byte(3));
  if (begin.size() < header.offset) throw Error::io("{}: cut short inside the IDX header", path);
  for (std::size_t i = 4; i < header.offset; i += 4)
    header.shape.push_back(byte(i) << 24U | byte(i + 1) << 16U | byte(i + 2) << 8U | byte(i + 3));
  std::uint64_t total = 1;
  for (const std::int64_t d : header.shape) {
    if (d != 0 && total > (std::uint64_t{1} << 40U) / static_cast<std::uint64_t>(d))
      throw Error::io("{}: announces {} bytes, too large", path, to_string(header.shape));
    total *= static_cast<std::uint64_t>(d);
  }
  return header;
}

Idx read_idx(const std::string& path) {
  const auto file = MappedFile::open(path);
  if (!is_gzip(file->bytes())) {
    const IdxHeader header = parse_header(file->bytes(), path);
    const std::uint64_t wanted = num_elements(header.shape), found = file->bytes().size() - header.offset;
    if (found != wanted)
      throw Error::io("{}: holds {} bytes of data, expected {} for {}", path, found, wanted,
                      to_string(header.shape));
    return {header.shape, Bytes::map(file, header.offset, wanted)};
  }
  Inflater from(file->bytes(), Inflater::Wrap::kGzip, path);
  std::vector<std::byte> begin(4);
  from.read(begin);
  const auto axes = std::min<std::size_t>(4, std::to_integer<std::size_t>(begin[3]));
  begin.resize(4 + 4 * axes);
  from.read(std::span(begin).subspan(4));
  Idx idx;
  idx.shape = parse_header(begin, path).shape;
  idx.bytes = unpack(from, num_elements(idx.shape), path);
  from.finish();
  return idx;
}

class IdxDataset : public Dataset {
 public:
  IdxDataset(std::string images, const std::string& labels, std::string split,
             std::vector<std::string> classes)
      : path_(std::move(images)), split_(std::move(split)), classes_(std::move(classes)) {
    Idx pictures = read_idx(path_);
    if (pictures.shape.size() == 3) pictures.shape.push_back(1);
    if (pictures.shape.size() != 4 || (pictures.shape[3] != 1 && pictures.shape[3] != 3))
      throw Error::io("{}: IDX of {}, expected pictures [N, H, W] or [N, H, W, 3]", path_,
                      to_string(pictures.shape));
    shape_ = pictures.shape;
    pixels_ = pictures.bytes;
    if (labels.empty()) return;
    const Idx classes_of = read_idx(labels);
    if (classes_of.shape.size() != 1 || classes_of.shape[0] != shape_[0])
      throw Error::io("{}: IDX of {}, expected a label for each of the {} pictures of {}", labels,
                      to_string(classes_of.shape), shape_[0], path_);
    labels_ = classes_of.bytes;
  }
  std::int64_t size() const override { return shape_[0]; }
  std::string split() const override { return split_; }
  std::vector<std::string> classes() const override { return classes_; }
  std::string describe() const override {
    return fmt::format("{} pictures of {}x{}x{}, {}IDX", shape_[0], shape_[1], shape_[2], shape_[3],
                       split_.empty() ? "" : split_ + ", ");
  }
  Sample get(std::int64_t i) const override {
    CHECK(i >= 0 && i < size());
    Sample sample;
    sample.name = fmt::format("{}[{}]", path_, i);
    sample.image = Image(shape_[1], shape_[2], shape_[3]);
    const std::size_t bytes = sample.image->pixels.size();
    pixels_.read(static_cast<std::uint64_t>(i) * bytes,
                 std::as_writable_bytes(std::span(sample.image->pixels)));
    if (!labels_.empty()) {
      std::uint8_t label = 0;
      labels_.read(static_cast<std::uint64_t>(i), std::as_writable_bytes(std::span(&label, 1)));
      sample.truth.label = label;
    }
    return sample;
  }

 private:
  std::string path_, split_;
  std::vector<std::string> classes_;
  Dims shape_;
  Bytes pixels_, labels_;
};

// train-images-idx3-ubyte -> train-labels-idx1-ubyte
std::string labels_name(std::string images) {
  const std::size_t at = images.rfind("images");
  if (at == std::string::npos) return "";
  images.replace(at, 6, "labels");
  for (const char* axes : {"idx3", "idx4"}) {
    const std::size_t idx = images.rfind(axes);
    if (idx != std::string::npos) images.replace(idx, 4, "idx1");
  }
  return images;
}

bool is_images_name(const std::string& name) {
  return name.find("images") != std::string::npos && name.find("idx") != std::string::npos;
}

int claim(const Place& place) {
  if (!place.is_folder()) {
    const std::string& begin = place.begin();
    const bool magic = begin.size() >= 8 && begin.starts_with(std::string_view("\0\0\x08", 3)) &&
                       begin[3] >= 1 && begin[3] <= 4;
    return magic || place.path().find("-idx") != std::string::npos ? kMagic : kNo;
  }
  return std::any_of(place.files().begin(), place.files().end(), is_images_name) ? kFolder : kNo;
}

std::unique_ptr<Dataset> open(const Place& place, const OpenOptions& options) {
  namespace fs = std::filesystem;
  std::string images = place.path(), split;
  if (place.is_folder()) {
    std::vector<std::string> there;
    std::map<std::string, std::string> by_split;
    for (const std::string& name : place.files()) {
      if (!is_images_name(name)) continue;
      const std::string word = split_of(name);
      if (!by_split.emplace(word, name).second) continue;  // .gz beside what it packs
      there.push_back(word);
    }
    split = choose_split(there, options, place.path());
    images = place.in(by_split.at(split));
  } else if (!options.split.empty() && split_of(fs::path(images).filename().string()) != options.split) {
    throw Error::usage("{}: is not the split '{}'; give the folder", images, options.split);
  }
  std::string labels = options.labels;
  if (labels.empty()) {
    const std::string name = labels_name(fs::path(images).filename().string());
    const std::string beside = (fs::path(images).parent_path() / name).string();
    if (!name.empty() && fs::exists(beside)) labels = beside;
  }
  return std::make_unique<IdxDataset>(images, labels, split, options.classes);
}

}  // namespace

void register_idx(FormatTable& table) {
  table.add({"idx", "MNIST's: *-images-idx3-ubyte beside *-labels-idx1-ubyte, gzipped or not", claim, open});
}

}  // namespace compressor::data
