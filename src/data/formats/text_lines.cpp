// text_lines: pictures of a line of text each, and what they say, as PaddleOCR's training sets have it.
//
//   rec_gt_train.txt    train/word_1.png<TAB>Tiredness kills
//   rec_gt_test.txt     test/word_1.png<TAB>the same for another part
//
// Paths may begin with folders above the label file's own (train_data/rec/train/word_1.png): what leads there
// is found by the first line.
#include <charconv>
#include <fstream>

#include "compressor/base/error.h"
#include "compressor/data/class_names.h"
#include "compressor/data/image.h"
#include "data/format.h"

namespace compressor::data {
namespace {

namespace fs = std::filesystem;

struct Line {
  std::string name, text;
};

/// nullopt where the line is not that of a picture.
std::optional<Line> split_line(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  const std::size_t tab = line.find('\t');
  if (tab == std::string_view::npos || tab == 0) return std::nullopt;
  Line split{std::string(line.substr(0, tab)), std::string(line.substr(tab + 1))};
  if (!is_image_name(split.name)) return std::nullopt;
  return split;
}

std::string_view without_mark(std::string_view text) {
  return text.starts_with("\xEF\xBB\xBF") ? text.substr(3) : text;
}

bool is_number(std::string_view text) {
  std::int64_t v = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), v);
  return error == std::errc() && stop == text.data() + text.size();
}

/// Of the first lines: numbers alone are classes, and names of pictures are masks.
bool says_texts(const Place& file) {
  std::string_view rest = without_mark(file.begin());
  const bool named_so = fs::path(file.path()).filename().string().starts_with("rec_gt");
  for (bool first = true; !rest.empty(); first = false) {
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos && !first) return named_so;  // perhaps cut in two
    const auto line = split_line(rest.substr(0, end));
    if (!line || is_image_name(line->text)) return false;
    if (!is_number(line->text)) return true;
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  return named_so;
}

struct LabelFile {
  std::string path, split;
};

void add_label_files(const Place& folder, const std::string& split, std::vector<LabelFile>& found) {
  for (const std::string& name : folder.files()) {
    if (Place::extension(name) != "txt" || !says_texts(Place(folder.in(name)))) continue;
    found.push_back({folder.in(name), split_of(name).empty() ? split : split_of(name)});
  }
}

/// In the folder itself, else in those of its folders that are splits.
std::vector<LabelFile> label_files(const Place& folder) {
  std::vector<LabelFile> found;
  add_label_files(folder, "", found);
  if (!found.empty()) return found;
  for (const std::string& name : folder.folders()) {
    if (!split_of(name).empty()) add_label_files(Place(folder.in(name)), split_of(name), found);
  }
  return found;
}

LabelFile chosen_of(const Place& place, const OpenOptions& options) {
  if (!options.labels.empty())
    return {options.labels, split_of(fs::path(options.labels).filename().string())};
  if (!place.is_folder()) return {place.path(), split_of(fs::path(place.path()).filename().string())};
  const std::vector<LabelFile> files = label_files(place);
  if (files.empty()) {
    throw Error::io("{}: expected a file of lines 'picture, tab, text' in it (rec_gt_train.txt)",
                    place.path());
  }
  std::vector<std::string> splits;
  for (const LabelFile& file : files) {
    if (!file.split.empty()) splits.push_back(file.split);
  }
  const std::string split = choose_split(splits, options, place.path());
  const LabelFile* chosen = nullptr;
  for (const LabelFile& file : files) {
    if (file.split != split) continue;
    if (chosen != nullptr)
      throw Error::usage("{} and {}: both say texts; say which (labels)", chosen->path, file.path);
    chosen = &file;
  }
  CHECK(chosen);
  return *chosen;
}

std::vector<Line> read_lines(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw Error::io("{}: cannot open", path);
  std::vector<Line> lines;
  std::string text;
  for (std::size_t number = 1; std::getline(in, text); ++number) {
    const std::string_view line = number == 1 ? without_mark(text) : text;
    if (line.empty() || line == "\r") continue;
    auto split = split_line(line);
    if (!split) {
      throw Error::io("{}:{}: found '{}{}', expected a picture's name, a tab and its text", path, number,
                      line.substr(0, 60), line.size() > 60 ? ".." : "");
    }
    lines.push_back(std::move(*split));
  }
  return lines;
}

/// Characters of `name`, from its begin, that lead to the label file's folder.
std::size_t leading_part(const fs::path& folder, const std::string& name) {
  std::error_code ignored;
  for (std::size_t at = 0;;) {
    if (fs::exists(folder / name.substr(at), ignored)) return at;
    const std::size_t slash = name.find('/', at);
    if (slash == std::string::npos) return 0;
    at = slash + 1;
  }
}

class TextLines : public Dataset {
 public:
  TextLines(LabelFile file, const OpenOptions& options)
      : file_(std::move(file)), lines_(read_lines(file_.path)), folder_(fs::path(file_.path).parent_path()) {
    if (!lines_.empty()) leading_ = leading_part(folder_, lines_[0].name);
    if (!options.characters.empty()) characters_ = read_characters(options.characters);
  }
  std::int64_t size() const override { return static_cast<std::int64_t>(lines_.size()); }
  std::string split() const override { return file_.split; }
  std::vector<std::string> classes() const override { return characters_; }
  std::string describe() const override {
    return fmt::format("{} lines of text, {}", size(), fs::path(file_.path).filename().string());
  }
  Sample get(std::int64_t i) const override {
    const Line& line = lines_.at(static_cast<std::size_t>(i));
    Sample sample;
    sample.name = (folder_ / line.name.substr(std::min(leading_, line.name.size()))).string();
    sample.image = read_image(sample.name);
    sample.truth.text = line.text;
    return sample;
  }

 private:
  LabelFile file_;
  std::vector<Line> lines_;
  fs::path folder_;
  std::size_t leading_ = 0;
  std::vector<std::string> characters_;
};

int claim(const Place& place) {
  if (!place.is_folder()) return Place::extension(place.path()) == "txt" && says_texts(place) ? kMagic : kNo;
  return label_files(place).empty() ? kNo : kFolder;
}

std::unique_ptr<Dataset> open(const Place& place, const OpenOptions& options) {
  return std::make_unique<TextLines>(chosen_of(place, options), options);
}

}  // namespace

void register_text_lines(FormatTable& table) {
  table.add(
      {"text_lines", "pictures of lines of text, and rec_gt_train.txt (picture, tab, text)", claim, open});
}

}  // namespace compressor::data
