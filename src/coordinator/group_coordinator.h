// GroupCoordinator: runs the group shards whose partitions of __consumer_offsets have their home on this reactor.
//
//   request ─► shard (pure machine) ─► records, gathered ─► Partition::AppendOwn ─► high watermark ─► shard ─► replies
//                                                                                                    ─► who asked
//
// A shard is loaded by replaying its partition from the log start to the log end, when this broker begins to lead it,
// and answers COORDINATOR_LOAD_IN_PROGRESS until then. A partition with a record that cannot be read stays unavailable
// (COORDINATOR_NOT_AVAILABLE, one line in the log) and nothing of it is overwritten; the others go on.
//
// One timer per shard, set to the machine's next deadline. Reactor-affine.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/log_sink.h"
#include "group/config.h"
#include "group/outcome.h"
#include "group/requests.h"
#include "group/responses.h"
#include "group/shard.h"
#include "group/surroundings.h"
#include "partition/partition_table.h"
#include "reactor/reactor.h"
#include "reactor/task.h"

namespace kb::coordinator {

class GroupCoordinator {
 public:
  struct Environment {
    reactor::Reactor& reactor;
    reactor::DiskPool& disk;
    const Clock& clock;
    LogSink& log;
    partition::PartitionTable& partitions;
    group::GroupConfig config;
    const group::Surroundings& surroundings;  // as this reactor sees them
    // group.coordinator.append.linger.ms: how long what is written waits for more to share a batch with; -1: until
    // everything has been handled that has come in this turn of the reactor.
    int32_t append_linger_ms = -1;
  };
  explicit GroupCoordinator(const Environment& environment);
  ~GroupCoordinator();

  const group::GroupConfig& config() const { return environment_.config; }

  // The partition is open here, and this broker leads it: its groups are loaded.
  void PartitionLed(const PartitionId& id);
  // It is no longer ours: everyone who waits is answered NOT_COORDINATOR.
  void PartitionGone(const PartitionId& id);
  void TopicsDeleted(const std::vector<group::DeletedTopic>& topics);
  // Topics have come (any_created), gone or changed their partitions; the surroundings show them already.
  void TopicsChanged(const std::vector<std::string>& names, bool any_created);
  // The node stops: everyone who waits is answered so that clients look for another coordinator.
  void Stop();

  // `partition` is the one that keeps the request's group; its home is here. Each goes on when the machine has
  // answered.
  reactor::Task<group::JoinGroupResponse> JoinGroup(PartitionId partition, group::JoinGroupRequest request);
  reactor::Task<group::SyncGroupResponse> SyncGroup(PartitionId partition, group::SyncGroupRequest request);
  reactor::Task<group::HeartbeatResponse> Heartbeat(PartitionId partition, group::HeartbeatRequest request);
  reactor::Task<group::LeaveGroupResponse> LeaveGroup(PartitionId partition, group::LeaveGroupRequest request);
  reactor::Task<group::OffsetCommitResponse> OffsetCommit(PartitionId partition, group::OffsetCommitRequest request);
  reactor::Task<group::OffsetFetchResponse> OffsetFetch(PartitionId partition, group::OffsetFetchRequest request);
  reactor::Task<group::OffsetDeleteResponse> OffsetDelete(PartitionId partition, group::OffsetDeleteRequest request);
  reactor::Task<group::DeleteGroupsResponse> DeleteGroups(PartitionId partition, group::DeleteGroupsRequest request);
  reactor::Task<group::ConsumerGroupHeartbeatResponse> ConsumerGroupHeartbeat(
      PartitionId partition, group::ConsumerGroupHeartbeatRequest request);
  group::DescribeGroupsResponse DescribeGroups(const PartitionId& partition,
                                               const group::DescribeGroupsRequest& request);
  group::ConsumerGroupDescribeResponse ConsumerGroupDescribe(const PartitionId& partition,
                                                             const group::ConsumerGroupDescribeRequest& request);
  // Of one shard, see group::GroupShard. Nothing while it is not in service.
  group::OffsetsPage OffsetsAfter(const PartitionId& partition, const group::OffsetsPlace& after, size_t most) const;
  // Of all shards here that are in service.
  group::GroupCounts counts() const;
  // Of all shards here. error: COORDINATOR_LOAD_IN_PROGRESS while one is loading.
  group::ListGroupsResponse ListGroups(const group::ListGroupsRequest& request);

 private:
  class Hosted;  // one shard with its partition and those who wait for it

  std::shared_ptr<Hosted> Find(const PartitionId& partition) const;
  template <typename Reply, typename Request, typename Call>
  reactor::Task<Reply> Ask(PartitionId partition, Request request, Call call);
  reactor::Task<void> Load(std::shared_ptr<Hosted> hosted);

  const Environment environment_;
  std::unordered_map<PartitionId, std::shared_ptr<Hosted>> hosted_;
};

}  // namespace kb::coordinator
