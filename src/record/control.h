// Control records: what leaders, coordinators and snapshots say to each other inside a log. A client never sees them.
//
//   key := version: int16 = 0, type: int16          value := by type, with its own version in front
//
// They stand in batches with the control bit, alone or (the first batch of an epoch of the metadata log) a few
// together:
//
//   ControlBatchBuilder builder(Offset(0), LeaderEpoch(1), now_ms);
//   builder.LeaderChange(leader, voters, granting);
//   std::vector<uint8_t> bytes = builder.Build();
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/uuid.h"
#include "record/builder.h"

namespace kb::record {

enum class ControlType : int16_t {
  kAbort = 0,
  kCommit = 1,
  kLeaderChange = 2,
  kSnapshotHeader = 3,
  kSnapshotFooter = 4,
  kKRaftVersion = 5,
  kVoters = 6,
};

// The type that the key of a record of a control batch names; nullopt when the key is not one. The number may be one
// that a newer broker knows.
std::optional<ControlType> ControlTypeOf(const RecordView& record);

// The value of a transaction marker.
struct EndTransactionMarker {
  bool commit = false;
  int32_t coordinator_epoch = -1;
};
std::optional<EndTransactionMarker> ParseEndTransactionMarker(const RecordView& record);

// A member of the controller quorum as the metadata log's first records name it.
struct Voter {
  struct Endpoint {
    std::string name;
    std::string host;
    uint16_t port = 0;
  };
  BrokerId id;
  Uuid directory_id;
  std::vector<Endpoint> endpoints;
  int16_t least_kraft_version = 0;
  int16_t most_kraft_version = 1;
};

class ControlBatchBuilder {
 public:
  ControlBatchBuilder(Offset base_offset, LeaderEpoch leader_epoch, int64_t timestamp)
      : timestamp_(timestamp),
        builder_(BatchOptions{.base_offset = base_offset, .leader_epoch = leader_epoch, .control = true}) {}

  void LeaderChange(BrokerId leader, std::span<const BrokerId> voters, std::span<const BrokerId> granting_voters);
  void SnapshotHeader(int64_t last_contained_timestamp);
  void SnapshotFooter();
  void KRaftVersion(int16_t version);
  void Voters(std::span<const Voter> voters);

  std::vector<uint8_t> Build() { return builder_.Build(); }

 private:
  void Append(ControlType type, ByteView value);

  int64_t timestamp_;
  BatchBuilder builder_;
};

// A transaction's end, one batch of one record, as the coordinator has it written to every partition of the
// transaction.
struct MarkerOptions {
  Offset base_offset{0};
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  int64_t timestamp = kNoTimestamp;
  ProducerId producer_id;
  ProducerEpoch producer_epoch;
  EndTransactionMarker marker;
};
std::vector<uint8_t> BuildEndTransactionMarker(const MarkerOptions& options);

}  // namespace kb::record
