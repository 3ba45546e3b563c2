// SimNetwork: a network in memory. Bytes are cut at places and arrive at times that the scheduler's seed decides, in order.
//
//   SimNetwork network(scheduler);
//   acceptor over `network` … Bind({.port = 9092})
//   auto client = network.Connect(9092);
//   client->Send(bytes);   scheduler.RunUntil([&] { return client->received().size() >= 4; });
//
// As with TCP: a direction holds at most window_bytes that the receiver has not read; a connection that is closed while
// bytes lie unread resets the other side. All bytes go into the scheduler's trace. For one thread.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "net/socket.h"
#include "support/sim_scheduler.h"

namespace kb::test {

struct SimNetworkOptions {
  int64_t most_delay_ns = 1'000'000;
  size_t window_bytes = 64 << 10;
  bool splits = true;  // cuts what is written and what is read at places of its own choosing
};

namespace sim_internal {
struct Link;
class SimListener;
}  // namespace sim_internal

// The client's end of a connection. Reads eagerly unless told otherwise.
class SimClient {
 public:
  explicit SimClient(std::shared_ptr<sim_internal::Link> link) : link_(std::move(link)) {}
  ~SimClient();  // closes

  // Sends all, whenever there is room.
  void Send(ByteView bytes);
  void Send(std::string_view bytes) { Send(AsBytes(bytes)); }
  void ShutdownWrite();
  void Close();
  void Reset();  // as if the machine had vanished and come back
  void set_reading(bool reading);

  // All that has arrived and was not taken.
  std::string_view received() const;
  std::string Take(size_t bytes);
  // The server has closed, or ended its stream, and all before that has arrived.
  bool ended() const;
  bool was_reset() const;

 private:
  std::shared_ptr<sim_internal::Link> link_;
};

class SimNetwork final : public net::Transport {
 public:
  explicit SimNetwork(SimScheduler& scheduler, SimNetworkOptions options = {});
  ~SimNetwork() override;

  Result<std::vector<std::unique_ptr<net::Listener>>> Listen(const std::string& host, uint16_t port,
                                                             int backlog) override;
  // Knocks; nullptr when nobody listens there. The last byte of the client's address, 127.0.0.x, tells clients apart.
  std::unique_ptr<SimClient> Connect(uint16_t port, uint8_t last_ip_byte = 1);
  // The next `count` accepts answer that errno (EMFILE); turning away goes on working.
  void FailAccepts(int count, int os_errno);

 private:
  friend class sim_internal::SimListener;
  SimScheduler& scheduler_;
  const SimNetworkOptions options_;
  std::map<uint16_t, sim_internal::SimListener*> listeners_;
  uint16_t next_port_ = 40000;
  int failing_accepts_ = 0;
  int failing_errno_ = 0;
};

}  // namespace kb::test
