// text: windows of tokens, each asked for the next token at every place.
//
//   with a tokenizer   input BOS t0 t1 .. t(n-2), target t0 t1 .. t(n-1)
//   bytes              input t0 .. t(n-1),        target t1 .. tn
#include <algorithm>
#include <optional>

#include "compressor/base/error.h"
#include "compressor/base/memory_map.h"
#include "data/format.h"
#include "data/tokenizer.h"

namespace compressor::data {
namespace {

constexpr std::int64_t kWindow = 256;

// Tokens of a text: bytes of the mapped file, or what the tokenizer made of it (4 bytes a token).
class TextDataset : public Dataset {
 public:
  TextDataset(std::string path, const OpenOptions& options)
      : path_(std::move(path)), input_(options.input), file_(MappedFile::open(path_)) {
    const auto bytes = file_->bytes();
    count_ = static_cast<std::int64_t>(bytes.size());
    if (!options.tokenizer.empty()) {
      const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      tokens_ = Tokenizer::read(options.tokenizer).encode(text, true);
      count_ = static_cast<std::int64_t>(tokens_->size());
    }
    window_ = options.window > 0 ? options.window : kWindow;
    stride_ = options.stride > 0 ? options.stride : window_;
  }
  // Every token but, of bytes, the first is asked for once (where windows do not overlap).
  std::int64_t size() const override {
    const std::int64_t asked = count_ - (tokens_ ? 0 : 1);
    if (asked <= 0) return 0;
    return asked <= window_ ? 1 : 1 + (asked - window_ + stride_ - 1) / stride_;
  }
  std::string describe() const override {
    return fmt::format("{} windows of {} {}, text", size(), window_, tokens_ ? "tokens" : "bytes");
  }
  Sample get(std::int64_t i) const override {
    CHECK(i >= 0 && i < size());
    Sample sample;
    sample.name = fmt::format("{}[{}]", path_, i);
    std::vector<std::int64_t> input, target;
    const std::int64_t first = i * stride_;
    for (std::int64_t k = 0; k < window_; ++k) {
      const std::int64_t next = first + k + (tokens_ ? 0 : 1);
      const bool inside = next < count_;
      const std::int64_t here = tokens_ && k == 0 ? std::int64_t{Tokenizer::kBos} : token(next - 1);
      input.push_back(inside ? here : 0);
      target.push_back(inside ? token(next) : Truth::kNoTarget);
    }
    sample.tensors[input_] = Tensor::of({window_}, input);
    sample.truth.target = Tensor::of({window_}, target);
    return sample;
  }

 private:
  std::int64_t token(std::int64_t i) const {
    if (i >= count_) return 0;
    if (tokens_) return (*tokens_)[static_cast<std::size_t>(i)];
    return std::to_integer<std::int64_t>(file_->bytes()[static_cast<std::size_t>(i)]);
  }
  std::string path_, input_;
  std::shared_ptr<const MappedFile> file_;
  std::optional<std::vector<std::int32_t>> tokens_;
  std::int64_t count_ = 0, window_ = 0, stride_ = 0;
};

bool is_text(const std::string& name) {
  const std::string extension = Place::extension(name);
  return extension == "txt" || extension == "text";
}

int claim(const Place& place) {
  return !place.is_folder() && is_text(place.path()) ? kWeak : kNo;
}

std::unique_ptr<Dataset> open(const Place& place, const OpenOptions& options) {
  if (place.is_folder()) throw Error::io("{}: is a folder, expected a file of text", place.path());
  return std::make_unique<TextDataset>(place.path(), options);
}

}  // namespace

void register_text(FormatTable& table) {
  table.add({"text", "a .txt file in windows of tokens (a tokenizer file) or bytes", claim, open});
}

}  // namespace compressor::data
