#include "metadata/record.h"

#include <array>
#include <iterator>

namespace kb::metadata {
namespace {

struct RecordType {
  std::string_view name;
  int max_version;
};

// By type number. Of Apache Kafka 4.3.1; the gaps are types that were never released.
constexpr std::array<RecordType, 29> kTypes = {{
    {"RegisterBrokerRecord", 4},
    {"UnregisterBrokerRecord", 0},
    {"TopicRecord", 0},
    {"PartitionRecord", 2},
    {"ConfigRecord", 0},
    {"PartitionChangeRecord", 2},
    {"", -1},
    {"FenceBrokerRecord", 0},
    {"UnfenceBrokerRecord", 0},
    {"RemoveTopicRecord", 0},
    {"DelegationTokenRecord", 0},
    {"UserScramCredentialRecord", 0},
    {"FeatureLevelRecord", 0},
    {"", -1},
    {"ClientQuotaRecord", 0},
    {"ProducerIdsRecord", 0},
    {"", -1},
    {"BrokerRegistrationChangeRecord", 3},
    {"AccessControlEntryRecord", 0},
    {"RemoveAccessControlEntryRecord", 0},
    {"NoOpRecord", 0},
    {"ZkMigrationStateRecord", 0},
    {"RemoveUserScramCredentialRecord", 0},
    {"BeginTransactionRecord", 0},
    {"EndTransactionRecord", 0},
    {"AbortTransactionRecord", 0},
    {"RemoveDelegationTokenRecord", 0},
    {"RegisterControllerRecord", 0},
    {"ClearElrRecord", 0},
}};

}  // namespace

std::string_view RecordTypeName(uint32_t type) { return type < kTypes.size() ? kTypes[type].name : ""; }
int RecordTypeMaxVersion(uint32_t type) { return type < kTypes.size() ? kTypes[type].max_version : -1; }

Result<RecordFrame> ParseFrame(ByteView record) {
  uint32_t fields[3];
  for (uint32_t& field : fields) {
    size_t taken = ReadUvarint(record, &field);
    if (taken == 0) return Error{ErrorKind::kCorrupt, "a record without a frame of version, type and version"};
    record = record.subspan(taken);
  }
  if (fields[0] != kFrameVersion) {
    return Error{ErrorKind::kForeign, "a record with frame version " + std::to_string(fields[0]) +
                                          "; this broker knows version " + std::to_string(kFrameVersion)};
  }
  return RecordFrame{fields[1], fields[2], record};
}

void RecordList::AddFramed(ByteView record) {
  bytes_.insert(bytes_.end(), record.begin(), record.end());
  ends_.push_back(bytes_.size());
}

void RecordList::Append(const RecordList& others) {
  for (size_t i = 0; i < others.size(); ++i) AddFramed(others[i]);
}

size_t RecordList::Open(uint32_t type, uint32_t version, size_t body_size) {
  size_t start = bytes_.size();
  size_t head = UvarintSize(kFrameVersion) + UvarintSize(type) + UvarintSize(version);
  bytes_.resize(start + head + body_size);
  uint8_t* to = WriteUvarint(bytes_.data() + start, kFrameVersion);
  WriteUvarint(WriteUvarint(to, type), version);
  ends_.push_back(bytes_.size());
  return start + head;
}

}  // namespace kb::metadata
