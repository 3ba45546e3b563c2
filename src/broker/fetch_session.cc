#include "broker/fetch_session.h"

#include <algorithm>
#include <limits>

#include "base/check.h"

namespace kb::broker {

// What the client asked for and what it was last told of one partition.
struct SessionPartition {
  FetchPartition wanted;
  int64_t told_high_watermark = -1;
  int64_t told_log_start_offset = -1;
  bool had_error = false;
};

class FetchSession {
 public:
  int32_t id = 0;
  int32_t next_epoch = 1;
  bool by_topic_id = false;
  bool from_follower = false;
  int64_t created_ms = 0;
  int64_t last_used_ms = 0;
  std::list<FetchSession*>::iterator place;  // in the cache's order of use

  size_t size() const { return order_.size(); }

  void AddOrReplace(const FetchPartition& wanted) {
    auto found = index_.find(wanted.key);
    if (found != index_.end()) {
      found->second->wanted = wanted;
      return;
    }
    order_.push_back(SessionPartition{wanted});
    index_.emplace(wanted.key, std::prev(order_.end()));
  }

  void Forget(const FetchKey& key) {
    auto found = index_.find(key);
    if (found == index_.end()) return;
    order_.erase(found->second);
    index_.erase(found);
  }

  PoolVector<FetchPartition> InOrder() const {
    PoolVector<FetchPartition> all;
    all.reserve(order_.size());
    for (const SessionPartition& one : order_) all.push_back(one.wanted);
    return all;
  }

  // Remembers what is told and says whether there is anything to tell.
  bool Tell(const FetchKey& key, const FetchOutcome& outcome) {
    auto found = index_.find(key);
    if (found == index_.end()) return outcome.error != ErrorCode::kNone || outcome.has_records;
    SessionPartition& one = *found->second;
    bool news = outcome.error != ErrorCode::kNone || outcome.has_records || outcome.has_diverging_epoch ||
                outcome.has_preferred_replica || one.told_high_watermark != outcome.high_watermark ||
                one.told_log_start_offset != outcome.log_start_offset;
    // After an error the next good answer must be told even if its offsets are those told before the error.
    if (one.had_error && outcome.error == ErrorCode::kNone) news = true;
    one.had_error = outcome.error != ErrorCode::kNone;
    one.told_high_watermark = outcome.high_watermark;
    one.told_log_start_offset = outcome.log_start_offset;
    // Who got data goes to the end, so that a byte limit does not always favour the same partitions.
    if (outcome.has_records) order_.splice(order_.end(), order_, found->second);
    return news;
  }

 private:
  std::list<SessionPartition> order_;
  std::map<FetchKey, std::list<SessionPartition>::iterator> index_;
};

PoolVector<bool> FetchContext::Finish(const PoolVector<FetchOutcome>& outcomes) {
  KB_CHECK(outcomes.size() == partitions_.size());
  PoolVector<bool> told(outcomes.size(), true);
  if (kind_ == Kind::kSessionless || session_id_ == 0) return told;
  FetchSession* session = cache_->Find(session_id_);
  if (session == nullptr) {
    // Evicted while this fetch waited: the answer is whole, and the next request learns that the session is gone.
    return told;
  }
  for (size_t i = 0; i < outcomes.size(); ++i) {
    bool news = session->Tell(partitions_[i].key, outcomes[i]);
    told[i] = kind_ == Kind::kFull || news;
  }
  return told;
}

FetchSessionCache::FetchSessionCache(const Options& options, Random& random) : options_(options), random_(random) {}
FetchSessionCache::~FetchSessionCache() = default;

size_t FetchSessionCache::size() const {
  return sessions_.size();
}

FetchSession* FetchSessionCache::Find(int32_t id) {
  auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : found->second.get();
}

void FetchSessionCache::Drop(int32_t id) {
  auto found = sessions_.find(id);
  if (found == sessions_.end()) return;
  partition_count_ -= found->second->size();
  by_last_use_.erase(found->second->place);
  sessions_.erase(found);
}

FetchContext FetchSessionCache::Begin(FetchSessionRequest request, int64_t now_ms) {
  FetchContext context;
  context.cache_ = this;
  if (request.epoch == 0 || request.epoch == -1) {
    if (request.session_id != 0) Drop(request.session_id);
    if (request.epoch == 0) {
      context.kind_ = FetchContext::Kind::kFull;
      context.session_id_ = Open(request, now_ms);
    }
    context.partitions_ = std::move(request.partitions);
    return context;
  }

  FetchSession* session = Find(request.session_id);
  if (session == nullptr) {
    context.error_ = ErrorCode::kFetchSessionIdNotFound;
    return context;
  }
  if (session->next_epoch != request.epoch) {
    context.error_ = ErrorCode::kInvalidFetchSessionEpoch;
    return context;
  }
  // A request that names nothing fits either kind of session.
  bool names_something = !request.partitions.empty() || !request.forgotten.empty();
  if (names_something && session->by_topic_id != request.by_topic_id) {
    context.error_ = ErrorCode::kFetchSessionTopicIdError;
    return context;
  }
  size_t before = session->size();
  for (const FetchPartition& wanted : request.partitions) session->AddOrReplace(wanted);
  for (const FetchKey& key : request.forgotten) session->Forget(key);
  partition_count_ += session->size() - before;
  if (session->size() == 0) {
    Drop(request.session_id);
    return context;  // sessionless and empty: id 0
  }
  session->next_epoch = session->next_epoch == std::numeric_limits<int32_t>::max() ? 1 : session->next_epoch + 1;
  session->last_used_ms = now_ms;
  by_last_use_.splice(by_last_use_.end(), by_last_use_, session->place);
  context.kind_ = FetchContext::Kind::kIncremental;
  context.session_id_ = session->id;
  context.partitions_ = session->InOrder();
  return context;
}

int32_t FetchSessionCache::Open(const FetchSessionRequest& request, int64_t now_ms) {
  if (request.partitions.empty()) return 0;
  if (!MakeRoom(request.partitions.size(), request.from_follower, now_ms)) return 0;
  auto session = std::make_unique<FetchSession>();
  session->id = NewId();
  session->by_topic_id = request.by_topic_id;
  session->from_follower = request.from_follower;
  session->created_ms = session->last_used_ms = now_ms;
  for (const FetchPartition& wanted : request.partitions) session->AddOrReplace(wanted);
  session->place = by_last_use_.insert(by_last_use_.end(), session.get());
  partition_count_ += session->size();
  int32_t id = session->id;
  sessions_.emplace(id, std::move(session));
  return id;
}

bool FetchSessionCache::MakeRoom(size_t partitions, bool from_follower, int64_t now_ms) {
  if (options_.slots == 0) return false;
  if (sessions_.size() < options_.slots) return true;
  FetchSession* oldest = by_last_use_.front();
  if (now_ms - oldest->last_used_ms > options_.evict_after_ms) {
    Drop(oldest->id);
    return true;
  }
  // Nobody is idle. A session worth less gives way: consumers' before followers', fewer partitions before more; but no
  // consumer's session before it has had its time.
  auto worth = [](const FetchSession* one) { return std::pair(one->from_follower, one->size()); };
  FetchSession* least = nullptr;
  for (FetchSession* one : by_last_use_) {
    if (now_ms - one->created_ms <= options_.evict_after_ms) continue;
    if (least == nullptr || worth(one) < worth(least)) least = one;
  }
  if (least == nullptr || !(worth(least) < std::pair(from_follower, partitions))) return false;
  Drop(least->id);
  return true;
}

int32_t FetchSessionCache::NewId() {
  for (;;) {
    auto slots = static_cast<uint64_t>(std::numeric_limits<int32_t>::max()) / options_.reactors;
    auto id = static_cast<int32_t>(random_.Below(slots) * options_.reactors + options_.reactor_index);
    if (id > 0 && !sessions_.contains(id)) return id;
  }
}

}  // namespace kb::broker
