// voc: Pascal VOC: an XML file of boxes for each picture.
//
// Boxes are taken as they are written, as wide as xmax - xmin: so evaluations by COCO's rules take them, and
// published figures of detectors rest on that. (The devkit counts pixels from 1 and adds one to the width.)
#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>

#include "compressor/base/error.h"
#include "compressor/base/memory_map.h"
#include "compressor/data/class_names.h"
#include "compressor/data/image.h"
#include "data/format.h"
#include "data/xml.h"

namespace compressor::data {
namespace {

namespace fs = std::filesystem;

const XmlElement& needed(const XmlElement& parent, std::string_view name, const std::string& path) {
  const XmlElement* child = parent.child(name);
  if (child == nullptr) throw Error::io("{}: '{}' has no '{}'", path, parent.name, name);
  return *child;
}

double number(const XmlElement& parent, std::string_view name, const std::string& path) {
  const std::string& text = needed(parent, name, path).text;
  double v = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), v);
  if (error != std::errc() || stop != text.data() + text.size() || !std::isfinite(v))
    throw Error::io("{}: {}: found '{}', expected a number", path, name, text);
  return v;
}

Box read_box(const XmlElement& object, const std::vector<std::string>& classes, const std::string& path) {
  const std::string& name = needed(object, "name", path).text;
  const auto found = std::find(classes.begin(), classes.end(), name);
  if (found == classes.end())
    throw Error::io("{}: object '{}' is none of the {} classes; name them in data.yaml", path, name,
                    classes.size());
  const XmlElement& bounds = needed(object, "bndbox", path);
  Box box;
  box.label = found - classes.begin();
  box.x1 = number(bounds, "xmin", path);
  box.y1 = number(bounds, "ymin", path);
  box.x2 = number(bounds, "xmax", path);
  box.y2 = number(bounds, "ymax", path);
  if (box.x2 <= box.x1 || box.y2 <= box.y1)
    throw Error::io("{}: object '{}' has a box without area", path, name);
  box.area = (box.x2 - box.x1) * (box.y2 - box.y1);
  const XmlElement* difficult = object.child("difficult");
  box.difficult = difficult != nullptr && difficult->text == "1";
  return box;
}

class VocDataset : public Dataset {
 public:
  struct Entry {
    std::string image, xml;
  };
  VocDataset(std::vector<Entry> entries, std::vector<std::string> classes, std::string split)
      : entries_(std::move(entries)), classes_(std::move(classes)), split_(std::move(split)) {
    if (classes_.empty()) classes_ = class_list("voc");
  }
  std::int64_t size() const override { return static_cast<std::int64_t>(entries_.size()); }
  std::vector<std::string> classes() const override { return classes_; }
  std::string split() const override { return split_; }
  std::string describe() const override {
    return fmt::format("{} pictures with boxes, {}Pascal VOC", size(), split_.empty() ? "" : split_ + ", ");
  }
  Sample get(std::int64_t i) const override {
    const Entry& entry = entries_.at(static_cast<std::size_t>(i));
    const auto file = MappedFile::open(entry.xml);
    const std::string_view text(reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size());
    const XmlElement root = parse_xml(text, entry.xml);
    Sample sample;
    sample.name = entry.image;
    sample.truth.boxes.emplace();
    for (const XmlElement& object : root.children) {
      if (object.name == "object") sample.truth.boxes->push_back(read_box(object, classes_, entry.xml));
    }
    sample.image = read_image(entry.image);
    return sample;
  }

 private:
  std::vector<Entry> entries_;
  std::vector<std::string> classes_;
  std::string split_;
};

struct Folders {
  std::string images, xml;  ///< "" where there are none
};

bool has_xml(const Place& folder) {
  return std::any_of(folder.files().begin(), folder.files().end(),
                     [](const std::string& name) { return Place::extension(name) == "xml"; });
}

Folders folders_of(const Place& place) {
  for (const char* xml : {"Annotations", "annotations", "xml"}) {
    if (!place.has_folder(xml) || !has_xml(Place(place.in(xml)))) continue;
    for (const char* images : {"JPEGImages", "images", "Images"}) {
      if (place.has_folder(images)) return {place.in(images), place.in(xml)};
    }
    return {place.path(), place.in(xml)};
  }
  if (has_xml(place)) return {place.path(), place.path()};
  return {};
}

int claim(const Place& place) {
  return place.is_folder() && !folders_of(place).xml.empty() ? kFolder : kNo;
}

std::string stem(const std::string& name) {
  return fs::path(name).stem().string();
}

// Names listed in ImageSets/Main/<split>.txt; class_split.txt files have a second column and a longer name.
std::vector<std::string> listed(const std::string& path) {
  std::ifstream in(path);
  if (!in) throw Error::io("{}: cannot open", path);
  std::vector<std::string> names;
  for (std::string line; std::getline(in, line);) {
    line.erase(std::min(line.find_first_of(" \t\r"), line.size()));
    if (!line.empty()) names.push_back(line);
  }
  return names;
}

std::unique_ptr<Dataset> open(const Place& place, const OpenOptions& options) {
  const Folders folders = folders_of(place);
  if (folders.xml.empty()) throw Error::io("{}: no XML files of annotations", place.path());
  const Place images(folders.images), xml(folders.xml);
  std::vector<std::string> there;
  const std::string sets = (fs::path(place.path()) / "ImageSets" / "Main").string();
  if (fs::is_directory(sets)) {
    const Place lists(sets);
    for (const std::string& name : lists.files()) {
      if (name.find('_') == std::string::npos && Place::extension(name) == "txt") there.push_back(stem(name));
    }
  }
  const std::string split = choose_split(there, options, place.path());
  std::vector<std::string> names;
  if (split.empty()) {
    for (const std::string& name : xml.files()) {
      if (Place::extension(name) == "xml") names.push_back(stem(name));
    }
  } else {
    names = listed((fs::path(sets) / (split + ".txt")).string());
  }
  std::vector<VocDataset::Entry> entries;
  for (const std::string& name : names) {
    std::string image;
    for (const char* extension : {".jpg", ".png", ".jpeg", ".JPG"}) {
      if (image.empty() && images.has_file(name + extension)) image = images.in(name + extension);
    }
    if (image.empty()) throw Error::io("{}: no picture {}.jpg or .png for {}.xml", images.path(), name, name);
    entries.push_back({image, xml.in(name + ".xml")});
  }
  return std::make_unique<VocDataset>(std::move(entries), options.classes, split);
}

}  // namespace

void register_voc(FormatTable& table) {
  table.add({"voc", "Pascal VOC: pictures and an XML file of boxes for each", claim, open});
}

}  // namespace compressor::data
