// image_folder: JPEG and PNG pictures, a class a subfolder, with a file of labels, or without.
#include "compressor/base/error.h"
#include "compressor/data/image.h"
#include "data/format.h"
#include "data/listing.h"

namespace compressor::data {
namespace {

class ImageFolder : public Dataset {
 public:
  explicit ImageFolder(Listing listing) : listing_(std::move(listing)) {}
  std::int64_t size() const override { return static_cast<std::int64_t>(listing_.files.size()); }
  std::string split() const override { return listing_.split; }
  std::vector<std::string> classes() const override { return listing_.classes; }
  std::string describe() const override {
    return fmt::format("{} pictures, {}{}", size(), listing_.split.empty() ? "" : listing_.split + ", ",
                       listing_.how);
  }
  Sample get(std::int64_t i) const override {
    const ListedFile& file = listing_.files.at(static_cast<std::size_t>(i));
    Sample sample;
    sample.name = file.path;
    sample.image = read_image(file.path);
    sample.truth.label = file.label;
    sample.truth.text = file.text;
    return sample;
  }

 private:
  Listing listing_;
};

int claim(const Place& place) {
  if (!place.is_folder()) return is_image_name(place.path()) ? kWeak : kNo;
  return lists_any(place, is_image_name) ? kWeak : kNo;
}

std::unique_ptr<Dataset> open(const Place& place, const OpenOptions& options) {
  if (place.is_folder()) return std::make_unique<ImageFolder>(list_files(place, is_image_name, options));
  Listing one;
  one.files.push_back({place.path(), std::nullopt, std::nullopt});
  one.how = "without labels";
  return std::make_unique<ImageFolder>(std::move(one));
}

}  // namespace

void register_image_folder(FormatTable& table) {
  table.add({"image_folder", "JPEG or PNG: a class a subfolder, labels.txt (file, class), or without labels",
             claim, open});
}

}  // namespace compressor::data
