// ssd: class scores and boxes of the same priors, in two outputs, not yet suppressed.
//
//   scores [N, P, C], the background among them;  boxes [N, P, 4]
//   with priors (cx cy w h):  centre = cx + z v1 w;  size = w exp(z v2),  v1, v2 the variances
//   without priors the boxes are already boxes, in pixels or in shares of the picture
//
// Liu et al.: SSD: Single Shot MultiBox Detector, 2016. Every class of a box counts.
#include <algorithm>
#include <cmath>

#include "compressor/data/numpy.h"
#include "metrics/decoder.h"

namespace compressor::metrics {
namespace {

/// Priors as centre and size in shares of the picture, with their variances.
struct Prior {
  double cx = 0, cy = 0, w = 0, h = 0;
  double centre = 0.1, size = 0.2;
};

class Ssd : public Decoder {
 public:
  void ready(const std::string& where) override {
    if (!priors_->ends_with(".npy")) return;
    const Tensor tensor = read_npy(*priors_);
    if (tensor.rank() < 2 || tensor.shape.back() != 4)
      throw Error::usage("{}: priors: '{}' has shape {}, expected priors x 4", where, *priors_,
                         to_string(tensor.shape));
    from_file_ = to_floats(tensor);
  }

  std::optional<std::int64_t> classes(std::span<const Head> heads, const Frame& frame) const override {
    const auto [boxes, scores] = find(heads, frame);
    if (!boxes) return std::nullopt;
    return scores->shape[2] - (*background_ == "none" ? 0 : 1);
  }

  std::string expected() const override { return "scores [N, priors, classes] and boxes [N, priors, 4]"; }
  std::optional<double> nms() const override { return 0.45; }

  void decode(std::span<const Head> heads, const Frame& frame, std::int64_t row, double score,
              std::vector<Detection>& found) const override {
    const auto [boxes, scores] = find(heads, frame);
    const std::int64_t count = boxes->shape[1];
    const auto wide = static_cast<std::size_t>(scores->shape[2]);
    const std::vector<Prior> priors = priors_for(heads, count);
    const std::size_t first = *background_ == "first" ? 1 : 0;
    const std::size_t last = *background_ == "last" ? 1 : 0;
    const auto picture = static_cast<std::size_t>(row * count);
    const bool shares =
        !priors.empty() || in_shares(boxes->values.at(picture * 4, static_cast<std::size_t>(count) * 4));
    const double height = shares ? static_cast<double>(frame.height) : 1;
    const double width = shares ? static_cast<double>(frame.width) : 1;
    std::vector<float> p;
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      const std::span<const float> raw = scores->values.at((picture + i) * wide, wide);
      p.assign(raw.begin(), raw.end());
      activate(p);
      const std::span<const float> kept = std::span<const float>(p).subspan(first, wide - first - last);
      if (kept.empty() || !(static_cast<double>(*std::max_element(kept.begin(), kept.end())) >= score))
        continue;
      const std::span<const float> z = boxes->values.at((picture + i) * 4, 4);
      Box box = priors.empty()
                    ? box_of(box_form(*form_), static_cast<double>(z[0]), static_cast<double>(z[1]),
                             static_cast<double>(z[2]), static_cast<double>(z[3]))
                    : laid(priors[i], z);
      box.x1 *= width, box.x2 *= width, box.y1 *= height, box.y2 *= height;
      add_classes(box, kept, 1, false, score, found);
    }
  }

 private:
  static bool in_shares(std::span<const float> boxes) {
    return std::all_of(boxes.begin(), boxes.end(), [](float v) { return v > -4 && v < 5; });
  }

  static Box laid(const Prior& prior, std::span<const float> z) {
    return box_of(BoxForm::kCentre, prior.cx + static_cast<double>(z[0]) * prior.centre * prior.w,
                  prior.cy + static_cast<double>(z[1]) * prior.centre * prior.h,
                  prior.w * std::exp(static_cast<double>(z[2]) * prior.size),
                  prior.h * std::exp(static_cast<double>(z[3]) * prior.size));
  }

  /// Scores become probabilities where they are not.
  void activate(std::vector<float>& p) const {
    const bool looks_done = std::all_of(p.begin(), p.end(), [](float v) { return v >= 0 && v <= 1; });
    if (*activation_ == "none" || (*activation_ == "auto" && looks_done)) return;
    if (*activation_ == "sigmoid") {
      for (float& v : p) v = static_cast<float>(sigmoid(static_cast<double>(v)));
      return;
    }
    const auto most = static_cast<double>(*std::max_element(p.begin(), p.end()));
    double sum = 0;
    for (const float v : p) sum += std::exp(static_cast<double>(v) - most);
    for (float& v : p) v = static_cast<float>(std::exp(static_cast<double>(v) - most) / sum);
  }

  std::vector<Prior> priors_for(std::span<const Head> heads, std::int64_t count) const {
    if (priors_->empty()) return {};
    std::span<const float> values = from_file_;
    std::span<const float> variances;
    for (const Head& head : heads) {
      if (head.name != *priors_) continue;
      values = head.values.all();
      if (head.shape != Dims{1, 2, count * 4}) continue;  // Caffe: corners, then variances
      variances = values.subspan(static_cast<std::size_t>(count) * 4);
      values = values.first(static_cast<std::size_t>(count) * 4);
    }
    if (values.size() != static_cast<std::size_t>(count) * 4)
      throw Error::usage(
          "decoder ssd: priors: found {} numbers in '{}', expected an output or a .npy file with {} x 4",
          values.size(), *priors_, count);
    std::vector<Prior> priors(static_cast<std::size_t>(count));
    const BoxForm form = variances.empty() ? box_form(*prior_form_) : BoxForm::kCorners;
    for (std::size_t i = 0; i < priors.size(); ++i) {
      const auto v = [&](std::size_t k) { return static_cast<double>(values[i * 4 + k]); };
      const Box b = box_of(form, v(0), v(1), v(2), v(3));
      priors[i] = {.cx = (b.x1 + b.x2) / 2,
                   .cy = (b.y1 + b.y2) / 2,
                   .w = b.x2 - b.x1,
                   .h = b.y2 - b.y1,
                   .centre = *centre_,
                   .size = *size_};
      if (variances.empty()) continue;
      priors[i].centre = static_cast<double>(variances[i * 4]);
      priors[i].size = static_cast<double>(variances[i * 4 + 2]);
    }
    return priors;
  }

  std::pair<const Head*, const Head*> find(std::span<const Head> heads, const Frame& frame) const {
    const auto may_be = [&](const Head& head, const std::string& wanted) {
      if (!wanted.empty() && head.name != wanted) return false;
      return is_float(head.dtype) && head.rank() == 3 && head.shape[0] == frame.rows && head.name != *priors_;
    };
    for (const Head& boxes : heads) {
      if (!may_be(boxes, *boxes_) || boxes.shape[2] != 4) continue;
      for (const Head& scores : heads) {
        if (&scores == &boxes || !may_be(scores, *scores_) || scores.shape[1] != boxes.shape[1]) continue;
        if (scores.shape[2] < (*background_ == "none" ? 1 : 2)) continue;
        const bool unclear = scores.shape[2] == 4 && boxes_->empty() && scores_->empty();
        if (unclear && boxes.name.find("box") == std::string::npos &&
            boxes.name.find("loc") == std::string::npos)
          continue;
        return {&boxes, &scores};
      }
    }
    return {nullptr, nullptr};
  }

  Option<std::string> boxes_{*this, "boxes", "",
                             "name of the output with the boxes; empty: the one that fits"};
  Option<std::string> scores_{*this, "scores", "",
                              "name of the output with the scores; empty: the one that fits"};
  Option<std::string> priors_{*this, "priors", "",
                              "output or .npy file with priors x 4 in shares of the picture"};
  Option<std::string> prior_form_{*this, "prior-form", "centre", "how four numbers are a prior", box_forms()};
  Option<double> centre_{*this, "centre-variance", 0.1, "scale of the offsets of centres", Range::above(0)};
  Option<double> size_{*this, "size-variance", 0.2, "scale of the offsets of sizes", Range::above(0)};
  Option<std::string> background_{*this, "background", "first", "class that is none",
                                  Choices{{"first", "last", "none"}}};
  Option<std::string> form_{*this, "box-form", "corners", "how four numbers are a box, without priors",
                            box_forms()};
  Option<std::string> activation_{*this, "activation", "auto", "what makes scores probabilities",
                                  Choices{{"auto", "none", "softmax", "sigmoid"}}};
  std::vector<float> from_file_;
};

}  // namespace

void register_ssd(DecoderTable& table) {
  table.add({"ssd", "scores and boxes of priors in two outputs", [] { return std::make_unique<Ssd>(); }});
}

}  // namespace compressor::metrics
