// BrokerChange: whether the dynamic values of a broker, or of all brokers, may be replaced by others at run time. Pure
// functions over immutable values, any thread.
//
// Apache Kafka checks a change twice: each key by itself, and then the whole configuration that results, as at a start.
// So does this: what a start would refuse (server_config.h) is refused here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/describe.h"
#include "config/properties.h"

namespace kb::config {

struct BrokerChange {
  Layers now;
  const ConfigMap& next;  // takes the place of now.cluster where `of_all`, else of now.broker
  bool of_all = false;
};

// kInvalid: it may not, as in Apache Kafka: a key that cannot change at run time or not for all brokers, a value that
// is not allowed by itself or beside the others, more than half or double of a number of threads. kUnsupported: a key
// that this broker refuses at a start, or a change of listeners. Unknown keys are allowed, as in Apache Kafka. What was
// not allowed before and stays as it is, is passed over. One line for the client.
Status CheckBrokerChange(const BrokerChange& change);

// Keys whose values differ between the two and that have no effect here.
std::vector<std::string> ChangedWithoutEffect(const ConfigMap& before, const ConfigMap& after);

}  // namespace kb::config
