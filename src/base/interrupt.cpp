// interrupt: signal handlers that only unlink, write and _exit; they read tables of plain pointers.
#include "compressor/base/interrupt.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstring>

#include "compressor/base/error.h"

namespace compressor {
namespace {

struct FileSlot {
  std::atomic<bool> taken{false};
  std::atomic<const char*> path{nullptr};
  std::atomic<const char*> provided{nullptr};
  std::atomic<pid_t> owner{0};  // a forked child must not remove its parent's files
};

struct MapSlot {
  std::atomic<bool> taken{false};
  std::atomic<const char*> path{nullptr};
  std::atomic<std::uintptr_t> first{0};
  std::atomic<std::uintptr_t> last{0};
};

std::array<FileSlot, 64> files;
std::array<MapSlot, 256> maps;

template <class Slots>
int take(Slots& slots) {
  for (std::size_t i = 0; i < slots.size(); ++i) {
    bool expected = false;
    if (slots[i].taken.compare_exchange_strong(expected, true)) return static_cast<int>(i);
  }
  return -1;
}

// Everything below runs inside signal handlers.
void say(const char* text) {
  (void)!::write(STDERR_FILENO, text, std::strlen(text));
}

void remove_guarded() {
  const pid_t self = ::getpid();
  for (const bool conditional : {true, false}) {
    for (FileSlot& slot : files) {
      const char* path = slot.path.load();
      const char* provided = slot.provided.load();
      if (!path || slot.owner.load() != self || (provided != nullptr) != conditional) continue;
      if (!provided || ::unlink(provided) == 0) ::unlink(path);
    }
  }
}

void on_interrupt(int) {
  remove_guarded();
  say("compressor: interrupted\n");
  ::_exit(static_cast<int>(ErrorKind::kInterrupt));
}

void on_bus(int signal, siginfo_t* info, void*) {
  const auto at = reinterpret_cast<std::uintptr_t>(info->si_addr);
  for (const MapSlot& slot : maps) {
    const char* path = slot.path.load();
    if (!path || at < slot.first.load() || at >= slot.last.load()) continue;
    remove_guarded();
    say("error: ");
    say(path);
    say(": the file became shorter while it was being read\n");
    ::_exit(static_cast<int>(ErrorKind::kIo));
  }
  remove_guarded();
  ::signal(signal, SIG_DFL);  // not ours: crash as usual when the instruction runs again
}

}  // namespace

void handle_signals() {
  struct sigaction action = {};
  action.sa_handler = on_interrupt;
  sigfillset(&action.sa_mask);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction old = {};
    ::sigaction(signal, nullptr, &old);
    if ((old.sa_flags & SA_SIGINFO) == 0 && old.sa_handler == SIG_IGN) continue;  // nohup, background jobs
    ::sigaction(signal, &action, nullptr);
  }
  struct sigaction bus = {};
  bus.sa_sigaction = on_bus;
  bus.sa_flags = SA_SIGINFO;
  sigfillset(&bus.sa_mask);
  ::sigaction(SIGBUS, &bus, nullptr);
  ::signal(SIGXFSZ, SIG_IGN);
}

InterruptGuard::InterruptGuard(std::string path, std::string provided)
    : path_(std::move(path)), provided_(std::move(provided)), slot_(take(files)) {
  CHECK(slot_ >= 0, "more than {} files are being written at once", files.size());
  FileSlot& slot = files[static_cast<std::size_t>(slot_)];
  slot.owner = ::getpid();
  slot.provided = provided_.empty() ? nullptr : provided_.c_str();
  slot.path = path_.c_str();
}

InterruptGuard::~InterruptGuard() {
  FileSlot& slot = files[static_cast<std::size_t>(slot_)];
  slot.path = nullptr;
  slot.taken = false;
}

int watch_mapping(const void* data, std::size_t size, const char* path) {
  const int ticket = take(maps);
  if (ticket < 0) return ticket;
  MapSlot& slot = maps[static_cast<std::size_t>(ticket)];
  slot.first = reinterpret_cast<std::uintptr_t>(data);
  slot.last = slot.first + size;
  slot.path = path;
  return ticket;
}

void unwatch_mapping(int ticket) {
  if (ticket < 0) return;
  MapSlot& slot = maps[static_cast<std::size_t>(ticket)];
  slot.path = nullptr;
  slot.taken = false;
}

}  // namespace compressor
