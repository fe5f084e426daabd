// preprocess: from a picture or a sound to the numbers that a network was trained on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compressor/data/frames.h"
#include "compressor/data/image.h"
#include "compressor/data/sample.h"
#include "compressor/tensor/tensor.h"

namespace compressor {

/// Channel order, resize, crop, pad, then y = (x * scale - mean) / std per channel. Written as text:
///
///   imagenet                              a preset
///   imagenet,crop=227                     a preset with changes
///   resize=256,crop=224,scale=1/255,mean=0.485,0.456,0.406,std=0.229,0.224,0.225
///
/// or as the same keys in `data.yaml`. Sizes are `S` or `HxW`. Sounds have settings of their own (Frames),
/// which do not go with those of pictures:
///
///   gtcrn
///   frame=512,hop=256,window=sqrt_hann,spectrum=complex,edges=mirror
struct Preprocess {
  enum class Resize : std::uint8_t {
    kNone,
    kStretch,    ///< resize=HxW: to exactly this, whatever the aspect
    kShort,      ///< resize=S: the shorter side to S, the aspect kept
    kHeight,     ///< height=S: the height to S, the aspect kept, a broken pixel of width counted whole
    kLetterbox,  ///< letterbox=S or HxW: as large as fits, the rest filled
  };
  /// bilinear: two by two pixels (as OpenCV); antialias: a triangle over all that shrink to one (as PIL,
  /// torchvision); nearest.
  enum class Filter : std::uint8_t { kBilinear, kAntialias, kNearest };
  /// keep: as the file has it (grey or RGB).
  enum class Order : std::uint8_t { kKeep, kRgb, kBgr, kGrey };
  enum class Layout : std::uint8_t { kNchw, kNhwc };

  Resize resize = Resize::kNone;
  std::int64_t resize_height = 0, resize_width = 0;
  /// With kHeight: exactly this wide, filled on the right or squeezed; 0: as it comes.
  std::int64_t width = 0;
  std::int64_t min_width = 0;   ///< with kHeight: at least so wide, filled on the right
  std::int64_t width_step = 1;  ///< with kHeight: filled on the right up to a multiple of it
  Filter filter = Filter::kBilinear;
  std::int64_t crop_height = 0, crop_width = 0;  ///< from the middle; 0: none
  std::int64_t pad = 0;                          ///< border on all four sides, after the crop
  double fill = 0;                               ///< value of padding, in pixels
  bool letterbox_centre = true;                  ///< place=centre or corner (top left)
  Order order = Order::kKeep;
  Layout layout = Layout::kNchw;
  std::vector<double> scale = {
      1};  ///< one for all channels or one each, in the order of the output's channels
  std::vector<double> mean = {0};
  std::vector<double> std = {1};
  DType dtype = DType::kFloat;
  Frames frames = {};  ///< of sounds; the data set is opened with them

  /// Height and width of the result where they do not depend on the picture.
  std::optional<std::pair<std::int64_t, std::int64_t>> fixed_size() const;

  /// Channel order, resize, crop and pad: the pixels that the network will see. `name` is what errors call
  /// the picture. Throws Error::usage when it is smaller than the crop.
  Image fit(const Image& image, const std::string& name, Geometry& geometry) const;
  /// A mask laid out as `geometry` says, nearest pixel, Truth::kOutside where there is none.
  static Image fit_mask(const Image& mask, const Geometry& geometry);
  /// Numbers, layout and type: [C, H, W] or [H, W, C].
  Tensor finish(const Image& fitted, const std::string& name) const;
  /// fit, then finish.
  Tensor apply(const Image& image, const std::string& name, Geometry& geometry) const;

  /// Every setting as text that parse_preprocess reads back.
  std::string text() const;
  bool operator==(const Preprocess&) const = default;
};

/// Throws Error::usage that begins with `where` ("--preprocess", "data.yaml: preprocess") for unknown names
/// (with a suggestion), malformed values and settings that cannot go together.
Preprocess parse_preprocess(std::string_view text, const std::string& where = "--preprocess");

struct PreprocessPreset {
  std::string name;
  std::string summary;
  std::string settings;  ///< what the preset stands for
};
const std::vector<PreprocessPreset>& preprocess_presets();

}  // namespace compressor
