// class_map: which of the data set's classes a class of the model is.
#include "metrics/class_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "compressor/base/error.h"
#include "compressor/data/class_names.h"

namespace compressor::metrics {
namespace {

std::vector<std::string> read_names(const std::string& metric, const std::string& path) {
  std::ifstream file(path);
  if (!file)
    throw Error::usage(
        "metric {}: classes: found '{}', expected coco, voc, data or a file with a name a line", metric,
        path);
  std::vector<std::string> names;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    names.push_back(line);
  }
  return names;
}

}  // namespace

ClassMap::ClassMap(std::string metric, const std::string& list, std::int64_t count,
                   const std::vector<std::string>& data)
    : metric_(std::move(metric)), data_(data), count_(count) {
  const auto known = static_cast<std::int64_t>(data.size());
  std::vector<std::string> names;
  if (list == "data" || (list == "auto" && (known == 0 || count == 0 || count == known))) {
    same_ = true;
    if (list == "data" && count > 0 && known > 0 && count != known)
      throw Error::usage("{}: the model has {} classes, expected {} as in the data", metric_, count, known);
    return;
  }
  if (list == "auto") {
    for (const char* candidate : {"coco", "voc"}) {
      if (static_cast<std::int64_t>(class_list(candidate).size()) == count) names = class_list(candidate);
    }
    if (names.empty())
      throw Error::usage(
          "{}: the model has {} classes and the data {}; name the model's with {}:classes=FILE", metric_,
          count, known, metric_);
  } else {
    names = class_list(list);
    if (names.empty()) names = read_names(metric_, list);
  }
  if (data.empty())
    throw Error::usage("{}: the data does not name its classes, expected names to match with classes={}",
                       metric_, list);
  if (count > 0 && static_cast<std::int64_t>(names.size()) != count)
    throw Error::usage("{}: the model has {} classes, expected {} as in classes={}", metric_, count,
                       names.size(), list);
  to_data_ = match_classes(names, data);
}

std::int64_t ClassMap::to_data(std::int64_t model) const {
  if (same_) return model;
  return model >= 0 && model < static_cast<std::int64_t>(to_data_.size())
             ? to_data_[static_cast<std::size_t>(model)]
             : -1;
}

bool ClassMap::has(std::int64_t data, const std::string& sample, bool skip) const {
  const bool known = same_ ? data >= 0 && (count_ == 0 || data < count_)
                           : std::find(to_data_.begin(), to_data_.end(), data) != to_data_.end();
  if (known || skip) return known;
  const bool named = data >= 0 && data < static_cast<std::int64_t>(data_.size());
  throw Error::usage(
      "{}: sample '{}' has an object of class {}, which the model lacks; {}:skip-unknown=true leaves such "
      "out",
      metric_, sample,
      named ? fmt::format("'{}'", data_[static_cast<std::size_t>(data)]) : std::to_string(data), metric_);
}

}  // namespace compressor::metrics
