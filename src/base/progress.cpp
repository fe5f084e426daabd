// progress: throttled drawing.
#include "compressor/base/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace compressor {
namespace {

using namespace std::chrono_literals;

constexpr auto kLinePeriod = 100ms;
constexpr auto kPlainPeriod = 5s;
constexpr auto kQuiet = 300ms;  // work that is done sooner is not worth a line

std::string line(const std::string& what, double share) {
  const int width = 24;
  const int full = static_cast<int>(std::lround(share * width));
  return fmt::format("[{}{}] {:3.0f}% {:.60}", std::string(static_cast<std::size_t>(full), '#'),
                     std::string(static_cast<std::size_t>(width - full), '.'), share * 100, what);
}

}  // namespace

Progress::Progress(Style style, Write write)
    : style_(style),
      write_(std::move(write)),
      next_(Clock::now() +
            (style == Style::kPlain ? Clock::duration(kPlainPeriod) : Clock::duration(kQuiet))) {}

Progress::~Progress() {
  clear();
}

void Progress::update(const std::string& what, double share) {
  if (style_ == Style::kNone) return;
  const std::lock_guard lock(guard_);
  const auto now = Clock::now();
  if (now < next_) return;
  share = std::clamp(share, 0.0, 1.0);
  if (style_ == Style::kPlain) {
    write_(fmt::format("{:.0f}% {}\n", share * 100, what));
    next_ = now + kPlainPeriod;
    return;
  }
  write_("\r" + line(what, share) + "\x1b[K");
  drawn_ = true;
  next_ = now + kLinePeriod;
}

void Progress::clear() {
  const std::lock_guard lock(guard_);
  wipe();
}

void Progress::wipe() {
  if (drawn_) write_("\r\x1b[K");
  drawn_ = false;
}

}  // namespace compressor
