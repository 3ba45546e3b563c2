// Lists of the image as arrays of a message. The arrays view into the arena, or into memory that outlives the encoding.
#pragma once

#include <vector>

#include "base/arena.h"
#include "metadata/image.h"
#include "protocol/types.h"

namespace kb::controller {

inline protocol::Array<int32_t> ToWire(Arena& arena, const metadata::BrokerIds& ids) {
  protocol::Array<int32_t> wire;
  wire.Reserve(arena, ids.size());
  for (BrokerId id : ids) wire.Add(arena, id.value());
  return wire;
}

inline protocol::Array<Uuid> ToWire(Arena& arena, const std::vector<Uuid>& ids) {
  protocol::Array<Uuid> wire;
  wire.Reserve(arena, ids.size());
  for (const Uuid& id : ids) wire.Add(arena, id);
  return wire;
}

template <typename Record>
void PutEndpoints(Arena& arena, const std::vector<metadata::Endpoint>& endpoints, Record& record) {
  for (const metadata::Endpoint& endpoint : endpoints) {
    auto& to = record.end_points.Add(arena);
    to.name = endpoint.name;
    to.host = endpoint.host;
    to.port = endpoint.port;
    to.security_protocol = endpoint.security_protocol;
  }
}

}  // namespace kb::controller
