// class_scores: a classifier's output beside the samples' labels.
#include "metrics/class_scores.h"

#include "metrics/outputs.h"

namespace compressor::metrics {

ClassScoreOptions::ClassScoreOptions(Options& owner)
    : output(owner, "output", "", "name of the output with the class scores; empty: the one that fits"),
      offset(owner, "offset", 0, "added to each label: 1 for models whose class 0 is the background") {}

std::int64_t label_of(const std::string& where, const BatchItem& item, std::int64_t offset) {
  if (!item.truth.label)
    throw Error::usage("{}: sample '{}' has no class label, expected one for each sample", where, item.name);
  return *item.truth.label + offset;
}

void for_each_scored(const std::string& where, const Outputs& outputs, const Targets& targets,
                     const MetricContext& context, const ClassScoreOptions& options,
                     const std::function<void(std::span<const float>, std::size_t)>& each) {
  const std::int64_t rows = targets.batch_rows();
  const auto known = static_cast<std::int64_t>(context.classes.size());
  const auto classes_of = [&](const Tensor& tensor) -> std::int64_t {
    if (!is_float(tensor.dtype)) return 0;
    const Dims shape = squeezed(tensor.shape);
    if (shape.size() == 2 && shape[0] == rows) return shape[1];
    return shape.size() == 1 && rows == 1 && shape[0] > 1 ? shape[0] : 0;
  };
  const auto& [name, tensor] = choose_output(where, outputs, *options.output,
                                             fmt::format("scores {} x classes", rows), [&](const Tensor& t) {
                                               const std::int64_t classes = classes_of(t);
                                               if (classes == 0) return 0;
                                               return known > 0 && classes == known + *options.offset ? 2 : 1;
                                             });
  const auto classes = static_cast<std::size_t>(classes_of(tensor));
  const Floats scores(tensor);
  for (std::size_t i = 0; i < targets.items.size(); ++i) {
    const BatchItem& item = targets.items[i];
    const std::int64_t label = label_of(where, item, *options.offset);
    if (label < 0 || label >= static_cast<std::int64_t>(classes))
      throw Error::usage("{}: {}: sample '{}' has label {}, expected 0 to {}", where, describe(name, tensor),
                         item.name, label, classes - 1);
    each(scores.at(i * classes, classes), static_cast<std::size_t>(label));
  }
}

}  // namespace compressor::metrics
