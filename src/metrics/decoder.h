// decoder: from a detection network's outputs to boxes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compressor/base/option.h"
#include "metrics/detection.h"
#include "metrics/outputs.h"

namespace compressor::metrics {

/// One output, read once a batch.
struct Head {
  std::string name;
  DType dtype = DType::kFloat;
  Dims shape;
  Floats values;
  std::int64_t rank() const { return static_cast<std::int64_t>(shape.size()); }
};

/// What a network sees: how many pictures, of which size.
struct Frame {
  std::int64_t rows = 1;
  std::int64_t height = 0, width = 0;
};

/// Reads one kind of head. Its options are set in the metric's text beside the metric's own.
class Decoder : public Options {
 public:
  /// How many classes these outputs tell apart (at least 1; 0 when the outputs do not say); nullopt when they
  /// are of another kind.
  virtual std::optional<std::int64_t> classes(std::span<const Head> heads, const Frame& frame) const = 0;
  /// What it reads: "[N, sum of H/s x W/s over strides s, 5 + classes]".
  virtual std::string expected() const = 0;
  /// Appends the boxes of picture `row` with at least this score; in the network's pixels unless in_source().
  virtual void decode(std::span<const Head> heads, const Frame& frame, std::int64_t row, double score,
                      std::vector<Detection>& found) const = 0;
  /// The boxes are pixels of the source picture.
  virtual bool in_source() const { return false; }
  /// IoU of the suppression that this kind is used with; nullopt where the graph has done it.
  virtual std::optional<double> nms() const { return 0.65; }
  /// Called once when all options are set.
  virtual void ready(const std::string& where);
};

struct DecoderEntry {
  std::string name;
  std::string summary;
  std::function<std::unique_ptr<Decoder>()> make;
};

class DecoderTable {
 public:
  void add(DecoderEntry entry) { all_.push_back(std::move(entry)); }
  const std::vector<DecoderEntry>& all() const { return all_; }

 private:
  std::vector<DecoderEntry> all_;
};

/// Every file of decoders/.
const DecoderTable& decoders();

/// How four numbers are a box.
enum class BoxForm : std::uint8_t {
  kCorners,    ///< x1 y1 x2 y2
  kCornersYx,  ///< y1 x1 y2 x2
  kCentre,     ///< centre x, centre y, width, height
  kCorner,     ///< x1 y1 width height
};
Choices box_forms();
BoxForm box_form(const std::string& word);
Box box_of(BoxForm form, double a, double b, double c, double d);

/// The score of a row of class scores, either the best class or every one: appends those with at least
/// `threshold`, each times `factor`.
void add_classes(const Box& box, std::span<const float> scores, double factor, bool best_only,
                 double threshold, std::vector<Detection>& found);

/// "8,16,32"; throws Error::usage.
std::vector<std::int64_t> parse_strides(const std::string& where, const std::string& text);

double sigmoid(double x);

}  // namespace compressor::metrics
