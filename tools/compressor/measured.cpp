// measured: data sets and random numbers as a yardstick takes them.
#include "measured.h"

#include "feeds.h"

namespace compressor::cli {
namespace {

/// Batches that are held in memory from one model to the next.
constexpr std::uint64_t kKeptBytes = std::uint64_t{1} << 30U;

}  // namespace

MeasuredInputs inputs_of_data(const Model& model, const DataOptions& data, const std::string& path,
                              std::int64_t samples,
                              const std::map<std::string, std::vector<std::int64_t>>& shapes) {
  MeasuredInputs m;
  m.data = data.open_at(path, "test");
  m.said = m.data->describe();
  LoaderOptions options = data.loader_options(shapes);
  options.samples = samples;
  options.batch = 0;
  const auto feed = std::make_shared<ModelData>(model, *m.data, data.preprocessing_at(path), options);
  feed->keep(kKeptBytes);
  m.feed = feed;
  m.visit = [set = m.data, feed](const std::function<void(const YardstickBatch&)>& visit) {
    feed->each([&](const Executor::Feeds& feeds, const Batch& batch, std::int64_t rows) {
      visit({.feeds = feeds, .batch = &batch, .rows = rows});
    });
  };
  return m;
}

MeasuredInputs random_inputs(const Model& model, std::int64_t count,
                             const std::map<std::string, std::vector<std::int64_t>>& shapes,
                             std::uint64_t seed) {
  MeasuredInputs m;
  const auto all = std::make_shared<std::vector<Executor::Feeds>>();
  for (std::int64_t i = 0; i < count; ++i) {
    GivenFeeds given = read_feeds(model, {}, true, shapes, seed + static_cast<std::uint64_t>(i));
    if (i == 0) {
      for (const std::string& said : given.said) m.said += (m.said.empty() ? "" : "; ") + said;
      if (count > 1) m.said += " and " + std::to_string(count - 1) + " more";
    }
    all->push_back(std::move(given.feeds));
  }
  m.visit = [all](const std::function<void(const YardstickBatch&)>& visit) {
    for (const Executor::Feeds& feeds : *all) visit({.feeds = feeds});
  };
  return m;
}

}  // namespace compressor::cli
