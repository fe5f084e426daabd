// coco: pictures and one JSON file of boxes, as COCO has them: bbox [x, y, width, height] in pixels.
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "compressor/base/error.h"
#include "compressor/base/memory_map.h"
#include "compressor/data/image.h"
#include "data/format.h"

namespace compressor::data {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// Outlines make up most of the file and are not used: they are dropped while it is read.
json parse(const std::string& path) {
  const auto file = MappedFile::open(path);
  const auto* begin = reinterpret_cast<const char*>(file->bytes().data());
  const auto keep = [](int, json::parse_event_t event, json& parsed) {
    return event != json::parse_event_t::key || parsed.get_ref<const std::string&>() != "segmentation";
  };
  return json::parse(begin, begin + file->bytes().size(), keep);
}

struct Picture {
  std::string file;
  std::vector<Box> boxes;
};

struct Annotations {
  std::vector<Picture> pictures;  ///< by file name
  std::vector<std::string> classes;
};

Box read_box(const json& annotation, const std::map<std::int64_t, std::int64_t>& labels,
             const std::string& path) {
  const auto id = annotation.at("category_id").get<std::int64_t>();
  const auto label = labels.find(id);
  if (label == labels.end())
    throw Error::io("{}: an annotation has category {}, which is none of the categories", path, id);
  const auto bounds = annotation.at("bbox").get<std::vector<double>>();
  if (bounds.size() != 4 || bounds[2] < 0 || bounds[3] < 0)
    throw Error::io("{}: a bbox is not [x, y, width, height]", path);
  Box box = {bounds[0], bounds[1], bounds[0] + bounds[2], bounds[1] + bounds[3], label->second};
  box.crowd = annotation.value("iscrowd", 0) != 0;
  box.area = annotation.value("area", bounds[2] * bounds[3]);
  return box;
}

Annotations read_annotations(const std::string& path) {
  try {
    const json root = parse(path);
    Annotations result;
    std::map<std::int64_t, std::string> categories;
    for (const json& c : root.at("categories"))
      categories[c.at("id").get<std::int64_t>()] = c.at("name").get<std::string>();
    std::map<std::int64_t, std::int64_t> labels;
    for (const auto& [id, name] : categories) {
      labels[id] = static_cast<std::int64_t>(labels.size());
      result.classes.push_back(name);
    }
    std::map<std::int64_t, Picture> pictures;
    for (const json& p : root.at("images"))
      pictures[p.at("id").get<std::int64_t>()].file = p.at("file_name").get<std::string>();
    for (const json& a : root.at("annotations")) {
      const auto picture = pictures.find(a.at("image_id").get<std::int64_t>());
      if (picture == pictures.end()) throw Error::io("{}: an annotation belongs to no image", path);
      picture->second.boxes.push_back(read_box(a, labels, path));
    }
    for (auto& [id, picture] : pictures) result.pictures.push_back(std::move(picture));
    std::stable_sort(result.pictures.begin(), result.pictures.end(),
                     [](const Picture& a, const Picture& b) { return a.file < b.file; });
    return result;
  } catch (const json::exception& e) {
    throw Error::io("{}: malformed annotations: {}", path, e.what());
  }
}

class CocoDataset : public Dataset {
 public:
  CocoDataset(Annotations annotations, std::string folder, std::string split)
      : annotations_(std::move(annotations)), folder_(std::move(folder)), split_(std::move(split)) {}
  std::int64_t size() const override { return static_cast<std::int64_t>(annotations_.pictures.size()); }
  std::vector<std::string> classes() const override { return annotations_.classes; }
  std::string split() const override { return split_; }
  std::string describe() const override {
    return fmt::format("{} pictures with boxes, {}COCO", size(), split_.empty() ? "" : split_ + ", ");
  }
  Sample get(std::int64_t i) const override {
    const Picture& picture = annotations_.pictures.at(static_cast<std::size_t>(i));
    Sample sample;
    sample.name = (fs::path(folder_) / picture.file).string();
    sample.truth.boxes = picture.boxes;
    sample.image = read_image(sample.name);
    return sample;
  }

 private:
  Annotations annotations_;
  std::string folder_, split_;
};

bool looks_like(const std::string& begin) {
  return begin.find("\"images\"") != std::string::npos ||
         begin.find("\"annotations\"") != std::string::npos ||
         begin.find("\"licenses\"") != std::string::npos;
}

std::vector<std::string> json_files(const Place& place) {
  std::vector<std::string> paths;
  const auto add = [&](const Place& folder) {
    for (const std::string& name : folder.files()) {
      if (Place::extension(name) == "json" && looks_like(Place(folder.in(name)).begin()))
        paths.push_back(folder.in(name));
    }
  };
  add(place);
  if (place.has_folder("annotations")) add(Place(place.in("annotations")));
  return paths;
}

int claim(const Place& place) {
  if (place.is_folder()) return json_files(place).empty() ? kNo : kFolder;
  return Place::extension(place.path()) == "json" && looks_like(place.begin()) ? kMagic : kNo;
}

// instances_val2017.json: the pictures are in val2017, images/val2017, images, ... beside the file or one
// level up.
std::string picture_folder(const std::string& file, const std::vector<Picture>& pictures) {
  const fs::path beside = fs::path(file).parent_path();
  const std::string stem = fs::path(file).stem().string();
  const std::string word = stem.substr(stem.rfind('_') + 1);
  std::string tried;
  for (const fs::path& root : {beside, beside.parent_path()}) {
    for (const fs::path& folder :
         {root, root / word, root / "images" / word, root / "images", root / split_of(stem)}) {
      if (pictures.empty() || fs::exists(folder / pictures.front().file)) return folder.string();
      tried += (tried.empty() ? "" : ", ") + folder.string();
    }
  }
  throw Error::io("{}: its picture '{}' is in none of {}", file, pictures.front().file, tried);
}

std::unique_ptr<Dataset> open(const Place& place, const OpenOptions& options) {
  std::string file = place.path(), split;
  if (place.is_folder()) {
    std::map<std::string, std::string> by_split;
    std::vector<std::string> there;
    for (const std::string& path : json_files(place)) {
      const std::string stem = fs::path(path).stem().string();
      // COCO keeps key points and captions beside the instances.
      if (stem.find("keypoints") != std::string::npos || stem.find("captions") != std::string::npos) continue;
      std::string word = stem.substr(stem.rfind('_') + 1);
      for (const char* part : {"train", "val", "test"}) {
        if (word.starts_with(part)) word = part;
      }
      if (by_split.emplace(word, path).second) there.push_back(word);
    }
    if (there.empty()) throw Error::io("{}: no JSON file of annotations", place.path());
    split = choose_split(there, options, place.path());
    file = by_split.at(split);
  }
  Annotations annotations = read_annotations(file);
  const std::string folder = picture_folder(file, annotations.pictures);
  return std::make_unique<CocoDataset>(std::move(annotations), folder, split);
}

}  // namespace

void register_coco(FormatTable& table) {
  table.add({"coco", "COCO: pictures and a JSON file of boxes", claim, open});
}

}  // namespace compressor::data
