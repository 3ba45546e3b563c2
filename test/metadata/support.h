// What the tests of the metadata room share: golden files of Apache Kafka 4.3.1, and replaying lists of records.
//
//   clean.log, clean-225-1.checkpoint   two clean starts of a node with 18 topics, users, quotas, rights; its snapshot
//   fresh.log, bootstrap.checkpoint     one clean start of a freshly formatted node
//   killed.log                          a kill -9 and a clean stop in its life
//   dynamic.log, dynamic-0-0.checkpoint a quorum with dynamic voters (kraft.version 1)
//   without_elr.log                     metadata.version 21, no eligible leader replicas
//   mixed.log                           topics, reassignments and the like
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "metadata/batch.h"
#include "metadata/builder.h"
#include "metadata/record.h"
#include "metadata/snapshot.h"

namespace kb::metadata {

inline std::string ReadGolden(const std::string& name) {
  std::ifstream file(std::string(TEST_SOURCE_DIR) + "/metadata/golden/" + name, std::ios::binary);
  EXPECT_TRUE(file.good()) << name;
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline ImagePtr EmptyImage() { return std::make_shared<const MetadataImage>(); }

// The batches of a log file, in order.
inline std::vector<Batch> BatchesOf(const std::string& log) {
  std::vector<Batch> batches;
  for (ByteView bytes = AsBytes(log); !bytes.empty();) {
    Result<Batch> batch = ReadBatch(bytes);
    EXPECT_TRUE(batch.ok()) << batch.error().message;
    if (!batch.ok()) break;
    bytes = bytes.subspan(batch->byte_size);
    batches.push_back(*std::move(batch));
  }
  return batches;
}

// Replays a log file's records from `first` on.
inline Status ReplayLog(const std::string& log, ImageBuilder& builder, Offset first = Offset(0)) {
  for (const Batch& batch : BatchesOf(log)) {
    for (const record::RecordView& record : batch.records) {
      RecordPosition position{record.offset, batch.epoch, batch.max_timestamp_ms};
      if (record.offset < first) continue;
      if (batch.is_control) {
        builder.Advance(position);
      } else {
        KB_RETURN_IF_ERROR(builder.Replay(*record.value, position));
      }
    }
  }
  return {};
}

inline ImagePtr ImageOfLog(const std::string& log) {
  ImageBuilder builder(EmptyImage());
  Status replayed = ReplayLog(log, builder);
  EXPECT_TRUE(replayed.ok()) << replayed.error().message;
  return builder.Publish().image;
}

inline Status ReplayAll(const RecordList& records, ImageBuilder& builder, Offset first = Offset(0)) {
  for (size_t i = 0; i < records.size(); ++i) {
    KB_RETURN_IF_ERROR(builder.Replay(records[i], {first + static_cast<int64_t>(i), LeaderEpoch(1), 1000}));
  }
  return {};
}

// Everything an image holds, so that two can be compared.
inline std::vector<std::string> Everything(const MetadataImage& image) {
  RecordList records = RecordsOf(image);
  std::vector<std::string> all;
  for (size_t i = 0; i < records.size(); ++i) all.emplace_back(AsText(records[i]));
  return all;
}

}  // namespace kb::metadata
