// segmentation: pictures in one folder, masks of class indices under the same names in another.
#include <algorithm>
#include <map>
#include <optional>

#include "compressor/base/error.h"
#include "compressor/data/image.h"
#include "data/format.h"

namespace compressor::data {
namespace {

namespace fs = std::filesystem;

struct Pair {
  std::string images, masks, split;
};

bool holds(const std::string& folder, bool masks) {
  const Place place(folder);
  return std::any_of(place.files().begin(), place.files().end(), [&](const std::string& name) {
    return masks ? Place::extension(name) == "png" : is_image_name(name);
  });
}

void add_pair(const std::string& images, const std::string& masks, const std::string& split,
              std::vector<Pair>& pairs) {
  if (holds(images, false) && holds(masks, true)) pairs.push_back({images, masks, split});
}

// val + valannot; images + masks; images/val + masks/val.
std::vector<Pair> pairs_of(const Place& place) {
  std::vector<Pair> pairs;
  for (const std::string& name : place.folders()) {
    for (const char* suffix : {"annot", "_annot", "_masks", "_labels"}) {
      if (place.has_folder(name + suffix)) add_pair(place.in(name), place.in(name + suffix), name, pairs);
    }
  }
  static constexpr std::pair<const char*, const char*> kNames[] = {{"JPEGImages", "SegmentationClass"},
                                                                   {"images", "masks"},
                                                                   {"images", "labels"},
                                                                   {"images", "annotations"}};
  for (const auto& [images, masks] : kNames) {
    if (!pairs.empty() || !place.has_folder(images) || !place.has_folder(masks)) continue;
    add_pair(place.in(images), place.in(masks), "", pairs);
    const Place pictures(place.in(images)), indices(place.in(masks));
    for (const std::string& split : pictures.folders()) {
      if (indices.has_folder(split)) add_pair(pictures.in(split), indices.in(split), split, pairs);
    }
  }
  return pairs;
}

class SegmentationDataset : public Dataset {
 public:
  SegmentationDataset(const Pair& pair, const OpenOptions& options) : split_(pair.split), options_(options) {
    const Place images(pair.images), masks(pair.masks);
    std::map<std::string, std::string> by_stem;
    for (const std::string& name : images.files()) {
      if (is_image_name(name)) by_stem[fs::path(name).stem().string()] = images.in(name);
    }
    for (const std::string& name : masks.files()) {
      if (Place::extension(name) != "png") continue;
      const auto image = by_stem.find(fs::path(name).stem().string());
      if (image == by_stem.end())
        throw Error::io("{}: no picture of that name in {}", masks.in(name), images.path());
      entries_.emplace_back(image->second, masks.in(name));
    }
  }
  std::int64_t size() const override { return static_cast<std::int64_t>(entries_.size()); }
  std::vector<std::string> classes() const override { return options_.classes; }
  std::optional<std::int64_t> void_label() const override { return options_.void_label; }
  std::string split() const override { return split_; }
  std::string describe() const override {
    return fmt::format("{} pictures with masks{}", size(), split_.empty() ? "" : ", " + split_);
  }
  Sample get(std::int64_t i) const override {
    const auto& [image, mask] = entries_.at(static_cast<std::size_t>(i));
    Sample sample;
    sample.name = image;
    sample.image = read_image(image);
    sample.truth.mask = read_mask(mask);
    if (sample.truth.mask->height != sample.image->height || sample.truth.mask->width != sample.image->width)
      throw Error::io("{}: mask of {}x{}, expected {}x{} as its picture", mask, sample.truth.mask->height,
                      sample.truth.mask->width, sample.image->height, sample.image->width);
    return sample;
  }

 private:
  std::string split_;
  OpenOptions options_;
  std::vector<std::pair<std::string, std::string>> entries_;
};

int claim(const Place& place) {
  return place.is_folder() && !pairs_of(place).empty() ? kFolder : kNo;
}

std::unique_ptr<Dataset> open(const Place& place, const OpenOptions& options) {
  const std::vector<Pair> pairs = pairs_of(place);
  if (pairs.empty()) throw Error::io("{}: no folder of pictures beside a folder of masks", place.path());
  std::vector<std::string> there;
  for (const Pair& p : pairs) {
    if (!p.split.empty()) there.push_back(p.split);
  }
  const std::string split = choose_split(there, options, place.path());
  const auto pair = std::find_if(pairs.begin(), pairs.end(), [&](const Pair& p) { return p.split == split; });
  return std::make_unique<SegmentationDataset>(pair == pairs.end() ? pairs.front() : *pair, options);
}

}  // namespace

void register_segmentation(FormatTable& table) {
  table.add({"segmentation", "pictures and PNG masks of class indices: val + valannot, images + masks", claim,
             open});
}

}  // namespace compressor::data
