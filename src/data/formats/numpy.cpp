// numpy: arrays whose first axis counts the samples.
#include "compressor/data/numpy.h"

#include "compressor/base/error.h"
#include "data/format.h"

namespace compressor::data {
namespace {

int claim(const Place& place) {
  const std::string extension = Place::extension(place.path());
  const bool array = place.begin().starts_with("\x93NUMPY"), archive = place.begin().starts_with("PK\3\4");
  return array || (archive && extension == "npz") || extension == "npy" || extension == "npz" ? kMagic : kNo;
}

std::unique_ptr<Dataset> open(const Place& place, const OpenOptions& options) {
  const bool archive = place.begin().starts_with("PK") || Place::extension(place.path()) == "npz";
  if (archive) return dataset_of_arrays(place.path(), read_npz(place.path()));
  return dataset_of_arrays(place.path(), {{options.input, read_npy(place.path())}});
}

}  // namespace

void register_numpy(FormatTable& table) {
  table.add(
      {"numpy", ".npz of arrays by input name, `label` and `target` the truth, or one .npy", claim, open});
}

}  // namespace compressor::data
