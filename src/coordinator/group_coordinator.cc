#include "coordinator/group_coordinator.h"

#include <optional>
#include <utility>

#include "coordinator/gathered_writes.h"
#include "coordinator/partition_reader.h"
#include "reactor/completion.h"

namespace kb::coordinator {

using group::GroupShard;
using group::Now;
using group::Outcome;
using group::Reply;
using group::Ticket;

class GroupCoordinator::Hosted : public std::enable_shared_from_this<Hosted> {
 public:
  enum class State { kLoading, kActive, kFailed, kGone };

  Hosted(const Environment& environment, PartitionId id)
      : environment_(environment),
        id_(id),
        shard_(environment.config, environment.reactor.random(), environment.surroundings) {}
  ~Hosted() {
    if (timer_) environment_.reactor.CancelTimer(timer_);
  }

  const PartitionId& id() const { return id_; }
  State state() const { return state_; }
  void set_state(State state) { state_ = state; }
  GroupShard& shard() { return shard_; }
  Now now() const { return Now::Of(environment_.clock); }

  // What a request gets instead of the machine's answer.
  ErrorCode Unavailable() const {
    switch (state_) {
      case State::kLoading:
        return ErrorCode::kCoordinatorLoadInProgress;
      case State::kActive:
        return ErrorCode::kNone;
      case State::kFailed:
        return ErrorCode::kCoordinatorNotAvailable;
      case State::kGone:
        return ErrorCode::kNotCoordinator;
    }
    return ErrorCode::kCoordinatorNotAvailable;
  }

  Ticket NewTicket() { return ++last_ticket_; }
  void AddWaiter(Ticket ticket, reactor::Completion<group::Response>& waiter) { waiting_[ticket] = &waiter; }

  // Does what the machine said: answers, gathers what is to be appended, and sets the timer for what it wants to do
  // next.
  void Execute(Outcome outcome) {
    Send(outcome.replies);
    if (outcome.write_id != 0) Gather(outcome);
    SetTimer();
  }

  // What it has replayed up to then may lack the offsets that are to go.
  void TopicsDeleted(const std::vector<group::DeletedTopic>& topics) {
    if (state_ == State::kActive) return Execute(shard_.TopicsDeleted(topics, now()));
    if (state_ == State::kLoading) deleted_meanwhile_.insert(deleted_meanwhile_.end(), topics.begin(), topics.end());
  }

  // Everything is replayed.
  void Activate() {
    state_ = State::kActive;
    Execute(shard_.Loaded(now()));
    if (!deleted_meanwhile_.empty()) TopicsDeleted(std::exchange(deleted_meanwhile_, {}));
  }

  void Unload(ErrorCode error, State state) {
    if (state_ == State::kActive) Send(shard_.Unload(error));
    gathered_.Clear();  // who waited for it has been answered
    state_ = state;
  }

 private:
  void Send(std::vector<Reply>& replies) {
    for (Reply& reply : replies) {
      auto found = waiting_.find(reply.ticket);
      if (found == waiting_.end()) continue;
      reactor::Completion<group::Response>* waiter = found->second;
      waiting_.erase(found);
      waiter->Set(std::move(reply.response));
    }
  }
  void Send(std::vector<Reply>&& replies) { Send(replies); }

  void Gather(const Outcome& outcome) {
    if (!gathered_.HasRoomFor(outcome) && !AppendGathered(outcome.write_id)) return;
    const bool is_first = gathered_.empty();
    gathered_.Add(outcome, environment_.clock.WallMs());
    if (gathered_.full() || environment_.append_linger_ms == 0) {
      AppendGathered();
    } else if (is_first) {
      AppendLater();
    }
  }

  void AppendLater() {
    if (environment_.append_linger_ms < 0) return StepLater();
    environment_.reactor.After(environment_.append_linger_ms * kNsPerMs, [weak = weak_from_this()] {
      if (std::shared_ptr<Hosted> hosted = weak.lock()) hosted->Step();
    });
  }

  // When everything has come that is on its way to this reactor.
  void StepLater() {
    if (step_is_due_) return;
    step_is_due_ = true;
    environment_.reactor.Defer([weak = weak_from_this()] {
      std::shared_ptr<Hosted> hosted = weak.lock();
      if (hosted == nullptr) return;
      hosted->step_is_due_ = false;
      hosted->Step();
    });
  }

  // Appends, and tells the machine what is committed.
  void Step() {
    step_is_due_ = true;  // what is committed at once is told below
    SettleWrites();
    step_is_due_ = false;
    if (!std::exchange(commit_is_noted_, false) || state_ != State::kActive) return;
    std::shared_ptr<partition::Partition> partition = environment_.partitions.Find(id_);
    if (partition != nullptr) Execute(shard_.Committed(partition->high_watermark().value(), now()));
  }

  // The machine wants its writes settled before it hears of commits, or of the time. Failed ones may lead to others.
  void SettleWrites() {
    while (!gathered_.empty()) AppendGathered();
  }

  // False: it failed, and with it everything that the machine has written since the last append; also `latest`, a write
  // that is not among what is gathered.
  bool AppendGathered(group::WriteId latest = 0) {
    auto [batch, writes] = gathered_.Take();
    std::shared_ptr<partition::Partition> partition = environment_.partitions.Find(id_);
    partition::ProduceOutcome appended;
    if (partition == nullptr) {
      appended.error = ErrorCode::kNotLeaderOrFollower;
    } else {
      appended = partition->AppendOwn(batch);
    }
    if (appended.error != ErrorCode::kNone) {
      if (latest != 0) writes.push_back({latest});
      Fail(writes, appended.error);
      return false;
    }
    for (const GatheredWrites::Write& write : writes) {
      shard_.Appended(write.id, appended.base_offset + write.first_record);
    }
    partition->WhenCommitted(appended.required, [weak = weak_from_this(), this](ErrorCode error) {
      if (error != ErrorCode::kNone || weak.expired()) return;  // who waits is answered when the shard is unloaded
      commit_is_noted_ = true;
      StepLater();
    });
    return true;
  }

  // What comes of it is done when the machine knows of all.
  void Fail(const std::vector<GatheredWrites::Write>& writes, ErrorCode error) {
    std::vector<Outcome> outcomes;
    for (const GatheredWrites::Write& write : writes) outcomes.push_back(shard_.Failed(write.id, error, now()));
    for (Outcome& outcome : outcomes) Execute(std::move(outcome));
  }

  // Deadlines move further away all the time. A timer that is too early is left alone and looks again when it fires.
  void SetTimer() {
    const bool is_early_enough = timer_ && state_ == State::kActive && !shard_.MayBeDueBefore(timer_deadline_ms_);
    if (is_early_enough) return;
    if (timer_) environment_.reactor.CancelTimer(std::exchange(timer_, {}));
    std::optional<int64_t> deadline_ms = state_ == State::kActive ? shard_.NextDeadlineMs() : std::nullopt;
    if (!deadline_ms) return;
    timer_deadline_ms_ = *deadline_ms;
    int64_t delay_ns = *deadline_ms * kNsPerMs - environment_.clock.MonotonicNs();
    timer_ = environment_.reactor.After(std::max<int64_t>(delay_ns, 0), [weak = weak_from_this()] {
      std::shared_ptr<Hosted> hosted = weak.lock();
      if (hosted == nullptr) return;
      hosted->timer_ = {};
      hosted->Expire();
    });
  }

  void Expire() {
    SettleWrites();
    if (state_ == State::kActive) Execute(shard_.Expire(now()));
  }

  const Environment& environment_;
  const PartitionId id_;
  State state_ = State::kLoading;
  GroupShard shard_;
  std::vector<group::DeletedTopic> deleted_meanwhile_;  // while it was loading
  Ticket last_ticket_ = 0;
  std::unordered_map<Ticket, reactor::Completion<group::Response>*> waiting_;
  GatheredWrites gathered_;
  bool step_is_due_ = false;
  bool commit_is_noted_ = false;  // the machine has not heard of it yet
  reactor::TimerId timer_{};
  int64_t timer_deadline_ms_ = 0;
};

GroupCoordinator::GroupCoordinator(const Environment& environment) : environment_(environment) {}
GroupCoordinator::~GroupCoordinator() = default;

std::shared_ptr<GroupCoordinator::Hosted> GroupCoordinator::Find(const PartitionId& partition) const {
  auto found = hosted_.find(partition);
  return found == hosted_.end() ? nullptr : found->second;
}

void GroupCoordinator::PartitionLed(const PartitionId& id) {
  auto hosted = std::make_shared<Hosted>(environment_, id);
  if (!hosted_.emplace(id, hosted).second) return;
  environment_.reactor.Spawn(Load(std::move(hosted)));
}

void GroupCoordinator::PartitionGone(const PartitionId& id) {
  std::shared_ptr<Hosted> hosted = Find(id);
  if (hosted == nullptr) return;
  hosted_.erase(id);
  hosted->Unload(ErrorCode::kNotCoordinator, Hosted::State::kGone);
}

void GroupCoordinator::Stop() {
  for (auto& [id, hosted] : hosted_) hosted->Unload(ErrorCode::kCoordinatorNotAvailable, Hosted::State::kFailed);
}

void GroupCoordinator::TopicsDeleted(const std::vector<group::DeletedTopic>& topics) {
  for (auto& [id, hosted] : hosted_) {
    hosted->TopicsDeleted(topics);
  }
}

// One that is still loading looks at all topics when it is done.
void GroupCoordinator::TopicsChanged(const std::vector<std::string>& names, bool any_created) {
  for (auto& [id, hosted] : hosted_) hosted->shard().TopicsChanged(names, any_created);
}

reactor::Task<void> GroupCoordinator::Load(std::shared_ptr<Hosted> hosted) {
  PartitionReader reader(environment_.reactor, environment_.disk);
  std::shared_ptr<partition::Partition> partition = environment_.partitions.Find(hosted->id());
  if (partition == nullptr) co_return;
  auto replay = [&hosted](const StoredRecord& record) -> Status {
    if (record.end_of_transaction) {
      hosted->shard().ReplayEndOfTransaction(record.producer_id, record.committed, record.offset.value());
      return Status();
    }
    if (!record.key) return Status();
    group::RecordOrigin origin{record.offset.value(), record.producer_id, record.transactional};
    return hosted->shard().Replay(*record.key, record.value, origin);
  };
  auto read = reader.ReadAll(partition, replay);
  Status status = co_await read;
  if (hosted->state() != Hosted::State::kLoading) co_return;  // gone, or the node stops
  if (!status.ok()) {
    hosted->set_state(Hosted::State::kFailed);
    environment_.log.Error("the groups of " + partition->name().ToString() +
                           " are unavailable: " + status.error().message);
    co_return;
  }
  hosted->Activate();
}

namespace {

std::optional<group::Response> TakeReply(std::vector<Reply>& replies, Ticket ticket) {
  for (auto reply = replies.begin(); reply != replies.end(); ++reply) {
    if (reply->ticket != ticket) continue;
    std::optional<group::Response> response(std::move(reply->response));
    replies.erase(reply);
    return response;
  }
  return std::nullopt;
}

}  // namespace

template <typename Reply, typename Request, typename Call>
reactor::Task<Reply> GroupCoordinator::Ask(PartitionId partition, Request request, Call call) {
  std::shared_ptr<Hosted> hosted = Find(partition);
  ErrorCode unavailable = hosted == nullptr ? ErrorCode::kNotCoordinator : hosted->Unavailable();
  if (unavailable != ErrorCode::kNone) co_return group::ErrorResponse(request, unavailable);
  Ticket ticket = hosted->NewTicket();
  Outcome outcome = call(hosted->shard(), ticket, std::move(request), hosted->now());
  if (std::optional<group::Response> at_once = TakeReply(outcome.replies, ticket)) {
    hosted->Execute(std::move(outcome));
    co_return std::get<Reply>(std::move(*at_once));
  }
  reactor::Completion<group::Response> answered;
  hosted->AddWaiter(ticket, answered);
  hosted->Execute(std::move(outcome));
  auto wait = answered.Wait();
  group::Response response = co_await wait;
  co_return std::get<Reply>(std::move(response));
}

#define KB_ASK(Api)                                                                                               \
  reactor::Task<group::Api##Response> GroupCoordinator::Api(PartitionId partition, group::Api##Request request) { \
    return Ask<group::Api##Response>(partition, std::move(request),                                               \
                                     [](GroupShard& shard, Ticket ticket, group::Api##Request asked, Now now) {   \
                                       return shard.Api(ticket, std::move(asked), now);                           \
                                     });                                                                          \
  }
KB_ASK(JoinGroup)
KB_ASK(SyncGroup)
KB_ASK(Heartbeat)
KB_ASK(LeaveGroup)
KB_ASK(OffsetCommit)
KB_ASK(OffsetFetch)
KB_ASK(OffsetDelete)
KB_ASK(DeleteGroups)
KB_ASK(ConsumerGroupHeartbeat)
#undef KB_ASK

group::DescribeGroupsResponse GroupCoordinator::DescribeGroups(const PartitionId& partition,
                                                               const group::DescribeGroupsRequest& request) {
  std::shared_ptr<Hosted> hosted = Find(partition);
  ErrorCode unavailable = hosted == nullptr ? ErrorCode::kNotCoordinator : hosted->Unavailable();
  if (unavailable != ErrorCode::kNone) return group::ErrorResponse(request, unavailable);
  return hosted->shard().DescribeGroups(request);
}

group::ConsumerGroupDescribeResponse GroupCoordinator::ConsumerGroupDescribe(
    const PartitionId& partition, const group::ConsumerGroupDescribeRequest& request) {
  std::shared_ptr<Hosted> hosted = Find(partition);
  ErrorCode unavailable = hosted == nullptr ? ErrorCode::kNotCoordinator : hosted->Unavailable();
  if (unavailable != ErrorCode::kNone) return group::ErrorResponse(request, unavailable);
  return hosted->shard().ConsumerGroupDescribe(request);
}

group::OffsetsPage GroupCoordinator::OffsetsAfter(const PartitionId& partition, const group::OffsetsPlace& after,
                                                  size_t most) const {
  std::shared_ptr<Hosted> hosted = Find(partition);
  if (hosted == nullptr || hosted->state() != Hosted::State::kActive) return group::OffsetsPage();
  return hosted->shard().OffsetsAfter(after, most);
}

group::GroupCounts GroupCoordinator::counts() const {
  group::GroupCounts all;
  for (const auto& [id, hosted] : hosted_) {
    if (hosted->state() != Hosted::State::kActive) continue;
    const group::GroupCounts some = hosted->shard().counts();
    all.preparing_rebalance += some.preparing_rebalance;
    all.completing_rebalance += some.completing_rebalance;
    all.stable += some.stable;
    all.empty += some.empty;
    all.dead += some.dead;
    all.other_types += some.other_types;
    all.offsets += some.offsets;
  }
  return all;
}

group::ListGroupsResponse GroupCoordinator::ListGroups(const group::ListGroupsRequest& request) {
  group::ListGroupsResponse all;
  for (auto& [id, hosted] : hosted_) {
    if (hosted->state() != Hosted::State::kActive) {
      if (hosted->state() == Hosted::State::kLoading) all.error = ErrorCode::kCoordinatorLoadInProgress;
      continue;
    }
    group::ListGroupsResponse some = hosted->shard().ListGroups(request);
    std::move(some.groups.begin(), some.groups.end(), std::back_inserter(all.groups));
  }
  return all;
}

}  // namespace kb::coordinator
