#include "load/topic.h"

#include <optional>

#include "load/wire.h"
#include "stress/raw_client.h"

namespace kb::load {
namespace {

constexpr int16_t kMetadata = 3, kMetadataVersion = 4;
constexpr int16_t kListOffsets = 2, kListOffsetsVersion = 2;
constexpr int64_t kEarliest = -2, kLatest = -1;
constexpr int16_t kUnknownTopicOrPartition = 3;

struct Described {
  int16_t error = 0;
  std::vector<int16_t> partition_errors;  // by partition
};

Described Describe(Wire* wire, std::string_view name) {
  raw::Out body;
  body.I32(1);
  body.String(name);
  body.I8(0);  // do not make it
  raw::In in(wire->Call(raw::Request(kMetadata, kMetadataVersion, 1, body.bytes())));
  in.Raw(8);  // correlation id, throttle time
  for (int32_t brokers = in.I32(); brokers > 0; --brokers) {
    in.I32();
    in.String();
    in.I32();
    in.String();
  }
  in.String();
  in.I32();
  if (in.I32() != 1) raw::Die("Metadata answered for another number of topics");
  Described described;
  described.error = in.I16();
  in.String();
  in.I8();
  const int32_t partitions = in.I32();
  if (partitions < 0 || static_cast<size_t>(partitions) > in.left()) raw::Die("Metadata with a count that cannot be");
  described.partition_errors.resize(static_cast<size_t>(partitions));
  for (int32_t i = 0; i < partitions; ++i) {
    const int16_t error = in.I16();
    const int32_t index = in.I32();
    if (index < 0 || index >= partitions) raw::Die("Metadata with a partition that cannot be");
    described.partition_errors[static_cast<size_t>(index)] = error;
    in.I32();
    for (int32_t replicas = in.I32(); replicas > 0; --replicas) in.I32();
    for (int32_t isr = in.I32(); isr > 0; --isr) in.I32();
  }
  return described;
}

// By partition, or nothing where one answered an error.
std::optional<std::vector<int64_t>> OffsetsAt(Wire* wire, const Topic& topic, size_t partitions, int64_t timestamp) {
  raw::Out body;
  body.I32(-1);
  body.I8(0);
  body.I32(1);
  body.String(topic.name);
  body.I32(static_cast<int32_t>(partitions));
  for (size_t i = 0; i < partitions; ++i) {
    body.I32(static_cast<int32_t>(i));
    body.I64(timestamp);
  }
  raw::In in(wire->Call(raw::Request(kListOffsets, kListOffsetsVersion, 1, body.bytes())));
  in.Raw(8);
  if (in.I32() != 1) raw::Die("ListOffsets answered for another number of topics");
  in.String();
  std::vector<int64_t> offsets(partitions, -1);
  for (int32_t left = in.I32(); left > 0; --left) {
    const auto index = static_cast<size_t>(in.I32());
    const int16_t error = in.I16();
    in.I64();
    const int64_t offset = in.I64();
    if (error != 0 || index >= partitions) return std::nullopt;
    offsets[index] = offset;
  }
  for (const int64_t offset : offsets) {
    if (offset < 0) return std::nullopt;
  }
  return offsets;
}

// Where there is nobody to ask but a Fetch.
std::vector<int64_t> EndsByFetch(Wire* wire, const Topic& topic, size_t partitions) {
  std::vector<int64_t> ends;
  for (size_t i = 0; i < partitions; ++i) {
    const raw::FetchOptions at_once{.max_wait_ms = 0, .min_bytes = 0, .partition_max_bytes = 1};
    const std::string request = raw::FetchRequest(1, topic.name, static_cast<int32_t>(i), 0, at_once);
    ends.push_back(raw::ParseFetched(wire->Call(request)).high_watermark);
  }
  return ends;
}

std::string Wrong(std::string_view option, std::string_view name, const Described& described, int64_t partitions) {
  const std::string topic = "--" + std::string(option) + ": ";
  if (described.error == kUnknownTopicOrPartition) {
    return topic + "the broker has no topic " + std::string(name);
  }
  if (described.error != 0) {
    return topic + "the broker answers error " + std::to_string(described.error) + " for " + std::string(name);
  }
  const auto has = static_cast<int64_t>(described.partition_errors.size());
  if (partitions > has) {
    return "--partitions is at most " + std::to_string(has) + ", which topic " + std::string(name) + " has, not " +
           std::to_string(partitions);
  }
  for (size_t i = 0; i < static_cast<size_t>(partitions > 0 ? partitions : has); ++i) {
    if (described.partition_errors[i] != 0) {
      return topic + "partition " + std::to_string(i) + " of " + std::string(name) + " cannot be used, error " +
             std::to_string(described.partition_errors[i]);
    }
  }
  return "";
}

}  // namespace

std::string AskTopic(uint16_t port, std::string_view option, std::string_view name, int64_t partitions, bool check,
                     Topic* topic) {
  topic->name = name;
  Wire wire(port);
  wire.AwaitConnected();
  auto count = static_cast<size_t>(partitions);
  if (!check) {
    count = count == 0 ? 1 : count;
    topic->begin.assign(count, 0);
    topic->end = EndsByFetch(&wire, *topic, count);
    return "";
  }
  const Described described = Describe(&wire, name);
  if (std::string wrong = Wrong(option, name, described, partitions); !wrong.empty()) return wrong;
  if (count == 0) count = described.partition_errors.size();
  const auto begin = OffsetsAt(&wire, *topic, count, kEarliest);
  const auto end = OffsetsAt(&wire, *topic, count, kLatest);
  if (!begin.has_value() || !end.has_value()) {
    return "--" + std::string(option) + ": the broker does not say where " + std::string(name) + " begins and ends";
  }
  topic->begin = *begin;
  topic->end = *end;
  return "";
}

}  // namespace kb::load
