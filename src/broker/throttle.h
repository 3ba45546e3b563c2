// Throttling: what requests use of quotas, and what becomes of who uses too much. The handlers' side; the arithmetic is
// in quota_window.h, what counts for whom in quota_table.h, who has used what in quota_ledger.h.
//
//   handler ─ Find the limit (here) ─ Charge (at the sharer's home) ─ context.Throttle(ms) ─ answer with
//   throttle_time_ms ─ the dispatch mutes the connection
//
// Nobody is asked where no quota is set. Until there is authentication, everybody is the user ANONYMOUS.
#pragma once

#include <cstdint>
#include <optional>

#include "broker/quota_table.h"
#include "broker/request_context.h"
#include "broker/shard.h"
#include "controller/topic_decisions.h"
#include "reactor/task.h"

namespace kb::broker {

// Of each request, but Produce and Fetch, which count more and do it themselves: the reactor's time.
reactor::Task<void> ChargeRequest(RequestContext& context);
// The request's bytes; and its time, if it is answered.
reactor::Task<void> ChargeProduce(RequestContext& context, bool is_answered);
// The answer's bytes, unless the client is throttled and does not get them; and the request's time.
reactor::Task<void> ChargeFetch(RequestContext& context, int64_t response_bytes);
// The most that could ever be sent at once.
int64_t MostFetchBytes(RequestContext& context);

int32_t ThrottleTimeOf(const RequestContext& context);

// What the client of a request may create and delete (KIP-599). Made by its handler, then used on the controller's
// reactor while the handler waits.
class ClientMutationQuota final : public controller::MutationQuota {
 public:
  // strict_since: the version from which the API knows THROTTLING_QUOTA_EXCEEDED; below, everything is done and the
  // client throttled.
  ClientMutationQuota(RequestContext& context, int16_t strict_since);
  controller::MutationQuota* get() { return limit_ ? this : nullptr; }
  bool Take(size_t partitions) override;
  // Back at the handler.
  void Throttle() { context_.Throttle(wait_ms_); }

 private:
  RequestContext& context_;
  const bool strict_;
  std::optional<QuotaTable::Limit> limit_;
  int64_t wait_ms_ = 0;
};

}  // namespace kb::broker
