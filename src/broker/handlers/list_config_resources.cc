// ListConfigResources (key 74): what has configurations of its own, or could have: groups and client-metrics
// subscriptions with values, every broker and its loggers, every topic.
#include <algorithm>
#include <set>

#include "broker/handlers.h"

namespace kb::broker {
namespace {

using message::ListConfigResourcesRequest;
using message::ListConfigResourcesResponse;
using metadata::ConfigResourceType;

constexpr ConfigResourceType kTypes[] = {ConfigResourceType::kGroup, ConfigResourceType::kClientMetrics,
                                         ConfigResourceType::kBrokerLogger, ConfigResourceType::kBroker,
                                         ConfigResourceType::kTopic};

class Lister {
 public:
  Lister(RequestContext& context, ListConfigResourcesResponse& response) : context_(context), response_(response) {}

  void List(ConfigResourceType type) {
    switch (type) {
      case ConfigResourceType::kGroup:
      case ConfigResourceType::kClientMetrics:
        return ListSet(type);
      case ConfigResourceType::kBrokerLogger:
      case ConfigResourceType::kBroker:
        return ListBrokers(type);
      case ConfigResourceType::kTopic:
        context_.image().ForEachTopic([&](const metadata::Topic& topic) { Add(type, topic.name()); });
    }
  }

 private:
  void ListSet(ConfigResourceType type) {
    std::set<std::string_view> names;
    context_.image().ForEachConfigResource([&](const metadata::ConfigResource& resource, const auto&) {
      if (resource.type == type) names.insert(resource.name);
    });
    for (std::string_view name : names) Add(type, name);
  }
  void ListBrokers(ConfigResourceType type) {
    for (const auto& [id, broker] : context_.image().brokers()) {
      if (broker.fenced || broker.FindEndpoint(context_.listener().name) == nullptr) continue;
      Add(type, context_.arena().Copy(std::string_view(std::to_string(id.value()))));
    }
  }
  // The name lives as long as the image or the arena, and so until the answer is encoded.
  void Add(ConfigResourceType type, std::string_view name) {
    auto& entry = response_.config_resources.Add(context_.arena());
    entry.resource_name = name;
    entry.resource_type = static_cast<int8_t>(type);
  }

  RequestContext& context_;
  ListConfigResourcesResponse& response_;
};

}  // namespace

reactor::Task<void> HandleListConfigResources(RequestContext& context, const ListConfigResourcesRequest& request,
                                              ListConfigResourcesResponse& response) {
  Lister lister(context, response);
  if (context.api_version() == 0) {  // there was nothing else to list then
    lister.List(ConfigResourceType::kClientMetrics);
    co_return;
  }
  std::set<ConfigResourceType> wanted;
  for (int8_t type : request.resource_types) {
    wanted.insert(static_cast<ConfigResourceType>(type));
    if (std::find(std::begin(kTypes), std::end(kTypes), static_cast<ConfigResourceType>(type)) != std::end(kTypes)) {
      continue;
    }
    response.error_code = static_cast<int16_t>(ErrorCode::kUnsupportedVersion);
    co_return;
  }
  for (ConfigResourceType type : kTypes) {
    if (wanted.empty() || wanted.contains(type)) lister.List(type);
  }
}

}  // namespace kb::broker
