// Records of the internal topics as text, in the words of Apache Kafka's tools. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "record/control.h"
#include "record/iterate.h"

namespace kb::inspect {

enum class Decoder { kText, kClusterMetadata, kOffsets, kTransactions, kShareState };

struct Decoded {
  std::optional<std::string> key;
  std::optional<std::string> payload;
  bool is_fatal = false;  // Apache Kafka's tool stops at such a record; `payload` says why
};

Decoded DecodeRecord(Decoder decoder, const record::RecordView& record);

// What follows the metadata of a control record: "endTxnMarker: COMMIT coordinatorEpoch: 0", "LeaderChange: {…}".
std::string DescribeControl(const record::RecordView& record);

}  // namespace kb::inspect
