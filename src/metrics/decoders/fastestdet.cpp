// fastestdet: one box for each cell of one grid.
//
//   output [N, 5 + C, h, w]: objectness and classes after sigmoid and softmax, box raw
//   centre = (tanh(z) + cell) / grid;  size = sigmoid(z);  in shares of the picture
//   score = objectness^0.6 * class^0.4, of the best class or of all
//
// FastestDet (github.com/dog-qiuqiu/FastestDet), 2022.
#include <algorithm>
#include <cmath>

#include "metrics/decoder.h"

namespace compressor::metrics {
namespace {

class FastestDet : public Decoder {
 public:
  std::optional<std::int64_t> classes(std::span<const Head> heads, const Frame& frame) const override {
    const Head* head = find(heads, frame);
    if (!head) return std::nullopt;
    return head->shape[1] - 5;
  }

  std::string expected() const override { return "[N, 5 + classes, grid height, grid width]"; }

  std::optional<double> nms() const override { return 0.45; }

  void decode(std::span<const Head> heads, const Frame& frame, std::int64_t row, double score,
              std::vector<Detection>& found) const override {
    const Head& head = *find(heads, frame);
    const std::int64_t h = head.shape[2], w = head.shape[3], cells = h * w, fields = head.shape[1];
    const auto per_picture = static_cast<std::size_t>(fields * cells);
    const std::span<const float> all =
        head.values.at(static_cast<std::size_t>(row) * per_picture, per_picture);
    for (std::int64_t cell = 0; cell < cells; ++cell) {
      const auto z = [&](std::int64_t f) {
        return static_cast<double>(all[static_cast<std::size_t>(f * cells + cell)]);
      };
      std::int64_t best = 5;
      for (std::int64_t f = 6; f < fields; ++f) {
        if (z(f) > z(best)) best = f;
      }
      const auto score_of = [&](std::int64_t f) { return std::pow(z(0), 0.6) * std::pow(z(f), 0.4); };
      if (!(score_of(best) >= score)) continue;
      const auto share = [](double offset, std::int64_t at, std::int64_t count, std::int64_t pixels) {
        return (std::tanh(offset) + static_cast<double>(at)) / static_cast<double>(count) *
               static_cast<double>(pixels);
      };
      const bool all_labels = *labels_ == "all";
      Detection d{.box = box_of(BoxForm::kCentre, share(z(1), cell % w, w, frame.width),
                                share(z(2), cell / w, h, frame.height),
                                sigmoid(z(3)) * static_cast<double>(frame.width),
                                sigmoid(z(4)) * static_cast<double>(frame.height)),
                  .score = 0};
      for (std::int64_t f = all_labels ? 5 : best; f < (all_labels ? fields : best + 1); ++f) {
        d.score = score_of(f);
        d.box.label = f - 5;
        if (d.score >= score) found.push_back(d);
      }
    }
  }

 private:
  const Head* find(std::span<const Head> heads, const Frame& frame) const {
    for (const Head& head : heads) {
      if (!output_->empty() && head.name != *output_) continue;
      if (is_float(head.dtype) && head.rank() == 4 && head.shape[0] == frame.rows && head.shape[1] > 5)
        return &head;
    }
    return nullptr;
  }

  Option<std::string> output_{*this, "output", "",
                              "name of the output with the boxes; empty: the one that fits"};
  Option<std::string> labels_{*this, "labels", "all", "classes of a box that count",
                              Choices{{"best", "all"}}};
};

}  // namespace

void register_fastestdet(DecoderTable& table) {
  table.add({"fastestdet", "one box for each cell of one grid, channels first",
             [] { return std::make_unique<FastestDet>(); }});
}

}  // namespace compressor::metrics
