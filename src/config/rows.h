// The table of configuration keys: every key of Apache Kafka 4.3.1 with its type, default and rule, and what it does
// here. One table, made at build time from the TSV files beside this header; DescribeConfigs, the checks of
// CreateTopics and AlterConfigs, server.properties and the lists of the documentation all read it. Immutable, any
// thread.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string_view>

#include "base/check.h"

namespace kb::config {

// The values are those of DescribeConfigsResponse.
enum class Type : int8_t {
  kBoolean = 1,
  kString = 2,
  kInt = 3,
  kShort = 4,
  kLong = 5,
  kDouble = 6,
  kList = 7,
  kClass = 8,
  kPassword = 9,
};

// What a key belongs to.
enum class Scope : uint8_t { kBroker, kTopic, kGroup, kClientMetrics };

// How a broker key may be changed: only in the file; for one broker at run time; for one broker or for all.
enum class UpdateMode : uint8_t { kReadOnly, kPerBroker, kClusterWide };

enum class Importance : uint8_t { kLow, kMedium, kHigh };

// What a broker key does here.
enum class Support : uint8_t {
  kWorks,
  kNoEffectYet,    // named in one warning at start when it is set to anything but its default
  kRefuseWhenSet,  // without it security or durability would be weaker than its owner believes: the start ends
};

// What a value must be beside being of its type.
struct Rule {
  enum Kind : uint8_t {
    kAny,
    kRange,              // a number within [least, most], or -1 where or_minus_one
    kOneOf,              // one of words; of a list: each item
    kNotEmptyText,       // a text with at least one character
    kThrottledReplicas,  // "*", or partition:broker,…
    kOffsetReset,        // latest, earliest, by_duration:PnDTnHnMn.nS
  };
  Kind kind = kAny;
  double least = std::numeric_limits<double>::lowest();
  double most = std::numeric_limits<double>::max();
  bool or_minus_one = false;
  std::span<const std::string_view> words = {};
  bool any_case = false;   // words compare without regard to case
  bool not_empty = false;  // of a list: at least one item
};

// A broker key that a topic's or group's key falls back to, and what to multiply it with (hours to milliseconds).
struct Synonym {
  std::string_view key;
  int64_t factor = 1;
};

struct Row {
  std::string_view key;
  Scope scope = Scope::kBroker;
  Type type = Type::kString;
  std::optional<std::string_view> default_value;  // nullopt is null
  bool required = false;                          // must be in the file
  Rule rule;
  Importance importance = Importance::kMedium;
  bool internal = false;  // not listed to clients
  UpdateMode update_mode = UpdateMode::kReadOnly;
  Support support = Support::kWorks;
  std::string_view why_refused;       // of kRefuseWhenSet
  std::span<const Synonym> synonyms;  // the first that is set counts

  bool sensitive() const { return type == Type::kPassword; }
};

// All rows of a scope, sorted by key.
std::span<const Row> RowsOf(Scope scope);
// nullptr for a key that is none.
const Row* FindRow(Scope scope, std::string_view key);
// Of a broker key as people write it, also listener.name.NAME.KEY and listener.name.NAME.MECHANISM.KEY: the row of KEY.
// nullptr for a key that is none.
const Row* RowBehind(std::string_view key);
inline constexpr std::string_view kListenerPrefix = "listener.name.";
// The row of a key of the table's own; asking for another one is a mistake in this program.
const Row& RowNamed(Scope scope, std::string_view key);

}  // namespace kb::config
