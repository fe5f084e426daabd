// cifar: CIFAR-10 and CIFAR-100 in their binary form.
//
//   records of [label] (CIFAR-100: [coarse label][label]) and 3072 bytes [3, 32, 32]
#include <algorithm>

#include "compressor/base/error.h"
#include "compressor/base/memory_map.h"
#include "compressor/data/class_names.h"
#include "data/format.h"

namespace compressor::data {
namespace {

constexpr std::int64_t kSide = 32;
constexpr std::size_t kPixels = kSide * kSide;

// Bytes of labels before each picture: 1 or 2, 0 when the file is neither.
std::size_t labels_of(const MappedFile& file) {
  const auto bytes = file.bytes();
  constexpr std::size_t kLooked = 1000;
  for (const std::size_t labels : {std::size_t{1}, std::size_t{2}}) {
    const std::size_t record = labels + 3 * kPixels;
    if (bytes.empty() || bytes.size() % record != 0) continue;
    const unsigned most = labels == 1 ? 10 : 20;
    bool fits = true;
    for (std::size_t i = 0; i < std::min(kLooked, bytes.size() / record) && fits; ++i)
      fits = std::to_integer<unsigned>(bytes[i * record]) < most &&
             (labels == 1 || std::to_integer<unsigned>(bytes[i * record + 1]) < 100);
    if (fits) return labels;
  }
  return 0;
}

bool is_cifar(const std::string& path) {
  return Place::extension(path) == "bin" && labels_of(*MappedFile::open(path)) != 0;
}

class CifarDataset : public Dataset {
 public:
  CifarDataset(const std::vector<std::string>& paths, std::string split, std::vector<std::string> classes)
      : split_(std::move(split)), classes_(std::move(classes)) {
    for (const std::string& path : paths) {
      Part part;
      part.file = MappedFile::open(path);
      part.labels = labels_of(*part.file);
      if (part.labels == 0) {
        throw Error::io(
            "{}: {} bytes, expected a multiple of 3073 (CIFAR-10) or 3074 (CIFAR-100) with labels below 10 "
            "or 20 and 100",
            path, part.file->bytes().size());
      }
      if (!parts_.empty() && parts_.front().labels != part.labels)
        throw Error::io("{}: is of another kind than {}", path, parts_.front().file->path());
      part.first = size_;
      size_ += static_cast<std::int64_t>(part.file->bytes().size() / (part.labels + 3 * kPixels));
      parts_.push_back(std::move(part));
    }
    if (classes_.empty() && parts_.front().labels == 1) classes_ = class_list("cifar10");
  }
  std::int64_t size() const override { return size_; }
  std::string split() const override { return split_; }
  std::vector<std::string> classes() const override { return classes_; }
  std::string describe() const override {
    return fmt::format("{} pictures of 32x32x3, {}CIFAR-{}", size_, split_.empty() ? "" : split_ + ", ",
                       parts_.front().labels == 1 ? 10 : 100);
  }
  Sample get(std::int64_t i) const override {
    CHECK(i >= 0 && i < size_);
    const Part* part = &parts_.front();
    for (const Part& p : parts_) {
      if (p.first <= i) part = &p;
    }
    const std::size_t record = part->labels + 3 * kPixels;
    const auto at = static_cast<std::size_t>(i - part->first);
    std::vector<std::byte> bytes(record);
    part->file->read(at * record, bytes);
    Sample sample;
    sample.name = fmt::format("{}[{}]", part->file->path(), at);
    sample.truth.label = std::to_integer<std::int64_t>(bytes[part->labels - 1]);
    const std::int64_t classes = part->labels == 1 ? 10 : 100;
    if (*sample.truth.label >= classes)
      throw Error::io("{}: label {}, expected one below {}", sample.name, *sample.truth.label, classes);
    sample.image = Image(kSide, kSide, 3);
    for (std::size_t p = 0; p < kPixels; ++p) {
      for (std::size_t c = 0; c < 3; ++c)
        sample.image->pixels[3 * p + c] =
            std::to_integer<std::uint8_t>(bytes[part->labels + c * kPixels + p]);
    }
    return sample;
  }

 private:
  struct Part {
    std::shared_ptr<const MappedFile> file;
    std::size_t labels = 0;
    std::int64_t first = 0;
  };
  std::string split_;
  std::vector<std::string> classes_;
  std::vector<Part> parts_;
  std::int64_t size_ = 0;
};

int claim(const Place& place) {
  if (!place.is_folder()) return is_cifar(place.path()) ? kMagic : kNo;
  return std::any_of(place.files().begin(), place.files().end(),
                     [&](const std::string& name) { return is_cifar(place.in(name)); })
             ? kFolder
             : kNo;
}

std::unique_ptr<Dataset> open(const Place& place, const OpenOptions& options) {
  if (!place.is_folder()) {
    const std::string split = split_of(std::filesystem::path(place.path()).filename().string());
    if (!options.split.empty() && options.split != split)
      throw Error::usage("{}: is not the split '{}'; give the folder", place.path(), options.split);
    return std::make_unique<CifarDataset>(std::vector<std::string>{place.path()}, split, options.classes);
  }
  // The original's five training files are called data_batch_N.
  const auto split = [](const std::string& name) {
    const std::string word = split_of(name);
    return word.empty() && name.starts_with("data_batch") ? "train" : word;
  };
  std::vector<std::string> names, there, paths;
  for (const std::string& name : place.files()) {
    if (!is_cifar(place.in(name))) continue;
    names.push_back(name);
    if (std::find(there.begin(), there.end(), split(name)) == there.end()) there.push_back(split(name));
  }
  if (names.empty()) throw Error::io("{}: no file of CIFAR records (*.bin)", place.path());
  const std::string chosen = choose_split(there, options, place.path());
  for (const std::string& name : names) {
    if (split(name) == chosen) paths.push_back(place.in(name));
  }
  return std::make_unique<CifarDataset>(paths, chosen, options.classes);
}

}  // namespace

void register_cifar(FormatTable& table) {
  table.add({"cifar", "CIFAR-10 or CIFAR-100, binary: *.bin of label bytes and 3072 pixels", claim, open});
}

}  // namespace compressor::data
