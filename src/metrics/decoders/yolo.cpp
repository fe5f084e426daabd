// yolo: boxes that the graph has laid into the picture, classes beside them, not yet suppressed.
//
//   output [N, A, 5 + C]  cx cy w h objectness classes   (YOLOv3 to v7)
//   output [N, 4 + C, A]  cx cy w h classes              (YOLOv8 and later)
//
// In pixels of the network's input. Which of the two it is: the longer axis counts the boxes.
#include "metrics/decoder.h"

namespace compressor::metrics {
namespace {

class Yolo : public Decoder {
 public:
  std::optional<std::int64_t> classes(std::span<const Head> heads, const Frame& frame) const override {
    const Head* head = find(heads, frame);
    if (!head) return std::nullopt;
    return fields(*head) - first(*head);
  }

  std::string expected() const override { return "[N, boxes, 5 + classes] or [N, 4 + classes, boxes]"; }

  void decode(std::span<const Head> heads, const Frame& frame, std::int64_t row, double score,
              std::vector<Detection>& found) const override {
    const Head& head = *find(heads, frame);
    const bool fields_first = head.shape[1] < head.shape[2];
    const std::int64_t boxes = fields_first ? head.shape[2] : head.shape[1], wide = fields(head);
    const auto per_picture = static_cast<std::size_t>(boxes * wide);
    const std::span<const float> all =
        head.values.at(static_cast<std::size_t>(row) * per_picture, per_picture);
    const auto offset = static_cast<std::size_t>(first(head));
    std::vector<float> z(static_cast<std::size_t>(wide));
    for (std::int64_t b = 0; b < boxes; ++b) {
      for (std::int64_t f = 0; f < wide; ++f)
        z[static_cast<std::size_t>(f)] =
            all[static_cast<std::size_t>(fields_first ? f * boxes + b : b * wide + f)];
      const double objectness = offset == 5 ? static_cast<double>(z[4]) : 1;
      if (!(objectness >= score)) continue;
      const Box box = box_of(box_form(*form_), static_cast<double>(z[0]), static_cast<double>(z[1]),
                             static_cast<double>(z[2]), static_cast<double>(z[3]));
      add_classes(box, std::span<const float>(z).subspan(offset), objectness, *labels_ == "best", score,
                  found);
    }
  }

 private:
  static std::int64_t fields(const Head& head) { return std::min(head.shape[1], head.shape[2]); }

  /// Where the classes begin.
  std::int64_t first(const Head& head) const {
    if (*objectness_ != "auto") return *objectness_ == "yes" ? 5 : 4;
    return head.shape[1] < head.shape[2] ? 4 : 5;
  }

  const Head* find(std::span<const Head> heads, const Frame& frame) const {
    for (const Head& head : heads) {
      if (!output_->empty() && head.name != *output_) continue;
      if (is_float(head.dtype) && head.rank() == 3 && head.shape[0] == frame.rows &&
          fields(head) > first(head) && head.shape[1] != head.shape[2])
        return &head;
    }
    return nullptr;
  }

  Option<std::string> output_{*this, "output", "",
                              "name of the output with the boxes; empty: the one that fits"};
  Option<std::string> objectness_{*this, "objectness", "auto", "a number before the classes scales them",
                                  Choices{{"auto", "yes", "no"}}};
  Option<std::string> form_{*this, "box-form", "centre", "how four numbers are a box", box_forms()};
  Option<std::string> labels_{*this, "labels", "best", "classes of a box that count",
                              Choices{{"best", "all"}}};
};

}  // namespace

void register_yolo(DecoderTable& table) {
  table.add(
      {"yolo", "boxes in pixels with classes, not yet suppressed", [] { return std::make_unique<Yolo>(); }});
}

}  // namespace compressor::metrics
