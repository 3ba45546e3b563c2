// What of the protocol the limit program has to read and to write: Produce v8, Fetch v11 (no sessions), ApiVersions v0,
// as bench/load sends them. Views into the frame; nothing is kept. A frame that is none of these, or too short, is not
// read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kb::limit {

inline constexpr int16_t kProduce = 0, kFetch = 1, kApiVersions = 18;

struct Header {
  int16_t api_key = 0;
  int16_t version = 0;
  int32_t correlation_id = 0;
  size_t bytes = 0;  // where the body begins
};
std::optional<Header> ReadHeader(std::span<const uint8_t> frame);

// Of one topic and one partition.
struct ProduceBody {
  std::string_view topic;
  int32_t partition = 0;
  size_t batch_at = 0;  // in the frame
  size_t batch_bytes = 0;
};
std::optional<ProduceBody> ReadProduce(std::span<const uint8_t> frame, const Header& header);

struct FetchPartition {
  int32_t partition = 0;
  int64_t offset = 0;
  size_t most_bytes = 0;
};
// Of one topic. `partitions` is cleared first.
struct FetchBody {
  int32_t max_wait_ms = 0;
  int32_t min_bytes = 0;
  std::string_view topic;
};
std::optional<FetchBody> ReadFetch(std::span<const uint8_t> frame, const Header& header,
                                   std::vector<FetchPartition>* partitions);

// Whole answers, with their length, appended to `out`.
void AnswerProduce(int32_t correlation_id, const ProduceBody& request, int64_t base_offset, std::string* out);
void AnswerApiVersions(int32_t correlation_id, std::string* out);

// Of a Fetch's answer what is in front of the first partition, and what of each is in front of its records. The length
// in front of all counts the records too.
void BeginFetchAnswer(int32_t correlation_id, const FetchBody& request, size_t partitions, size_t record_bytes,
                      std::string* out);
void AddFetchPartition(int32_t partition, int64_t high_watermark, size_t record_bytes, std::string* out);

}  // namespace kb::limit
