// Reads what Apache Kafka 4.3.1 said about configuration (test/golden/config):
//
//   defaults.json   every key of a broker, topic, group and client-metrics subscription with value and type
//   (DescribeConfigs) describe.jsonl  DescribeConfigs with synonyms, with static and dynamic values set at several
//   places start.jsonl     server.properties and whether a KafkaConfig can be made of it
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace kb::config {

using nlohmann::json;

inline json ReadGoldenJson(const std::string& name) {
  std::ifstream file(std::string(GOLDEN_SOURCE_DIR) + "/config/" + name);
  EXPECT_TRUE(file.good()) << name;
  return json::parse(file);
}

inline std::vector<json> ReadGoldenLines(const std::string& name) {
  std::ifstream file(std::string(GOLDEN_SOURCE_DIR) + "/config/" + name);
  EXPECT_TRUE(file.good()) << name;
  std::vector<json> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(json::parse(line));
  return lines;
}

}  // namespace kb::config
