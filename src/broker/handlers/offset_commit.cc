// OffsetCommit (key 8): a group notes how far it has come. Partitions that do not exist are answered here (3, or 100
// for an unknown topic id from v10 on), before the group is looked at; the rest by the coordinator.
#include <unordered_map>

#include "broker/group_requests.h"
#include "broker/handlers.h"
#include "group/convert.h"

namespace kb::broker {
namespace {

using group::OffsetCommitRequest;
using group::OffsetCommitResponse;

// Takes what does not exist out of the request, and says so in the answer.
class ExistingOnly {
 public:
  ExistingOnly(const metadata::MetadataImage& image, bool by_id) : image_(image), by_id_(by_id) {}

  // Gives every topic its name and id. False: something does not exist, and is to be filtered.
  bool Complete(OffsetCommitRequest& request) const {
    for (OffsetCommitRequest::Topic& topic : request.topics) {
      const metadata::Topic* known = Find(topic);
      if (known == nullptr) return false;
      for (const auto& partition : topic.partitions) {
        if (known->FindPartition(partition.index) == nullptr) return false;
      }
      if (by_id_) topic.name = known->name();
      topic.topic_id = known->id();
    }
    return true;
  }

  void Filter(OffsetCommitRequest& request) {
    std::vector<OffsetCommitRequest::Topic> existing;
    for (OffsetCommitRequest::Topic& topic : request.topics) {
      const metadata::Topic* known = Find(topic);
      OffsetCommitResponse::Topic& answer = answers_.emplace_back();
      answer.name = topic.name;
      answer.topic_id = topic.topic_id;
      OffsetCommitRequest::Topic kept{topic.name, topic.topic_id, {}};
      if (known != nullptr) {
        kept.name = known->name();
        kept.topic_id = known->id();
      }
      for (auto& partition : topic.partitions) {
        ErrorCode error = ErrorCode::kNone;
        if (known == nullptr && by_id_)
          error = ErrorCode::kUnknownTopicId;
        else if (known == nullptr || known->FindPartition(partition.index) == nullptr)
          error = ErrorCode::kUnknownTopicOrPartition;
        answer.partitions.push_back({partition.index, error});
        if (error == ErrorCode::kNone) kept.partitions.push_back(std::move(partition));
      }
      if (!kept.partitions.empty()) existing.push_back(std::move(kept));
    }
    request.topics = std::move(existing);
  }

  // Puts the coordinator's answers, which come in the order of what was left, between those given here.
  OffsetCommitResponse Merge(const OffsetCommitResponse& committed) {
    std::vector<ErrorCode> errors;
    for (const auto& topic : committed.topics) {
      for (const auto& partition : topic.partitions) errors.push_back(partition.error);
    }
    size_t next = 0;
    for (auto& topic : answers_) {
      for (auto& partition : topic.partitions) {
        if (partition.error == ErrorCode::kNone && next < errors.size()) partition.error = errors[next++];
      }
    }
    return OffsetCommitResponse{std::move(answers_)};
  }

 private:
  const metadata::Topic* Find(const OffsetCommitRequest::Topic& topic) const {
    return by_id_ ? image_.FindTopic(topic.topic_id) : image_.FindTopic(topic.name);
  }

  const metadata::MetadataImage& image_;
  const bool by_id_;
  std::vector<OffsetCommitResponse::Topic> answers_;
};

}  // namespace

reactor::Task<void> HandleOffsetCommit(RequestContext& context, const message::OffsetCommitRequest& request,
                                       message::OffsetCommitResponse& response) {
  OffsetCommitRequest commit = group::FromMessage(request, context.api_version());
  ExistingOnly existing(context.image(), context.api_version() >= 10);
  const bool all_exist = existing.Complete(commit);  // as nearly always
  if (!all_exist) existing.Filter(commit);
  OffsetCommitResponse committed;
  if (all_exist || !commit.topics.empty()) {
    auto ask = AskCoordinator(context, std::move(commit), &coordinator::GroupCoordinator::OffsetCommit);
    committed = co_await ask;
  }
  auto* answer = context.Own(all_exist ? std::move(committed) : existing.Merge(committed));
  response = group::ToMessage(std::as_const(*answer), context.api_version(), context.arena());
}

}  // namespace kb::broker
