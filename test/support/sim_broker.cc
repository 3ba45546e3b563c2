#include "support/sim_broker.h"

namespace kb::test {

void KeepingLog::Write(Severity severity, std::string_view line) {
  text_ += severity == Severity::kInfo ? "I " : severity == Severity::kWarning ? "W " : "E ";
  text_.append(line);
  text_ += '\n';
}

SimBroker::SimBroker(SimScheduler& scheduler, SimFileSystem& files, SimNetwork& network, const SimBrokerOptions& options)
    : scheduler_(scheduler), options_(options) {
  config::ConfigInput input;
  input.overrides = options.overrides;
  input.data_dir = kDataDirectory;
  Result<config::ServerConfig> config = config::LoadServerConfig(input);
  KB_CHECK(config.ok());
  config_ = std::move(config).value();
  for (int i = 0; i <= options.reactors; ++i) reactors_.push_back(scheduler.MakeReactor(i));
  disk_ = std::make_unique<SimDiskPool>(scheduler, options.most_disk_delay_ns);
  std::vector<reactor::Reactor*> reactors;
  for (int i = 0; i < options.reactors; ++i) reactors.push_back(&**reactors_[static_cast<size_t>(i)]);
  server::Node::Environment environment{files,     scheduler.clock(), log_,
                                        network,   *disk_,            reactors,
                                        **reactors_.back(), scheduler.random().Next(),
                                        [this](const Error& error) { fatal_ = error; }};
  node_ = std::make_unique<server::Node>(environment, *config_);
}

Status SimBroker::Begin() {
  Result<std::vector<uint16_t>> ports = node_->Bind();
  if (!ports.ok()) return ports.error();
  KB_RETURN_IF_ERROR(node_->Load());
  reactor::Reactor& first = reactor(0);
  first.Post([this, &first] {
    first.Spawn([this]() -> reactor::Task<void> {
      auto start = node_->Start();
      co_await start;
      serving_ = true;
    });
  });
  return Status();
}

Status SimBroker::Start() {
  KB_RETURN_IF_ERROR(Begin());
  if (!scheduler_.RunUntil([this] { return serving_ || fatal_; })) {
    return Error{ErrorKind::kBusy, "the partitions did not open in time"};
  }
  if (fatal_) return *fatal_;
  return Status();
}

Status SimBroker::Stop() {
  constexpr int64_t kConnectionsNs = 5'000'000'000;
  std::optional<Status> stopped;
  reactor::Reactor& first = reactor(0);
  first.Post([this, &first, &stopped] {
    first.Spawn([this, &stopped]() -> reactor::Task<void> {
      auto stop = node_->Stop(scheduler_.now_ns() + kConnectionsNs);
      stopped = co_await stop;
    });
  });
  bool done = scheduler_.RunUntil([&] { return stopped.has_value(); });
  PowerOff();
  if (!done) return Error{ErrorKind::kBusy, "the stop did not end in time"};
  return *stopped;
}

void SimBroker::PowerOff() {
  if (node_ == nullptr) return;
  disk_->Drop();
  for (auto& reactor : reactors_) (*reactor)->Discard();
  node_.reset();
  reactors_.clear();
  serving_ = false;
}

}  // namespace kb::test
