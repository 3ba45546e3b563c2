// ConnectionSet: the connections of one reactor, with what they share: memory accounts, scratch buffers, the list by which
// idle ones are found (one timer for all), limits, metrics.
//
// Memory. Two accounts, so that whoever fills one does not stop the other's users:
//   small   frames up to kLargeFrameBytes, the start of larger ones, and bytes kept while delivery is paused
//   large   frames above, each with its whole size; at least as large as the largest frame, so each gets its turn
// Frames stay counted until their request lets go of them. When an account is full, connections wait in line and are not
// read. Two rules keep the line moving: when arriving small frames hold the memory and requests in work hold less than
// half of it, the first in line may finish its frame (one at a time); and while somebody waits, a connection that has
// started a frame and does not go on with it for kStallNs is closed.
//
// Bound per reactor: 1.5 x small + large + one scratch-full, and for each connection most_queued_response_bytes plus one
// response.
//
// Reactor-affine. Must outlive all ConnectionRefs and Frames.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>

#include "base/log_sink.h"
#include "metrics/metrics.h"
#include "net/acceptor.h"
#include "net/connection.h"
#include "net/memory.h"
#include "reactor/completion.h"
#include "reactor/reactor.h"
#include "reactor/task.h"

namespace kb::net {

struct ConnectionOptions {
  size_t most_frame_bytes = 100 << 20;            // socket.request.max.bytes
  size_t small_memory_bytes = 64 << 20;           // a second's worth of 64 MB/s for each reactor
  size_t large_memory_bytes = 100 << 20;          // raised to most_frame_bytes
  size_t most_in_flight = 64;                     // Java producers use 5, librdkafka as many as it may
  size_t most_in_work_bytes = 16 << 20;           // of one connection; exceeded by at most one frame
  size_t most_queued_response_bytes = 1 << 20;    // in memory; file ranges cost none and are bounded by most_in_flight
  int64_t idle_ns = 600'000'000'000;              // connections.max.idle.ms; < 0: never
};

struct ConnectionMetrics {
  metrics::Gauge* open = nullptr;
  metrics::Counter* opened = nullptr;
  metrics::Counter* frames = nullptr;
  metrics::Counter* bytes_in = nullptr;
  metrics::Counter* bytes_out = nullptr;
  metrics::Counter* closed_idle = nullptr;
  metrics::Counter* closed_oversized = nullptr;
  metrics::Counter* closed_stalled = nullptr;
  metrics::Counter* waits_for_memory = nullptr;
  static ConnectionMetrics Of(metrics::Registry& registry, size_t shard);
};

class ConnectionSet {
 public:
  static constexpr size_t kScratchBytes = 64 << 10;
  static constexpr size_t kReadBytesPerTurn = 256 << 10;    // of one connection
  static constexpr size_t kWriteBytesPerTurn = 1 << 20;
  static constexpr int64_t kStallNs = 5'000'000'000;
  static constexpr uint32_t kProgressBytes = 16 << 10;      // less than this, and not the end of a frame, is no progress
  static constexpr int64_t kLingerNs = 1'000'000'000;

  // Everything outlives it. Constructed anywhere, used on `home`.
  ConnectionSet(reactor::Reactor& home, const ConnectionOptions& options, FrameHandler& handler, LogSink& log,
                metrics::Registry& registry, size_t metrics_shard);
  ~ConnectionSet();  // closes all
  ConnectionSet(const ConnectionSet&) = delete;
  ConnectionSet& operator=(const ConnectionSet&) = delete;

  // Who answers texts (net/text.h); outlives this. Before the first connection; nobody does otherwise.
  void set_texts(TextHandler* texts) { texts_ = texts; }

  reactor::Reactor& home() const { return home_; }
  const ConnectionOptions& options() const { return options_; }
  size_t size() const { return connections_.size(); }
  // A new connection. nullptr-like nothing is returned: the handler hears OnOpen. `admission` may be nullptr.
  void Adopt(std::unique_ptr<Socket> socket, int listener, std::unique_ptr<Admission> admission);

  // No further frame is delivered; each connection closes when the requests in work are answered and sent, and all that
  // are left at deadline_ns (monotonic) are closed then. Goes on when there is none left.
  reactor::Task<void> Drain(int64_t deadline_ns);
  void CloseAll();

  MemoryAccount& small_memory() { return small_; }
  MemoryAccount& large_memory() { return large_; }

 private:
  friend class Connection;
  using ReadingList = reactor::List<Connection, ReadingTag>;

  void Remove(Connection& connection);
  void Touch(Connection& connection);
  void ArmIdleTimer();
  void OnIdleTimer();
  void BeginDrain();
  void NoteFrameStart(Connection& connection);
  void NoteFrameEnd(Connection& connection);
  bool ReserveLarge(Connection& connection);
  void GiveLarge(Connection& connection);
  void WaitForMemory(Connection& connection, Connection::Waiting which);
  void OnSmallReturned();
  void OnLargeReturned();
  void LendOverdraft();
  void TakeBackOverdraft(Connection& connection);
  void ArmStallTimer();
  void OnStallTimer();
  void Wake(Connection& connection);
  Buffer& read_scratch();
  Buffer& write_scratch();

  reactor::Reactor& home_;
  const ConnectionOptions options_;
  FrameHandler& handler_;
  TextHandler* texts_ = nullptr;
  RateLimitedLog log_;
  ConnectionMetrics metrics_;
  MemoryAccount small_;
  MemoryAccount large_;
  size_t arriving_bytes_ = 0;  // of the small account, what no request has yet
  Buffer read_scratch_;
  Buffer write_scratch_;

  std::unordered_map<uint64_t, Connection*> connections_;
  reactor::List<Connection, ActivityTag> by_activity_;  // the longest silent first
  ReadingList started_;                                 // have part of a frame; the longest without progress first
  ReadingList small_waiters_;
  ReadingList large_waiters_;
  Connection* overdraft_ = nullptr;
  reactor::TimerId idle_timer_;
  reactor::TimerId stall_timer_;
  reactor::Signal closed_;
  bool draining_ = false;
  uint64_t opened_ = 0;
};

}  // namespace kb::net
