// The limit: what a broker cannot do without, and nothing else, in one thread.
//
//   Produce      recv, CRC-32C over the batch, its offset, one write to the partition's file; one send for all answers
//                to what one recv brought
//   Fetch        the answer's head and sendfile of the range; with too little there, it is left until an append brings
//   it
//                or its time is over
//   ApiVersions  a fixed answer
//
// No reactors, no mailboxes, no metadata, no quotas, no metrics, no durability. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "limit/answers.h"
#include "limit/file_log.h"

namespace kb::limit {

struct Config {
  uint16_t port = 0;  // 0: any
  std::string folder;
  size_t partitions = 1;
  bool pingpong = false;  // answers a Produce without looking at its batch
  size_t fill_bytes = 0;  // of every partition, before the first connection
  size_t fill_batch_bytes = 16384;
};

class Server {
 public:
  explicit Server(const Config& config);  // listens on 127.0.0.1; ends the program where that cannot be
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  uint16_t port() const { return port_; }
  // Until SIGTERM or SIGINT.
  void Run();

 private:
  struct Connection;

  void Fill(size_t bytes, size_t batch_bytes);
  int WaitMs() const;
  void Accept();
  void OnConnection(Connection* connection, uint32_t events);
  bool Receive(Connection* connection);
  // Takes whole requests out of the input until one has to wait. False: this is no request of ours.
  bool Serve(Connection* connection, bool waited_enough);
  bool ServeOne(Connection* connection, std::span<uint8_t> frame, bool waited_enough, bool* done);
  bool Produce(Connection* connection, std::span<uint8_t> frame, const Header& header);
  bool Fetch(Connection* connection, std::span<const uint8_t> frame, const Header& header, bool waited_enough,
             bool* done);
  bool Flush(Connection* connection);
  void Park(Connection* connection, int32_t max_wait_ms);
  void ServeParked();
  void Close(Connection* connection);

  const bool pingpong_;
  const int epoll_, listener_, signals_;
  uint16_t port_ = 0;
  std::vector<std::unique_ptr<FileLog>> logs_;
  std::map<int, std::unique_ptr<Connection>> connections_;
  std::vector<Connection*> parked_;      // whose first request waits for records
  bool appended_ = false;                // since the parked ones were looked at
  std::vector<FetchPartition> fetched_;  // of the request in hand
  std::vector<FileLog::Range> ranges_;
};

}  // namespace kb::limit
