// OffsetDelete (key 47, KIP-496): a group forgets how far it has come in partitions that it is not subscribed to.
#include <algorithm>

#include "broker/group_requests.h"
#include "broker/handlers.h"
#include "group/convert.h"

namespace kb::broker {

namespace {

using group::OffsetDeleteRequest;
using group::OffsetDeleteResponse;

// Takes partitions that do not exist out of the request; the answer says 3 for each.
std::vector<OffsetDeleteResponse::Topic> TakeUnknown(const metadata::MetadataImage& image,
                                                     OffsetDeleteRequest& request) {
  std::vector<OffsetDeleteResponse::Topic> unknown;
  for (OffsetDeleteRequest::Topic& topic : request.topics) {
    const metadata::Topic* known = image.FindTopic(topic.name);
    OffsetDeleteResponse::Topic answer;
    answer.name = topic.name;
    std::erase_if(topic.partitions, [&](int32_t index) {
      if (known != nullptr && known->FindPartition(index) != nullptr) return false;
      answer.partitions.push_back({index, ErrorCode::kUnknownTopicOrPartition});
      return true;
    });
    if (!answer.partitions.empty()) unknown.push_back(std::move(answer));
  }
  std::erase_if(request.topics, [](const OffsetDeleteRequest::Topic& topic) { return topic.partitions.empty(); });
  return unknown;
}

}  // namespace

reactor::Task<void> HandleOffsetDelete(RequestContext& context, const message::OffsetDeleteRequest& request,
                                       message::OffsetDeleteResponse& response) {
  OffsetDeleteRequest wanted = group::FromMessage(request, context.api_version());
  std::vector<OffsetDeleteResponse::Topic> unknown = TakeUnknown(context.image(), wanted);
  auto ask = AskCoordinator(context, std::move(wanted), &coordinator::GroupCoordinator::OffsetDelete);
  OffsetDeleteResponse answered = co_await ask;
  if (answered.error == ErrorCode::kNone) {
    // One entry per topic: what exists and what does not are told together.
    for (OffsetDeleteResponse::Topic& topic : unknown) {
      auto same = std::find_if(answered.topics.begin(), answered.topics.end(),
                               [&](const OffsetDeleteResponse::Topic& one) { return one.name == topic.name; });
      if (same == answered.topics.end()) {
        answered.topics.push_back(std::move(topic));
      } else {
        same->partitions.insert(same->partitions.begin(), topic.partitions.begin(), topic.partitions.end());
      }
    }
  }
  auto* kept = context.Own(std::move(answered));
  response = group::ToMessage(std::as_const(*kept), context.api_version(), context.arena());
}

}  // namespace kb::broker
