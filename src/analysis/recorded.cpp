// recorded: one archive a batch, numbered in the order in which the data is read.
#include "compressor/analysis/recorded.h"

#include <filesystem>

#include "compressor/base/error.h"
#include "compressor/data/numpy.h"

namespace compressor {
namespace {

/// Names of archives, one after the other.
class Numbered {
 public:
  explicit Numbered(std::string folder) : folder_(std::move(folder)) {}
  std::string next() { return fmt::format("{}/batch_{:05}.npz", folder_, count_++); }

 private:
  std::string folder_;
  std::int64_t count_ = 0;
};

}  // namespace

Runner recording(Runner run, const std::string& folder) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) throw Error::io("{}: cannot be made: {}", folder, failed.message());
  return [run = std::move(run), files = Numbered(folder)](const Executor::Feeds& feeds) mutable {
    std::vector<std::pair<std::string, Tensor>> arrays;
    arrays.reserve(feeds.size());
    for (const auto& [name, value] : feeds) arrays.emplace_back(name, value.tensor);
    write_npz(files.next(), arrays);
    return run(feeds);
  };
}

Runner replaying(const Model& model, const std::string& folder) {
  std::vector<std::string> names;
  for (const Value* v : model.graph->outputs()) names.push_back(v->name());
  return [names = std::move(names), files = Numbered(folder)](const Executor::Feeds&) mutable {
    const std::string path = files.next();
    std::map<std::string, Tensor> arrays = read_npz(path);
    Outputs outputs;
    for (const std::string& name : names) {
      const auto found = arrays.find(name);
      if (found == arrays.end()) throw Error::usage("{}: has no array for the output '{}'", path, name);
      outputs.emplace_back(name, std::move(found->second));
    }
    return outputs;
  };
}

}  // namespace compressor
