// class_map: which of the data set's classes a class of the model is.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace compressor::metrics {

class ClassMap {
 public:
  /// `list` names the model's classes: one of class_list(), a file with a name a line, "data" for those of
  /// the data, or "auto": those of the data when there are as many, else the list of COCO or VOC of that
  /// length. `count`: how many the model has, 0 when its outputs do not say. Throws Error::usage that begins
  /// with `metric`.
  ClassMap(std::string metric, const std::string& list, std::int64_t count,
           const std::vector<std::string>& data);

  /// The data's class for one of the model's; -1 when the data has none.
  std::int64_t to_data(std::int64_t model) const;
  /// Whether the model can find objects of this class of the data. When not: false if `skip`, else throws
  /// Error::usage that names the class and the sample.
  bool has(std::int64_t data, const std::string& sample, bool skip) const;

 private:
  std::string metric_;
  std::vector<std::string> data_;
  std::int64_t count_;
  bool same_ = false;                  // indices are the same
  std::vector<std::int64_t> to_data_;  // by the model's class
};

}  // namespace compressor::metrics
