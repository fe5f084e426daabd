// yolox: raw boxes of an anchor-free YOLO head, to be laid on its grids.
//
//   output [N, A, 5 + C],  A = sum over strides s of (H/s) (W/s), rows of cells, grid after grid
//   centre = (offset + cell) s;  size = exp(z) s;  score = objectness * class, both after their sigmoid
//
// Ge, Liu, Wang, Li, Sun: YOLOX: Exceeding YOLO Series in 2021. The best class of each box counts.
#include <cmath>

#include "metrics/decoder.h"

namespace compressor::metrics {
namespace {

class YoloX : public Decoder {
 public:
  void ready(const std::string& where) override { levels_ = parse_strides(where, *strides_); }

  std::optional<std::int64_t> classes(std::span<const Head> heads, const Frame& frame) const override {
    const Head* head = find(heads, frame);
    if (!head) return std::nullopt;
    return head->shape[2] - 5;
  }

  std::string expected() const override {
    return "[N, sum of H/s x W/s over strides s = " + *strides_ + ", 5 + classes]";
  }

  void decode(std::span<const Head> heads, const Frame& frame, std::int64_t row, double score,
              std::vector<Detection>& found) const override {
    const Head* head = find(heads, frame);
    const auto width = static_cast<std::size_t>(head->shape[2]);
    auto at = static_cast<std::size_t>(row * head->shape[1]) * width;
    for (const std::int64_t stride : levels_) {
      const auto s = static_cast<double>(stride);
      for (std::int64_t y = 0; y < frame.height / stride; ++y) {
        for (std::int64_t x = 0; x < frame.width / stride; ++x, at += width) {
          const std::span<const float> z = head->values.at(at, width);
          if (!(static_cast<double>(z[4]) >= score)) continue;  // no class is above 1
          const auto number = [&](std::size_t i) { return static_cast<double>(z[i]); };
          const Box box = box_of(BoxForm::kCentre, (number(0) + static_cast<double>(x)) * s,
                                 (number(1) + static_cast<double>(y)) * s, std::exp(number(2)) * s,
                                 std::exp(number(3)) * s);
          add_classes(box, z.subspan(5), number(4), *labels_ == "best", score, found);
        }
      }
    }
  }

 private:
  const Head* find(std::span<const Head> heads, const Frame& frame) const {
    std::int64_t cells = 0;
    for (const std::int64_t s : levels_) cells += (frame.height / s) * (frame.width / s);
    for (const Head& head : heads) {
      if (!output_->empty() && head.name != *output_) continue;
      if (is_float(head.dtype) && head.rank() == 3 && head.shape[0] == frame.rows && head.shape[1] == cells &&
          head.shape[2] > 5)
        return &head;
    }
    return nullptr;
  }

  Option<std::string> output_{*this, "output", "",
                              "name of the output with the boxes; empty: the one that fits"};
  Option<std::string> strides_{*this, "strides", "8,16,32", "pixels of a cell, grid by grid"};
  Option<std::string> labels_{*this, "labels", "best", "classes of a box that count",
                              Choices{{"best", "all"}}};
  std::vector<std::int64_t> levels_ = {8, 16, 32};
};

}  // namespace

void register_yolox(DecoderTable& table) {
  table.add({"yolox", "raw boxes on grids: centre offsets, log sizes, objectness, classes",
             [] { return std::make_unique<YoloX>(); }});
}

}  // namespace compressor::metrics
