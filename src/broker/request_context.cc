#include "broker/request_context.h"

namespace kb::broker {

void RequestContext::SetAnswer(net::Buffer encoded, const PoolVector<protocol::Splice>& splices) {
  if (splices.empty()) {
    answer_.Add(std::move(encoded));
    return;
  }
  ByteView bytes = encoded.view();
  answer_.Keep(std::move(encoded));  // its bytes stay where they are
  size_t from = 0;
  for (const protocol::Splice& splice : splices) {
    if (splice.position > from) answer_.AddView(bytes.subspan(from, splice.position - from));
    answer_.AddFile(std::move(ranges_[splice.external_id]));
    from = splice.position;
  }
  if (from < bytes.size()) answer_.AddView(bytes.subspan(from));
}

}  // namespace kb::broker
