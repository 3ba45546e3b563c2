#include "broker/request_context.h"

#include "broker/shard.h"

namespace kb::broker {

RequestContext::RequestContext(Shard& shard, const Listener& listener, const net::Address& peer, net::Frame frame,
                               ImageRef image)
    : shard_(shard),
      listener_(listener),
      peer_(peer),
      frame_(std::move(frame)),
      image_(std::move(image)),
      trace_(std::make_unique<RequestTrace>(shard.request_times(), frame_.read_ns())) {
  if (frame_.delivered_ns() > frame_.read_ns()) trace_->End(Stage::kOrder, frame_.delivered_ns());
}

void RequestContext::EndStage(Stage stage) {
  trace_->End(stage, shard_.reactor().StampNs());
}

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
