// ctc: texts read by a recogniser that gives a class for every step, blank among them.
#include "metrics/ctc.h"

#include <algorithm>
#include <cctype>

#include "compressor/data/class_names.h"
#include "metrics/edit_distance.h"
#include "metrics/metric_table.h"
#include "metrics/outputs.h"

namespace compressor::metrics {
namespace {

std::size_t best_of(std::span<const float> row) {
  return static_cast<std::size_t>(std::max_element(row.begin(), row.end()) - row.begin());
}

class Ctc : public Metric {
 public:
  Ctc(const MetricInfo& info, const MetricContext& context, TextUnit unit)
      : Metric(info, context), unit_(unit) {}

  void ready() override {
    symbols_ = characters_->empty() ? context().classes : read_characters(*characters_);
  }

  void update(const Outputs& outputs, const Targets& targets) override {
    const std::int64_t rows = targets.batch_rows();
    if (symbols_.empty()) {
      throw Error::usage(
          "metric {}: needs the characters that the model knows: --characters FILE or {}:characters=FILE, a "
          "character a line",
          this->name(), this->name());
    }
    const auto& [name, tensor] =
        choose_output(this->name(), outputs, *output_, fmt::format("scores {} x steps x classes", rows),
                      [&](const Tensor& t) {
                        if (is_integer(t.dtype)) return t.rank() == 2 && time_axis(t, rows) >= 0 ? 1 : 0;
                        if (!is_float(t.dtype) || t.rank() != 3 || time_axis(t, rows) < 0) return 0;
                        return space_of(t.shape[2]) >= 0 ? 3 : 2;
                      });
    const std::vector<std::vector<std::int64_t>> paths = paths_of(name, tensor, rows);
    for (std::size_t i = 0; i < targets.items.size(); ++i) {
      const BatchItem& item = targets.items[i];
      if (!item.truth.text)
        throw Error::usage("{}: sample '{}' has no text, expected what is written or said", this->name(),
                           item.name);
      count(collapse(paths[i], blank_, table_), *item.truth.text);
    }
  }

  double value() const override {
    if (length_ == 0) throw Error::usage("{}: no text", name());
    return 100 * (1 - static_cast<double>(edits_) / static_cast<double>(length_));
  }

  void merge(const Metric& other) override {
    const Ctc& that = same_metric(*this, other);
    edits_ += that.edits_;
    length_ += that.length_;
  }

 private:
  /// 1 for [N, T, ...], 0 for [T, N, ...], -1 when neither axis is the batch.
  std::int64_t time_axis(const Tensor& t, std::int64_t rows) const {
    const bool first = *time_ != "first" && t.shape[0] == rows;
    if (first) return 1;
    return *time_ != "second" && t.shape[1] == rows ? 0 : -1;
  }

  /// Classes beyond the list and the blank: 0, or 1 for a space; -1 when that cannot be.
  std::int64_t space_of(std::int64_t classes) const {
    const std::int64_t more = classes - static_cast<std::int64_t>(symbols_.size()) - 1;
    return more == 0 || more == 1 ? more : -1;
  }

  /// The symbol of each class.
  void make_table(std::int64_t classes) {
    blank_ = *blank_at_ == "last" ? classes - 1 : 0;
    if (static_cast<std::int64_t>(table_.size()) == classes) return;
    table_ = symbols_;
    if (space_of(classes) == 1) table_.emplace_back(" ");
    table_.insert(blank_ == 0 ? table_.begin() : table_.end(), "");
  }

  std::vector<std::vector<std::int64_t>> paths_of(const std::string& name, const Tensor& tensor,
                                                  std::int64_t rows) {
    const bool indices = is_integer(tensor.dtype);
    const auto classes = indices ? static_cast<std::int64_t>(symbols_.size()) + 1 : tensor.shape[2];
    if (space_of(classes) < 0)
      throw Error::usage(
          "{}: {}: {} classes, expected {} for the characters{} and a blank, or {} with a space",
          this->name(), describe(name, tensor), classes, symbols_.size() + 1,
          characters_->empty() ? "" : fmt::format(" of '{}'", *characters_), symbols_.size() + 2);
    make_table(indices && *space_ ? classes + 1 : classes);
    const std::int64_t axis = time_axis(tensor, rows);
    const auto n = static_cast<std::size_t>(rows);
    const auto steps = static_cast<std::size_t>(tensor.shape[static_cast<std::size_t>(axis)]);
    std::vector<std::vector<std::int64_t>> paths(n, std::vector<std::int64_t>(steps));
    const auto place = [&](std::size_t i, std::size_t t) { return axis == 1 ? i * steps + t : t * n + i; };
    if (indices) {
      const std::vector<std::int64_t> chosen = to_ints(tensor);
      for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t t = 0; t < steps; ++t) paths[i][t] = chosen[place(i, t)];
      }
      return paths;
    }
    const Floats scores(tensor);
    const auto width = static_cast<std::size_t>(classes);
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t t = 0; t < steps; ++t)
        paths[i][t] = static_cast<std::int64_t>(best_of(scores.at(place(i, t) * width, width)));
    }
    return paths;
  }

  void count(const std::string& found, const std::string& truth) {
    const std::string a = plain(found), b = plain(truth);
    if (unit_ == TextUnit::kText) {
      edits_ += a == b ? 0 : 1;
      ++length_;
      return;
    }
    const bool words = unit_ == TextUnit::kWord;
    const std::vector<std::string> read = words ? words_of(a) : characters_of(a);
    const std::vector<std::string> wanted = words ? words_of(b) : characters_of(b);
    edits_ += edit_distance(read, wanted);
    length_ += static_cast<std::int64_t>(wanted.size());
  }

  /// The text as it is compared.
  std::string plain(std::string text) const {
    if (*ignore_space_) std::erase(text, ' ');
    if (!*ignore_case_) return text;
    for (char& c : text) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return text;
  }

  Option<std::string> characters_{*this, "characters", "",
                                  "file with the characters by class, one a line; empty: those of the data"};
  Option<std::string> output_{*this, "output", "",
                              "name of the output with the scores; empty: the one that fits"};
  Option<std::string> blank_at_{*this, "blank", "first", "where the blank's class is",
                                Choices{{"first", "last"}}};
  Option<bool> space_{*this, "space", false, "class indices: a space follows the characters of the file"};
  Option<std::string> time_{*this, "time", "auto", "which axis counts the steps",
                            Choices{{"auto", "first", "second"}}};
  Option<bool> ignore_case_{*this, "ignore-case", false, "upper and lower case of A to Z are the same"};
  Option<bool> ignore_space_{*this, "ignore-space", false, "spaces do not count"};
  TextUnit unit_;
  std::vector<std::string> symbols_;  // of the file
  std::vector<std::string> table_;    // by class
  std::int64_t blank_ = 0;
  std::int64_t edits_ = 0, length_ = 0;
};

}  // namespace

std::string collapse(const std::vector<std::int64_t>& path, std::int64_t blank,
                     const std::vector<std::string>& symbols) {
  std::string text;
  std::int64_t before = blank;
  for (const std::int64_t c : path) {
    if (c != before && c != blank && c >= 0 && c < static_cast<std::int64_t>(symbols.size()))
      text += symbols[static_cast<std::size_t>(c)];
    before = c;
  }
  return text;
}

std::unique_ptr<Metric> make_ctc(const MetricInfo& info, const MetricContext& context, TextUnit unit) {
  return std::make_unique<Ctc>(info, context, unit);
}

}  // namespace compressor::metrics
