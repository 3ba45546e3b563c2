#include "broker/dispatch.h"

#include <utility>

#include "broker/api_table.h"
#include "broker/request_context.h"
#include "message/api_versions_response.h"
#include "protocol/header.h"

namespace kb::broker {

using protocol::ApiKey;

class Dispatch::Conversation final : public net::ConnectionState {
 public:
  struct Waiting {
    uint64_t sequence;
    const ApiRow* row;
    std::unique_ptr<RequestContext> context;
    size_t body_position;
  };
  size_t running = 0;
  std::optional<Waiting> waiting;  // for all that runs to be done
  bool muted = false;
  int64_t muted_until_ns = 0;
  reactor::TimerId unmute;
};

Dispatch::Conversation& Dispatch::ConversationOf(net::Connection& connection) {
  if (connection.state() == nullptr) connection.set_state(std::make_unique<Conversation>());
  return static_cast<Conversation&>(*connection.state());
}

void Dispatch::OnFrame(net::Connection& connection, uint64_t sequence, net::Frame frame) {
  const Listener& listener = listeners_[static_cast<size_t>(connection.listener())];
  auto context = std::make_unique<RequestContext>(shard_, listener, connection.peer(), std::move(frame),
                                                  shard_.cluster().images->Hold());
  protocol::Reader reader(context->frame());
  protocol::RequestHeader& header = context->header();
  if (!protocol::ReadRequestHeader(reader, context->arena(), header)) {
    return Refuse(connection, sequence, "a request header that cannot be read");
  }
  const ApiRow* row = FindRow(header.api_key);
  if (row == nullptr || !row->ServedOn(listener)) {
    return Refuse(connection, sequence,
                  "a request of api key " + std::to_string(header.api_key) + ", which is not served on listener " +
                      listener.name);
  }
  Conversation& conversation = ConversationOf(connection);
  if (!row->Has(header.api_version)) {
    if (row->key == ApiKey::kApiVersions) {
      return AnswerUnknownApiVersions(connection, sequence, header.correlation_id);
    }
    return Refuse(connection, sequence,
                  std::string(protocol::ApiName(row->key)) + " version " + std::to_string(header.api_version) +
                      ", which is not served");
  }
  size_t body_position = reader.position();
  if (!row->overlaps && conversation.running > 0) {
    connection.PauseDelivery();
    conversation.waiting = Conversation::Waiting{sequence, row, std::move(context), body_position};
    return;
  }
  Start(connection, sequence, *row, std::move(context), body_position);
}

void Dispatch::Start(net::Connection& connection, uint64_t sequence, const ApiRow& row,
                     std::unique_ptr<RequestContext> context, size_t body_position) {
  Conversation& conversation = ConversationOf(connection);
  ++conversation.running;
  shard_.metrics().CountRequest(row);
  net::ConnectionRef hold(connection);
  const bool timed = shard_.quotas().any(QuotaKind::kRequest);
  if (timed) context->BeginWork(shard_.reactor().NowNs());
  RequestContext* outer = std::exchange(starting_, context.get());
  shard_.reactor().Spawn(Run(hold, sequence, row, std::move(context), body_position));
  if (timed && starting_ != nullptr) starting_->EndWork(shard_.reactor().NowNs());  // it waits, or else it has finished
  starting_ = outer;
  // Most requests are done by now. One that waits and does not overlap keeps the next from being delivered.
  if (!row.overlaps && !connection.closed() && conversation.running > 0 && !connection.delivery_paused()) {
    connection.PauseDelivery();
  }
}

reactor::Task<void> Dispatch::Run(net::ConnectionRef connection, uint64_t sequence, const ApiRow& row,
                                  std::unique_ptr<RequestContext> context, size_t body_position) {
  protocol::Reader body(context->frame().subspan(body_position));
  auto serve = row.serve(*context, body);
  co_await serve;
  Finish(*connection, sequence, row, *context);
}

void Dispatch::Finish(net::Connection& connection, uint64_t sequence, const ApiRow& row, RequestContext& context) {
  if (starting_ == &context) starting_ = nullptr;
  --ConversationOf(connection).running;
  std::unique_ptr<RequestTrace> trace = EndTrace(connection, row, context);
  switch (context.ending()) {
    case RequestContext::Ending::kAnswer:
      connection.Respond(sequence, context.TakeAnswer(), net::Then::kGoOn, std::move(trace));
      break;
    case RequestContext::Ending::kAnswerAndClose:
      connection.Respond(sequence, context.TakeAnswer(), net::Then::kClose, std::move(trace));
      break;
    case RequestContext::Ending::kNone:
      connection.NoResponse(sequence);
      break;
    case RequestContext::Ending::kClose:
      Refuse(connection, sequence,
             std::string(protocol::ApiName(row.key)) + " version " + std::to_string(context.api_version()) + ": " +
                 context.close_reason());
      break;
  }
  if (context.throttle_ms() > 0 && !connection.closed()) Mute(connection, context.throttle_ms());
  GoOn(connection);
}

// What is to be told when the answer has left. What has none, or nobody to take it, ends here.
std::unique_ptr<RequestTrace> Dispatch::EndTrace(net::Connection& connection, const ApiRow& row,
                                                 RequestContext& context) {
  using Ending = RequestContext::Ending;
  std::unique_ptr<RequestTrace> trace = context.TakeTrace();
  if (context.ending() == Ending::kClose) return trace;
  trace->Answered(shard_.reactor().StampNs());
  trace->set_what(row, context.api_version(), context.client_id());
  trace->set_sizes(context.frame().size(), context.answer_bytes());
  if (context.ending() == Ending::kNone || connection.closed())
    shard_.request_times().Record(*trace, connection.peer());
  return trace;
}

void Dispatch::GoOn(net::Connection& connection) {
  Conversation& conversation = ConversationOf(connection);
  if (connection.closed() || conversation.running > 0 || conversation.muted) return;
  if (conversation.waiting) {
    Conversation::Waiting next = std::move(*conversation.waiting);
    conversation.waiting.reset();
    next.context->EndStage(Stage::kOrder);
    Start(connection, next.sequence, *next.row, std::move(next.context), next.body_position);
    if (conversation.running > 0) return;
  }
  if (connection.delivery_paused()) connection.ResumeDelivery();
}

void Dispatch::Mute(net::Connection& connection, int64_t ms) {
  constexpr int64_t kMostMs = 1'000'000'000;  // eleven days, for the tiniest of quotas
  Conversation& conversation = ConversationOf(connection);
  int64_t until_ns = shard_.reactor().NowNs() + std::min(ms, kMostMs) * kNsPerMs;
  conversation.muted_until_ns = std::max(conversation.muted_until_ns, until_ns);
  connection.PauseDelivery();
  if (!std::exchange(conversation.muted, true)) AwaitUnmute(connection);
}

void Dispatch::AwaitUnmute(net::Connection& connection) {
  Conversation& conversation = ConversationOf(connection);
  int64_t left_ns = conversation.muted_until_ns - shard_.reactor().NowNs();
  conversation.unmute = shard_.reactor().After(left_ns, [this, &connection] {
    Conversation& muted = ConversationOf(connection);
    if (shard_.reactor().NowNs() < muted.muted_until_ns) return AwaitUnmute(connection);
    muted.muted = false;
    GoOn(connection);
  });
}

void Dispatch::OnClose(net::Connection& connection) {
  if (connection.state() == nullptr) return;
  Conversation& conversation = ConversationOf(connection);
  if (std::exchange(conversation.muted, false)) shard_.reactor().CancelTimer(conversation.unmute);
}

void Dispatch::Refuse(net::Connection& connection, uint64_t sequence, std::string_view reason) {
  shard_.metrics().refused->Add();
  std::string address = connection.peer().Ip();
  shard_.client_log().Write(Severity::kWarning, std::string(reason) + address,
                            "closing " + connection.peer().ToString() + ": " + std::string(reason));
  connection.CloseAfter(sequence);
}

void Dispatch::AnswerUnknownApiVersions(net::Connection& connection, uint64_t sequence, int32_t correlation_id) {
  Arena arena;
  message::ApiVersionsResponse body;
  body.error_code = static_cast<int16_t>(ErrorCode::kUnsupportedVersion);
  const ApiRow& row = *FindRow(static_cast<int16_t>(ApiKey::kApiVersions));
  auto& range = body.api_keys.Add(arena);
  range.api_key = static_cast<int16_t>(row.key);
  range.min_version = row.min_version;
  range.max_version = row.max_version;
  Result<size_t> size = EncodedSize(body, 0);
  KB_CHECK(size.ok());
  net::Buffer buffer(protocol::ResponseHeaderSize(range.api_key, 0) + *size);
  protocol::Writer writer(buffer.bytes());
  protocol::WriteResponseHeader(range.api_key, 0, correlation_id, writer);
  Encode(body, 0, writer);
  connection.Respond(sequence, net::Response(std::move(buffer)));
}

}  // namespace kb::broker
