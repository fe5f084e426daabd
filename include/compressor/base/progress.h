// progress: how far a long piece of work has come, as a line that is redrawn or as lines now and then.
#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <string>

namespace compressor {

/// Turns "what, share" into text for a terminal (`line`: one line redrawn ten times a second) or a log file
/// (`plain`: a line every few seconds), and nothing for work that is done sooner.
class Progress {
 public:
  enum class Style { kNone, kPlain, kLine };
  using Write = std::function<void(const std::string&)>;
  Progress(Style style, Write write);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `share` in [0, 1]. Cheap when nothing is to be drawn; may be called from several threads.
  void update(const std::string& what, double share);
  /// Wipes a line that is being drawn, so that other text can follow.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  void wipe();
  Style style_;
  Write write_;
  std::mutex guard_;
  Clock::time_point next_;
  bool drawn_ = false;
};

}  // namespace compressor
