#include "server/status_pages.h"

#include <utility>

#include "broker/topic_traffic.h"

namespace kb::server {
namespace {

constexpr std::string_view kMetricsText = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace

reactor::Task<void> StatusPages::Serve(const http::Request& request, http::Reply& reply) {
  if (request.path == "/metrics") {
    auto metrics = Metrics(request, reply);
    co_await metrics;
  } else if (request.path == "/healthz") {
    reply.Send(200, http::kPlainText, "ok\n");
  } else if (request.path == "/readyz") {
    Ready(reply);
  } else {
    reply.Send(404, http::kPlainText, "not here; there are /metrics, /healthz and /readyz\n");
  }
}

void StatusPages::Ready(http::Reply& reply) const {
  const std::string why_not = environment_.why_not_ready();
  if (why_not.empty()) return reply.Send(200, http::kPlainText, "ok\n");
  reply.Send(503, http::kPlainText, why_not + '\n');
}

reactor::Task<void> StatusPages::Metrics(const http::Request& request, http::Reply& reply) {
  if (scrapes_ == kMostScrapes) {
    reply.Send(503, http::kPlainText, "too many are asking for metrics at once\n", "Retry-After: 1\r\n");
    co_return;
  }
  ++scrapes_;
  reply.Begin(kMetricsText);
  auto write = WriteMetrics(request, reply);
  co_await write;
  --scrapes_;
  reply.End();
}

reactor::Task<std::string> StatusPages::Totals(bool with_topics) {
  auto refresh = environment_.refresh();
  co_await refresh;
  std::string text = environment_.registry.Exposition(
      [with_topics](std::string_view name) { return !with_topics || !broker::TopicTraffic::Tells(name); });
  if (environment_.process) {
    auto process = environment_.disk.Run([this] { return environment_.process(); });
    const std::string lines = co_await process;
    text += lines;
  }
  co_return text;
}

namespace {

// Piece by piece. False: nobody wants it any more.
template <typename Pieces>
reactor::Task<bool> WriteAll(Pieces& pieces, http::Reply& reply) {
  bool goes_on = true;
  while (goes_on && !pieces.done()) {
    auto next = pieces.Next();
    std::string piece = co_await next;
    auto write = reply.Write(std::move(piece));
    goes_on = co_await write;
  }
  co_return goes_on;
}

}  // namespace

reactor::Task<void> StatusPages::WriteMetrics(const http::Request& request, http::Reply& reply) {
  using Times = broker::ConsumerLag::Times;
  const std::string lag(http::QueryValue(request.query, "lag").value_or("1"));
  const bool with_topics = http::QueryValue(request.query, "topics").value_or("1") != "0";
  if (reply.is_moot()) co_return;
  auto totals = Totals(with_topics);
  std::string text = co_await totals;
  auto first = reply.Write(std::move(text));
  bool goes_on = co_await first;
  if (goes_on && with_topics) {
    broker::TopicTraffic topics(environment_.here, environment_.registry);
    auto write = WriteAll(topics, reply);
    goes_on = co_await write;
  }
  if (!goes_on || lag == "0") co_return;
  broker::ConsumerLag groups(environment_.here, lag == "offsets" ? Times::kLeftOut : Times::kMeasured);
  auto write = WriteAll(groups, reply);
  co_await write;
}

}  // namespace kb::server
