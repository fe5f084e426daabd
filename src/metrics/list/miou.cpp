// miou: how well the regions of a segmentation cover those of the masks.
//
//   mean over classes of  both / (predicted + true - both)   in pixels over all samples
//
// Pixels whose true class is void count for nothing, and so do void itself and classes that occur neither in
// masks nor in predictions. Everingham et al. 2015 (Pascal VOC).
#include <algorithm>
#include <cmath>

#include "metrics/metric_table.h"
#include "metrics/outputs.h"
#include "metrics/score_map.h"

namespace compressor::metrics {
namespace {

class MeanIou : public Metric {
 public:
  using Metric::Metric;

  void update(const Outputs& outputs, const Targets& targets) override {
    if (targets.items.empty()) return;
    const Image& first = mask_of(targets.items.front());
    const auto& [name, tensor] = choose_output(
        this->name(), outputs, *output_,
        fmt::format("scores {} x classes x height x width, or class indices", targets.batch_rows()),
        [&](const Tensor& t) { return ScoreMap::fit(t, targets.batch_rows(), *layout_, first); });
    ScoreMap map(tensor, *layout_, first);
    if (map.classes() > 0) grow(map.classes());
    for (std::size_t i = 0; i < targets.items.size(); ++i) {
      const Image& mask = mask_of(targets.items[i]);
      for (std::int64_t y = 0; y < mask.height; ++y) {
        const std::vector<std::int64_t>& row =
            map.row(static_cast<std::int64_t>(i), y, mask.height, mask.width);
        for (std::int64_t x = 0; x < mask.width; ++x)
          count(mask.row(y)[x], row[static_cast<std::size_t>(x)], name, tensor, map.classes(),
                targets.items[i]);
      }
    }
    seen_ = true;
  }

  double value() const override {
    double sum = 0;
    std::int64_t present = 0;
    for (std::int64_t c = 0; c < classes_; ++c) {
      if (is_void(c)) continue;
      std::int64_t both = at(c, c), all = 0;
      for (std::int64_t other = 0; other < classes_; ++other) all += at(c, other) + at(other, c);
      all -= both;
      if (all == 0) continue;
      sum += static_cast<double>(both) / static_cast<double>(all);
      ++present;
    }
    if (!seen_ || present == 0) throw Error::usage("{}: no pixels of any class", name());
    return sum / static_cast<double>(present);
  }

  void merge(const Metric& other) override {
    const MeanIou& that = same_metric(*this, other);
    grow(that.classes_);
    for (std::int64_t t = 0; t < that.classes_; ++t) {
      for (std::int64_t p = 0; p < that.classes_; ++p) at(t, p) += that.at(t, p);
    }
    seen_ = seen_ || that.seen_;
  }

 private:
  const Image& mask_of(const BatchItem& item) const {
    if (!item.truth.mask) throw Error::usage("{}: sample '{}' has no mask, expected one", name(), item.name);
    return *item.truth.mask;
  }

  bool is_void(std::int64_t c) const {
    const std::optional<std::int64_t> said = void_->has_value() ? *void_ : context().void_label;
    return c == Truth::kOutside || (said && c == *said);
  }

  void count(std::int64_t truth, std::int64_t found, const std::string& output, const Tensor& tensor,
             std::int64_t classes, const BatchItem& item) {
    if (is_void(truth)) return;
    if (classes > 0 && truth >= classes)
      throw Error::usage(
          "{}: {}: the mask of '{}' has class {}, expected 0 to {} (void=N names one that counts for "
          "nothing)",
          name(), describe(output, tensor), item.name, truth, classes - 1);
    if (found < 0 || found > kMostClasses)
      throw Error::usage("{}: {}: found class {}, expected 0 to {}", name(), describe(output, tensor), found,
                         kMostClasses);
    if (std::max(truth, found) >= classes_) grow(std::max(truth, found) + 1);
    ++at(truth, found);
  }

  std::int64_t& at(std::int64_t truth, std::int64_t found) {
    return pixels_[static_cast<std::size_t>(truth * classes_ + found)];
  }
  std::int64_t at(std::int64_t truth, std::int64_t found) const {
    return pixels_[static_cast<std::size_t>(truth * classes_ + found)];
  }

  void grow(std::int64_t classes) {
    if (classes <= classes_) return;
    std::vector<std::int64_t> wider(static_cast<std::size_t>(classes * classes), 0);
    for (std::int64_t t = 0; t < classes_; ++t) {
      for (std::int64_t p = 0; p < classes_; ++p) wider[static_cast<std::size_t>(t * classes + p)] = at(t, p);
    }
    pixels_ = std::move(wider);
    classes_ = classes;
  }

  static constexpr std::int64_t kMostClasses = 4096;
  Option<std::string> output_{*this, "output", "",
                              "name of the output with the scores; empty: the one that fits"};
  Option<std::string> layout_{*this, "layout", "auto", "where the classes are",
                              Choices{{"auto", "nchw", "nhwc"}}};
  Option<std::optional<std::int64_t>> void_{*this, "void", std::nullopt, "class that counts for nothing",
                                            Range::at_least(0)};
  std::int64_t classes_ = 0;
  std::vector<std::int64_t> pixels_;  // [true class, found class]
  bool seen_ = false;
};

}  // namespace

void register_miou(MetricTable& table) {
  table.add({{.name = "miou",
              .summary = "mean over classes of intersection over union",
              .unit = "",
              .higher_is_better = true},
             [](const MetricInfo& info, const MetricContext& context) {
               return std::make_unique<MeanIou>(info, context);
             }});
}

}  // namespace compressor::metrics
