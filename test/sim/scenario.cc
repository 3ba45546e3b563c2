#include "sim/scenario.h"

#include <optional>
#include <utility>

#include "message/create_topics_request.h"
#include "message/create_topics_response.h"
#include "message/fetch_request.h"
#include "message/fetch_response.h"
#include "message/metadata_request.h"
#include "message/metadata_response.h"
#include "protocol/error_code.h"
#include "sim/workload.h"

namespace kb::sim {

using test::PowerLoss;
using test::SimBroker;
using test::SimFileSystem;
using test::SimNetwork;
using test::SimScheduler;

namespace {

constexpr int64_t kMs = 1'000'000;

class Scenario {
 public:
  Scenario(uint64_t seed, const std::vector<std::pair<std::string, std::string>>& overrides)
      : scheduler_(seed), disk_(seed), network_(scheduler_), world_{scheduler_, network_, disk_, Random(seed ^ 0x5eed), {}, {}} {
    options_.overrides = {{"offsets.topic.num.partitions", "3"}, {"num.partitions", "2"},
                          {"metadata.log.max.record.bytes.between.snapshots", "2000"},
                          {"log.segment.delete.delay.ms", "500"}};
    options_.overrides.insert(options_.overrides.end(), overrides.begin(), overrides.end());
  }

  RunReport Run() {
    if (Start()) {
      CreateTopics();
      MakeActors();
      int32_t rounds = 2 + world_.Below(3);
      for (int32_t round = 0; round < rounds && ok(); ++round) {
        RunAWhile();
        Interrupt();
        if (!Start()) break;
      }
      if (ok()) Finish();
    }
    return Report();
  }

 private:
  bool ok() const { return world_.ledger.complaints().empty(); }
  void Complain(const std::string& what) { world_.ledger.Complain(what); }

  // False: it does not start. The power may fail meanwhile; then it starts again.
  bool Start() {
    for (int tries = 0; tries < 20; ++tries) {
      broker_ = std::make_unique<SimBroker>(scheduler_, disk_, network_, options_);
      if (world_.Below(3) == 0) disk_.CutAt(1 + world_.random.Below(150), AnyLoss());
      Status begun = broker_->Begin();
      if (begun.ok()) Step(60'000 * kMs, [this] { return broker_->serving(); });
      if (!disk_.is_off()) {
        if (!begun.ok()) Complain("the broker does not start: " + begun.error().message);
        if (begun.ok() && !broker_->serving() && ok()) Complain("the broker does not come into service");
        return ok();
      }
      LosePower();
    }
    return false;
  }

  void EndLife(const std::string& how) { said_ += broker_->log().text() + "---- " + how + "\n"; }

  PowerLoss AnyLoss() {
    constexpr PowerLoss kAll[] = {PowerLoss::kSomething, PowerLoss::kSomething, PowerLoss::kEverything};
    return kAll[world_.Below(3)];
  }

  // The disk is off: the machine goes, and comes back with what the disk kept.
  void LosePower() {
    EndLife("the power failed");
    broker_->PowerOff();
    disk_.PowerOn();
    world_.ledger.PowerFailed();
  }

  // Runs until `done`, the power fails, or the time has passed.
  template <typename Done>
  void Step(int64_t most_ns, const Done& done) {
    int64_t end_ns = scheduler_.now_ns() + most_ns;
    while (!done() && !disk_.is_off() && scheduler_.now_ns() < end_ns && ok()) {
      if (!scheduler_.Step()) return;
      disk_.set_now_ms(scheduler_.clock().WallMs());
      if (broker_->fatal() && !disk_.is_off()) return Complain("the broker gives up: " + broker_->fatal()->message);
      for (auto& actor : actors_) actor->Poll();
      if (!actors_.empty() && world_.Below(3000) == 0) actors_[world_.random.Below(actors_.size())]->Hang();
    }
  }
  void RunAWhile() {
    Step((50 + world_.Below(1500)) * kMs, [] { return false; });
  }

  void Interrupt() {
    switch (disk_.is_off() ? -1 : world_.Below(7)) {
      case -1:
        return LosePower();
      case 0:  // kill -9: what was written is there
        EndLife("killed");
        broker_->PowerOff();
        disk_.Cut(PowerLoss::kNothing);
        return;
      case 1:  // SIGTERM, and perhaps the power fails before the end
        if (world_.Below(2) == 0) disk_.CutAt(1 + world_.random.Below(60), AnyLoss());
        return CleanStop();
      case 2:
        EndLife("the power failed, and all that was not synced is gone");
        broker_->PowerOff();
        disk_.Cut(PowerLoss::kEverything);
        break;
      case 3:
        EndLife("the power failed");
        broker_->PowerOff();
        disk_.Cut(PowerLoss::kSomething);
        break;
      case 4: {  // right behind the creation of a topic, or while its first records are written
        const size_t created = beginner_->created();
        Step(1000 * kMs, [&] { return beginner_->created() > created; });
        disk_.CutAt(1 + world_.random.Below(40), AnyLoss());
        Step(20'000 * kMs, [] { return false; });
        if (!disk_.is_off()) return;
        return LosePower();
      }
      default:  // in the middle of a write, a sync, a rename …
        disk_.CutAt(1 + world_.random.Below(200), AnyLoss());
        Step(20'000 * kMs, [] { return false; });
        if (!disk_.is_off()) return;
        return LosePower();
    }
    world_.ledger.PowerFailed();
  }

  void CleanStop() {
    Status stopped = broker_->Stop();
    if (disk_.is_off()) return LosePower();
    EndLife("stopped");
    if (!stopped.ok()) Complain("the stop was not clean: " + stopped.error().message);
    // The process ends; the machine goes on, and so does the disk: what was not cut must not be cut at the next start.
    disk_.Cut(PowerLoss::kNothing);
  }

  void CreateTopics() {
    struct Spec {
      const char* name;
      int32_t partitions;
      std::vector<std::pair<const char*, const char*>> configs;
    };
    const std::vector<Spec> specs = {{"small", 3, {{"internal.segment.bytes", "9000"}, {"index.interval.bytes", "100"}}},
                                     {"timed", 2, {{"message.timestamp.type", "LogAppendTime"}, {"segment.ms", "300"}}}};
    for (const Spec& spec : specs) {
      // The power may fail meanwhile: what was created before is there, or is created now.
      for (bool created = false; !created && ok();) {
        Arena arena;
        message::CreateTopicsRequest request;
        auto& topic = request.topics.Add(arena);
        topic.name = spec.name;
        topic.num_partitions = spec.partitions;
        topic.replication_factor = 1;
        for (const auto& [key, value] : spec.configs) {
          auto& config = topic.configs.Add(arena);
          config.name = key;
          config.value = value;
        }
        auto answer = AskBroker<message::CreateTopicsResponse>(request, 7);
        if (!answer) {
          if (!Recover()) return;
          continue;
        }
        auto error = static_cast<ErrorCode>((*answer)->topics[0].error_code);
        created = error == ErrorCode::kNone || error == ErrorCode::kTopicAlreadyExists;
        if (!created) return Complain("CreateTopics: " + std::string(ErrorName(error)));
      }
      for (int32_t i = 0; i < spec.partitions; ++i) world_.partitions.push_back({spec.name, i});
    }
  }

  // A question beside the actors. nullopt: the power failed (or there was no answer, and a complaint).
  template <typename Response, typename Request>
  std::optional<test::Answer<Response>> AskBroker(const Request& request, int16_t version) {
    test::KafkaClient client(network_.Connect(SimBroker::kPort));
    client.Send(request, version);
    Step(30'000 * kMs, [&] { return client.HasAnswer() || client.ended(); });
    if (disk_.is_off()) return std::nullopt;
    std::optional<std::string> frame = client.Receive();
    std::optional<test::Answer<Response>> answer;
    if (frame) answer = test::ReadAnswer<Response>(std::move(*frame), version);
    if (!answer) Complain(std::string(Request::kName) + " is not answered");
    return answer;
  }
  bool Recover() {
    if (disk_.is_off()) {
      LosePower();
      return Start();
    }
    return false;
  }

  void MakeActors() {
    int32_t most_value_bytes = 20 + world_.Below(1500);
    for (auto [name, kind] : {std::pair("all", ProducerKind::kAcksAll), std::pair("one", ProducerKind::kAcksOne),
                              std::pair("none", ProducerKind::kAcksNone), std::pair("once", ProducerKind::kIdempotent),
                              std::pair("twice", ProducerKind::kIdempotent)}) {
      actors_.push_back(MakeProducer(world_, name, kind, most_value_bytes));
    }
    actors_.push_back(MakeConsumer(world_, "reader", false));
    actors_.push_back(MakeConsumer(world_, "follower", true));
    actors_.push_back(MakeCommitter(world_, "group-1", world_.partitions[0]));
    actors_.push_back(MakeCommitter(world_, "group-2", world_.partitions[1]));
    auto maker = MakeTopicMaker(world_, "extra");
    maker_ = maker.get();
    actors_.push_back(std::move(maker));
    auto beginner = MakeBeginner(world_, "fresh");
    beginner_ = beginner.get();
    actors_.push_back(std::move(beginner));
  }

  // Nothing new is begun; what is under way comes to its end, in a broker that nobody disturbs.
  void Finish() {
    world_.winding_down = true;
    if (disk_.is_off() && !Recover()) return;
    disk_.CutAt(UINT64_MAX / 2, PowerLoss::kNothing);
    auto all_idle = [this] {
      for (const auto& actor : actors_) {
        if (!actor->idle()) return false;
      }
      return true;
    };
    Step(60'000 * kMs, all_idle);
    for (const auto& actor : actors_) {
      if (!actor->idle() && ok()) Complain(actor->name() + " does not come to an end");
    }
    for (const auto* partitions : {&world_.partitions, &world_.begun}) {
      for (const PartitionName& partition : *partitions) {
        if (ok()) ReadWhole(partition);
      }
    }
    CheckTopics();
    Status stopped = broker_->Stop();
    if (!stopped.ok()) Complain("the last stop was not clean: " + stopped.error().message);
  }

  // As a consumer: to the end is to where nothing more comes. What nobody waited for yet becomes visible then.
  void ReadWhole(const PartitionName& name) {
    std::vector<test::ReadBack> all;
    int64_t position = 0;
    for (int64_t last_position = -1; position != last_position && ok();) {
      Arena arena;
      message::FetchRequest request;
      request.max_wait_ms = 1000;
      request.min_bytes = 1;
      auto& topic = request.topics.Add(arena);
      topic.topic = name.topic;
      auto& partition = topic.partitions.Add(arena);
      partition.partition = name.index;
      partition.fetch_offset = position;
      partition.partition_max_bytes = 1 << 20;
      auto answer = AskBroker<message::FetchResponse>(request, 12);
      if (!answer) return;
      const auto& entry = (*answer)->responses[0].partitions[0];
      auto read = test::ReadRecords(entry.records.bytes, position);
      if (entry.error_code != 0 || !read) return Complain(name.ToString() + " cannot be read at " + std::to_string(position));
      all.insert(all.end(), read->records.begin(), read->records.end());
      last_position = std::exchange(position, read->next_offset);
    }
    world_.ledger.CheckWhole(name, all);
  }

  void CheckTopics() {
    message::MetadataRequest request;
    request.topics = decltype(request.topics)::Null();
    auto answer = AskBroker<message::MetadataResponse>(request, 12);
    if (!answer) return;
    std::map<std::string, Uuid> topics;
    for (const auto& topic : (*answer)->topics) topics[std::string(topic.name.value_or(""))] = topic.topic_id;
    maker_->Check(topics);
  }

  RunReport Report() {
    RunReport report;
    report.complaints = world_.ledger.complaints();
    EndLife("the end");
    report.log = said_;
    broker_.reset();
    actors_.clear();
    report.trace = scheduler_.trace();
    report.steps = scheduler_.steps();
    report.acknowledged = world_.ledger.acknowledged();
    report.shown = world_.ledger.shown();
    report.power_cuts = world_.ledger.power_cuts();
    report.disk = 14695981039346656037u;
    for (const auto& [path, content] : disk_.Contents()) {
      for (const std::string& text : {path, content}) {
        for (char byte : text) report.disk = (report.disk ^ static_cast<uint8_t>(byte)) * 1099511628211u;
      }
    }
    return report;
  }

  SimScheduler scheduler_;
  SimFileSystem disk_;
  SimNetwork network_;
  World world_;
  test::SimBrokerOptions options_;
  std::unique_ptr<SimBroker> broker_;
  std::string said_;  // by those before, and how each ended
  std::vector<std::unique_ptr<Actor>> actors_;
  TopicMaker* maker_ = nullptr;
  Beginner* beginner_ = nullptr;
};

}  // namespace

RunReport RunScenario(uint64_t seed, const std::vector<std::pair<std::string, std::string>>& overrides) {
  return Scenario(seed, overrides).Run();
}

}  // namespace kb::sim
