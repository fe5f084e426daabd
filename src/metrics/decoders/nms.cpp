// nms: boxes that the graph itself has suppressed, in one of three forms.
//
//   one output     [N, K, 6] or [K, 6]: x1 y1 x2 y2 score class, or [K, 7] with the picture's index before
//   them;
//                  columns=... names another order
//   beside         boxes [N, K, 4], scores [N, K], classes [N, K], perhaps a count [N]; without N for one
//   picture by index       boxes [N, P, 4], scores [N, C, P] and what NonMaxSuppression selected, [K, 3]
#include <algorithm>
#include <array>

#include "metrics/decoder.h"

namespace compressor::metrics {
namespace {

/// A class, picture or count that an output holds as a number; -1 when it is none.
std::int64_t whole(float v) {
  return v >= 0 && v < 1e9F ? static_cast<std::int64_t>(v) : -1;
}

/// Where a row of one output holds what.
struct Columns {
  std::size_t box = 0, score = 4, label = 5;
  std::int64_t picture = -1;
  std::size_t count = 6;
};

class Suppressed : public Decoder {
 public:
  std::optional<std::int64_t> classes(std::span<const Head> heads, const Frame& frame) const override {
    const Parts p = find(heads, frame);
    if (p.indices) return p.scores->shape[1];
    if (p.rows || p.labels) return 0;
    return std::nullopt;
  }

  std::string expected() const override {
    return "[N, K, 6], or boxes [N, K, 4] with scores and classes [N, K], or boxes, scores and selected "
           "indices "
           "[K, 3]";
  }
  bool in_source() const override { return *space_ == "source"; }
  std::optional<double> nms() const override { return std::nullopt; }

  void decode(std::span<const Head> heads, const Frame& frame, std::int64_t row, double score,
              std::vector<Detection>& found) const override {
    const Parts p = find(heads, frame);
    const std::size_t before = found.size();
    if (p.rows) from_rows(*p.rows, row, score, found);
    if (p.labels) from_lists(p, row, score, found);
    if (p.indices) from_indices(p, row, score, found);
    if (*space_ != "auto" && *space_ != "shares") return;
    const bool shares = *space_ == "shares" ||
                        std::all_of(found.begin() + static_cast<std::ptrdiff_t>(before), found.end(),
                                    [](const Detection& d) { return d.box.x2 <= 1.5 && d.box.y2 <= 1.5; });
    for (std::size_t i = before; shares && i < found.size(); ++i) {
      Box& b = found[i].box;
      b.x1 *= static_cast<double>(frame.width), b.x2 *= static_cast<double>(frame.width);
      b.y1 *= static_cast<double>(frame.height), b.y2 *= static_cast<double>(frame.height);
    }
  }

 private:
  struct Parts {
    const Head* rows = nullptr;
    const Head *boxes = nullptr, *scores = nullptr, *labels = nullptr, *count = nullptr, *indices = nullptr;
  };

  BoxForm form(const std::string& boxes) const {
    if (*form_ != "auto") return box_form(*form_);
    return boxes.find("detection_boxes") != std::string::npos ? BoxForm::kCornersYx : BoxForm::kCorners;
  }

  void add(BoxForm form, std::span<const float> b, double score, std::int64_t label, double least,
           std::vector<Detection>& found) const {
    if (*background_ == "first") --label;
    if (label < 0 || !(score >= least)) return;
    Detection d{.box = box_of(form, static_cast<double>(b[0]), static_cast<double>(b[1]),
                              static_cast<double>(b[2]), static_cast<double>(b[3])),
                .score = score};
    d.box.label = label;
    found.push_back(d);
  }

  Columns columns_of(const Head& head) const {
    const std::size_t width = static_cast<std::size_t>(head.shape.back());
    if (*columns_ == "box-class-score") return {.score = 5, .label = 4};
    if (*columns_ == "picture-class-score-box" || (*columns_ == "auto" && head.rank() == 4))
      return {.box = 3, .score = 2, .label = 1, .picture = 0, .count = 7};
    if (*columns_ == "picture-box-class-score" || (*columns_ == "auto" && width == 7))
      return {.box = 1, .score = 6, .label = 5, .picture = 0, .count = 7};
    return {};
  }

  void from_rows(const Head& head, std::int64_t row, double least, std::vector<Detection>& found) const {
    const Columns c = columns_of(head);
    const std::size_t all = head.values.all().size() / c.count;
    const bool listed = c.picture < 0 && head.rank() == 3;
    const std::size_t each = listed ? static_cast<std::size_t>(head.shape[1]) : all;
    const std::size_t first = listed ? static_cast<std::size_t>(row) * each : 0;
    for (std::size_t k = first; k < first + each; ++k) {
      const std::span<const float> r = head.values.at(k * c.count, c.count);
      if (c.picture == 0 && whole(r[0]) != row) continue;
      add(form(head.name), r.subspan(c.box, 4), static_cast<double>(r[c.score]), whole(r[c.label]), least,
          found);
    }
  }

  void from_lists(const Parts& p, std::int64_t row, double least, std::vector<Detection>& found) const {
    const bool batched = p.boxes->rank() == 3;
    const auto each = static_cast<std::size_t>(p.boxes->shape[batched ? 1 : 0]);
    const std::size_t first = batched ? static_cast<std::size_t>(row) * each : 0;
    std::size_t valid = each;
    if (p.count) {
      const std::span<const float> counts = p.count->values.all();
      const std::int64_t n = whole(counts[std::min(static_cast<std::size_t>(row), counts.size() - 1)]);
      valid = n < 0 ? 0 : std::min(each, static_cast<std::size_t>(n));
    }
    for (std::size_t k = first; k < first + valid; ++k) {
      add(form(p.boxes->name), p.boxes->values.at(k * 4, 4), static_cast<double>(p.scores->values.all()[k]),
          whole(p.labels->values.all()[k]), least, found);
    }
  }

  void from_indices(const Parts& p, std::int64_t row, double least, std::vector<Detection>& found) const {
    const std::int64_t priors = p.boxes->shape[1], kinds = p.scores->shape[1];
    const std::span<const float> all = p.indices->values.all();
    for (std::size_t k = 0; k + 2 < all.size(); k += 3) {
      const auto picture = whole(all[k]), c = whole(all[k + 1]), b = whole(all[k + 2]);
      if (picture != row || c < 0 || c >= kinds || b < 0 || b >= priors) continue;
      const float score = p.scores->values.all()[static_cast<std::size_t>((row * kinds + c) * priors + b)];
      const BoxForm yx = *form_ == "auto" ? BoxForm::kCornersYx : box_form(*form_);
      add(yx, p.boxes->values.at(static_cast<std::size_t>(row * priors + b) * 4, 4),
          static_cast<double>(score), c, least, found);
    }
  }

  static bool named(const Head& head, std::initializer_list<std::string_view> words) {
    return std::any_of(words.begin(), words.end(),
                       [&](std::string_view w) { return head.name.find(w) != std::string::npos; });
  }

  static const Head* by_name(std::span<const Head> heads, const std::string& name) {
    for (const Head& head : heads) {
      if (head.name == name) return &head;
    }
    return nullptr;
  }

  /// Boxes in lists, and how a list beside them is shaped.
  const Head* find_boxes(std::span<const Head> heads, const Frame& frame) const {
    if (!boxes_->empty()) return by_name(heads, *boxes_);
    for (const Head& head : heads) {
      const bool batched = head.rank() == 3 && head.shape[0] == frame.rows;
      const bool plain = head.rank() == 2 && frame.rows == 1;
      if ((batched || plain) && head.shape.back() == 4 && is_float(head.dtype)) return &head;
    }
    return nullptr;
  }

  Parts find(std::span<const Head> heads, const Frame& frame) const {
    Parts p;
    p.boxes = find_boxes(heads, frame);
    if (p.boxes && p.boxes->rank() >= 2 && p.boxes->shape.back() == 4) {
      find_beside(heads, frame, p);
      if (p.labels || p.indices) return p;
    }
    p = {};
    for (const Head& head : heads) {
      if (!output_->empty() && head.name != *output_) continue;
      const Columns c = head.rank() >= 2 ? columns_of(head) : Columns{};
      if (!is_float(head.dtype) || head.rank() < 2 || head.shape.back() != static_cast<std::int64_t>(c.count))
        continue;
      const bool said = !output_->empty() || columns_.is_set();
      const bool batched =
          head.rank() == 3 && head.shape[0] == frame.rows && (said || head.shape[1] <= kMostRows);
      const bool plain = head.rank() == 2 && (frame.rows == 1 || c.picture == 0);
      const bool caffe = head.rank() == 4 && head.shape[0] == 1 && head.shape[1] == 1 && c.picture == 0;
      if (batched || plain || caffe) p.rows = &head;
    }
    return p;
  }

  void find_beside(std::span<const Head> heads, const Frame& frame, Parts& p) const {
    const Dims list(p.boxes->shape.begin(), p.boxes->shape.end() - 1);
    std::vector<const Head*> lists;
    for (const Head& head : heads) {
      if (&head == p.boxes) continue;
      if (head.shape == list) lists.push_back(&head);
      const bool selected = head.rank() == 2 && head.shape[1] == 3 && is_integer(head.dtype);
      if (selected && p.boxes->rank() == 3) p.indices = &head;
      const bool scores = head.rank() == 3 && p.boxes->rank() == 3 && head.shape[0] == frame.rows &&
                          head.shape[2] == p.boxes->shape[1] && is_float(head.dtype);
      if (scores && !p.scores) p.scores = &head;
      const bool one_a_picture =
          head.values.all().size() == static_cast<std::size_t>(frame.rows) && head.shape != list;
      if (one_a_picture && head.rank() <= 2 &&
          (is_integer(head.dtype) || named(head, {"num", "count", "valid"})))
        p.count = &head;
    }
    if (p.indices && p.scores) return;
    p.indices = p.scores = nullptr;
    const Head* labels = labels_->empty() ? nullptr : by_name(lists, *labels_);
    const Head* scores = scores_->empty() ? nullptr : by_name(lists, *scores_);
    for (const Head* head : lists) {
      const bool is_label = is_integer(head->dtype) || named(*head, {"class", "label", "categ"});
      if (is_label && !labels && head != scores) labels = head;
    }
    for (const Head* head : lists) {
      if (!scores && head != labels && is_float(head->dtype)) scores = head;
    }
    if (!labels || !scores) return;
    p.labels = labels;
    p.scores = scores;
  }

  static const Head* by_name(const std::vector<const Head*>& heads, const std::string& name) {
    for (const Head* head : heads) {
      if (head->name == name) return head;
    }
    return nullptr;
  }

  static constexpr std::int64_t kMostRows = 1000;  // a list that is longer was not suppressed
  Option<std::string> output_{*this, "output", "",
                              "name of the output with the rows; empty: the one that fits"};
  Option<std::string> boxes_{*this, "boxes", "",
                             "name of the output with the boxes; empty: the one that fits"};
  Option<std::string> scores_{*this, "scores", "",
                              "name of the output with the scores; empty: the one that fits"};
  Option<std::string> labels_{*this, "classes-output", "",
                              "name of the output with the classes; empty: the one that fits"};
  Option<std::string> columns_{*this, "columns", "auto", "what a row of one output holds",
                               Choices{{"auto", "box-score-class", "box-class-score",
                                        "picture-box-class-score", "picture-class-score-box"}}};
  Option<std::string> form_{*this, "box-form", "auto", "how four numbers are a box",
                            Choices{{"auto", "corners", "corners-yx", "centre", "corner-size"}}};
  Option<std::string> space_{*this, "space", "auto",
                             "what boxes are measured in: pixels of the network or of the source, shares",
                             Choices{{"auto", "pixels", "shares", "source"}}};
  Option<std::string> background_{*this, "background", "none", "class that is none",
                                  Choices{{"none", "first"}}};
};

}  // namespace

void register_nms(DecoderTable& table) {
  table.add(
      {"nms", "boxes that the graph itself has suppressed", [] { return std::make_unique<Suppressed>(); }});
}

}  // namespace compressor::metrics
