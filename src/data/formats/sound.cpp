// sound: WAV files, whole or in windows: [T] of one channel, [C, T] of more; or frames of them as steps.
#include <algorithm>

#include "compressor/base/error.h"
#include "data/format.h"
#include "data/listing.h"
#include "data/sound_pairs.h"
#include "data/wav.h"

namespace compressor::data {
namespace {

bool is_wav(const std::string& name) {
  return Place::extension(name) == "wav";
}

/// Files, and the parts of each that are samples.
class SoundDataset : public Dataset {
 public:
  SoundDataset(Listing listing, const OpenOptions& options)
      : listing_(std::move(listing)), input_(options.input) {
    if (options.labels.empty()) wanted_ = pair_up(listing_);
  }
  std::vector<std::string> classes() const override { return listing_.classes; }
  std::string split() const override { return listing_.split; }
  std::int64_t size() const override { return first_.back(); }

 protected:
  struct Part {
    std::size_t file = 0;
    std::int64_t index = 0;  ///< in the file
  };

  /// `parts` of the next file.
  void count(std::int64_t parts) { first_.push_back(first_.back() + parts); }
  Part part(std::int64_t i) const {
    CHECK(i >= 0 && i < size());
    const auto next = std::upper_bound(first_.begin(), first_.end(), i);
    return {static_cast<std::size_t>(next - first_.begin() - 1), i - *(next - 1)};
  }
  Sample sample_of(std::size_t file) const {
    Sample sample;
    sample.name = listing_.files[file].path;
    sample.sequence = static_cast<std::int64_t>(file);
    sample.truth.label = listing_.files[file].label;
    sample.truth.text = listing_.files[file].text;
    return sample;
  }
  std::string files_text() const {
    const std::size_t n = listing_.files.size();
    return fmt::format("{} sound file{}, {}{}", n, n == 1 ? "" : "s",
                       listing_.split.empty() ? "" : listing_.split + ", ", listing_.how);
  }
  const std::vector<ListedFile>& files() const { return listing_.files; }
  /// What file `i` should become; nullptr where nothing says so.
  const std::string* wanted(std::size_t i) const { return wanted_.empty() ? nullptr : &wanted_[i]; }
  const std::string& input() const { return input_; }

 private:
  Listing listing_;
  std::vector<std::string> wanted_;
  std::string input_;
  std::vector<std::int64_t> first_ = {0};  ///< number of the first part of each file, and of all
};

class Windows : public SoundDataset {
 public:
  Windows(Listing listing, const OpenOptions& options)
      : SoundDataset(std::move(listing), options),
        window_(options.window),
        stride_(options.stride > 0 ? options.stride : options.window) {
    for (const ListedFile& file : files()) {
      const std::int64_t length = window_ > 0 ? Wav(file.path).length() : 0;
      count(length <= window_ ? 1 : 1 + (length - window_ + stride_ - 1) / stride_);
    }
  }
  std::string describe() const override {
    return window_ > 0 ? fmt::format("{} windows of {} values, {}", size(), window_, files_text())
                       : files_text();
  }
  Sample get(std::int64_t i) const override {
    const Part at = part(i);
    const std::int64_t from = at.index * stride_;
    const Wav wav(files()[at.file].path);
    const std::int64_t values = window_ > 0 ? window_ : wav.length();
    Sample sample = sample_of(at.file);
    if (window_ > 0) sample.name = fmt::format("{}[{}]", sample.name, from);
    sample.tensors[input()] = tensor_of(wav, from, values);
    if (const std::string* path = wanted(at.file)) sample.truth.target = tensor_of(Wav(*path), from, values);
    return sample;
  }

 private:
  static Tensor tensor_of(const Wav& wav, std::int64_t from, std::int64_t values) {
    const Dims dims = wav.channels() == 1 ? Dims{values} : Dims{wav.channels(), values};
    return Tensor::of(dims, wav.read(from, values));
  }

  std::int64_t window_, stride_;
};

class SoundFrames : public SoundDataset {
 public:
  SoundFrames(Listing listing, const OpenOptions& options)
      : SoundDataset(std::move(listing), options), frames_(std::make_shared<Frames>(options.frames)) {
    if (options.window > 0)
      throw Error::usage(
          "window is of sounds that are fed as they are, and preprocess cuts them into frames");
    std::string first;
    for (std::size_t i = 0; i < files().size(); ++i) {
      const std::string& path = files()[i].path;
      const Wav wav = mono(path);
      if (i == 0) first = path, rate_ = wav.rate();
      if (wav.rate() != rate_)
        throw Error::io("{} has {} values a second and {} has {}, expected as many", first, rate_, path,
                        wav.rate());
      if (frames_->edges == Frames::Edges::kMirror && wav.length() <= frames_->frame / 2)
        throw Error::io("{}: has {} values, expected more than half a frame ({}) to mirror at its ends", path,
                        wav.length(), frames_->frame / 2);
      if (const std::string* other = wanted(i)) mono(*other);
      count(frames_->count(wav.length()));
    }
  }
  std::string describe() const override {
    return fmt::format("{} frames of {} values, {}", size(), frames_->frame, files_text());
  }
  /// For networks that ask for it.
  std::map<std::string, Tensor> constants() const override {
    const Tensor rate = Tensor::of(Dims{}, std::vector<std::int64_t>{rate_});
    return {{"sr", rate}, {"sample_rate", rate}};
  }
  Sample get(std::int64_t i) const override {
    const Part at = part(i);
    const Wav wav(files()[at.file].path);
    Sample sample = sample_of(at.file);
    sample.name = fmt::format("{}[{}]", sample.name, at.index);
    FrameTruth frame;
    frame.frames = frames_;
    frame.begin = frames_->begin(at.index);
    sample.tensors[input()] = frame_numbers(*frames_, values(wav, frame.begin), frame);
    if (const std::string* path = wanted(at.file)) {
      const Wav other(*path);
      const std::int64_t from = std::max<std::int64_t>(0, frame.begin);
      const std::int64_t to = std::min({frame.begin + frames_->hop, other.length(), wav.length()});
      frame.wanted = other.read(from, std::max<std::int64_t>(0, to - from));
    }
    sample.truth.frame = std::move(frame);
    return sample;
  }

 private:
  Wav mono(const std::string& path) const {
    Wav wav(path);
    if (wav.channels() != 1)
      throw Error::io("{}: has {} channels, expected one to cut frames from", path, wav.channels());
    if (frames_->rate > 0 && wav.rate() != frames_->rate)
      throw Error::io("{}: has {} values a second, expected {} (rate in preprocess)", path, wav.rate(),
                      frames_->rate);
    return wav;
  }

  /// [begin, begin + frame); what lies outside the sound is zero or mirrored.
  std::vector<float> values(const Wav& wav, std::int64_t begin) const {
    const std::int64_t n = frames_->frame, length = wav.length();
    std::vector<float> frame(static_cast<std::size_t>(n), 0.0F);
    const std::int64_t from = std::clamp<std::int64_t>(begin, 0, length);
    const std::int64_t to = std::clamp<std::int64_t>(begin + n, from, length);
    const std::vector<float> inside = wav.read(from, to - from);
    std::copy(inside.begin(), inside.end(), frame.begin() + (from - begin));
    if (frames_->edges != Frames::Edges::kMirror) return frame;
    for (std::int64_t k = 0; k < n; ++k) {
      const std::int64_t place = begin + k;
      if (place >= 0 && place < length) continue;
      const std::int64_t mirrored = place < 0 ? -place : 2 * (length - 1) - place;
      frame[static_cast<std::size_t>(k)] = wav.read(mirrored, 1).front();
    }
    return frame;
  }

  std::shared_ptr<const Frames> frames_;
  std::int64_t rate_ = 0;
};

int claim(const Place& place) {
  if (!place.is_folder()) return place.begin().starts_with("RIFF") || is_wav(place.path()) ? kMagic : kNo;
  return lists_any(place, is_wav) ? kWeak : kNo;
}

std::unique_ptr<Dataset> open(const Place& place, const OpenOptions& options) {
  Listing listing;
  if (place.is_folder()) {
    listing = list_files(place, is_wav, options);
  } else {
    listing.files.push_back({place.path(), std::nullopt, std::nullopt});
    listing.how = "without labels";
  }
  if (options.frames.any()) return std::make_unique<SoundFrames>(std::move(listing), options);
  return std::make_unique<Windows>(std::move(listing), options);
}

}  // namespace

void register_sound(FormatTable& table) {
  table.add({"sound", "WAV: a file, or a folder with a class a subfolder, labels.txt, or without labels",
             claim, open});
}

}  // namespace compressor::data
