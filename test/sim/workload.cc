#include "sim/workload.h"

#include <algorithm>

#include "message/create_topics_request.h"
#include "message/create_topics_response.h"
#include "message/delete_topics_request.h"
#include "message/delete_topics_response.h"
#include "message/fetch_request.h"
#include "message/fetch_response.h"
#include "message/find_coordinator_request.h"
#include "message/find_coordinator_response.h"
#include "message/init_producer_id_request.h"
#include "message/init_producer_id_response.h"
#include "message/offset_commit_request.h"
#include "message/offset_commit_response.h"
#include "message/offset_fetch_request.h"
#include "message/offset_fetch_response.h"
#include "message/produce_request.h"
#include "message/produce_response.h"
#include "protocol/error_code.h"

namespace kb::sim {

using test::ReadAnswer;

namespace {

std::string NameOf(int16_t error) { return std::string(ErrorName(static_cast<ErrorCode>(error))); }

}  // namespace

// ---- Ledger

void Ledger::Complain(const std::string& what) {
  constexpr size_t kMost = 20;
  if (complaints_.size() < kMost) complaints_.push_back(what);
}

void Ledger::Learn(const PartitionName& partition, int64_t offset, const std::string& value, bool for_ever,
                   const char* how) {
  Known& known = partitions_[partition][offset];
  if (!known.value.empty() && known.value != value) {
    Complain(partition.ToString() + " offset " + std::to_string(offset) + " is " + how + " as " + value.substr(0, 40) +
             " and was " + known.value.substr(0, 40));
  }
  known.value = value;
  known.for_ever |= for_ever;
}

void Ledger::Acknowledged(const PartitionName& partition, int64_t offset, const std::string& value, Promise promise) {
  ++acknowledged_;
  Learn(partition, offset, value, promise == Promise::kForEver, "acknowledged");
}

void Ledger::Shown(const PartitionName& partition, int64_t offset, const std::string& value) {
  ++shown_;
  Learn(partition, offset, value, true, "shown");
}

bool Ledger::HasPromised(const PartitionName& partition, int64_t first, int64_t end) const {
  auto found = partitions_.find(partition);
  if (found == partitions_.end()) return false;
  auto at = found->second.lower_bound(first);
  return at != found->second.end() && at->first < end;
}

void Ledger::ProducerIdGiven(int64_t producer_id) {
  if (!producer_ids_.insert(producer_id).second) {
    Complain("producer id " + std::to_string(producer_id) + " was given twice");
  }
}

void Ledger::PowerFailed() {
  ++power_cuts_;
  for (auto& [partition, records] : partitions_) {
    std::erase_if(records, [](const auto& entry) { return !entry.second.for_ever; });
  }
}

void Ledger::CheckWhole(const PartitionName& partition, const std::vector<test::ReadBack>& records) {
  std::map<int64_t, std::string> there;
  std::set<std::string> seen;
  std::map<std::string, int64_t> last_of;  // number of the last value of each sender
  for (const test::ReadBack& record : records) {
    std::string where = partition.ToString() + " offset " + std::to_string(record.offset) + ": ";
    std::string id = record.value.substr(0, record.value.find(' '));
    there[record.offset] = record.value;
    if (!seen.insert(id).second) Complain(where + id + " is there twice");
    size_t colon = id.find(':');
    if (colon == std::string::npos) {
      Complain(where + "nobody wrote " + id.substr(0, 40));
      continue;
    }
    int64_t number = std::stoll(id.substr(colon + 1));
    auto [last, is_new] = last_of.try_emplace(id.substr(0, colon), number);
    if (!is_new && number <= last->second) Complain(where + id + " stands behind " + std::to_string(last->second));
    last->second = number;
  }
  for (const auto& [offset, known] : partitions_[partition]) {
    auto found = there.find(offset);
    if (found != there.end() && found->second == known.value) continue;
    Complain(partition.ToString() + " offset " + std::to_string(offset) + ": " + known.value.substr(0, 40) +
             (known.for_ever ? " was promised for ever" : " was acknowledged") + " and is " +
             (found == there.end() ? "gone" : "now " + found->second.substr(0, 40)));
  }
}

// ---- Actor

void Actor::Pause(int64_t most_ns) {
  auto delay_ns = static_cast<int64_t>(world_.random.Below(static_cast<uint64_t>(most_ns) + 1));
  not_before_ns_ = world_.scheduler.now_ns() + delay_ns;
  world_.scheduler.After(delay_ns, [] {});  // so that the clock comes past it
}

void Actor::Lost() {
  client_.reset();
  OnLost();
  Pause(50'000'000);
}

void Actor::Hang() {
  if (client_ == nullptr) return;
  if (world_.Below(2) == 0) client_->socket().Reset();
  Lost();
}

void Actor::Poll() {
  if (client_ != nullptr) {
    while (client_ != nullptr && client_->HasAnswer()) OnAnswer(*client_->Receive());
    if (client_ == nullptr) return;  // given up
    if (client_->ended()) return Lost();
  }
  if (world_.scheduler.now_ns() < not_before_ns_) return;
  if (client_ == nullptr) {
    auto socket = world_.network.Connect(test::SimBroker::kPort, static_cast<uint8_t>(1 + world_.Below(3)));
    if (socket == nullptr) return Pause(50'000'000);
    client_ = std::make_unique<test::KafkaClient>(std::move(socket), name_);
    ++connections_;
    power_cuts_ = world_.ledger.power_cuts();
    OnConnected();
  }
  OnTurn();
}

namespace {

// ---- Producer

class Producer final : public Actor {
 public:
  Producer(World& world, std::string name, ProducerKind kind, int32_t most_value_bytes)
      : Actor(world, std::move(name)), kind_(kind), most_value_bytes_(most_value_bytes) {}

  bool idle() const override { return in_flight_.empty(); }

 private:
  static constexpr int16_t kVersion = 11;  // by name
  static constexpr size_t kMostInFlight = 5;

  struct Part {
    PartitionName partition;
    std::vector<std::string> values;
  };
  struct Sent {
    std::string frame;
    std::vector<Part> parts;
  };

  bool idempotent() const { return kind_ == ProducerKind::kIdempotent; }

  void OnConnected() override {
    if (!idempotent()) return;
    if (producer_id_ < 0) {
      message::InitProducerIdRequest request;
      request.transactional_id.reset();
      request.transaction_timeout_ms = 60'000;
      client().Send(request, 4);
      waits_for_id_ = true;
      return;
    }
    for (const Sent& sent : in_flight_) client().SendBytes(sent.frame);
  }
  void OnLost() override {
    waits_for_id_ = false;
    if (!idempotent()) in_flight_.clear();  // what became of it is not known
  }

  void OnTurn() override {
    if (waits_for_id_ || world().winding_down || in_flight_.size() >= kMostInFlight) return;
    Send();
    if (kind_ == ProducerKind::kAcksNone || world().Below(4) == 0) Pause(40'000'000);
  }

  std::string NextValue(const PartitionName& partition) {
    // A connection's requests keep their order; those of different connections do not, but for idempotent producers.
    std::string sender = name() + (idempotent() ? "" : "." + std::to_string(connections()));
    std::string value = sender + ":" + std::to_string(numbers_[partition]++) + " ";
    value.append(static_cast<size_t>(world().Below(most_value_bytes_)), 'x');
    return value;
  }

  std::string Batch(Part& part) {
    int32_t count = 1 + world().Below(4);
    for (int32_t i = 0; i < count; ++i) part.values.push_back(NextValue(part.partition));
    record::BatchOptions options;
    if (world().Below(3) == 0) options.codec = record::Codec::kLz4;
    if (idempotent()) {
      options.producer_id = ProducerId(producer_id_);
      options.producer_epoch = ProducerEpoch(0);
      options.base_sequence = sequences_[part.partition];
      sequences_[part.partition] += count;
    }
    return test::BatchOf(part.values, world().scheduler.clock().WallMs(), options);
  }

  void Send() {
    Arena arena;
    message::ProduceRequest request;
    request.acks = kind_ == ProducerKind::kAcksNone ? 0 : kind_ == ProducerKind::kAcksOne ? 1 : -1;
    request.timeout_ms = 30'000;
    Sent sent;
    std::deque<std::string> batches;  // keeps its elements where they are
    size_t most = std::min<size_t>(world().partitions.size(), 3);
    size_t wanted = 1 + world().random.Below(most);
    size_t at = world().random.Below(world().partitions.size());
    for (size_t i = 0; i < wanted; ++i) {
      Part& part = sent.parts.emplace_back();
      part.partition = world().partitions[(at + i) % world().partitions.size()];
      auto& topic = request.topic_data.Add(arena);
      topic.name = arena.Copy(std::string_view(part.partition.topic));
      auto& partition = topic.partition_data.Add(arena);
      partition.index = part.partition.index;
      batches.push_back(Batch(part));
      partition.records = protocol::Records::Of(AsBytes(batches.back()));
    }
    sent.frame = test::FrameOf(request, kVersion, 0, name());
    client().SendBytes(sent.frame);
    if (kind_ != ProducerKind::kAcksNone) in_flight_.push_back(std::move(sent));
  }

  void OnAnswer(std::string frame) override {
    if (waits_for_id_) return TakeId(std::move(frame));
    auto answer = ReadAnswer<message::ProduceResponse>(std::move(frame), kVersion);
    if (!answer || in_flight_.empty()) return Complain("an answer to Produce that cannot be read");
    Sent sent = std::move(in_flight_.front());
    in_flight_.pop_front();
    bool all_taken = true;
    for (size_t i = 0; i < sent.parts.size(); ++i) {
      if (i >= (*answer)->responses.size()) return Complain("an answer without all partitions");
      all_taken &= Take(sent.parts[i], (*answer)->responses[i].partition_responses[0]);
    }
    if (all_taken) return;
    in_flight_.push_front(std::move(sent));
    Hang();
  }

  // False: refused.
  template <typename Entry>
  bool Take(const Part& part, const Entry& entry) {
    if (entry.error_code != 0) {
      Refused(part.partition.ToString() + " answers Produce with " + NameOf(entry.error_code));
      return false;
    }
    // What was acknowledged with acks=1 before the power failed, and is only heard of now, promises nothing any more.
    bool for_ever = kind_ != ProducerKind::kAcksOne;
    if (!for_ever && power_failed()) return true;
    auto promise = for_ever ? Ledger::Promise::kForEver : Ledger::Promise::kUntilPowerFails;
    for (size_t i = 0; i < part.values.size(); ++i) {
      world().ledger.Acknowledged(part.partition, entry.base_offset + static_cast<int64_t>(i), part.values[i], promise);
    }
    return true;
  }

  void TakeId(std::string frame) {
    waits_for_id_ = false;
    auto answer = ReadAnswer<message::InitProducerIdResponse>(std::move(frame), 4);
    if (!answer) return Complain("an answer to InitProducerId that cannot be read");
    if ((*answer)->error_code != 0) return Refused("InitProducerId: " + NameOf((*answer)->error_code));
    producer_id_ = (*answer)->producer_id;
    world().ledger.ProducerIdGiven(producer_id_);
  }

  const ProducerKind kind_;
  const int32_t most_value_bytes_;
  int64_t producer_id_ = -1;
  bool waits_for_id_ = false;
  std::map<PartitionName, int64_t> numbers_;
  std::map<PartitionName, int32_t> sequences_;
  std::deque<Sent> in_flight_;
};

// ---- Consumer

class Consumer final : public Actor {
 public:
  Consumer(World& world, std::string name, bool with_session)
      : Actor(world, std::move(name)), with_session_(with_session) {}
  bool idle() const override { return true; }

 private:
  static constexpr int16_t kVersion = 12;

  void OnConnected() override {
    waits_ = false;
    session_id_ = 0;
    epoch_ = with_session_ ? 0 : -1;
  }
  void OnLost() override {}

  void OnTurn() override {
    if (waits_) return;
    Arena arena;
    message::FetchRequest request;
    request.max_wait_ms = world().Below(400);
    request.min_bytes = world().Below(3) == 0 ? 1 + world().Below(2000) : 1;
    request.max_bytes = 1 + world().Below(100'000);
    request.session_id = session_id_;
    request.session_epoch = epoch_;
    // In a session what moved would do, but telling all of it again is allowed.
    for (const PartitionName& name : world().partitions) {
      auto& topic = request.topics.Add(arena);
      topic.topic = arena.Copy(std::string_view(name.topic));
      auto& partition = topic.partitions.Add(arena);
      partition.partition = name.index;
      partition.fetch_offset = positions_[name];
      partition.partition_max_bytes = 1 + world().Below(20'000);
    }
    client().Send(request, kVersion);
    waits_ = true;
  }

  void OnAnswer(std::string frame) override {
    waits_ = false;
    auto answer = ReadAnswer<message::FetchResponse>(std::move(frame), kVersion);
    if (!answer) return Complain("an answer to Fetch that cannot be read");
    if ((*answer)->error_code != 0) return Refused("Fetch is answered with " + NameOf((*answer)->error_code));
    if (with_session_) {
      session_id_ = (*answer)->session_id;
      epoch_ = session_id_ == 0 ? 0 : epoch_ + 1;
    }
    for (const auto& topic : (*answer)->responses) {
      for (const auto& partition : topic.partitions) {
        Take({std::string(topic.topic), partition.partition_index}, partition);
      }
    }
  }

  template <typename Entry>
  void Take(const PartitionName& name, const Entry& entry) {
    if (entry.error_code != 0) {
      return Refused(name.ToString() + " answers Fetch at " + std::to_string(positions_[name]) + " with " +
                      NameOf(entry.error_code));
    }
    int64_t& position = positions_[name];
    std::optional<test::ReadBatches> read = test::ReadRecords(entry.records.bytes, position);
    if (!read) return Complain(name.ToString() + ": a damaged batch at " + std::to_string(position));
    for (const test::ReadBack& record : read->records) {
      // A power cut may leave a hole where a segment ended, of records that were promised to nobody.
      if (record.offset < position || world().ledger.HasPromised(name, position, record.offset)) {
        Complain(name.ToString() + ": offset " + std::to_string(record.offset) + " behind " + std::to_string(position));
      }
      if (record.offset >= entry.high_watermark) Complain(name.ToString() + ": a record above the high watermark");
      position = record.offset + 1;
      world().ledger.Shown(name, record.offset, record.value);
    }
  }

  const bool with_session_;
  bool waits_ = false;
  int32_t session_id_ = 0;
  int32_t epoch_ = -1;
  std::map<PartitionName, int64_t> positions_;
};

// ---- Committer

class Committer final : public Actor {
 public:
  Committer(World& world, std::string name, PartitionName partition)
      : Actor(world, std::move(name)), partition_(std::move(partition)) {}
  bool idle() const override { return step_ == Step::kCommit && !waits_; }

 private:
  static constexpr int16_t kVersion = 8;
  enum class Step { kFind, kRead, kCommit };

  void OnConnected() override {
    waits_ = false;
    step_ = Step::kFind;
  }
  void OnLost() override {}

  void OnTurn() override {
    if (waits_) return;
    Arena arena;
    switch (step_) {
      case Step::kFind: {
        message::FindCoordinatorRequest request;
        request.coordinator_keys.Add(arena) = name();
        client().Send(request, 4);
        break;
      }
      case Step::kRead: {
        message::OffsetFetchRequest request;
        auto& group = request.groups.Add(arena);
        group.group_id = name();
        auto& topic = group.topics.Add(arena);
        topic.name = partition_.topic;
        topic.partition_indexes.Add(arena) = partition_.index;
        client().Send(request, kVersion);
        break;
      }
      case Step::kCommit: {
        if (world().winding_down) return;
        message::OffsetCommitRequest request;
        request.group_id = name();
        request.generation_id_or_member_epoch = -1;
        auto& topic = request.topics.Add(arena);
        topic.name = partition_.topic;
        auto& partition = topic.partitions.Add(arena);
        partition.partition_index = partition_.index;
        partition.committed_offset = ++sent_;
        client().Send(request, kVersion);
        break;
      }
    }
    waits_ = true;
  }

  void OnAnswer(std::string frame) override {
    waits_ = false;
    switch (step_) {
      case Step::kFind: {
        auto answer = ReadAnswer<message::FindCoordinatorResponse>(std::move(frame), 4);
        if (!answer) return Complain("an answer to FindCoordinator that cannot be read");
        if ((*answer)->coordinators[0].error_code == 0) step_ = Step::kRead;
        return Pause(20'000'000);
      }
      case Step::kRead: {
        auto answer = ReadAnswer<message::OffsetFetchResponse>(std::move(frame), kVersion);
        if (!answer) return Complain("an answer to OffsetFetch that cannot be read");
        const auto& group = (*answer)->groups[0];
        if (IsPassing(group.error_code)) return Pause(20'000'000);
        if (group.error_code != 0) return Refused("OffsetFetch: " + NameOf(group.error_code));
        int64_t committed = group.topics[0].partitions[0].committed_offset;
        if (committed < acknowledged_ || committed > sent_) {
          Complain("committed " + std::to_string(acknowledged_) + " (sent " + std::to_string(sent_) + "), read " +
                   std::to_string(committed));
        }
        step_ = Step::kCommit;
        return;
      }
      case Step::kCommit: {
        auto answer = ReadAnswer<message::OffsetCommitResponse>(std::move(frame), kVersion);
        if (!answer) return Complain("an answer to OffsetCommit that cannot be read");
        int16_t error = (*answer)->topics[0].partitions[0].error_code;
        if (error == 0) acknowledged_ = sent_;
        if (error != 0 && !IsPassing(error)) Refused("OffsetCommit: " + NameOf(error));
        return Pause(60'000'000);
      }
    }
  }

  static bool IsPassing(int16_t error) {
    auto code = static_cast<ErrorCode>(error);
    return code == ErrorCode::kCoordinatorLoadInProgress || code == ErrorCode::kNotCoordinator ||
           code == ErrorCode::kCoordinatorNotAvailable;  // as a stopping broker says
  }

  const PartitionName partition_;
  Step step_ = Step::kFind;
  bool waits_ = false;
  int64_t sent_ = -1;
  int64_t acknowledged_ = -1;
};

// ---- TopicMaker

class TopicMakerImpl final : public TopicMaker {
 public:
  using TopicMaker::TopicMaker;
  bool idle() const override { return !waits_; }

  void Check(const std::map<std::string, Uuid>& topics) override {
    for (const auto& [name, topic] : topics_) {
      auto found = topics.find(name);
      bool there = found != topics.end();
      if (topic.state == State::kThere && !there) Complain(name + " was created and is gone");
      if (topic.state == State::kGone && there) Complain(name + " was deleted and is back");
      if (there && !topic.id.is_zero() && found->second != topic.id) Complain(name + " has another id");
    }
  }

 private:
  static constexpr int16_t kCreateVersion = 7;
  static constexpr int16_t kDeleteVersion = 5;
  enum class State { kCreating, kThere, kDeleting, kGone };
  struct Topic {
    State state = State::kCreating;
    Uuid id;
  };

  void OnConnected() override { waits_ = false; }
  void OnLost() override {}

  void OnTurn() override {
    if (waits_ || world().winding_down) return;
    waits_ = true;
    if (!current_.empty() && topics_[current_].state == State::kThere && world().Below(2) == 0) return Delete();
    Create();
  }

  void Create() {
    current_ = name() + "-" + std::to_string(topics_.size());
    topics_[current_] = Topic();
    Arena arena;
    message::CreateTopicsRequest request;
    auto& topic = request.topics.Add(arena);
    topic.name = current_;
    topic.num_partitions = 1 + world().Below(4);
    topic.replication_factor = 1;
    client().Send(request, kCreateVersion);
  }
  void Delete() {
    topics_[current_].state = State::kDeleting;
    Arena arena;
    message::DeleteTopicsRequest request;
    request.topic_names.Add(arena) = current_;
    client().Send(request, kDeleteVersion);
  }

  void OnAnswer(std::string frame) override {
    waits_ = false;
    Pause(100'000'000);
    Topic& topic = topics_[current_];
    if (topic.state == State::kCreating) {
      auto answer = ReadAnswer<message::CreateTopicsResponse>(std::move(frame), kCreateVersion);
      if (!answer) return Complain("an answer to CreateTopics that cannot be read");
      if ((*answer)->topics[0].error_code != 0) return Refused("CreateTopics: " + NameOf((*answer)->topics[0].error_code));
      topic.state = State::kThere;
      topic.id = (*answer)->topics[0].topic_id;
    } else {
      auto answer = ReadAnswer<message::DeleteTopicsResponse>(std::move(frame), kDeleteVersion);
      if (!answer) return Complain("an answer to DeleteTopics that cannot be read");
      if ((*answer)->responses[0].error_code != 0) {
        return Refused("DeleteTopics: " + NameOf((*answer)->responses[0].error_code));
      }
      topic.state = State::kGone;
    }
  }

  bool waits_ = false;
  std::string current_;
  std::map<std::string, Topic> topics_;
};

// ---- Beginner

class BeginnerImpl final : public Beginner {
 public:
  using Beginner::Beginner;
  bool idle() const override { return !waits_; }
  size_t created() const override { return created_; }

 private:
  static constexpr int16_t kCreateVersion = 7;
  static constexpr int16_t kProduceVersion = 11;

  void OnConnected() override {}
  void OnLost() override {
    waits_ = is_creating_ = false;
    batches_left_ = 0;
  }

  void OnTurn() override {
    if (waits_ || world().winding_down) return;
    if (batches_left_ > 0) return Write();
    if (asked_ < kMostTopics) Create();
  }

  void Create() {
    waits_ = is_creating_ = true;
    partition_ = {name() + "-" + std::to_string(asked_++), 0};
    Arena arena;
    message::CreateTopicsRequest request;
    auto& topic = request.topics.Add(arena);
    topic.name = partition_.topic;
    topic.num_partitions = 1 + world().Below(3);
    topic.replication_factor = 1;
    client().Send(request, kCreateVersion);
    partitions_ = topic.num_partitions;
  }

  void Write() {
    waits_ = true;
    --batches_left_;
    partition_.index = world().Below(partitions_);
    acks_ = world().Below(2) == 0 ? 1 : -1;
    value_ = name() + "." + std::to_string(connections()) + ":" + std::to_string(number_++) + " ";
    Arena arena;
    message::ProduceRequest request;
    request.acks = acks_;
    request.timeout_ms = 30'000;
    auto& topic = request.topic_data.Add(arena);
    topic.name = partition_.topic;
    auto& partition = topic.partition_data.Add(arena);
    partition.index = partition_.index;
    const std::string batch = test::BatchOf({value_}, world().scheduler.clock().WallMs(), {});
    partition.records = protocol::Records::Of(AsBytes(batch));
    auto& begun = world().begun;
    if (std::find(begun.begin(), begun.end(), partition_) == begun.end()) begun.push_back(partition_);
    client().Send(request, kProduceVersion);
  }

  void OnAnswer(std::string frame) override {
    waits_ = false;
    if (std::exchange(is_creating_, false)) return Created(std::move(frame));
    auto answer = ReadAnswer<message::ProduceResponse>(std::move(frame), kProduceVersion);
    if (!answer) return Complain("an answer to Produce that cannot be read");
    const auto& entry = (*answer)->responses[0].partition_responses[0];
    if (batches_left_ == 0) Pause(100'000'000);
    if (entry.error_code != 0)
      return Refused(partition_.ToString() + " answers Produce with " + NameOf(entry.error_code));
    if (acks_ == 1 && power_failed()) return;
    auto promise = acks_ == 1 ? Ledger::Promise::kUntilPowerFails : Ledger::Promise::kForEver;
    world().ledger.Acknowledged(partition_, entry.base_offset, value_, promise);
  }

  void Created(std::string frame) {
    auto answer = ReadAnswer<message::CreateTopicsResponse>(std::move(frame), kCreateVersion);
    if (!answer) return Complain("an answer to CreateTopics that cannot be read");
    if ((*answer)->topics[0].error_code != 0)
      return Refused("CreateTopics: " + NameOf((*answer)->topics[0].error_code));
    ++created_;
    batches_left_ = 1 + world().Below(4);
  }

  bool waits_ = false;
  bool is_creating_ = false;  // that is what it waits for
  size_t asked_ = 0, created_ = 0;
  PartitionName partition_;
  int32_t partitions_ = 0;
  int32_t batches_left_ = 0;
  int16_t acks_ = -1;
  std::string value_;  // under way
  int64_t number_ = 0;
};

}  // namespace

std::unique_ptr<Beginner> MakeBeginner(World& world, std::string name) {
  return std::make_unique<BeginnerImpl>(world, std::move(name));
}
std::unique_ptr<Actor> MakeProducer(World& world, std::string name, ProducerKind kind, int32_t most_value_bytes) {
  return std::make_unique<Producer>(world, std::move(name), kind, most_value_bytes);
}
std::unique_ptr<Actor> MakeConsumer(World& world, std::string name, bool with_session) {
  return std::make_unique<Consumer>(world, std::move(name), with_session);
}
std::unique_ptr<Actor> MakeCommitter(World& world, std::string name, const PartitionName& partition) {
  return std::make_unique<Committer>(world, std::move(name), partition);
}
std::unique_ptr<TopicMaker> MakeTopicMaker(World& world, std::string name) {
  return std::make_unique<TopicMakerImpl>(world, std::move(name));
}

}  // namespace kb::sim
