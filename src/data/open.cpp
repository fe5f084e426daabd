// open: which format it is.

#include "compressor/base/error.h"
#include "compressor/base/suggest.h"
#include "data/data_yaml.h"
#include "data/format.h"

namespace compressor {
namespace data {

void register_all(FormatTable& table);  // made by CMake from formats/

const FormatTable& formats() {
  static const FormatTable kTable = [] {
    FormatTable t;
    register_all(t);
    return t;
  }();
  return kTable;
}

namespace {

std::string names_of(const std::vector<const Format*>& list) {
  std::string all;
  for (const Format* f : list) all += (all.empty() ? "" : ", ") + f->name;
  return all;
}

const Format& named(const std::string& name, const std::string& path) {
  return entry_named(formats().all(), name, path + ": unknown data format");
}

/// By the place, or by a labels file whose lines leave no doubt.
const Format& recognised(const Place& place, const std::string& labels) {
  std::vector<const Format*> best, all;
  int claim = kNo + 1;
  const std::optional<Place> beside = labels.empty() ? std::nullopt : std::optional<Place>(labels);
  for (const Format& f : formats().all()) {
    all.push_back(&f);
    int c = f.claim(place);
    if (beside && f.claim(*beside) == kMagic) c = kMagic;
    if (c < claim) continue;
    if (c > claim) best.clear();
    claim = c;
    best.push_back(&f);
  }
  if (best.empty()) {
    throw Error::usage(
        "{}: no known format of data{}; looked for {}", place.path(),
        place.is_folder() && place.files().empty() && place.folders().empty() ? " (the folder is empty)" : "",
        names_of(all));
  }
  if (best.size() > 1)
    throw Error::usage("{}: may be {}; say which (data format)", place.path(), names_of(best));
  return *best.front();
}

}  // namespace
}  // namespace data

std::vector<DataFormat> data_formats() {
  std::vector<DataFormat> list;
  for (const data::Format& f : data::formats().all()) list.push_back({f.name, f.summary});
  return list;
}

std::unique_ptr<Dataset> open_dataset(const std::string& path, const OpenOptions& options) {
  const data::Place place(path);
  const OpenOptions merged = data::with_data_yaml(options, path);
  const data::Format& format =
      merged.format.empty() ? data::recognised(place, merged.labels) : data::named(merged.format, path);
  if (merged.frames.any() && format.name != "sound") {
    throw Error::usage("{}: is {}, and the settings of preprocess cut sounds into frames", path, format.name);
  }
  if (!merged.characters.empty() && format.name != "text_lines") {
    throw Error::usage("{}: is {}, and the characters of '{}' are about lines of text", path, format.name,
                       merged.characters);
  }
  std::unique_ptr<Dataset> dataset = format.open(place, merged);
  if (dataset->size() == 0) throw Error::io("{}: holds no samples ({})", path, format.name);
  return dataset;
}

}  // namespace compressor
