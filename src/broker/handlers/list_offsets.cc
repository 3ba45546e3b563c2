// ListOffsets (key 2): the offset of a time, or of one of the special places.
//
//   timestamp   -1 latest · -2 earliest · -3 of the greatest timestamp (v7+) · -4 earliest local (v8+) · -5 last tiered
//               (v9+) · -6 earliest not yet tiered (v11+)
//
// -5 and -6 are -1/-1 without tiered storage. What the version does not know: 35.
#include <set>

#include "broker/handlers.h"
#include "broker/per_partition.h"

namespace kb::broker {
namespace {

using message::ListOffsetsRequest;
using message::ListOffsetsResponse;

constexpr int64_t kLatest = -1;
constexpr int64_t kMaxTimestamp = -3;
constexpr int64_t kEarliestLocal = -4;
constexpr int64_t kLatestTiered = -5;
constexpr int64_t kEarliestPendingUpload = -6;

bool IsSupported(int64_t timestamp, int16_t version) {
  if (timestamp == kMaxTimestamp) return version >= 7;
  if (timestamp == kEarliestLocal) return version >= 8;
  if (timestamp == kLatestTiered) return version >= 9;
  if (timestamp == kEarliestPendingUpload) return version >= 11;
  return timestamp > kEarliestPendingUpload;
}

struct Wanted {
  int64_t timestamp = 0;
  LeaderEpoch current_leader_epoch = kNoLeaderEpoch;
  size_t topic = 0;  // place in the response
  size_t partition = 0;
};

}  // namespace

reactor::Task<void> HandleListOffsets(RequestContext& context, const ListOffsetsRequest& request,
                                      ListOffsetsResponse& response) {
  Arena& arena = context.arena();
  auto isolation = request.isolation_level == 1 ? IsolationLevel::kReadCommitted : IsolationLevel::kReadUncommitted;

  std::map<std::pair<std::string_view, int32_t>, int> times;
  for (const auto& topic : request.topics) {
    for (const auto& partition : topic.partitions) ++times[{topic.name, partition.partition_index}];
  }

  std::vector<PartitionId> ids;
  std::vector<Wanted> wanted;
  for (const auto& topic : request.topics) {
    auto& answer = response.topics.Add(arena);
    answer.name = topic.name;
    const metadata::Topic* known = context.image().FindTopic(topic.name);
    answer.partitions.Reserve(arena, topic.partitions.size());
    for (const auto& partition : topic.partitions) {
      auto& entry = answer.partitions.Add(arena);
      entry.partition_index = partition.partition_index;
      ErrorCode error = ErrorCode::kNone;
      if (times[{topic.name, partition.partition_index}] > 1) {
        error = ErrorCode::kInvalidRequest;
      } else if (!IsSupported(partition.timestamp, context.api_version())) {
        error = ErrorCode::kUnsupportedVersion;
      } else if (known == nullptr || known->FindPartition(partition.partition_index) == nullptr) {
        error = ErrorCode::kUnknownTopicOrPartition;
      }
      entry.error_code = static_cast<int16_t>(error);
      bool tiered_only = partition.timestamp == kLatestTiered || partition.timestamp == kEarliestPendingUpload;
      if (error != ErrorCode::kNone || tiered_only) continue;
      ids.push_back({known->id(), partition.partition_index});
      // A replica asks for the log end itself.
      int64_t timestamp = partition.timestamp;
      wanted.push_back({timestamp, LeaderEpoch(partition.current_leader_epoch), response.topics.size() - 1,
                        answer.partitions.size() - 1});
    }
  }

  auto find = [isolation, &wanted](partition::Partition& partition,
                                   size_t i) -> reactor::Task<partition::OffsetLookup> {
    return partition.FindOffset(wanted[i].timestamp, isolation, wanted[i].current_leader_epoch);
  };
  auto missing = [](ErrorCode error) { return partition::OffsetLookup{.error = error}; };
  auto ask = OnEachPartition<partition::OffsetLookup>(context.shard(), ids, find, missing);
  std::vector<partition::OffsetLookup> found = co_await ask;

  for (size_t i = 0; i < found.size(); ++i) {
    auto& entry = response.topics[wanted[i].topic].partitions[wanted[i].partition];
    entry.error_code = static_cast<int16_t>(found[i].error);
    entry.offset = found[i].offset;
    entry.timestamp = found[i].timestamp_ms;
    if (context.api_version() >= 4) entry.leader_epoch = found[i].leader_epoch;
  }
}

}  // namespace kb::broker
