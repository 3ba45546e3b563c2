// The table against what a live Apache Kafka says about its keys.
#include "config/rows.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "config/golden.h"
#include "config/value.h"

namespace kb::config {
namespace {

constexpr Scope kScopes[] = {Scope::kBroker, Scope::kTopic, Scope::kGroup, Scope::kClientMetrics};

Type TypeNamed(const std::string& name) {
  static const std::map<std::string, Type> types = {
      {"BOOL", Type::kBoolean}, {"BOOLEAN", Type::kBoolean},  {"STRING", Type::kString}, {"INT", Type::kInt},
      {"SHORT", Type::kShort},  {"LONG", Type::kLong},        {"DOUBLE", Type::kDouble}, {"LIST", Type::kList},
      {"CLASS", Type::kClass},  {"PASSWORD", Type::kPassword}};
  return types.at(name);
}

// Keys that only we have, or that Apache Kafka leaves to a plug-in.
const std::set<std::string_view> kOurs = {"acks.all.durability",   "http.listeners",
                                          "log.scrub.interval.ms", "log.scrub.io.max.bytes.per.second",
                                          "request.slow.ms",       "storage.min.free.bytes"};

TEST(Rows, EveryBrokerKeyOfApacheKafkaHasItsTypeAndDefault) {
  json broker = ReadGoldenJson("defaults.json")["broker"];
  EXPECT_EQ(broker.size(), 340u);
  for (const auto& [key, expected] : broker.items()) {
    SCOPED_TRACE(key);
    const Row* row = FindRow(Scope::kBroker, key);
    ASSERT_NE(row, nullptr);
    EXPECT_EQ(row->type, TypeNamed(expected["type"]));
    EXPECT_EQ(row->update_mode == UpdateMode::kReadOnly, expected["readOnly"].get<bool>());
    EXPECT_EQ(row->sensitive(), expected["sensitive"].get<bool>());
    EXPECT_FALSE(row->internal);
    if (expected["source"] != 5) continue;  // it was set for the recording
    if (expected["value"].is_null()) {
      EXPECT_FALSE(row->default_value.has_value());
    } else {
      EXPECT_EQ(row->default_value, expected["value"].get<std::string>());
    }
  }
  for (const Row& row : RowsOf(Scope::kBroker)) {
    if (!row.internal && !kOurs.contains(row.key)) {
      EXPECT_TRUE(broker.contains(std::string(row.key))) << row.key << " is not a key of Apache Kafka";
    }
  }
}

TEST(Rows, EveryTopicGroupAndClientMetricsKeyIsThere) {
  json golden = ReadGoldenJson("defaults.json");
  auto count = [](Scope scope) {
    size_t listed = 0;
    for (const Row& row : RowsOf(scope)) listed += !row.internal;
    return listed;
  };
  EXPECT_EQ(golden["topic"].size(), count(Scope::kTopic));
  for (const auto& [key, expected] : golden["topic"].items()) {
    const Row* row = FindRow(Scope::kTopic, key);
    ASSERT_NE(row, nullptr) << key;
    EXPECT_EQ(row->type, TypeNamed(expected["type"])) << key;
    if (!expected["synonyms"].empty()) {
      ASSERT_FALSE(row->synonyms.empty()) << key;
      bool found = false;
      for (const Synonym& synonym : row->synonyms) found |= synonym.key == expected["synonyms"][0].get<std::string>();
      EXPECT_TRUE(found) << key;
    }
  }
  for (const auto& [name, scope] :
       {std::pair("group", Scope::kGroup), std::pair("clientMetrics", Scope::kClientMetrics)}) {
    EXPECT_EQ(golden[name].size(), count(scope));
    for (const auto& [key, value] : golden[name].items()) {
      const Row* row = FindRow(scope, key);
      ASSERT_NE(row, nullptr) << key;
      EXPECT_EQ(row->default_value, value.get<std::string>()) << key;
    }
  }
}

TEST(Rows, AreSortedAndFound) {
  for (Scope scope : kScopes) {
    std::string_view last;
    for (const Row& row : RowsOf(scope)) {
      EXPECT_LT(last, row.key);
      last = row.key;
      EXPECT_EQ(FindRow(scope, row.key), &row);
    }
    EXPECT_EQ(FindRow(scope, "no.such.key"), nullptr);
  }
}

TEST(Rows, EveryDefaultIsAllowedAndInItsCanonicalForm) {
  for (Scope scope : kScopes) {
    for (const Row& row : RowsOf(scope)) {
      if (!row.default_value.has_value()) continue;
      Result<std::string> canonical = Canonical(row, *row.default_value);
      ASSERT_TRUE(canonical.ok()) << canonical.error().message;
      EXPECT_EQ(*canonical, *row.default_value) << row.key;
    }
  }
}

TEST(Rows, SynonymsAreKeysOfTheBrokerAndOfTheSameKind) {
  for (Scope scope : {Scope::kTopic, Scope::kGroup}) {
    for (const Row& row : RowsOf(scope)) {
      for (const Synonym& synonym : row.synonyms) {
        const Row* broker = FindRow(Scope::kBroker, synonym.key);
        ASSERT_NE(broker, nullptr) << synonym.key;
        if (synonym.factor == 1) {
          EXPECT_EQ(broker->type, row.type) << row.key;
        }
      }
    }
  }
}

TEST(Rows, WhatMustNotBeIgnoredIsRefusedForAReason) {
  for (const Row& row : RowsOf(Scope::kBroker)) {
    EXPECT_EQ(row.support == Support::kRefuseWhenSet, !row.why_refused.empty()) << row.key;
    if (row.key.starts_with("ssl.") || row.key.starts_with("sasl.")) {
      EXPECT_EQ(row.support, Support::kRefuseWhenSet) << row.key << " must work before it may be set";
    }
  }
}

}  // namespace
}  // namespace kb::config
