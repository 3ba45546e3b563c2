#include "server/status_pages.h"

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
  auto write = WriteMetrics(http::QueryValue(request.query, "lag").value_or("1"), reply);
  co_await write;
  --scrapes_;
  reply.End();
}

reactor::Task<void> StatusPages::WriteMetrics(std::string_view lag, http::Reply& reply) {
  using Times = broker::ConsumerLag::Times;
  if (reply.is_moot()) co_return;
  auto refresh = environment_.refresh();
  co_await refresh;
  std::string text = environment_.registry.Exposition();
  if (environment_.process) {
    auto process = environment_.disk.Run([this] { return environment_.process(); });
    const std::string lines = co_await process;
    text += lines;
  }
  auto first = reply.Write(std::move(text));
  bool goes_on = co_await first;
  broker::ConsumerLag groups(environment_.here, lag == "offsets" ? Times::kLeftOut : Times::kMeasured);
  while (goes_on && lag != "0" && !groups.done()) {
    auto next = groups.Next();
    std::string piece = co_await next;
    auto write = reply.Write(std::move(piece));
    goes_on = co_await write;
  }
}

}  // namespace kb::server
