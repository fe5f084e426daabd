// external: files beside the model that hold weights, opened once each and never outside the model's folder.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "compressor/base/memory_map.h"
#include "compressor/onnx/load.h"

namespace compressor {

class ExternalFiles {
 public:
  explicit ExternalFiles(const std::string& model_path);
  /// The mapped file of `location`. Throws Error::model, the message beginning with `where`, for a location
  /// that is absolute, leaves the folder, passes through a link or is not a regular file.
  std::shared_ptr<const MappedFile> open(const std::string& location, const std::string& where);
  const std::vector<ExternalFile>& opened() const { return opened_; }

 private:
  std::string folder_;
  std::map<std::string, std::shared_ptr<const MappedFile>> files_;
  std::vector<ExternalFile> opened_;
};

}  // namespace compressor
