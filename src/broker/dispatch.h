// Dispatch: from a frame to its handler and from the handler to the answer. One per reactor.
//
//   frame ─ header ─ row of the api table ─ is it its turn? ─ serve (a coroutine) ─ answer, nothing, or the end
//
// Order. A connection's requests take effect in the order in which they came. Produce and Fetch may overlap with what
// follows; every other request starts when all before it are done, and the next one starts when it is done. So at most
// one frame waits here, and the connection delivers no more meanwhile.
//
// Quotas. Who has used more than his quota allows is answered at once, and then the connection is muted for as long as it
// takes to come down to the quota, as in Apache Kafka.
//
// What closes a connection, with one line in the log (rate-limited by reason and address): a malformed header or body,
// an API that is not served on this listener, a version that is not served. Exceptions, all of ApiVersions, by which
// clients find out what is served: an unknown version is answered in version 0 with error 35; a body that cannot be
// read is answered, since it only names the client, and the connection closes then.
//
// Reactor-affine.
#pragma once

#include <memory>
#include <vector>

#include "broker/options.h"
#include "broker/shard.h"
#include "net/connection.h"

namespace kb::broker {

class RequestContext;
class RequestTrace;
struct ApiRow;

class Dispatch final : public net::FrameHandler {
 public:
  // listeners: by the acceptor's numbering. All outlive this.
  Dispatch(Shard& shard, const std::vector<Listener>& listeners) : shard_(shard), listeners_(listeners) {}

  void OnFrame(net::Connection& connection, uint64_t sequence, net::Frame frame) override;
  void OnClose(net::Connection& connection) override;

 private:
  class Conversation;  // of one connection: what is running and what waits

  void Refuse(net::Connection& connection, uint64_t sequence, std::string_view reason);
  void AnswerUnknownApiVersions(net::Connection& connection, uint64_t sequence, int32_t correlation_id);
  void Start(net::Connection& connection, uint64_t sequence, const ApiRow& row, std::unique_ptr<RequestContext> context,
             size_t body_position);
  reactor::Task<void> Run(net::ConnectionRef connection, uint64_t sequence, const ApiRow& row,
                          std::unique_ptr<RequestContext> context, size_t body_position);
  void Finish(net::Connection& connection, uint64_t sequence, const ApiRow& row, RequestContext& context);
  std::unique_ptr<RequestTrace> EndTrace(net::Connection& connection, const ApiRow& row, RequestContext& context);
  // What comes next on the connection, if it may.
  void GoOn(net::Connection& connection);
  // Reads nothing of it until the time has passed: its client has used more than a quota allows.
  void Mute(net::Connection& connection, int64_t ms);
  void AwaitUnmute(net::Connection& connection);
  static Conversation& ConversationOf(net::Connection& connection);

  Shard& shard_;
  const std::vector<Listener>& listeners_;
  RequestContext* starting_ = nullptr;  // runs now, for the first time
};

}  // namespace kb::broker
