// detection_ap: average precision of the boxes that a decoder reads from a network's outputs.
#include "metrics/detection_ap.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "metrics/class_map.h"
#include "metrics/coco_ap.h"
#include "metrics/decoder.h"
#include "metrics/metric_table.h"
#include "metrics/settings.h"

namespace compressor::metrics {
namespace {

std::vector<std::string> decoder_names() {
  std::vector<std::string> names;
  for (const DecoderEntry& entry : decoders().all()) names.push_back(entry.name);
  return names;
}

Choices decoder_choices() {
  std::vector<std::string> words = decoder_names();
  words.insert(words.begin(), "auto");
  return {words};
}

std::vector<Head> read_heads(const Outputs& outputs) {
  std::vector<Head> heads;
  for (const auto& [name, tensor] : outputs) {
    if (!is_float(tensor.dtype) && !is_integer(tensor.dtype)) continue;
    heads.push_back({.name = name, .dtype = tensor.dtype, .shape = tensor.shape, .values = Floats(tensor)});
  }
  return heads;
}

class DetectionAp : public Metric {
 public:
  DetectionAp(const MetricInfo& info, const MetricContext& context, std::optional<double> iou)
      : Metric(info, context), threshold_(iou ? static_cast<int>(std::lround((*iou - 0.5) / 0.05)) : -1) {}

  void update(const Outputs& outputs, const Targets& targets) override {
    if (targets.items.empty()) return;
    const Geometry& first = targets.items.front().geometry;
    const Frame frame{.rows = targets.batch_rows(), .height = first.height, .width = first.width};
    if (frame.height < 1 || frame.width < 1)
      throw Error::usage("{}: sample '{}' is no picture, expected pictures with boxes", name(),
                         targets.items.front().name);
    const std::vector<Head> heads = read_heads(outputs);
    const Decoder& decoder = decoder_for(heads, frame, outputs);
    const std::int64_t classes = decoder.classes(heads, frame).value_or(0);
    if (!map_) map_.emplace(name(), *classes_, classes, context().classes);
    for (std::size_t i = 0; i < targets.items.size(); ++i) {
      const BatchItem& item = targets.items[i];
      if (!item.truth.boxes)
        throw Error::usage("{}: sample '{}' has no boxes, expected a list", name(), item.name);
      std::vector<Box> objects = *item.truth.boxes;
      std::erase_if(objects, [&](const Box& b) { return !map_->has(b.label, item.name, *skip_unknown_); });
      ap_->add_picture(found_in(decoder, heads, frame, static_cast<std::int64_t>(i), item.geometry), objects);
      ++pictures_;
    }
  }

  double value() const override {
    const std::optional<double> result = threshold_ < 0 ? ap_->mean() : ap_->at(threshold_);
    if (!result) throw Error::usage("{}: no objects in {} pictures", name(), pictures_);
    return *result;
  }

  void merge(const Metric& other) override {
    const DetectionAp& that = same_metric(*this, other);
    ap_->merge(*that.ap_);
    pictures_ += that.pictures_;
  }

 protected:
  /// Options that are not the metric's own belong to the decoder, which may not be chosen yet.
  void set(std::string_view option, std::string_view value) override {
    if (find_option(option)) return Metric::set(option, value);
    settings_.emplace_back(option, value);
  }

  void ready() override {
    ap_.emplace(*max_dets_);
    std::vector<std::string> known = names_of(*this);
    std::string refused;
    for (const DecoderEntry& entry : decoders().all()) {
      if (*decoder_ != "auto" && *decoder_ != entry.name) continue;
      std::unique_ptr<Decoder> decoder = entry.make();
      const std::string stranger = stranger_to(*decoder);
      if (stranger.empty()) {
        candidates_.emplace_back(entry.name, std::move(decoder));
        continue;
      }
      refused = stranger;
      for (const std::string& option : names_of(*decoder)) {
        if (std::find(known.begin(), known.end(), option) == known.end()) known.push_back(option);
      }
    }
    const std::string where = "metric " + name();
    if (candidates_.empty()) {
      if (*decoder_ == "auto" && std::find(known.begin(), known.end(), refused) != known.end())
        throw Error::usage("{}: no decoder has all these options; choose one with decoder={}", where,
                           fmt::join(decoder_names(), "|"));
      unknown_option(*decoder_ == "auto" ? where : where + " with decoder=" + *decoder_, refused, known);
    }
    for (auto& [decoder_name, decoder] : candidates_) {
      for (const auto& [option, value] : settings_) set_option(where, *decoder->find_option(option), value);
      decoder->ready(where);
    }
  }

 private:
  /// The first setting that the decoder does not have.
  std::string stranger_to(const Decoder& decoder) const {
    for (const auto& [option, value] : settings_) {
      if (!decoder.find_option(option)) return option;
    }
    return "";
  }

  /// The only one that can read these outputs; the same for all batches.
  const Decoder& decoder_for(std::span<const Head> heads, const Frame& frame, const Outputs& outputs) {
    std::vector<std::size_t> fit;
    std::string expected;
    for (std::size_t i = 0; i < candidates_.size(); ++i) {
      if (chosen_ && *chosen_ != i) continue;
      const Decoder& decoder = *candidates_[i].second;
      if (decoder.classes(heads, frame)) fit.push_back(i);
      expected += (expected.empty() ? "" : "; ") + candidates_[i].first + ": " + decoder.expected();
    }
    if (fit.empty())
      throw Error::usage("{}: outputs are {}, expected {} (pictures are {}x{})", name(), describe(outputs),
                         expected, frame.height, frame.width);
    // Any three axes could be yolo's: the others know theirs better.
    if (fit.size() > 1) std::erase_if(fit, [&](std::size_t i) { return candidates_[i].first == "yolo"; });
    if (fit.size() > 1)
      throw Error::usage("{}: outputs are {} and could be read in several ways, choose one: decoder={} or {}",
                         name(), describe(outputs), candidates_[fit[0]].first, candidates_[fit[1]].first);
    chosen_ = fit.front();
    return *candidates_[*chosen_].second;
  }

  std::vector<Detection> found_in(const Decoder& decoder, std::span<const Head> heads, const Frame& frame,
                                  std::int64_t row, const Geometry& geometry) const {
    std::vector<Detection> found;
    decoder.decode(heads, frame, row, *score_, found);
    const std::optional<double> nms = nms_->has_value() ? *nms_ : decoder.nms();
    if (nms && *nms < 1) found = suppress(std::move(found), *nms, *candidates_per_class_);
    std::vector<Detection> mapped;
    for (Detection& d : found) {
      const std::int64_t label = map_->to_data(d.box.label);
      if (label < 0) continue;
      Box box = decoder.in_source() ? d.box : geometry.to_source(d.box);
      box.label = label;
      mapped.push_back({.box = box, .score = d.score});
    }
    return mapped;
  }

  Option<std::string> decoder_{*this, "decoder", "auto", "how boxes are read from the outputs",
                               decoder_choices()};
  Option<double> score_{*this, "score", 0.01, "least score of a box", Range{.low = 0, .high = 1}};
  Option<std::optional<double>> nms_{*this, "nms", std::nullopt,
                                     "IoU above which the weaker of two boxes of a class goes; 1: none goes",
                                     Range{.low = 0, .high = 1}};
  Option<std::int64_t> candidates_per_class_{
      *this, "candidates", 1000, "boxes of a class that suppression looks at; 0: all", Range::at_least(0)};
  Option<std::int64_t> max_dets_{*this, "max-dets", 100, "boxes of a class in a picture that count",
                                 Range::at_least(1)};
  Option<std::string> classes_{
      *this, "classes", "auto",
      "names of the model's classes: a list such as coco or voc, a file with a name a "
      "line, or data: those of the data"};
  Option<bool> skip_unknown_{*this, "skip-unknown", false,
                             "leave out objects of classes that the model lacks"};

  int threshold_;  // -1: all
  std::vector<std::pair<std::string, std::string>> settings_;
  std::vector<std::pair<std::string, std::unique_ptr<Decoder>>> candidates_;
  std::optional<std::size_t> chosen_;
  std::optional<ClassMap> map_;
  std::optional<CocoAp> ap_;
  std::int64_t pictures_ = 0;
};

}  // namespace

std::unique_ptr<Metric> make_detection_ap(const MetricInfo& info, const MetricContext& context,
                                          std::optional<double> iou) {
  return std::make_unique<DetectionAp>(info, context, iou);
}

}  // namespace compressor::metrics
