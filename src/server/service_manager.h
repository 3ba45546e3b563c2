// What the service manager (systemd) is told, where one asks for it: see sd_notify(3). Nothing without NOTIFY_SOCKET, and then
// its library is not even loaded. Any thread.
#pragma once

namespace kb::server {

// state: lines of KEY=value, such as "READY=1".
void TellServiceManager(const char* state);

}  // namespace kb::server
