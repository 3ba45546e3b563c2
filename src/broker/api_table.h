// The dispatch table: one row for each API that is served, and nothing else anywhere that says what is served.
// ApiVersions answers from it, so what is advertised is what is there. Built at compile time, shared read-only.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "broker/options.h"
#include "protocol/api_key.h"
#include "protocol/reader.h"
#include "reactor/task.h"

namespace kb::broker {

class RequestContext;

struct ApiRow {
  protocol::ApiKey key;
  int16_t min_version;  // served, both inclusive
  int16_t max_version;
  bool advertised;                 // by ApiVersions; false: answered if somebody asks all the same
  int16_t advertised_min_version;  // Produce says 0 (old librdkafka does not compress otherwise) and closes on 0 to 2
  bool on_broker;
  bool on_controller;
  // Whether the next request of the connection may start before this one is answered: Produce and Fetch only.
  bool overlaps;
  // Decodes the body, handles it, encodes the response into context.response().
  reactor::Task<void> (*serve)(RequestContext& context, protocol::Reader& body);

  bool Has(int16_t version) const { return min_version <= version && version <= max_version; }
  bool ServedOn(const Listener& listener) const { return listener.is_controller ? on_controller : on_broker; }
};

// In ascending order of key.
std::span<const ApiRow> ApiTable();
// nullptr: not served.
const ApiRow* FindRow(int16_t key);

}  // namespace kb::broker
