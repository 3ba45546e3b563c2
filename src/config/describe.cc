#include "config/describe.h"

#include <algorithm>
#include <array>
#include <map>

#include "config/value.h"

namespace kb::config {
namespace {

const std::string* FindIn(const ConfigMap& map, std::string_view key) {
  auto found = map.find(key);
  return found == map.end() ? nullptr : &found->second;
}

std::optional<std::string> Allowed(const Row& row, const std::string* text) {
  if (text == nullptr) return std::nullopt;
  Result<std::string> canonical = Canonical(row, *text);
  if (!canonical.ok()) return std::nullopt;
  return *std::move(canonical);
}

// Set by somebody: at run time or in the file.
std::optional<std::string> SetValue(const Layers& layers, const Row& row) {
  if (std::optional<std::string> value = Allowed(row, FindIn(layers.broker, row.key))) return value;
  if (std::optional<std::string> value = Allowed(row, FindIn(layers.cluster, row.key))) return value;
  return Allowed(row, FindIn(layers.settings.written(), row.key));
}

std::string Times(const std::string& number, int64_t factor) {
  return factor == 1 ? number : std::to_string(IntegerOf(number) * factor);
}

// Broker keys of which the first that is set counts. Asked for one, the others are named with it.
constexpr std::array<std::string_view, 3> kRetention = {"log.retention.ms", "log.retention.minutes",
                                                        "log.retention.hours"};
constexpr std::array<std::string_view, 2> kRoll = {"log.roll.ms", "log.roll.hours"};
constexpr std::array<std::string_view, 2> kRollJitter = {"log.roll.jitter.ms", "log.roll.jitter.hours"};
constexpr std::array<std::string_view, 2> kFlush = {"log.flush.interval.ms", "log.flush.scheduler.interval.ms"};

}  // namespace

std::vector<std::string_view> FamilyOf(std::string_view key) {
  auto members_if_named = [&](auto& family) {
    bool named = std::find(family.begin(), family.end(), key) != family.end();
    return named ? std::vector<std::string_view>(family.begin(), family.end()) : std::vector<std::string_view>();
  };
  for (auto members : {members_if_named(kRetention), members_if_named(kRoll), members_if_named(kRollJitter)}) {
    if (!members.empty()) return members;
  }
  // One way only: the scheduler's interval does not fall back to the log's.
  if (key == kFlush[0]) return {kFlush.begin(), kFlush.end()};
  return {key};
}

namespace {

// Every place where a broker key, or one of its family, has a value; what stands before the key itself is left out.
std::vector<Described::Synonym> SynonymsOf(const Layers& layers, std::string_view key) {
  std::vector<Described::Synonym> synonyms;
  std::vector<std::string_view> family = FamilyOf(key);
  auto add = [&](std::string_view name, std::optional<std::string> value, Source source) {
    if (RowNamed(Scope::kBroker, name).sensitive()) value = std::nullopt;
    synonyms.push_back({std::string(name), std::move(value), source});
  };
  auto add_from = [&](const ConfigMap& map, Source source) {
    for (std::string_view name : family) {
      if (const std::string* text = FindIn(map, name)) add(name, *text, source);
    }
  };
  add_from(layers.broker, Source::kDynamicBroker);
  add_from(layers.cluster, Source::kDynamicDefault);
  add_from(layers.settings.written(), Source::kStaticBroker);
  for (std::string_view name : family) {
    const Row& row = RowNamed(Scope::kBroker, name);
    if (row.default_value.has_value()) add(name, std::string(*row.default_value), Source::kDefault);
  }
  auto first = std::find_if(synonyms.begin(), synonyms.end(), [&](const auto& synonym) { return synonym.key == key; });
  synonyms.erase(synonyms.begin(), first);
  return synonyms;
}

Described Describe(const Row& row, std::optional<std::string> value, std::vector<Described::Synonym> synonyms) {
  Described described;
  described.key = row.key;
  described.row = &row;
  described.type = static_cast<int8_t>(row.type);
  described.sensitive = row.sensitive();
  if (!row.sensitive()) described.value = std::move(value);
  described.source = synonyms.empty() ? Source::kDefault : synonyms.front().source;
  described.synonyms = std::move(synonyms);
  return described;
}

// A resource that is not a broker.
std::vector<Described> DescribeAll(Scope scope, const ConfigMap& own, Source own_source, const Layers& layers) {
  std::vector<Described> all;
  for (const Row& row : RowsOf(scope)) {
    if (row.internal && FindIn(own, row.key) == nullptr) continue;
    std::optional<std::string> value = ValueOf(row, own, layers);
    std::vector<Described::Synonym> synonyms;
    if (FindIn(own, row.key) != nullptr) synonyms.push_back({std::string(row.key), value, own_source});
    std::vector<Described::Synonym> of_broker;
    if (!row.synonyms.empty()) {
      of_broker = SynonymsOf(layers, row.synonyms.front().key);
    } else if (scope == Scope::kGroup && row.default_value.has_value()) {
      of_broker.push_back({std::string(row.key), std::string(*row.default_value), Source::kDefault});
    }
    synonyms.insert(synonyms.end(), of_broker.begin(), of_broker.end());
    all.push_back(Describe(row, std::move(value), std::move(synonyms)));
  }
  return all;
}

}  // namespace

std::string Documentation(const Row& row) {
  std::string text = "It must be " + Allowed(row) + ".";
  for (const Synonym& synonym : row.synonyms) {
    text += std::string(&synonym == row.synonyms.data() ? " Falls back to " : ", ") + std::string(synonym.key);
  }
  if (!row.synonyms.empty()) text += ".";
  if (row.scope == Scope::kBroker) {
    if (row.update_mode == UpdateMode::kReadOnly) text += " Read at the start only.";
    if (row.update_mode == UpdateMode::kPerBroker) text += " May be changed at run time, for one broker.";
    if (row.update_mode == UpdateMode::kClusterWide) text += " May be changed at run time, for one broker or for all.";
  }
  if (row.support == Support::kNoEffectYet) text += " It has no effect in this broker yet.";
  if (row.support == Support::kRefuseWhenSet) text += " This broker refuses it: " + std::string(row.why_refused) + ".";
  return text;
}

std::optional<std::string> BrokerValue(const Layers& layers, std::string_view key) {
  const Row& row = RowNamed(Scope::kBroker, key);
  if (std::optional<std::string> value = SetValue(layers, row)) return value;
  if (!row.default_value.has_value()) return std::nullopt;
  return std::string(*row.default_value);
}

std::optional<std::string> ValueOf(const Row& row, const ConfigMap& own, const Layers& layers) {
  KB_CHECK(row.scope != Scope::kBroker);
  if (std::optional<std::string> value = Allowed(row, FindIn(own, row.key))) return value;
  for (const Synonym& synonym : row.synonyms) {
    std::optional<std::string> value = SetValue(layers, RowNamed(Scope::kBroker, synonym.key));
    if (!value.has_value()) continue;
    // log.retention takes any negative number as "no limit".
    bool no_limit = row.key == "retention.ms" && IntegerOf(*value) < 0;
    return no_limit ? "-1" : Times(*value, synonym.factor);
  }
  for (const Synonym& synonym : row.synonyms) {
    const Row& broker_row = RowNamed(Scope::kBroker, synonym.key);
    if (broker_row.default_value.has_value()) return Times(std::string(*broker_row.default_value), synonym.factor);
  }
  if (!row.default_value.has_value()) return std::nullopt;
  return std::string(*row.default_value);
}

namespace {

// A key that is in no table by its own name: somebody's, or a key for one listener.
Described DescribeOther(const std::string& key, std::string value, Source source) {
  Described described;
  described.key = key;
  described.row = RowBehind(key);
  // What nobody here knows may be a password: a plugin's, or a misspelt key.
  described.sensitive = described.row == nullptr || described.row->sensitive();
  if (described.row != nullptr) described.type = static_cast<int8_t>(described.row->type);
  described.source = source;
  described.read_only = true;
  if (!described.sensitive) described.value = std::move(value);
  described.synonyms.push_back({key, described.value, source});
  return described;
}

void AddOthers(const Layers& layers, std::vector<Described>& all) {
  std::map<std::string_view, size_t> seen;  // where each stands in `all`
  auto add = [&](const ConfigMap& map, Source source) {
    for (const auto& [key, value] : map) {
      if (FindRow(Scope::kBroker, key) != nullptr) continue;
      Described other = DescribeOther(key, value, source);
      auto [known, is_new] = seen.emplace(key, all.size());
      if (is_new) {
        all.push_back(std::move(other));
      } else {
        all[known->second].synonyms.push_back(std::move(other.synonyms.front()));
      }
    }
  };
  add(layers.broker, Source::kDynamicBroker);
  add(layers.cluster, Source::kDynamicDefault);
  add(layers.settings.written(), Source::kStaticBroker);
  if (seen.empty()) return;
  std::sort(all.begin(), all.end(), [](const Described& a, const Described& b) { return a.key < b.key; });
}

}  // namespace

std::vector<Described> DescribeBroker(const Layers& layers) {
  std::vector<Described> all;
  for (const Row& row : RowsOf(Scope::kBroker)) {
    bool is_set = SetValue(layers, row).has_value();
    if (row.internal && !is_set) continue;
    all.push_back(Describe(row, BrokerValue(layers, row.key), SynonymsOf(layers, row.key)));
    all.back().read_only = row.update_mode == UpdateMode::kReadOnly;
  }
  AddOthers(layers, all);
  return all;
}

std::vector<Described> DescribeTopic(const ConfigMap& own, const Layers& layers) {
  return DescribeAll(Scope::kTopic, own, Source::kTopic, layers);
}

std::vector<Described> DescribeGroup(const ConfigMap& own, const Layers& layers) {
  return DescribeAll(Scope::kGroup, own, Source::kGroup, layers);
}

std::vector<Described> DescribeClientMetrics(const ConfigMap& own) {
  const Settings nothing_written;
  const ConfigMap nothing;
  return DescribeAll(Scope::kClientMetrics, own, Source::kClientMetrics, {nothing_written, nothing, nothing});
}

std::vector<Described> DescribeClusterDefaults(const ConfigMap& cluster) {
  std::vector<Described> all;
  for (const auto& [key, text] : cluster) {
    const Row* row = FindRow(Scope::kBroker, key);
    if (row == nullptr) {
      all.push_back(DescribeOther(key, text, Source::kDynamicDefault));
      continue;
    }
    std::optional<std::string> value;
    if (!row->sensitive()) value = text;
    all.push_back(Describe(*row, value, {{key, value, Source::kDynamicDefault}}));
    all.back().read_only = row->update_mode == UpdateMode::kReadOnly;
  }
  return all;
}

}  // namespace kb::config
