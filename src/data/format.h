// format: what every format of data says of itself; the files of formats/ are the table.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "compressor/data/dataset.h"
#include "data/place.h"

namespace compressor::data {

/// How sure a format is that what lies at a place is its own.
enum Claim : int {
  kNo = 0,
  kWeak = 10,    ///< what would do if nobody knew better: pictures, text
  kFolder = 50,  ///< the folder is laid out so
  kMagic = 100,  ///< the first bytes or the name say so
};

struct Format {
  std::string name;
  std::string summary;
  std::function<int(const Place&)> claim;
  std::function<std::unique_ptr<Dataset>(const Place&, const OpenOptions&)> open;
};

class FormatTable {
 public:
  void add(Format format) { formats_.push_back(std::move(format)); }
  const std::vector<Format>& all() const { return formats_; }

 private:
  std::vector<Format> formats_;
};
const FormatTable& formats();

}  // namespace compressor::data
