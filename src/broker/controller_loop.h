// ControllerLoop: the way of a change through this node: decided, written, applied, published, answered.
//
//   Decide(f) ─► controller ─ pending ─► [disk pool: append + fdatasync] ─ committed ─► homes: delete, open, lead
//                                                                                       └► images: publish ─► answer
//
// One write is under way at a time, and takes everything that was decided meanwhile: a group commit. A topic is in the
// image, and its creation answered, only when all of its partitions here are in service, or, where they are more than
// kMostAwaited, when their homes know that they are being opened: who asks for such a one waits. So no client is told
// of a partition that would refuse it.
//
// A write that fails for lack of room refuses what was decided (KAFKA_STORAGE_ERROR), takes it back, and the next
// change is tried anew. One that fails otherwise ends the process: nobody knows what is on the disk.
//
// Lives on the first reactor; Decide may be awaited on any.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/log_sink.h"
#include "broker/shard.h"
#include "controller/controller.h"
#include "controller/metadata_log.h"
#include "partition/data_directories.h"
#include "reactor/completion.h"
#include "reactor/disk_pool.h"
#include "reactor/run_on.h"

namespace kb::broker {

class ControllerLoop {
 public:
  struct Environment {
    Cluster& cluster;
    reactor::Reactor& reactor;  // of the first shard
    reactor::DiskPool& disk;
    LogSink& log;
    partition::DataDirectories& directories;
    std::function<void(const Error&)> on_fatal;  // the process must end
  };

  ControllerLoop(const Environment& environment, std::unique_ptr<controller::Controller> controller,
                 std::unique_ptr<controller::MetadataLog> log);
  ~ControllerLoop();

  // Lets the controller decide, and returns its response when everything that it says is in force. From any reactor;
  // `decide` runs on ours, and what it refers to stays with the caller, who waits.
  template <typename Response, typename Decision>
  reactor::Task<Response> Decide(Decision decide) {
    auto on_home = [this, &decide]() -> reactor::Task<Response> {
      controller::Decided<Response> decided = decide(*controller_);
      auto wait = WaitApplied(decided.answer_after);
      bool is_written = co_await wait;
      if (!is_written) controller::RefuseAll(kRefusal, kRefusalMessage, decided.response);
      co_return std::move(decided.response);
    };
    auto call = reactor::RunOn(environment_.reactor, on_home);
    Response response = co_await call;
    co_return response;
  }

  // Records in which data directories replicas of this node lie. Goes on when that is in force; false: it never will be.
  // From our reactor.
  reactor::Task<bool> AssignDirectories(std::vector<std::pair<PartitionId, Uuid>> places);
  // New replicas go to other data directories of this node than these, if there are any. Decisions from now on know of
  // it; the next write takes it. From our reactor.
  void CordonDirectories(const std::vector<Uuid>& directories);

  // Puts the partitions of the present image into service: at start. Goes on when all are open or have failed.
  reactor::Task<void> OpenAll();

  // Creates topics with the defaults, as a client's wish; what cannot be created is left out. Goes on when it is done.
  reactor::Task<void> AutoCreate(std::vector<std::string> names);
  // Creates an internal topic if it is missing. Goes on when it is in service, or could not be created (the error).
  reactor::Task<ErrorCode> EnsureTopic(std::string name, int32_t partitions, int16_t replication_factor,
                                       std::map<std::string, std::string> configs);

  // Gives leadership up and fences this node; goes on when that is on the disk.
  reactor::Task<void> Stop();

  BrokerEpoch broker_epoch() const { return controller_->broker_epoch(); }

 private:
  static constexpr size_t kMostAwaited = 100;
  static constexpr ErrorCode kRefusal = ErrorCode::kKafkaStorageError;
  static constexpr std::string_view kRefusalMessage = "The metadata log has no room on its disk; nothing was changed.";
  // False: it never will be; nothing that was decided up to there has happened.
  reactor::Task<bool> WaitApplied(Offset offset);
  void AnswerApplied();
  void Refuse(const Error& shortage);
  void Kick();
  reactor::Task<void> WriteLoop();
  reactor::Task<void> Apply(controller::Controller::Committed committed);
  reactor::Task<void> DeletePartitions(const metadata::ImageChanges& changes);
  // Goes on when their homes know of them; with `until_open`, when all are open or have failed.
  reactor::Task<void> OpenPartitions(const metadata::MetadataImage& image, const std::vector<PartitionId>& ids,
                                     bool until_open);
  struct Opening;
  reactor::Task<void> OpenOn(size_t shard, std::shared_ptr<Opening> opening);
  void OpenedOne(Opening& opening);
  reactor::Task<void> OpenLater(std::vector<PartitionId> ids);
  reactor::Task<void> ResumeMoves();
  reactor::Task<void> UpdatePartitions(const metadata::MetadataImage& image, const metadata::ImageChanges& changes);
  // defaults: of topics that have no values of their own; filled in when there is the first.
  partition::OpenRequest OpenRequestFor(const metadata::MetadataImage& image, const metadata::Topic& topic,
                                        int32_t index, std::optional<partition::PartitionConfig>& defaults);
  static bool NamesBrokers(const metadata::ImageChanges& changes);
  void TellWithoutEffect(const metadata::MetadataImage& before, const metadata::MetadataImage& after);
  reactor::Task<void> WriteSnapshot(metadata::ImagePtr image);

  const Environment environment_;
  const std::unique_ptr<controller::Controller> controller_;
  const std::unique_ptr<controller::MetadataLog> log_;
  Offset applied_{kNoOffset};
  bool writing_ = false;  // or applying
  bool snapshotting_ = false;
  bool is_short_of_room_ = false;  // the last write failed for lack of it
  struct Waiter {
    Offset offset;
    reactor::Completion<bool>* done;
  };
  size_t openings_ = 0;                       // calls of OpenPartitions whose partitions are not all open yet
  std::vector<Waiter> waiters_;               // for applied_ to come there
  reactor::Signal progress_;                  // something was applied or refused
  std::map<std::string, int> being_created_;  // by AutoCreate and EnsureTopic
};

}  // namespace kb::broker
