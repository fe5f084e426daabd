// loader: the order of samples, and threads that prepare a few batches ahead of the one in use.
#include "compressor/data/loader.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <numeric>
#include <thread>

#include "compressor/base/error.h"
#include "compressor/base/log.h"
#include "compressor/base/random.h"
#include "data/prepare.h"

namespace compressor {
namespace {

using data::Prepared;

// A batch in the making. What a sample's thread leaves is read after `missing` has come to 0 under the lock.
struct Slot {
  std::vector<Prepared> samples;
  std::vector<std::exception_ptr> errors;
  std::int64_t first = 0;  ///< position of its first sample in the epoch's order
  std::int64_t missing = 0;
};

// Fisher-Yates.
std::vector<std::int64_t> shuffled(std::vector<std::int64_t> list, std::uint64_t seed) {
  Random random(seed);
  for (std::size_t i = list.size(); i > 1; --i) std::swap(list[i - 1], list[random.below(i)]);
  return list;
}

// Of one shape and type: what can lie side by side.
bool alike(const Prepared& a, const Prepared& b) {
  return std::all_of(a.inputs.begin(), a.inputs.end(), [&](const auto& input) {
    const auto other = b.inputs.find(input.first);  // one without it is told of later
    return other == b.inputs.end() ||
           (other->second.shape == input.second.shape && other->second.dtype == input.second.dtype);
  });
}

}  // namespace

class Loader::Work {
 public:
  Work(const Dataset& data, Preprocess preprocess, LoaderOptions options)
      : data_(data),
        preprocess_(std::move(preprocess)),
        options_(std::move(options)),
        constants_(data.constants()) {
    if (options_.batch < 1) throw Error::usage("batch of {} samples, expected at least 1", options_.batch);
    if (options_.threads < 0 || options_.ahead < 1 || options_.samples < 0)
      throw Error::usage("loader: threads, samples and batches ahead cannot be negative or none");
    if (data_.has_batch_axis()) options_.batch = 1;
    total_ = data_.size();
    if (options_.samples > 0) total_ = std::min(total_, options_.samples);
    if (options_.drop_last) total_ -= total_ % options_.batch;
    start(0);
  }
  ~Work() { stop(); }
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;

  void start(std::int64_t epoch) {
    stop();
    epoch_ = epoch;
    next_position_ = next_batch_ = skipped_ = 0;
    slots_.clear();
    waiting_.clear();
    ended_ = false;
    if (!options_.shuffle) return;
    if (chosen_.empty()) {  // the same samples in every epoch, in another order
      std::vector<std::int64_t> all(static_cast<std::size_t>(data_.size()));
      std::iota(all.begin(), all.end(), std::int64_t{0});
      chosen_ = shuffled(std::move(all), options_.seed);
      chosen_.resize(static_cast<std::size_t>(total_));
    }
    order_ = shuffled(chosen_, data::mixed(options_.seed, epoch, -1));
  }

  std::optional<Batch> next() {
    if (ended_) return std::nullopt;
    try {
      while (waiting_.empty() && next_batch_ < batches()) waiting_ = kept(take_slot());
      if (!waiting_.empty()) return finished(first_alike());
    } catch (...) {
      stop();
      ended_ = true;
      throw;
    }
    stop();
    ended_ = true;
    return std::nullopt;
  }

  std::int64_t batches() const { return (total_ + options_.batch - 1) / options_.batch; }
  std::int64_t samples() const { return total_; }
  std::int64_t skipped() const { return skipped_; }

 private:
  std::int64_t index_at(std::int64_t position) const {
    return options_.shuffle ? order_[static_cast<std::size_t>(position)] : position;
  }

  Slot new_slot(std::int64_t first) const {
    Slot slot;
    slot.first = first;
    slot.missing = std::min(options_.batch, total_ - first);
    slot.samples.resize(static_cast<std::size_t>(slot.missing));
    slot.errors.resize(static_cast<std::size_t>(slot.missing));
    return slot;
  }

  // Nothing else touches these two places of the slot; Slot's vectors do not move.
  void fill(Prepared& sample, std::exception_ptr& error, std::int64_t position) const {
    try {
      sample = data::prepare(data_, index_at(position), preprocess_, options_, epoch_);
    } catch (...) {
      error = std::current_exception();
    }
  }

  Slot take_slot() {
    if (options_.threads == 0) {
      Slot slot = new_slot(next_batch_++ * options_.batch);
      for (std::size_t i = 0; i < slot.samples.size(); ++i)
        fill(slot.samples[i], slot.errors[i], slot.first + static_cast<std::int64_t>(i));
      return slot;
    }
    if (threads_.empty()) launch();
    std::unique_lock lock(guard_);
    ready_.wait(lock, [&] { return !slots_.empty() && slots_.front().missing == 0; });
    Slot slot = std::move(slots_.front());
    slots_.pop_front();
    ++next_batch_;
    lock.unlock();
    room_.notify_all();
    return slot;
  }

  void launch() {
    for (int i = 0; i < options_.threads; ++i)
      threads_.emplace_back([this](const std::stop_token& stop) { work(stop); });
  }

  void work(const std::stop_token& stop) {
    std::unique_lock lock(guard_);
    for (;;) {
      const bool go = room_.wait(lock, stop, [&] {
        return next_position_ >= total_ ||
               next_position_ < (next_batch_ + options_.ahead + 1) * options_.batch;
      });
      if (!go || stop.stop_requested() || next_position_ >= total_) return;
      const std::int64_t position = next_position_++;
      if (position % options_.batch == 0) slots_.push_back(new_slot(position));
      Slot& slot = slots_[static_cast<std::size_t>(position / options_.batch - next_batch_)];
      const auto at = static_cast<std::size_t>(position - slot.first);
      Prepared& sample = slot.samples[at];
      std::exception_ptr& error = slot.errors[at];
      std::int64_t& missing = slot.missing;  // a deque's elements stay where they are
      lock.unlock();
      fill(sample, error, position);
      lock.lock();
      if (--missing == 0) ready_.notify_all();
    }
  }

  void stop() {
    for (std::jthread& thread : threads_) thread.request_stop();
    threads_.clear();
  }

  // The samples of a slot without the damaged ones; throws the first error unless they are skipped.
  std::vector<Prepared> kept(Slot slot) {
    std::vector<Prepared> list;
    for (std::size_t i = 0; i < slot.samples.size(); ++i) {
      if (slot.errors[i] == nullptr) {
        list.push_back(std::move(slot.samples[i]));
        continue;
      }
      try {
        std::rethrow_exception(slot.errors[i]);
      } catch (const Error& e) {
        if (options_.on_corrupt != OnCorrupt::kSkip || e.kind() != ErrorKind::kIo) throw;
        ++skipped_;
        log_warning("skipped a sample: {}", e.what());
      }
    }
    return list;
  }

  // Takes the first of the waiting samples and those that follow it and are alike.
  std::vector<Prepared> first_alike() {
    auto end = waiting_.begin() + 1;
    while (end != waiting_.end() && alike(waiting_.front(), *end)) ++end;
    std::vector<Prepared> run(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(end));
    waiting_.erase(waiting_.begin(), end);
    return run;
  }

  Batch finished(std::vector<Prepared> samples) const {
    const auto found = static_cast<std::int64_t>(samples.size());
    Batch batch = data::side_by_side(std::move(samples), options_.fill_last ? options_.batch : found,
                                     data_.has_batch_axis());
    for (const auto& [name, tensor] : constants_) batch.inputs.emplace(name, tensor);
    return batch;
  }

  const Dataset& data_;
  const Preprocess preprocess_;
  LoaderOptions options_;
  const std::map<std::string, Tensor> constants_;
  std::int64_t total_ = 0;  ///< samples of an epoch
  std::int64_t epoch_ = 0, skipped_ = 0;
  std::vector<std::int64_t> chosen_, order_;  ///< when shuffled
  std::vector<Prepared> waiting_;             ///< of the last slot, not handed out yet
  bool ended_ = false;

  std::mutex guard_;
  std::condition_variable_any ready_, room_;
  std::int64_t next_position_ = 0;     ///< guarded: the next sample to prepare
  std::int64_t next_batch_ = 0;        ///< guarded: the next batch to hand out, the first of slots_
  std::deque<Slot> slots_;             ///< guarded
  std::vector<std::jthread> threads_;  ///< last, so that they end before what they use
};

Loader::Loader(const Dataset& data, Preprocess preprocess, LoaderOptions options)
    : work_(std::make_unique<Work>(data, std::move(preprocess), std::move(options))) {}
Loader::~Loader() = default;
std::optional<Batch> Loader::next() {
  return work_->next();
}
void Loader::start(std::int64_t epoch) {
  work_->start(epoch);
}
std::int64_t Loader::batches() const {
  return work_->batches();
}
std::int64_t Loader::samples() const {
  return work_->samples();
}
std::int64_t Loader::skipped() const {
  return work_->skipped();
}

}  // namespace compressor
