// What several answers say alike about brokers, topics and partitions: Metadata, DescribeTopicPartitions,
// DescribeCluster, FindCoordinator. Pure functions.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/arena.h"
#include "metadata/image.h"
#include "protocol/error_code.h"
#include "protocol/types.h"

namespace kb::broker {

// Bit n is AclOperation n. Without an authorizer everybody may do everything that exists for the kind of resource.
inline constexpr int32_t kAllTopicOperations = 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 11;
inline constexpr int32_t kAllClusterOperations = 1 << 5 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12;
inline constexpr int32_t kAllGroupOperations = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11;

protocol::Array<int32_t> BrokerIdList(Arena& arena, const metadata::BrokerIds& ids);

// Replicas on brokers that do not run.
protocol::Array<int32_t> OfflineReplicas(Arena& arena, const metadata::MetadataImage& image,
                                         const metadata::Partition& partition);

// 5 (LEADER_NOT_AVAILABLE) when nobody leads or the leader does not run, else 0.
int16_t LeaderError(const metadata::MetadataImage& image, const metadata::Partition& partition);

}  // namespace kb::broker
