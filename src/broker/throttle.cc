#include "broker/throttle.h"

#include <algorithm>
#include <limits>

#include "reactor/run_on.h"

namespace kb::broker {
namespace {

constexpr std::string_view kAnonymous = "ANONYMOUS";
constexpr double kPercentPerNs = 100.0 / 1e9;

std::optional<QuotaTable::Limit> LimitOf(RequestContext& context, QuotaKind kind) {
  return context.shard().quotas().Find(kind, kAnonymous, context.client_id());
}

int64_t NowMs(Shard& shard) {
  return shard.clock().MonotonicNs() / kNsPerMs;
}

reactor::Task<int64_t> Charge(RequestContext& context, const QuotaTable::Limit& limit, double value) {
  Shard& home = context.shard().ShardOfSharer(limit.sharer);
  auto charge = [&home, &limit, value] {
    return home.quota_ledger().Charge(limit.sharer, limit.bound, value, NowMs(home));
  };
  auto call = reactor::RunOn(home.reactor(), charge);
  int64_t ms = co_await call;
  co_return ms;
}

void TakeBack(RequestContext& context, const QuotaTable::Limit& limit, double value) {
  Shard& home = context.shard().ShardOfSharer(limit.sharer);
  home.reactor().Post(
      [&home, sharer = limit.sharer, value] { home.quota_ledger().TakeBack(sharer, value, NowMs(home)); });
}

reactor::Task<int64_t> ChargeTime(RequestContext& context) {
  context.set_charged();
  std::optional<QuotaTable::Limit> limit = LimitOf(context, QuotaKind::kRequest);
  if (!limit) co_return 0;
  Shard& here = context.shard();
  auto percent = static_cast<double>(context.WorkNs(here.reactor().NowNs())) * kPercentPerNs;
  auto charge = Charge(context, *limit, percent);
  int64_t ms = co_await charge;
  // Time goes on while one waits: never longer than a window.
  co_return std::min(ms, here.quota_ledger().options().window_ms);
}

}  // namespace

reactor::Task<void> ChargeRequest(RequestContext& context) {
  auto charge = ChargeTime(context);
  int64_t ms = co_await charge;
  context.Throttle(ms);
}

reactor::Task<void> ChargeProduce(RequestContext& context, bool is_answered) {
  if (is_answered) {
    auto time = ChargeRequest(context);
    co_await time;
  }
  context.set_charged();
  std::optional<QuotaTable::Limit> limit = LimitOf(context, QuotaKind::kProduce);
  if (!limit) co_return;
  auto charge = Charge(context, *limit, static_cast<double>(context.frame().size()));
  int64_t ms = co_await charge;
  context.Throttle(ms);
}

reactor::Task<void> ChargeFetch(RequestContext& context, int64_t response_bytes) {
  auto time = ChargeRequest(context);
  co_await time;
  std::optional<QuotaTable::Limit> limit = LimitOf(context, QuotaKind::kFetch);
  if (!limit) co_return;
  auto bytes = static_cast<double>(response_bytes);
  auto charge = Charge(context, *limit, bytes);
  int64_t ms = co_await charge;
  context.Throttle(ms);
  if (context.throttle_ms() > 0) TakeBack(context, *limit, bytes);
}

int64_t MostFetchBytes(RequestContext& context) {
  constexpr int64_t kAny = std::numeric_limits<int32_t>::max();
  std::optional<QuotaTable::Limit> limit = LimitOf(context, QuotaKind::kFetch);
  if (!limit) return kAny;
  const QuotaWindowOptions& options = context.shard().quota_ledger().options();
  double most = limit->bound * (options.samples - 1) * static_cast<double>(options.window_ms) / 1000.0;
  return most < static_cast<double>(kAny) ? static_cast<int64_t>(most) : kAny;
}

int32_t ThrottleTimeOf(const RequestContext& context) {
  return static_cast<int32_t>(std::min<int64_t>(context.throttle_ms(), std::numeric_limits<int32_t>::max()));
}

ClientMutationQuota::ClientMutationQuota(RequestContext& context, int16_t strict_since)
    : context_(context),
      strict_(context.api_version() >= strict_since),
      limit_(LimitOf(context, QuotaKind::kControllerMutation)) {}

// The ledger is that of the controller's reactor: nobody else asks for mutations.
bool ClientMutationQuota::Take(size_t partitions) {
  Shard& home = *context_.shard().cluster().shards[0];
  int64_t wait_ms =
      home.quota_ledger().Mutate(limit_->sharer, limit_->bound, static_cast<double>(partitions), strict_, NowMs(home));
  wait_ms_ = std::max(wait_ms_, wait_ms);
  return !strict_ || wait_ms == 0;
}

}  // namespace kb::broker
