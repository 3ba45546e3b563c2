// OffsetFetch (key 9): how far groups have come; one group (v1–v7) or several (v8+). From v10 on topics go by id:
// unknown ids are answered here (100).
#include "broker/group_requests.h"
#include "broker/handlers.h"
#include "group/convert.h"

namespace kb::broker {
namespace {

using group::OffsetFetchRequest;
using group::OffsetFetchResponse;

// Names the topics of a request by id; those that do not exist go into the answer.
std::vector<OffsetFetchResponse::Topic> TakeUnknown(const metadata::MetadataImage& image, OffsetFetchRequest& request) {
  std::vector<OffsetFetchResponse::Topic> unknown;
  if (!request.topics) return unknown;
  std::erase_if(*request.topics, [&](OffsetFetchRequest::Topic& topic) {
    const metadata::Topic* known = image.FindTopic(topic.topic_id);
    if (known != nullptr) {
      topic.name = known->name();
      return false;
    }
    OffsetFetchResponse::Topic& answer = unknown.emplace_back();
    answer.topic_id = topic.topic_id;
    for (int32_t index : topic.partitions) {
      OffsetFetchResponse::Partition& partition = answer.partitions.emplace_back();
      partition.index = index;
      partition.error = ErrorCode::kUnknownTopicId;
    }
    return true;
  });
  return unknown;
}

// "All" by id: what the group has of topics whose id is not known any more cannot be told.
void ResolveIds(const metadata::MetadataImage& image, OffsetFetchResponse& response) {
  std::erase_if(response.topics, [&](OffsetFetchResponse::Topic& topic) {
    const metadata::Topic* known =
        topic.topic_id.is_zero() ? image.FindTopic(topic.name) : image.FindTopic(topic.topic_id);
    if (known == nullptr) return true;
    topic.topic_id = known->id();
    return false;
  });
}

}  // namespace

reactor::Task<void> HandleOffsetFetch(RequestContext& context, const message::OffsetFetchRequest& request,
                                      message::OffsetFetchResponse& response) {
  bool by_id = context.api_version() >= 10;
  std::vector<OffsetFetchResponse> answers;
  std::vector<OffsetFetchRequest> fetches = group::FromMessage(request, context.api_version());
  for (OffsetFetchRequest& fetch : fetches) {
    std::vector<OffsetFetchResponse::Topic> unknown;
    if (by_id) unknown = TakeUnknown(context.image(), fetch);
    bool all = !fetch.topics.has_value();
    std::string group_id = fetch.group_id;
    auto ask = AskCoordinator(context, std::move(fetch), &coordinator::GroupCoordinator::OffsetFetch);
    OffsetFetchResponse answer = co_await ask;
    answer.group_id = std::move(group_id);
    if (by_id && all) ResolveIds(context.image(), answer);
    if (answer.error == ErrorCode::kNone) {
      std::move(unknown.begin(), unknown.end(), std::back_inserter(answer.topics));
    }
    answers.push_back(std::move(answer));
  }
  auto* kept = context.Own(std::move(answers));
  response = group::ToMessage(std::span<const OffsetFetchResponse>(*kept), context.api_version(), context.arena());
}

}  // namespace kb::broker
