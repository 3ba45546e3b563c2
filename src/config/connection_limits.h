// How many connections single addresses may have: max.connections.per.ip.overrides. Immutable values, any thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace kb::config {

inline constexpr std::string_view kConnectionLimitsKey = "max.connections.per.ip.overrides";

using ConnectionLimits = std::map<std::string, int32_t>;  // by address, no brackets around IPv6

// "192.0.2.1:100,2001:db8::1:5". kInvalid when it is not like this. Apache Kafka looks names up as well; here only
// addresses are taken, so that no request waits for a resolver.
Result<ConnectionLimits> ParseConnectionLimits(std::string_view text);

}  // namespace kb::config
