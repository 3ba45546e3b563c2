#include "config/broker_change.h"

#include <algorithm>
#include <array>
#include <optional>

#include "config/server_config.h"
#include "config/value.h"

namespace kb::config {
namespace {

Error Wrong(std::string_view key, std::string_view why) {
  return Error{ErrorKind::kInvalid, std::string(key) + ": " + std::string(why)};
}
Error NotHere(std::string_view key, std::string_view why) {
  return Error{ErrorKind::kUnsupported, std::string(key) + ": " + std::string(why)};
}

bool IsOfListener(std::string_view key) {
  return key.starts_with(kListenerPrefix);
}

// Of TLS, which Apache Kafka changes for one listener only: with the listener's prefix.
bool NeedsListener(std::string_view key) {
  return key.starts_with("ssl.keystore.") || key.starts_with("ssl.truststore.") || key == "ssl.key.password";
}

// With the listener's prefix these may be set for all brokers.
bool MayBeOfAll(const Row& row) {
  return row.key == "max.connections" || row.key == "max.connection.creation.rate" || row.key == "num.network.threads";
}

// The key by itself.
Status CheckKey(std::string_view key, std::string_view value, bool of_all) {
  const Row* row = RowBehind(key);
  if (row == nullptr) return {};
  const bool of_listener = IsOfListener(key);
  if (!of_listener && row->update_mode == UpdateMode::kReadOnly) {
    return Wrong(key, "it cannot be changed at run time, only in the file");
  }
  if (!of_listener && NeedsListener(key)) {
    return Wrong(key, "it can be changed at run time for one listener only, as listener.name.NAME." + std::string(key));
  }
  if (row->update_mode != UpdateMode::kReadOnly) {
    Result<std::string> canonical = Canonical(*row, value);
    if (!canonical.ok()) return Wrong(key, canonical.error().message);
  }
  const bool per_broker = of_listener ? !MayBeOfAll(*row) : row->update_mode == UpdateMode::kPerBroker;
  if (of_all && per_broker) return Wrong(key, "it cannot be changed for all brokers at once; name the broker");
  return {};
}

Status CheckServedHere(std::string_view key, std::string_view value) {
  const Row* row = RowBehind(key);
  if (row == nullptr || row->support != Support::kRefuseWhenSet) return {};
  return DiffersFromDefault(*row, value) ? Status(NotHere(key, row->why_refused)) : Status();
}

const std::string* FindIn(const ConfigMap& map, std::string_view key) {
  auto found = map.find(key);
  return found == map.end() ? nullptr : &found->second;
}

// A key of the upper layer also hides what the lower ones say with other names for the same thing.
void LayOver(const ConfigMap& upper, ConfigMap* whole) {
  for (const auto& [key, value] : upper) {
    const Row* row = FindRow(Scope::kBroker, key);
    if (row == nullptr || !Canonical(*row, value).ok()) continue;
    for (std::string_view member : FamilyOf(key)) {
      if (auto found = whole->find(member); found != whole->end()) whole->erase(found);
    }
    (*whole)[key] = value;
  }
}

ConfigMap Whole(const Layers& layers) {
  ConfigMap whole = layers.settings.written();
  LayOver(layers.cluster, &whole);
  LayOver(layers.broker, &whole);
  return whole;
}

constexpr std::array<std::string_view, 6> kThreads = {"background.threads",
                                                      "log.cleaner.threads",
                                                      "num.io.threads",
                                                      "num.network.threads",
                                                      "num.recovery.threads.per.data.dir",
                                                      "num.replica.fetchers"};

// Apache Kafka resizes its pools in steps.
Status CheckThreads(const Settings& before, const Settings& after) {
  for (std::string_view key : kThreads) {
    const int32_t was = before.Int(key);
    const int32_t is = after.Int(key);
    if (is == was) continue;
    if (is >= 1 && is >= was / 2 && is <= int64_t{was} * 2) continue;
    return NotAllowed(key, std::to_string(is),
                      "at least 1, and between half and double of what it is now, " + std::to_string(was));
  }
  return {};
}

Status CheckLocalRetention(const Settings& after, std::string_view local_key, int64_t whole,
                           std::string_view whole_key) {
  const int64_t local = after.Long(local_key);
  if (whole < 0 || local == -2) return {};
  if (local >= 0 && local <= whole) return {};
  return NotAllowed(local_key, std::to_string(local),
                    "-2, or at most " + std::string(whole_key) + ", " + std::to_string(whole));
}

Status CheckRetention(const Settings& before, const Settings& after, const Layers& next) {
  auto retention_ms = [](const Layers& layers) {
    return IntegerOf(ValueOf(RowNamed(Scope::kTopic, "retention.ms"), {}, layers).value());
  };
  const bool is_touched = before.Find("log.local.retention.ms") != after.Find("log.local.retention.ms") ||
                          before.Find("log.local.retention.bytes") != after.Find("log.local.retention.bytes") ||
                          before.Find("log.retention.ms") != after.Find("log.retention.ms") ||
                          before.Find("log.retention.bytes") != after.Find("log.retention.bytes");
  if (!is_touched) return {};
  KB_RETURN_IF_ERROR(CheckLocalRetention(after, "log.local.retention.ms", retention_ms(next), "log.retention.ms"));
  return CheckLocalRetention(after, "log.local.retention.bytes", after.Long("log.retention.bytes"),
                             "log.retention.bytes");
}

// What has no place in a table of single keys, and only matters where it changes.
Status CheckChanged(const Settings& before, const Settings& after) {
  auto changes = [&](std::string_view key) { return before.Find(key) != after.Find(key); };
  for (std::string_view key : {"max.connections", "max.connection.creation.rate"}) {
    if (changes(key) && after.Int(key) == 0) return NotAllowed(key, "0", "at least 1");
  }
  if (changes("metric.reporters")) {
    for (const std::string& name : after.List("metric.reporters")) {
      if (name == "org.apache.kafka.common.metrics.JmxReporter") continue;
      return Wrong("metric.reporters", "\"" + name + "\" is not a class that can be loaded here");
    }
  }
  for (std::string_view key : {"listeners", "listener.security.protocol.map"}) {
    if (changes(key)) return Wrong(key, "this broker opens its listeners at the start only");
  }
  return {};
}

Status CheckWhole(const Layers& now, const Layers& next) {
  Result<Settings> before = Settings::Create(Whole(now));
  if (!before.ok()) return {};  // it runs with it
  Result<Settings> after = Settings::Create(Whole(next));
  if (!after.ok()) return after.error();
  KB_RETURN_IF_ERROR(CheckChanged(*before, *after));
  KB_RETURN_IF_ERROR(CheckThreads(*before, *after));
  KB_RETURN_IF_ERROR(CheckSettings(*after));
  return CheckRetention(*before, *after, next);
}

}  // namespace

Status CheckBrokerChange(const BrokerChange& change) {
  const ConfigMap& present = change.of_all ? change.now.cluster : change.now.broker;
  ConfigMap next = change.next;
  for (const auto& [key, value] : change.next) {
    Status allowed = CheckKey(key, value, change.of_all);
    const std::string* before = FindIn(present, key);
    const bool is_old = before != nullptr && *before == value;
    if (!allowed.ok() && is_old) {
      next.erase(key);
      continue;
    }
    KB_RETURN_IF_ERROR(allowed);
    if (!is_old) KB_RETURN_IF_ERROR(CheckServedHere(key, value));
  }
  Layers after{change.now.settings, change.of_all ? change.now.broker : next,
               change.of_all ? next : change.now.cluster};
  return CheckWhole(change.now, after);
}

std::vector<std::string> ChangedWithoutEffect(const ConfigMap& before, const ConfigMap& after) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : after) {
    const std::string* was = FindIn(before, key);
    if (was != nullptr && *was == value) continue;
    const Row* row = RowBehind(key);
    if (row == nullptr || row->support == Support::kNoEffectYet || IsOfListener(key)) keys.push_back(key);
  }
  return keys;
}

}  // namespace kb::config
