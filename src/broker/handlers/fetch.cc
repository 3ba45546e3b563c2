// Fetch (key 1): records from the log, in whole batches, straight from the segment files.
//
//   session ─ which partitions ─► read all homes at once ─► trim to the request's limits, in its order ─► enough?
//   answer
//                                        ▲                                                               │ no
//                                        └────────── something became readable, or max_wait passed ◄── watch
//
// Limits: a partition gives at most partition_max_bytes, all together max_bytes; within them data is cut even inside a
// batch (readers drop the tail). Only the first partition that has anything ignores the limits until one whole batch is
// there, so that a batch larger than a limit does not block its reader.
#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/pool.h"
#include "broker/handlers.h"
#include "broker/per_partition.h"
#include "broker/throttle.h"
#include "record/batch.h"

namespace kb::broker {
namespace {

using message::FetchRequest;
using message::FetchResponse;
using partition::ReadOutcome;
using partition::ReadRequest;

constexpr int64_t kMostFlushNs = 5'000'000'000;  // a disk that takes longer has other troubles than this reader

// One partition of this fetch: what was asked, and what came of it.
struct Part {
  const FetchPartition* wanted = nullptr;
  PartitionId id;
  ErrorCode resolve_error = ErrorCode::kNone;  // unknown to the metadata: nobody is asked
  ReadOutcome outcome;
  int64_t bytes = 0;  // of the slice that will be sent
};

class FetchWork {
  // Of a response, beside its records. What is said of each partition does not count.
  static constexpr int64_t kEnvelopeBytes = 20;

 public:
  FetchWork(RequestContext& context, const FetchRequest& request) : context_(context), request_(request) {
    isolation_ = request.isolation_level == 1 ? IsolationLevel::kReadCommitted : IsolationLevel::kReadUncommitted;
    most_bytes_ = std::max<int64_t>(0, std::min(request.max_bytes, context.shard().config().fetch_max_bytes));
    // More than the quota allows in all of its windows would never be sent.
    most_bytes_ = std::min(most_bytes_, MostFetchBytes(context));
    min_bytes_ = std::min<int64_t>(request.min_bytes, most_bytes_);
  }

  ErrorCode Begin() {
    FetchSessionRequest session;
    session.session_id = request_.session_id;
    session.epoch = context_.api_version() >= 7 ? request_.session_epoch : -1;
    session.by_topic_id = by_id();
    for (const auto& topic : request_.topics) {
      for (const auto& partition : topic.partitions) {
        FetchPartition& one = session.partitions.emplace_back();
        one.key = KeyOf(topic.topic_id, topic.topic, partition.partition);
        one.fetch_offset = partition.fetch_offset;
        one.log_start_offset = partition.log_start_offset;
        one.max_bytes = partition.partition_max_bytes;
        one.current_leader_epoch = partition.current_leader_epoch;
        one.last_fetched_epoch = partition.last_fetched_epoch;
      }
    }
    for (const auto& topic : request_.forgotten_topics_data) {
      for (int32_t partition : topic.partitions) {
        session.forgotten.push_back(KeyOf(topic.topic_id, topic.topic, partition));
      }
    }
    int64_t now_ms = context_.shard().clock().MonotonicNs() / kNsPerMs;
    session_ = context_.shard().fetch_sessions().Begin(std::move(session), now_ms);
    if (session_.error() == ErrorCode::kNone) Resolve();
    return session_.error();
  }

  // Reads, and as long as that is too little waits for more, at most until the deadline. Where all partitions have one
  // home both is done there: what becomes readable is read at once, and only what came of it travels.
  reactor::Task<void> Read(int64_t deadline_ns) {
    Ask();
    ByHome homes(context_.shard(), requests_, [](const ReadRequest& one) -> const PartitionId& { return one.id; });
    if (homes.shards.size() == 1) {
      auto read_there = [&] { return ReadAt(*homes.shards[0], deadline_ns); };
      auto call = reactor::RunOn(*homes.reactors[0], read_there);
      co_await call;
    } else {
      auto spread = ReadFromAll(homes, deadline_ns);
      co_await spread;
    }
  }

  // What the client has used more of than his quota allows he does not get now: an answer without partitions, and
  // nothing is noted of it.
  void AnswerThrottled(FetchResponse& response) const { response.session_id = session_.known_session_id(); }
  size_t partitions() const { return parts_.size(); }
  int64_t response_bytes() const { return kEnvelopeBytes + total_bytes_; }

  void Answer(FetchResponse& response) {
    PoolVector<FetchOutcome> outcomes;
    outcomes.reserve(parts_.size());
    for (const Part& part : parts_) outcomes.push_back(OutcomeOf(part));
    PoolVector<bool> told = session_.Finish(outcomes);
    response.session_id = session_.session_id();
    Arena& arena = context_.arena();
    const FetchKey* last = nullptr;
    for (size_t i = 0; i < parts_.size(); ++i) {
      if (!told[i]) continue;
      const FetchKey& key = parts_[i].wanted->key;
      if (last == nullptr || last->topic != key.topic || last->topic_id != key.topic_id) {
        auto& topic = response.responses.Add(arena);
        topic.topic = arena.Copy(std::string_view(key.topic));
        topic.topic_id = key.topic_id;
        last = &key;
      }
      Fill(parts_[i], response.responses.back().partitions.Add(arena));
    }
  }

 private:
  // What is to be done after a read.
  struct Next {
    bool ends = true;
    bool for_flush = false;  // it waits, and this is what for
    int64_t until_ns = 0;
  };

  // The partitions that somebody is asked for, and what.
  void Ask() {
    asked_.reserve(parts_.size());
    requests_.reserve(parts_.size());
    for (size_t i = 0; i < parts_.size(); ++i) {
      if (parts_[i].resolve_error != ErrorCode::kNone) continue;
      asked_.push_back(i);
      requests_.push_back(RequestFor(parts_[i]));
    }
    outcomes_.resize(asked_.size());
  }

  // Of a read at `reader`, which is the one that looks at all this meanwhile.
  void TakeOutcomes(Shard& reader) {
    for (size_t i = 0; i < asked_.size(); ++i) parts_[asked_[i]].outcome = std::exchange(outcomes_[i], {});
    Trim();
    context_.trace().End(Stage::kLookup, reader.reactor().StampNs());
  }

  Next Decide(Shard& reader, int64_t deadline_ns, bool waited_for_flush) const {
    if (reader.stopping()) return {};
    const int64_t now_ns = reader.clock().MonotonicNs();
    const bool ends_now = IsReady() || now_ns >= deadline_ns;
    if (!ends_now) return {.ends = false, .until_ns = deadline_ns};
    if (waited_for_flush || !IsBehindAFlush()) return {};
    return {.ends = false, .for_flush = true, .until_ns = now_ns + kMostFlushNs};
  }

  void EndWait(Shard& reader, const Next& next, int64_t begun_ns) {
    if (next.for_flush) {
      context_.trace().End(Stage::kDurable, reader.reactor().StampNs());
    } else {
      context_.trace().EndPark(reader.reactor().StampNs(), next.until_ns - begun_ns);
    }
  }

  // Whether there is a reason to answer now.
  bool IsReady() const {
    if (request_.max_wait_ms <= 0 || total_bytes_ >= min_bytes_) return true;
    bool anything_to_wait_for = false;
    for (const Part& part : parts_) {
      if (part.resolve_error != ErrorCode::kNone) continue;  // unknown partitions do not end the wait for the others
      if (part.outcome.error != ErrorCode::kNone || part.outcome.diverging) return true;
      anything_to_wait_for = true;
    }
    return !anything_to_wait_for;
  }

  // Nothing is readable yet, and something will be as soon as the flush under way is done: a matter of the disk, not of
  // waiting for somebody to write. Who wrote with acks=1 and reads at once finds what he wrote.
  bool IsBehindAFlush() const {
    if (total_bytes_ > 0) return false;
    return std::any_of(parts_.begin(), parts_.end(), [](const Part& part) { return part.outcome.being_flushed; });
  }

  // ---- one home. On its reactor, while ours waits for it: so all of this is its own to touch.

  reactor::Task<void> ReadAt(Shard& home, int64_t deadline_ns) {
    if (&home != &context_.shard()) context_.trace().End(Stage::kQueue, home.reactor().StampNs());
    reactor::Task<void> read = home.partitions().Read(requests_, outcomes_);
    if (!read.valid()) {
      TakeOutcomes(home);
      if (Decide(home, deadline_ns, false).ends) return {};  // nearly always
    }
    return WaitAt(home, std::move(read), deadline_ns);
  }

  reactor::Task<void> WaitAt(Shard& home, reactor::Task<void> read, int64_t deadline_ns) {
    if (read.valid()) {
      co_await read;
      TakeOutcomes(home);
    }
    for (bool waited_for_flush = false;;) {
      const Next next = Decide(home, deadline_ns, waited_for_flush);
      if (next.ends) break;
      waited_for_flush = next.for_flush;
      const int64_t begun_ns = home.clock().MonotonicNs();
      auto wait = WatchAt(home, next.until_ns - begun_ns);
      co_await wait;
      EndWait(home, next, begun_ns);
      reactor::Task<void> again = home.partitions().Read(requests_, outcomes_);
      if (again.valid()) co_await again;
      TakeOutcomes(home);
    }
  }

  // Until something may have changed, or the time is over.
  reactor::Task<void> WatchAt(Shard& home, int64_t wait_ns) {
    auto woken = MakePooled<reactor::Completion<void>>();
    auto fire = [weak = std::weak_ptr(woken)] {
      if (auto still_there = weak.lock()) still_there->TrySet();
    };
    auto watch = MakePooled<partition::Watch>(std::move(fire), std::max<int64_t>(1, min_bytes_ - total_bytes_));
    PoolVector<PartitionId> ids;
    PoolVector<Offset> seen;
    ids.reserve(asked_.size());
    seen.reserve(asked_.size());
    for (size_t i : asked_) {
      ids.push_back(parts_[i].id);
      seen.push_back(parts_[i].outcome.high_watermark);
    }
    home.partitions().AddWatch(ids, seen, watch);
    const uint64_t place = home.Park(woken);
    auto wait = woken->WaitFor(wait_ns);
    co_await wait;
    home.Unpark(place);
    home.partitions().DropWatch(ids, watch);
  }

  // ---- several homes, or none

  reactor::Task<void> ReadFromAll(const ByHome& homes, int64_t deadline_ns) {
    Shard& here = context_.shard();
    for (bool waited_for_flush = false;;) {
      if (!asked_.empty()) {
        auto spread = ReadAtHomes(homes);
        co_await spread;
      }
      TakeOutcomes(here);
      const Next next = Decide(here, deadline_ns, waited_for_flush);
      if (next.ends) break;
      waited_for_flush = next.for_flush;
      const int64_t begun_ns = here.clock().MonotonicNs();
      auto wait = WatchAll(homes, next.until_ns - begun_ns);
      co_await wait;
      EndWait(here, next, begun_ns);
    }
  }

  // As WatchAt, for all homes.
  reactor::Task<void> WatchAll(const ByHome& homes, int64_t wait_ns) {
    auto woken = MakePooled<reactor::Completion<void>>();
    reactor::Reactor* here = &context_.shard().reactor();
    // When the missing bytes have arrived in all, at least one home has got its share of them.
    int64_t missing = std::max<int64_t>(1, min_bytes_ - total_bytes_);
    int64_t share =
        (missing + static_cast<int64_t>(homes.reactors.size()) - 1) / static_cast<int64_t>(homes.reactors.size());
    PoolVector<Subscription> subscriptions;
    subscriptions.reserve(homes.reactors.size());
    for (size_t home = 0; home < homes.reactors.size(); ++home) {
      subscriptions.push_back(Subscribe(*homes.shards[home], homes.places[home], share, woken, here));
    }
    uint64_t place = context_.shard().Park(woken);
    auto wait = woken->WaitFor(wait_ns);
    co_await wait;
    context_.shard().Unpark(place);
    for (Subscription& one : subscriptions) one.End(*here);
  }

  // A watch at one home. It is the home's to touch.
  struct Watched {
    PoolVector<PartitionId> ids;
    PoolVector<Offset> seen;
    std::shared_ptr<partition::Watch> watch;
  };
  struct Subscription {
    Shard* home;
    std::shared_ptr<Watched> watched;
    // What was made here ends here, so that the memory is there for the next one.
    void End(reactor::Reactor& here) {
      home->reactor().Post([&table = home->partitions(), watched = std::move(watched), &here] {
        table.DropWatch(watched->ids, watched->watch);
        here.Post([watched] { (void)watched; });
      });
    }
  };

  Subscription Subscribe(Shard& home, const PoolVector<size_t>& places, int64_t share,
                         const std::shared_ptr<reactor::Completion<void>>& woken, reactor::Reactor* here) {
    // `woken` is this reactor's: it is only carried there and back. What fires after the fetch went on finds nobody.
    auto fire = [weak = std::weak_ptr(woken), here]() mutable {
      here->Post([weak = std::move(weak)] {
        if (auto still_there = weak.lock()) still_there->TrySet();
      });
    };
    auto watched = MakePooled<Watched>();
    watched->watch = MakePooled<partition::Watch>(std::move(fire), share);
    for (size_t place : places) {
      const Part& part = parts_[asked_[place]];
      watched->ids.push_back(part.id);
      watched->seen.push_back(part.outcome.high_watermark);
    }
    home.reactor().Post(
        [&table = home.partitions(), watched] { table.AddWatch(watched->ids, watched->seen, watched->watch); });
    return {&home, std::move(watched)};
  }

  // The stamp of what begins at a home; 0: it is here, and nothing had to be sent.
  int64_t BegunAt(Shard& home) const { return &home == &context_.shard() ? 0 : home.reactor().StampNs(); }
  void EndQueue(int64_t begun_ns) {
    if (begun_ns != 0) context_.trace().End(Stage::kQueue, begun_ns);
  }

  reactor::Task<void> ReadAtHomes(const ByHome& homes) {
    PoolVector<PoolVector<ReadRequest>> share(homes.shards.size());
    PoolVector<PoolVector<ReadOutcome>> read(homes.shards.size());
    for (size_t home = 0; home < homes.shards.size(); ++home) {
      share[home].reserve(homes.places[home].size());
      for (size_t i : homes.places[home]) share[home].push_back(requests_[i]);
      read[home].resize(share[home].size());
    }
    PoolVector<int64_t> begun_ns(homes.shards.size());
    auto each = [&](size_t home) {
      begun_ns[home] = BegunAt(*homes.shards[home]);
      return homes.shards[home]->partitions().Read(share[home], read[home]);
    };
    auto all = reactor::RunOnEach(homes.reactors, each);
    co_await all;
    EndQueue(*std::max_element(begun_ns.begin(), begun_ns.end()));
    for (size_t home = 0; home < read.size(); ++home) {
      for (size_t i = 0; i < read[home].size(); ++i) outcomes_[homes.places[home][i]] = std::move(read[home][i]);
    }
  }

  bool by_id() const { return context_.api_version() >= 13; }

  FetchKey KeyOf(const Uuid& topic_id, std::string_view topic, int32_t partition) const {
    if (by_id()) return {topic_id, "", partition};
    return {Uuid(), PoolString(topic), partition};
  }

  void Resolve() {
    const metadata::MetadataImage& image = context_.image();
    parts_.reserve(session_.partitions().size());
    for (const FetchPartition& wanted : session_.partitions()) {
      Part& part = parts_.emplace_back();
      part.wanted = &wanted;
      const metadata::Topic* topic = by_id() ? image.FindTopic(wanted.key.topic_id) : image.FindTopic(wanted.key.topic);
      if (topic == nullptr && by_id()) {
        part.resolve_error = ErrorCode::kUnknownTopicId;
      } else if (topic == nullptr || topic->FindPartition(wanted.key.partition) == nullptr) {
        part.resolve_error = ErrorCode::kUnknownTopicOrPartition;
      } else {
        part.id = {topic->id(), wanted.key.partition};
      }
    }
  }

  ReadRequest RequestFor(const Part& part) const {
    ReadRequest read;
    read.id = part.id;
    read.fetch_offset = Offset(part.wanted->fetch_offset);
    read.max_bytes = static_cast<int32_t>(std::clamp<int64_t>(part.wanted->max_bytes, 0, most_bytes_));
    read.current_leader_epoch = LeaderEpoch(part.wanted->current_leader_epoch);
    read.last_fetched_epoch = LeaderEpoch(part.wanted->last_fetched_epoch);
    read.isolation = isolation_;
    return read;
  }

  void Trim() {
    int64_t left = most_bytes_;
    total_bytes_ = 0;
    for (Part& part : parts_) {
      part.bytes = 0;
      if (part.resolve_error != ErrorCode::kNone || !part.outcome.slice) continue;
      auto whole = static_cast<int64_t>(part.outcome.slice->size_bytes);
      int64_t limit = std::min<int64_t>(std::max(part.wanted->max_bytes, 0), left);
      if (whole > limit) {
        // A reader can do nothing with less than a batch.
        int64_t first_batch = FirstBatchBytes(*part.outcome.slice);
        if (first_batch > limit && total_bytes_ != 0) continue;
        limit = std::max(limit, first_batch);
      }
      part.bytes = std::min(whole, limit);
      total_bytes_ += part.bytes;
      left = std::max<int64_t>(0, left - part.bytes);
    }
  }

  // The size of the batch that a slice begins with. The slice was just looked up, so its start is in memory.
  static int64_t FirstBatchBytes(const log::Slice& slice) {
    uint8_t prefix[record::kBatchPrefixBytes];
    Result<size_t> read = slice.file->ReadCached(slice.position, prefix);
    if (!read.ok() || *read < sizeof prefix) return static_cast<int64_t>(slice.size_bytes);
    return int64_t{LoadBigEndian<int32_t>(prefix + 8)} + static_cast<int64_t>(sizeof prefix);
  }

  static FetchOutcome OutcomeOf(const Part& part) {
    FetchOutcome outcome;
    outcome.error = part.resolve_error != ErrorCode::kNone ? part.resolve_error : part.outcome.error;
    outcome.has_records = part.bytes > 0;
    outcome.has_diverging_epoch = part.outcome.diverging.has_value();
    outcome.high_watermark = part.outcome.high_watermark.value();
    outcome.log_start_offset = part.outcome.log_start_offset.value();
    return outcome;
  }

  template <typename Entry>
  void Fill(Part& part, Entry& entry) {
    Arena& arena = context_.arena();
    const ReadOutcome& outcome = part.outcome;
    entry.partition_index = part.wanted->key.partition;
    entry.high_watermark = -1;
    entry.records = protocol::Records::Of({});
    if (part.resolve_error != ErrorCode::kNone) {
      entry.error_code = static_cast<int16_t>(part.resolve_error);
      return;
    }
    entry.error_code = static_cast<int16_t>(outcome.error);
    entry.high_watermark = outcome.high_watermark.value();
    entry.last_stable_offset = outcome.last_stable_offset.value();
    entry.log_start_offset = outcome.log_start_offset.value();
    bool epoch_moved =
        outcome.error == ErrorCode::kNotLeaderOrFollower || outcome.error == ErrorCode::kFencedLeaderEpoch;
    if (epoch_moved && context_.api_version() >= 12) {
      entry.current_leader.leader_id = outcome.leadership.leader.value();
      entry.current_leader.leader_epoch = outcome.leadership.leader_epoch.value();
    }
    if (outcome.diverging) {
      entry.diverging_epoch.epoch = outcome.diverging->epoch.value();
      entry.diverging_epoch.end_offset = outcome.diverging->end_offset.value();
    }
    entry.aborted_transactions = std::remove_reference_t<decltype(entry.aborted_transactions)>::Null();
    if (isolation_ == IsolationLevel::kReadCommitted && outcome.error == ErrorCode::kNone) {
      entry.aborted_transactions.Reserve(arena, outcome.aborted.size());
      for (const log::AbortedTransaction& one : outcome.aborted) {
        auto& aborted = entry.aborted_transactions.Add(arena);
        aborted.producer_id = one.producer_id.value();
        aborted.first_offset = one.first_offset.value();
      }
    }
    if (part.bytes > 0) {
      context_.shard().metrics().bytes_out->Add(static_cast<uint64_t>(part.bytes));
      context_.shard().sent_bytes().Add(part.id.topic_id, static_cast<uint64_t>(part.bytes),
                                        [this] { return context_.shard().cluster().images->Hold(); });
      uint32_t id = context_.AddFileRange(RangeOf(*outcome.slice, part.bytes));
      entry.records = protocol::Records::External(id, static_cast<uint64_t>(part.bytes));
    }
  }

  static net::FileRange RangeOf(const log::Slice& slice, int64_t bytes) {
    net::FileRange range;
    range.descriptor = slice.file->descriptor();
    range.position = slice.position;
    range.size = static_cast<uint64_t>(bytes);
    range.keep_alive = slice.file;
    range.file = slice.file.get();
    range.read = [](const void* file, uint64_t position, MutableByteView into) -> int64_t {
      Result<size_t> read = static_cast<const io::File*>(file)->ReadAt(position, into);
      return read.ok() ? static_cast<int64_t>(*read) : -EIO;
    };
    return range;
  }

  RequestContext& context_;
  const FetchRequest& request_;
  IsolationLevel isolation_;
  int64_t most_bytes_;
  int64_t min_bytes_;
  FetchContext session_;
  PoolVector<Part> parts_;
  PoolVector<size_t> asked_;  // places in parts_ of those that somebody is asked for
  PoolVector<ReadRequest> requests_;
  PoolVector<ReadOutcome> outcomes_;
  int64_t total_bytes_ = 0;
};

}  // namespace

reactor::Task<void> HandleFetch(RequestContext& context, const FetchRequest& request, FetchResponse& response) {
  FetchWork work(context, request);
  ErrorCode error = work.Begin();
  if (error != ErrorCode::kNone) {
    response.error_code = static_cast<int16_t>(error);
    co_return;
  }
  context.trace().set_partitions(work.partitions());
  const Clock& clock = context.shard().clock();
  int64_t deadline_ns = clock.MonotonicNs() + int64_t{std::max(request.max_wait_ms, 0)} * kNsPerMs;
  auto read = work.Read(deadline_ns);
  co_await read;
  if (context.shard().quotas().any()) {
    auto charge = ChargeFetch(context, work.response_bytes());
    co_await charge;
    if (context.throttle_ms() > 0) {
      work.AnswerThrottled(response);
      co_return;
    }
  }
  work.Answer(response);
}

}  // namespace kb::broker
