// SimBroker: a whole broker (server::Node with its reactors, its acceptor and its disk pool) that lives in a scheduler's
// thread, on a simulated disk and a simulated network.
//
//   SimScheduler scheduler(seed);
//   SimFileSystem disk(seed);
//   SimNetwork network(scheduler);
//   SimBroker broker(scheduler, disk, network);
//   broker.Start();                                   // formats an empty disk
//   KafkaClient client(network.Connect(SimBroker::kPort));
//
// A power cut: destroy the broker (or PowerOff()), then disk.Cut(…), and make another one on the same disk. For one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/log_sink.h"
#include "config/server_config.h"
#include "server/node.h"
#include "support/sim_file_system.h"
#include "support/sim_network.h"
#include "support/sim_scheduler.h"

namespace kb::test {

// Keeps the lines, and shows them where a failure is printed.
class KeepingLog final : public LogSink {
 public:
  void Write(Severity severity, std::string_view line) override;
  const std::string& text() const { return text_; }
  bool Has(std::string_view part) const { return text_.find(part) != std::string::npos; }
  void Clear() { text_.clear(); }

 private:
  std::string text_;
};

struct SimBrokerOptions {
  int reactors = 2;
  // On top of the embedded default.
  std::vector<std::pair<std::string, std::string>> overrides;
  int64_t most_disk_delay_ns = 3'000'000;
};

class SimBroker {
 public:
  static constexpr uint16_t kPort = 9092;
  static constexpr uint16_t kControllerPort = 9093;
  static constexpr const char* kDataDirectory = "/data";

  // All outlive it.
  SimBroker(SimScheduler& scheduler, SimFileSystem& files, SimNetwork& network, const SimBrokerOptions& options = {});
  ~SimBroker() { PowerOff(); }

  // Binds, loads, and begins to serve; partitions are opened while the scheduler runs.
  Status Begin();
  // Begin(), and runs until the partitions are in service.
  Status Start();
  bool serving() const { return serving_; }
  // The clean stop.
  Status Stop();
  // From here on it does nothing, and is no more; what it sent is still on its way. Again is fine.
  void PowerOff();
  // It could not go on, and why. A process would have ended.
  const std::optional<Error>& fatal() const { return fatal_; }

  server::Node& node() { return *node_; }
  reactor::Reactor& reactor(size_t i) { return **reactors_[i]; }
  KeepingLog& log() { return log_; }
  const config::ServerConfig& config() const { return *config_; }

 private:
  SimScheduler& scheduler_;
  const SimBrokerOptions options_;
  KeepingLog log_;
  std::optional<config::ServerConfig> config_;
  std::vector<std::unique_ptr<SimReactor>> reactors_;  // the last is the acceptor's
  std::unique_ptr<SimDiskPool> disk_;
  std::unique_ptr<server::Node> node_;
  bool serving_ = false;
  std::optional<Error> fatal_;
};

}  // namespace kb::test
