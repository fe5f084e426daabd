// external: the checks on a location, then one mapping a file.
#include "onnx/external.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "compressor/base/error.h"

namespace compressor {

ExternalFiles::ExternalFiles(const std::string& model_path) {
  const auto slash = model_path.find_last_of('/');
  folder_ = slash == std::string::npos ? "" : model_path.substr(0, slash + 1);
}

std::shared_ptr<const MappedFile> ExternalFiles::open(const std::string& location, const std::string& where) {
  if (const auto it = files_.find(location); it != files_.end()) return it->second;
  const auto refuse = [&](const std::string& why) {
    return Error::model("{}: external data location '{}' {}", where, location.c_str(), why);
  };
  if (location.empty()) throw refuse("is empty, expected a path relative to the model's folder");
  if (location.find('\0') != std::string::npos) throw refuse("holds a zero byte");
  if (location.front() == '/') throw refuse("is absolute, expected a path relative to the model's folder");
  struct stat st = {};
  for (std::size_t start = 0; start <= location.size();) {
    const std::size_t end = std::min(location.find('/', start), location.size());
    const std::string part = location.substr(start, end - start);
    if (part == "..") throw refuse("contains '..', expected a path inside the model's folder");
    const std::string path = folder_ + location.substr(0, end);
    if (!part.empty() && part != ".") {
      if (::lstat(path.c_str(), &st) != 0)
        throw refuse(fmt::format("cannot be read: {}", std::strerror(errno)));
      if (S_ISLNK(st.st_mode))
        throw refuse("passes through a link, expected a file inside the model's folder");
    }
    start = end + 1;
  }
  if (!S_ISREG(st.st_mode) || location.back() == '/') throw refuse("is not a regular file");
  auto file = MappedFile::open(folder_ + location);
  files_[location] = file;
  opened_.push_back({location, file->path(), file->bytes().size()});
  return file;
}

}  // namespace compressor
