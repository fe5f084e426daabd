// sound: WAV files, whole or in windows: [T] of one channel, [C, T] of more.
#include <algorithm>

#include "compressor/base/error.h"
#include "data/format.h"
#include "data/listing.h"
#include "data/wav.h"

namespace compressor::data {
namespace {

bool is_wav(const std::string& name) {
  return Place::extension(name) == "wav";
}

class SoundDataset : public Dataset {
 public:
  SoundDataset(Listing listing, const OpenOptions& options)
      : listing_(std::move(listing)),
        window_(options.window),
        stride_(options.stride),
        input_(options.input) {
    if (stride_ <= 0) stride_ = window_;
    if (window_ <= 0) return;
    std::int64_t total = 0;
    for (const ListedFile& file : listing_.files) {
      first_.push_back(total);
      const std::int64_t length = Wav(file.path).length();
      total += length <= window_ ? 1 : 1 + (length - window_ + stride_ - 1) / stride_;
    }
    first_.push_back(total);
  }
  std::int64_t size() const override {
    return window_ > 0 ? first_.back() : static_cast<std::int64_t>(listing_.files.size());
  }
  std::vector<std::string> classes() const override { return listing_.classes; }
  std::string split() const override { return listing_.split; }
  std::string describe() const override {
    const std::string files = fmt::format("{} sound files, {}{}", listing_.files.size(),
                                          listing_.split.empty() ? "" : listing_.split + ", ", listing_.how);
    return window_ > 0 ? fmt::format("{} windows of {} values, {}", size(), window_, files) : files;
  }
  Sample get(std::int64_t i) const override {
    CHECK(i >= 0 && i < size());
    std::size_t at = static_cast<std::size_t>(i);
    std::int64_t from = 0;
    if (window_ > 0) {
      at = static_cast<std::size_t>(std::upper_bound(first_.begin(), first_.end(), i) - first_.begin() - 1);
      from = (i - first_[at]) * stride_;
    }
    const ListedFile& file = listing_.files[at];
    const Wav wav(file.path);
    const std::int64_t count = window_ > 0 ? window_ : wav.length();
    Sample sample;
    sample.sequence = static_cast<std::int64_t>(at);
    sample.name = window_ > 0 ? fmt::format("{}[{}]", file.path, from) : file.path;
    sample.truth.label = file.label;
    sample.truth.text = file.text;
    const std::vector<float> values = wav.read(from, count);
    sample.tensors[input_] =
        Tensor::of(wav.channels() == 1 ? Dims{count} : Dims{wav.channels(), count}, values);
    return sample;
  }

 private:
  Listing listing_;
  std::int64_t window_, stride_;
  std::string input_;
  std::vector<std::int64_t> first_;  ///< number of the first window of each file, and of all
};

int claim(const Place& place) {
  if (!place.is_folder()) return place.begin().starts_with("RIFF") || is_wav(place.path()) ? kMagic : kNo;
  return lists_any(place, is_wav) ? kWeak : kNo;
}

std::unique_ptr<Dataset> open(const Place& place, const OpenOptions& options) {
  if (place.is_folder()) return std::make_unique<SoundDataset>(list_files(place, is_wav, options), options);
  Listing one;
  one.files.push_back({place.path(), std::nullopt, std::nullopt});
  one.how = "without labels";
  return std::make_unique<SoundDataset>(std::move(one), options);
}

}  // namespace

void register_sound(FormatTable& table) {
  table.add({"sound", "WAV: a file, or a folder with a class a subfolder, labels.txt, or without labels",
             claim, open});
}

}  // namespace compressor::data
