#include "broker/metadata_answers.h"

namespace kb::broker {

protocol::Array<int32_t> BrokerIdList(Arena& arena, const metadata::BrokerIds& ids) {
  protocol::Array<int32_t> list;
  list.Reserve(arena, ids.size());
  for (BrokerId id : ids) list.Add(arena, id.value());
  return list;
}

namespace {

bool IsRunning(const metadata::MetadataImage& image, BrokerId id) {
  const metadata::BrokerRegistration* broker = image.FindBroker(id);
  return broker != nullptr && !broker->fenced;
}

}  // namespace

protocol::Array<int32_t> OfflineReplicas(Arena& arena, const metadata::MetadataImage& image,
                                         const metadata::Partition& partition) {
  protocol::Array<int32_t> list;
  for (BrokerId id : partition.replicas) {
    if (!IsRunning(image, id)) list.Add(arena, id.value());
  }
  return list;
}

int16_t LeaderError(const metadata::MetadataImage& image, const metadata::Partition& partition) {
  bool led = partition.leader != kNoBroker && IsRunning(image, partition.leader);
  return static_cast<int16_t>(led ? ErrorCode::kNone : ErrorCode::kLeaderNotAvailable);
}

}  // namespace kb::broker
