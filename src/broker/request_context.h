// RequestContext: one request on its way, from the dispatch until its last byte has left. Keeps alive everything that
// the request and its response point into: the frame, the arena, the metadata image, and the files that a Fetch sends
// from.
//
// Reactor-affine: belongs to the connection's reactor.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/arena.h"
#include "base/pool.h"
#include "broker/options.h"
#include "broker/request_trace.h"
#include "metadata/image.h"
#include "net/connection.h"
#include "protocol/header.h"
#include "reactor/published.h"
#include "reactor/task.h"

namespace kb::broker {

class Shard;
struct ApiRow;

using ImageRef = reactor::ImageRef<metadata::MetadataImage>;

class RequestContext : public Pooled {
 public:
  RequestContext(Shard& shard, const Listener& listener, const net::Address& peer, net::Frame frame, ImageRef image);

  Shard& shard() { return shard_; }
  const Listener& listener() const { return listener_; }
  const net::Address& peer() const { return peer_; }
  Arena& arena() { return arena_; }
  // The image as it was when the request was started: the same for the whole request.
  const metadata::MetadataImage& image() const { return *image_; }
  ByteView frame() const { return frame_.bytes(); }

  protocol::RequestHeader& header() { return header_; }
  int16_t api_version() const { return header_.api_version; }
  std::string_view client_id() const { return header_.client_id.value_or(""); }

  // Where its time goes. After TakeTrace() there is none.
  RequestTrace& trace() { return *trace_; }
  std::unique_ptr<RequestTrace> TakeTrace() { return std::move(trace_); }
  // What has passed since the last one was this stage.
  void EndStage(Stage stage);

  // Keeps something that the response is built of views into, until it is encoded.
  template <typename T>
  T* Own(T object) {
    auto kept = MakePooled<T>(std::move(object));
    T* at = kept.get();
    owned_.push_back(std::move(kept));
    return at;
  }

  // Bytes of a file that the response refers to as Records::External(id, size): what this returned, and its size.
  uint32_t AddFileRange(net::FileRange range) {
    ranges_.push_back(std::move(range));
    return static_cast<uint32_t>(ranges_.size() - 1);
  }

  // Instead of an answer: none at all (acks=0), or the end of the connection (malformed, or acks=0 with an error).
  enum class Ending { kAnswer, kAnswerAndClose, kNone, kClose };
  void set_ending(Ending ending) { ending_ = ending; }
  Ending ending() const { return ending_; }
  // Ends the connection; the reason, a literal, goes to the log.
  void Close(std::string_view reason) {
    ending_ = Ending::kClose;
    close_reason_ = reason;
  }
  const std::string& close_reason() const { return close_reason_; }

  // Quotas. How long the connection is not read when this is answered, and whether what the request has used is counted
  // already (where not, the dispatch does it).
  void Throttle(int64_t ms) { throttle_ms_ = std::max(throttle_ms_, ms); }
  int64_t throttle_ms() const { return throttle_ms_; }
  bool charged() const { return charged_; }
  void set_charged() { charged_ = true; }
  // The reactor's time that the request takes, up to its first wait: only measured where there is a quota on it.
  void BeginWork(int64_t now_ns) { work_began_ns_ = now_ns; }
  void EndWork(int64_t now_ns) { work_ns_ = WorkNs(now_ns), work_began_ns_ = 0; }
  int64_t WorkNs(int64_t now_ns) const { return work_began_ns_ == 0 ? work_ns_ : now_ns - work_began_ns_; }

  // The encoded answer, without its length; file ranges go in at the splices.
  void SetAnswer(net::Buffer encoded, const PoolVector<protocol::Splice>& splices);
  uint64_t answer_bytes() const { return answer_.size(); }
  net::Response TakeAnswer() { return std::move(answer_); }

 private:
  Shard& shard_;
  const Listener& listener_;
  const net::Address peer_;
  net::Frame frame_;
  ImageRef image_;
  Arena arena_;
  protocol::RequestHeader header_;
  std::unique_ptr<RequestTrace> trace_;
  PoolVector<net::FileRange> ranges_;
  PoolVector<std::shared_ptr<void>> owned_;
  Ending ending_ = Ending::kAnswer;
  std::string close_reason_;
  int64_t throttle_ms_ = 0;
  int64_t work_began_ns_ = 0;
  int64_t work_ns_ = 0;
  bool charged_ = false;
  net::Response answer_;
};

}  // namespace kb::broker
