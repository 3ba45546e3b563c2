#include "record/control.h"

#include "base/varint.h"

namespace kb::record {
namespace {

constexpr int16_t kVersion = 0;  // of keys and of every value here
constexpr size_t kKeyBytes = 4;

// Writes fields as Kafka's flexible messages have them. These six values are written here, by hand, because a log and
// its recovery must not depend on the room of messages.
class Value {
 public:
  Value() { Int16(kVersion); }
  Value& Int16(int16_t value) { return Number(value); }
  Value& Int32(int32_t value) { return Number(value); }
  Value& Int64(int64_t value) { return Number(value); }
  Value& Port(uint16_t value) { return Number(value); }
  Value& Id(const Uuid& id) { return Bytes(id.bytes()); }
  Value& Count(size_t count) { return Uvarint(count + 1); }
  Value& String(std::string_view text) { return Uvarint(text.size() + 1).Bytes(AsBytes(text)); }
  Value& NoTags() { return Uvarint(0); }
  ByteView bytes() const { return bytes_; }

 private:
  template <typename T>
  Value& Number(T value) {
    uint8_t raw[sizeof value];
    StoreBigEndian(raw, value);
    return Bytes({raw, sizeof raw});
  }
  Value& Uvarint(uint64_t value) {
    uint8_t raw[10];
    return Bytes({raw, static_cast<size_t>(WriteUvarint(raw, value) - raw)});
  }
  Value& Bytes(ByteView bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  std::vector<uint8_t> bytes_;
};

std::array<uint8_t, kKeyBytes> KeyOf(ControlType type) {
  std::array<uint8_t, kKeyBytes> key;
  StoreBigEndian(key.data(), kVersion);
  StoreBigEndian(key.data() + sizeof kVersion, static_cast<int16_t>(type));
  return key;
}

void WriteVoterIds(Value& value, std::span<const BrokerId> ids) {
  value.Count(ids.size());
  for (BrokerId id : ids) value.Int32(id.value()).NoTags();
}

}  // namespace

std::optional<ControlType> ControlTypeOf(const RecordView& record) {
  if (!record.key.has_value() || record.key->size() < kKeyBytes) return std::nullopt;
  if (LoadBigEndian<int16_t>(record.key->data()) < 0) return std::nullopt;
  return static_cast<ControlType>(LoadBigEndian<int16_t>(record.key->data() + sizeof kVersion));
}

std::optional<EndTransactionMarker> ParseEndTransactionMarker(const RecordView& record) {
  std::optional<ControlType> type = ControlTypeOf(record);
  if (type != ControlType::kAbort && type != ControlType::kCommit) return std::nullopt;
  constexpr size_t kValueBytes = sizeof(int16_t) + sizeof(int32_t);
  if (!record.value.has_value() || record.value->size() < kValueBytes) return std::nullopt;
  EndTransactionMarker marker;
  marker.commit = type == ControlType::kCommit;
  marker.coordinator_epoch = LoadBigEndian<int32_t>(record.value->data() + sizeof(int16_t));
  return marker;
}

void ControlBatchBuilder::Append(ControlType type, ByteView value) {
  builder_.Append(timestamp_, KeyOf(type), value);
}

void ControlBatchBuilder::LeaderChange(BrokerId leader, std::span<const BrokerId> voters,
                                       std::span<const BrokerId> granting_voters) {
  Value value;
  value.Int32(leader.value());
  WriteVoterIds(value, voters);
  WriteVoterIds(value, granting_voters);
  Append(ControlType::kLeaderChange, value.NoTags().bytes());
}

void ControlBatchBuilder::SnapshotHeader(int64_t last_contained_timestamp) {
  Append(ControlType::kSnapshotHeader, Value().Int64(last_contained_timestamp).NoTags().bytes());
}

void ControlBatchBuilder::SnapshotFooter() {
  Append(ControlType::kSnapshotFooter, Value().NoTags().bytes());
}

void ControlBatchBuilder::KRaftVersion(int16_t version) {
  Append(ControlType::kKRaftVersion, Value().Int16(version).NoTags().bytes());
}

void ControlBatchBuilder::Voters(std::span<const Voter> voters) {
  Value value;
  value.Count(voters.size());
  for (const Voter& voter : voters) {
    value.Int32(voter.id.value()).Id(voter.directory_id).Count(voter.endpoints.size());
    for (const Voter::Endpoint& endpoint : voter.endpoints) {
      value.String(endpoint.name).String(endpoint.host).Port(endpoint.port).NoTags();
    }
    value.Int16(voter.least_kraft_version).Int16(voter.most_kraft_version).NoTags();
    value.NoTags();
  }
  Append(ControlType::kVoters, value.NoTags().bytes());
}

std::vector<uint8_t> BuildEndTransactionMarker(const MarkerOptions& options) {
  BatchBuilder builder({.base_offset = options.base_offset,
                        .leader_epoch = options.leader_epoch,
                        .producer_id = options.producer_id,
                        .producer_epoch = options.producer_epoch,
                        .transactional = true,
                        .control = true});
  // Not a flexible message: no tags.
  Value value;
  value.Int32(options.marker.coordinator_epoch);
  builder.Append(options.timestamp, KeyOf(options.marker.commit ? ControlType::kCommit : ControlType::kAbort),
                 value.bytes());
  return builder.Build();
}

}  // namespace kb::record
