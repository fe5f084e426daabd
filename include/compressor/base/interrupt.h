// interrupt: Ctrl-C and a file that shrinks while mapped end the program with nothing half-done left behind.
#pragma once

#include <cstddef>
#include <string>

namespace compressor {

/// Takes over SIGINT, SIGTERM and SIGHUP (remove all guarded files, exit 130; ignored ones stay ignored),
/// SIGBUS in a watched range (say which file became shorter, remove, exit 6), and ignores SIGXFSZ so that a
/// file size limit is an error of write. Called once, by main.
void handle_signals();

/// A file that must not outlive the process if it is interrupted.
class InterruptGuard {
 public:
  /// With `provided`, the file goes only if `provided` could still be removed: when that one has been renamed
  /// into place, what belongs to it stays.
  explicit InterruptGuard(std::string path, std::string provided = {});
  ~InterruptGuard();  ///< the file is safe from now on; it is not removed here
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

 private:
  std::string path_, provided_;
  int slot_;
};

/// A mapped range whose loss is the fault of whoever shortened the file `path`. `path` must live until
/// unwatch. Returns a ticket, negative when there are too many ranges to watch (then the message names no
/// file).
int watch_mapping(const void* data, std::size_t size, const char* path);
void unwatch_mapping(int ticket);

}  // namespace compressor
