// next_token: how well a language model foretells the next token of a text.
#include "metrics/next_token.h"

#include <cmath>

#include "metrics/log_probability.h"
#include "metrics/metric_table.h"
#include "metrics/outputs.h"

namespace compressor::metrics {
namespace {

class NextToken : public Metric {
 public:
  NextToken(const MetricInfo& info, const MetricContext& context, bool exponential)
      : Metric(info, context), exponential_(exponential) {}

  void update(const Outputs& outputs, const Targets& targets) override {
    const std::int64_t rows = targets.batch_rows();
    const auto& [name, tensor] =
        choose_output(this->name(), outputs, *output_, fmt::format("logits {} x tokens x vocabulary", rows),
                      [&](const Tensor& t) {
                        if (!is_float(t.dtype)) return 0;
                        if (t.rank() == 3 && t.shape[0] == rows) return 2;
                        return t.rank() == 2 && rows == 1 ? 1 : 0;
                      });
    const auto length = static_cast<std::size_t>(tensor.shape[tensor.shape.size() - 2]);
    const auto words = static_cast<std::size_t>(tensor.shape.back());
    const Floats logits(tensor);
    for (std::size_t i = 0; i < targets.items.size(); ++i) {
      const BatchItem& item = targets.items[i];
      if (!item.truth.target)
        throw Error::usage("{}: sample '{}' has no next tokens, expected {} of them", this->name(), item.name,
                           length);
      const std::vector<std::int64_t> next = to_ints(*item.truth.target);
      if (next.size() != length)
        throw Error::usage("{}: {}: sample '{}' has {} next tokens, expected {}", this->name(),
                           describe(name, tensor), item.name, next.size(), length);
      for (std::size_t t = 0; t < length; ++t) {
        if (next[t] == Truth::kNoTarget) continue;
        if (next[t] < 0 || next[t] >= static_cast<std::int64_t>(words))
          throw Error::usage("{}: {}: sample '{}' has token {}, expected 0 to {}", this->name(),
                             describe(name, tensor), item.name, next[t], words - 1);
        sum_ -=
            log_probability(logits.at((i * length + t) * words, words), static_cast<std::size_t>(next[t]));
        ++tokens_;
      }
    }
  }

  double value() const override {
    if (tokens_ == 0) throw Error::usage("{}: no tokens", name());
    const double nats = sum_ / static_cast<double>(tokens_);
    return exponential_ ? std::exp(nats) : nats;
  }

  void merge(const Metric& other) override {
    const NextToken& that = same_metric(*this, other);
    sum_ += that.sum_;
    tokens_ += that.tokens_;
  }

 private:
  Option<std::string> output_{*this, "output", "",
                              "name of the output with the logits; empty: the one that fits"};
  bool exponential_;
  double sum_ = 0;
  std::int64_t tokens_ = 0;
};

}  // namespace

std::unique_ptr<Metric> make_next_token(const MetricInfo& info, const MetricContext& context,
                                        bool exponential) {
  return std::make_unique<NextToken>(info, context, exponential);
}

}  // namespace compressor::metrics
