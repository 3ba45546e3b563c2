// Workload: clients of a simulated broker, and what they may rely on.
//
//   Producer    several requests in flight, several partitions in one; acks=all, acks=1, or idempotent: the same
//   batches
//               again after every lost connection, until they are acknowledged
//   Consumer    fetches all partitions from the beginning, waiting for more; with or without a session
//   Committer   commits ever higher offsets for a group of its own
//   TopicMaker  creates topics and deletes some of them
//   Beginner    creates topics and writes to each at once
//
// Ledger is the truth that is held against what the broker says: what it acknowledged, and what it showed. Of every
// partition:
//   - a record that was acknowledged with acks=all is at its offset, for ever; with acks=1 until the power fails
//   - a record that a consumer was shown is at its offset, for ever
//   - no value is there twice; the values of one connection (of one idempotent producer) are there in the order of
//   sending
//
// Each client is driven by Poll() after every step of the scheduler. Everything is decided by the seed. For one thread.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/uuid.h"
#include "support/kafka_client.h"
#include "support/sim_broker.h"

namespace kb::sim {

struct PartitionName {
  std::string topic;
  int32_t index = 0;
  auto operator<=>(const PartitionName&) const = default;
  std::string ToString() const { return topic + "-" + std::to_string(index); }
};

class Ledger {
 public:
  enum class Promise { kUntilPowerFails, kForEver };

  // Each notes what was learned, and complains when it contradicts what was known.
  void Acknowledged(const PartitionName& partition, int64_t offset, const std::string& value, Promise promise);
  void Shown(const PartitionName& partition, int64_t offset, const std::string& value);
  void ProducerIdGiven(int64_t producer_id);
  // Any record at an offset in [first, end).
  bool HasPromised(const PartitionName& partition, int64_t first, int64_t end) const;
  void PowerFailed();
  // `records` is all that the partition holds.
  void CheckWhole(const PartitionName& partition, const std::vector<test::ReadBack>& records);

  void Complain(const std::string& what);
  const std::vector<std::string>& complaints() const { return complaints_; }
  size_t acknowledged() const { return acknowledged_; }
  size_t shown() const { return shown_; }
  size_t power_cuts() const { return power_cuts_; }

 private:
  struct Known {
    std::string value;
    bool for_ever = false;
  };
  void Learn(const PartitionName& partition, int64_t offset, const std::string& value, bool for_ever, const char* how);

  std::map<PartitionName, std::map<int64_t, Known>> partitions_;
  std::set<int64_t> producer_ids_;
  std::vector<std::string> complaints_;
  size_t acknowledged_ = 0;
  size_t shown_ = 0;
  size_t power_cuts_ = 0;
};

// What all clients stand on.
struct World {
  test::SimScheduler& scheduler;
  test::SimNetwork& network;
  const test::SimFileSystem& disk;
  Random random;
  Ledger ledger;
  std::vector<PartitionName> partitions;  // that are written and read
  std::vector<PartitionName> begun;       // that a Beginner has written to
  bool winding_down = false;              // producers finish what they have begun
  int32_t Below(int32_t bound) { return static_cast<int32_t>(random.Below(static_cast<uint64_t>(bound))); }
};

// A client that connects again, after a while, whenever its connection is lost.
class Actor {
 public:
  Actor(World& world, std::string name) : world_(world), name_(std::move(name)) {}
  virtual ~Actor() = default;
  Actor(const Actor&) = delete;
  Actor& operator=(const Actor&) = delete;

  void Poll();
  // Drops the connection, as a client does that dies, or that gives up on a broker.
  void Hang();
  // Nothing that it wants is under way.
  virtual bool idle() const = 0;
  const std::string& name() const { return name_; }

 protected:
  virtual void OnConnected() = 0;
  virtual void OnLost() = 0;
  virtual void OnAnswer(std::string frame) = 0;
  // May send more.
  virtual void OnTurn() = 0;

  bool connected() const { return client_ != nullptr; }
  test::KafkaClient& client() { return *client_; }
  // The next OnTurn comes after that time.
  void Pause(int64_t most_ns);
  World& world() { return world_; }
  // An error where there must be none; but what a machine says while its power fails counts for nothing.
  void Refused(const std::string& what) {
    if (!power_failed()) Complain(what);
  }
  // Since this connection was made.
  bool power_failed() const { return world_.disk.is_off() || world_.ledger.power_cuts() != power_cuts_; }
  void Complain(const std::string& what) { world_.ledger.Complain(name_ + ": " + what); }
  int connections() const { return connections_; }

 private:
  void Lost();

  World& world_;
  const std::string name_;
  std::unique_ptr<test::KafkaClient> client_;
  int connections_ = 0;
  size_t power_cuts_ = 0;  // when this connection was made
  int64_t not_before_ns_ = 0;
};

enum class ProducerKind { kAcksAll, kAcksOne, kAcksNone, kIdempotent };

std::unique_ptr<Actor> MakeProducer(World& world, std::string name, ProducerKind kind, int32_t most_value_bytes);
std::unique_ptr<Actor> MakeConsumer(World& world, std::string name, bool with_session);
std::unique_ptr<Actor> MakeCommitter(World& world, std::string name, const PartitionName& partition);

// Creates and deletes; Check() compares with what the broker lists.
class TopicMaker : public Actor {
 public:
  using Actor::Actor;
  // topics: names to ids, as the broker lists them now.
  virtual void Check(const std::map<std::string, Uuid>& topics) = 0;
};
std::unique_ptr<TopicMaker> MakeTopicMaker(World& world, std::string name);

// The records that it is promised are the first ones of their partitions, or nearly.
class Beginner : public Actor {
 public:
  using Actor::Actor;
  // Topics whose creation was answered. So many at most.
  static constexpr size_t kMostTopics = 12;
  virtual size_t created() const = 0;
};
std::unique_ptr<Beginner> MakeBeginner(World& world, std::string name);

}  // namespace kb::sim
