// class_names: the lists, and names that mean the same.
#include "compressor/data/class_names.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <map>

#include "compressor/base/error.h"

namespace compressor {
namespace {

using Names = std::vector<std::string>;

const std::map<std::string, Names, std::less<>>& lists() {
  static const std::map<std::string, Names, std::less<>> kLists = {
      {"coco", {"person",        "bicycle",      "car",
                "motorcycle",    "airplane",     "bus",
                "train",         "truck",        "boat",
                "traffic light", "fire hydrant", "stop sign",
                "parking meter", "bench",        "bird",
                "cat",           "dog",          "horse",
                "sheep",         "cow",          "elephant",
                "bear",          "zebra",        "giraffe",
                "backpack",      "umbrella",     "handbag",
                "tie",           "suitcase",     "frisbee",
                "skis",          "snowboard",    "sports ball",
                "kite",          "baseball bat", "baseball glove",
                "skateboard",    "surfboard",    "tennis racket",
                "bottle",        "wine glass",   "cup",
                "fork",          "knife",        "spoon",
                "bowl",          "banana",       "apple",
                "sandwich",      "orange",       "broccoli",
                "carrot",        "hot dog",      "pizza",
                "donut",         "cake",         "chair",
                "couch",         "potted plant", "bed",
                "dining table",  "toilet",       "tv",
                "laptop",        "mouse",        "remote",
                "keyboard",      "cell phone",   "microwave",
                "oven",          "toaster",      "sink",
                "refrigerator",  "book",         "clock",
                "vase",          "scissors",     "teddy bear",
                "hair drier",    "toothbrush"}},
      {"voc", {"aeroplane", "bicycle",     "bird",  "boat",        "bottle", "bus",      "car",
               "cat",       "chair",       "cow",   "diningtable", "dog",    "horse",    "motorbike",
               "person",    "pottedplant", "sheep", "sofa",        "train",  "tvmonitor"}},
      {"cifar10", {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"}},
      {"fashion_mnist",
       {"t-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag",
        "ankle boot"}},
  };
  return kLists;
}

std::string meaning(const std::string& name) {
  std::string plain;
  for (const char c : name) {
    if (c != ' ' && c != '_' && c != '-')
      plain += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  static const std::map<std::string, std::string> kSame = {
      {"aeroplane", "airplane"}, {"motorbike", "motorcycle"}, {"sofa", "couch"}, {"tvmonitor", "tv"}};
  const auto found = kSame.find(plain);
  return found == kSame.end() ? plain : found->second;
}

}  // namespace

const std::vector<std::string>& class_list(std::string_view name) {
  static const Names kNone;
  const auto found = lists().find(name);
  return found == lists().end() ? kNone : found->second;
}

std::vector<std::int64_t> match_classes(const std::vector<std::string>& from,
                                        const std::vector<std::string>& to) {
  std::map<std::string, std::int64_t> places;
  for (std::size_t i = 0; i < to.size(); ++i) places.emplace(meaning(to[i]), static_cast<std::int64_t>(i));
  std::vector<std::int64_t> matches;
  for (const std::string& name : from) {
    const auto found = places.find(meaning(name));
    matches.push_back(found == places.end() ? -1 : found->second);
  }
  return matches;
}

std::vector<std::string> read_characters(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw Error::io("{}: cannot open", path);
  std::vector<std::string> list;
  for (std::string line; std::getline(in, line);) {
    if (line.ends_with('\r')) line.pop_back();
    list.push_back(line);
  }
  if (list.empty()) throw Error::io("{}: is empty, expected a character a line", path);
  return list;
}

}  // namespace compressor
