#include "server/service_manager.h"

#include <systemd/sd-daemon.h>

#include <cstdlib>

#include "base/lazy_library.h"

namespace kb::server {

void TellServiceManager(const char* state) {
  if (std::getenv("NOTIFY_SOCKET") == nullptr) return;
  static LazyLibrary library("libsystemd.so.0");
  static auto* const notify = library.Find<decltype(sd_notify)>("sd_notify");
  if (notify != nullptr) notify(0, state);
}

}  // namespace kb::server
