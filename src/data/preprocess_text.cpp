// preprocess_text: presets, and settings as text.
#include <algorithm>
#include <functional>
#include <map>

#include "compressor/base/error.h"
#include "compressor/base/suggest.h"
#include "compressor/data/preprocess.h"
#include "data/setting.h"

namespace compressor {
namespace {

using namespace data;

void set_resize(Preprocess& p, const Setting& s) {
  p.resize_height = p.resize_width = 0;
  p.resize = Preprocess::Resize::kNone;
  if (s.value == "none") return;
  const auto [height, width] = s.size();
  p.resize_height = height;
  p.resize_width = width;
  if (s.key == "height") {
    if (width != 0) s.fail("one size");
    p.resize = Preprocess::Resize::kHeight;
  } else if (s.key == "letterbox") {
    p.resize = Preprocess::Resize::kLetterbox;
    if (width == 0) p.resize_width = height;
  } else {
    p.resize = width == 0 ? Preprocess::Resize::kShort : Preprocess::Resize::kStretch;
  }
}

// Of lines; none undoes a preset's.
void set_width(Preprocess& p, const Setting& s) {
  p.width = p.min_width = 0;
  p.width_step = 1;
  if (s.value != "none") p.width = s.count(s.value, 1);
}

void set_crop(Preprocess& p, const Setting& s) {
  p.crop_height = p.crop_width = 0;
  if (s.value == "none") return;
  const auto [height, width] = s.size();
  p.crop_height = height;
  p.crop_width = width == 0 ? height : width;
}

void set_fill(Preprocess& p, const Setting& s) {
  const Numbers list = s.numbers();
  if (list.size() != 1 || list[0] < 0 || list[0] > 255) s.fail("a pixel's value from 0 to 255");
  p.fill = list[0];
}

void set_std(Preprocess& p, const Setting& s) {
  p.std = s.numbers();
  if (std::count(p.std.begin(), p.std.end(), 0.0) > 0) s.fail("numbers other than 0");
}

void set_dtype(Preprocess& p, const Setting& s) {
  p.dtype = dtype_of(s.value);
  const int width = bits(p.dtype);
  if (width < 8 || !(is_float(p.dtype) || is_integer(p.dtype)))
    s.fail("a type of numbers such as float32, float16, uint8 or int32");
}

constexpr std::int64_t kMostOfFrame = 1 << 20;

void set_shape(Preprocess& p, const Setting& s) {
  p.frames.shape.clear();
  std::string_view rest = s.value;
  for (;;) {
    const std::size_t x = rest.find('x');
    p.frames.shape.push_back(s.whole(rest.substr(0, x), kMostOfFrame));
    if (x == std::string_view::npos) return;
    rest.remove_prefix(x + 1);
  }
}

using Setter = std::function<void(Preprocess&, const Setting&)>;
// In the order in which they are applied and written.
const std::vector<std::pair<std::string, Setter>>& setters() {
  static const std::vector<std::pair<std::string, Setter>> kSetters = {
      {"resize", set_resize},
      {"height", set_resize},
      {"width", set_width},
      {"min_width",
       [](Preprocess& p, const Setting& s) {
         p.width = 0;
         p.min_width = s.count(s.value, 1);
       }},
      {"width_step", [](Preprocess& p, const Setting& s) { p.width_step = s.count(s.value, 1); }},
      {"letterbox", set_resize},
      {"filter", [](Preprocess& p, const Setting& s) { p.filter = s.one_of(kFilters); }},
      {"place", [](Preprocess& p, const Setting& s) { p.letterbox_centre = s.one_of(kPlaces); }},
      {"crop", set_crop},
      {"pad", [](Preprocess& p, const Setting& s) { p.pad = s.value == "none" ? 0 : s.count(s.value, 0); }},
      {"fill", set_fill},
      {"order", [](Preprocess& p, const Setting& s) { p.order = s.one_of(kOrders); }},
      {"layout", [](Preprocess& p, const Setting& s) { p.layout = s.one_of(kLayouts); }},
      {"scale", [](Preprocess& p, const Setting& s) { p.scale = s.numbers(); }},
      {"mean", [](Preprocess& p, const Setting& s) { p.mean = s.numbers(); }},
      {"std", set_std},
      {"dtype", set_dtype},
      {"frame", [](Preprocess& p, const Setting& s) { p.frames.frame = s.whole(s.value, kMostOfFrame); }},
      {"hop", [](Preprocess& p, const Setting& s) { p.frames.hop = s.whole(s.value, kMostOfFrame); }},
      {"window", [](Preprocess& p, const Setting& s) { p.frames.window = s.one_of(kWindows); }},
      {"spectrum", [](Preprocess& p, const Setting& s) { p.frames.spectrum = s.one_of(kSpectra); }},
      {"edges", [](Preprocess& p, const Setting& s) { p.frames.edges = s.one_of(kEdges); }},
      {"answer", [](Preprocess& p, const Setting& s) { p.frames.answer = s.one_of(kAnswers); }},
      {"shape", set_shape},
      {"rate", [](Preprocess& p, const Setting& s) { p.frames.rate = s.whole(s.value, 10000000); }}};
  return kSetters;
}

void apply_setting(Preprocess& p, const Setting& s) {
  entry_named(setters(), s.key, s.where + ": unknown setting", ", expected one of {}", [](const auto& entry) {
    return entry.first;
  }).second(p, s);
}

const PreprocessPreset& find_preset(const std::string& name, const std::string& where) {
  return entry_named(preprocess_presets(), name, where + ": unknown preset");
}

std::string trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\n");
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(" \t\n") - first + 1));
}

// Numbers after a comma go on with the list before: mean=104,117,123.
std::vector<Setting> split_settings(std::string_view text, const std::string& where, std::string& preset) {
  std::vector<Setting> settings;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    const std::string item = trimmed(text.substr(0, comma));
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    const std::size_t equals = item.find('=');
    if (equals != std::string::npos) {
      settings.push_back({where, trimmed(item.substr(0, equals)), trimmed(item.substr(equals + 1))});
    } else if (!settings.empty() && Setting::number(item)) {
      settings.back().value += ":" + item;
    } else if (settings.empty() && preset.empty() && !item.empty()) {
      preset = item;
    } else {
      throw Error::usage("{}: found '{}', expected key=value (a preset's name comes first)", where, item);
    }
  }
  return settings;
}

void check_frames(const Preprocess& p, const std::string& where) {
  const Frames& f = p.frames;
  if (!f.any()) {
    if (f != Frames{})
      throw Error::usage(
          "{}: hop, window, spectrum, edges, answer, shape and rate are about frames of sound: "
          "frame=N is missing",
          where);
    return;
  }
  Preprocess pictures = p;
  pictures.frames = {};
  if (pictures != Preprocess{})
    throw Error::usage("{}: frame cuts sounds, and there are settings of pictures beside it", where);
  if (f.hop > f.frame)
    throw Error::usage("{}: hop={} skips values between frames of {}", where, f.hop, f.frame);
  if (f.answer == Frames::Answer::kMask && f.spectrum == Frames::Spectrum::kNone)
    throw Error::usage("{}: answer=mask is about a spectrum, and there is none", where);
  Frames plain = f;
  plain.shape.clear();
  if (num_elements(f.dims()) != num_elements(plain.dims()))
    throw Error::usage("{}: shape={} does not hold the {} numbers of a frame", where, to_string(f.dims()),
                       num_elements(plain.dims()));
}

void check_together(const Preprocess& p, const std::string& where) {
  const bool lines = p.width > 0 || p.min_width > 0 || p.width_step > 1;
  if (p.resize != Preprocess::Resize::kHeight && lines) {
    throw Error::usage("{}: width, min_width and width_step go with height=S; width=none undoes a preset's",
                       where);
  }
  if (p.width > 0 && p.width_step > 1)
    throw Error::usage("{}: width={} is one width, and width_step={} asks for steps", where, p.width,
                       p.width_step);
  std::size_t most = 1;
  for (const Numbers* list : {&p.scale, &p.mean, &p.std}) {
    if (list->size() > 1 && most > 1 && list->size() != most)
      throw Error::usage("{}: scale, mean and std have {} and {} values, expected one or one a channel",
                         where, most, list->size());
    most = std::max(most, list->size());
  }
  const std::size_t channels = p.order == Preprocess::Order::kGrey ? 1 : 3;
  if (p.order != Preprocess::Order::kKeep && most > 1 && most != channels)
    throw Error::usage("{}: order={} makes {} channel{}, but scale, mean or std has {} values", where,
                       word_of(kOrders, p.order), channels, channels == 1 ? "" : "s", most);
}

std::string frames_text(const Frames& f) {
  std::string text = fmt::format("frame={},hop={},window={},spectrum={},edges={},answer={}", f.frame, f.hop,
                                 word_of(kWindows, f.window), word_of(kSpectra, f.spectrum),
                                 word_of(kEdges, f.edges), word_of(kAnswers, f.answer));
  if (!f.shape.empty()) text += fmt::format(",shape={}", to_string(f.shape));
  if (f.rate > 0) text += fmt::format(",rate={}", f.rate);
  return text;
}

std::string list_text(const Numbers& list) {
  std::string all;
  for (const double v : list) all += (all.empty() ? "" : ":") + fmt::format("{}", v);
  return all;
}

}  // namespace

Preprocess parse_preprocess(std::string_view text, const std::string& where) {
  std::string preset;
  const std::vector<Setting> settings = split_settings(text, where, preset);
  Preprocess p;
  if (!preset.empty()) p = parse_preprocess(find_preset(preset, where).settings, "preset " + preset);
  for (const Setting& s : settings) apply_setting(p, s);
  if (p.frames.any() && p.frames.hop == 0) p.frames.hop = p.frames.frame;
  check_together(p, where);
  check_frames(p, where);
  return p;
}

std::string Preprocess::text() const {
  if (frames.any()) return frames_text(frames);
  std::vector<std::string> items;
  const auto size = [](std::int64_t h, std::int64_t w) { return fmt::format("{}x{}", h, w); };
  switch (resize) {
    case Resize::kNone:
      break;
    case Resize::kStretch:
      items.push_back("resize=" + size(resize_height, resize_width));
      break;
    case Resize::kShort:
      items.push_back(fmt::format("resize={}", resize_height));
      break;
    case Resize::kHeight:
      items.push_back(fmt::format("height={}", resize_height));
      if (width > 0) items.push_back(fmt::format("width={}", width));
      if (min_width > 0) items.push_back(fmt::format("min_width={}", min_width));
      if (width_step > 1) items.push_back(fmt::format("width_step={}", width_step));
      break;
    case Resize::kLetterbox:
      items.push_back("letterbox=" + size(resize_height, resize_width));
      break;
  }
  items.push_back(std::string("filter=") + word_of(kFilters, filter));
  items.push_back(std::string("place=") + word_of(kPlaces, letterbox_centre));
  if (crop_height > 0) items.push_back("crop=" + size(crop_height, crop_width));
  items.push_back(fmt::format("pad={}", pad));
  items.push_back(fmt::format("fill={}", fill));
  items.push_back(std::string("order=") + word_of(kOrders, order));
  items.push_back(std::string("layout=") + word_of(kLayouts, layout));
  items.push_back("scale=" + list_text(scale));
  items.push_back("mean=" + list_text(mean));
  items.push_back("std=" + list_text(std));
  items.push_back("dtype=" + std::string(name(dtype)));
  std::string all;
  for (const std::string& item : items) all += (all.empty() ? "" : ",") + item;
  return all;
}

}  // namespace compressor
