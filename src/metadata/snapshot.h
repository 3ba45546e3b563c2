// Snapshots: an image as a list of records that replay to it, and the control records around them.
//
//   <end offset, 20 digits>-<epoch, 10 digits>.checkpoint :=
//     control batch: SnapshotHeader [, KRaftVersion, Voters]      offset 0
//     batches of framed records                                   offsets 1…
//     control batch: SnapshotFooter
//
// bootstrap.checkpoint has the same form, with the records that a new cluster begins with. This room makes and reads the
// bytes; `controller` knows the files. Pure functions, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "metadata/image.h"
#include "metadata/record.h"
#include "model/ids.h"
#include "record/control.h"
#include "record/iterate.h"

namespace kb::metadata {

// The records of an image, in Apache Kafka's order: features, brokers and controllers, topics with their partitions,
// configurations, quotas, producer ids, ACLs, SCRAM users, delegation tokens.
RecordList RecordsOf(const MetadataImage& image);

// What control batches say about the quorum: only in logs of kraft.version 1 (dynamic voters).
struct QuorumControl {
  int16_t kraft_version = 0;
  std::vector<record::Voter> voters;
};

// Takes a KRaftVersion or Voters record over into `quorum`; false for any other type.
Result<bool> ApplyQuorumControl(const record::RecordView& control, QuorumControl& quorum);

// The bytes of a snapshot file.
std::vector<uint8_t> EncodeSnapshot(const RecordList& records, LeaderEpoch epoch, int64_t last_contained_timestamp_ms,
                                    int64_t now_ms, const QuorumControl& quorum = {});

struct DecodedSnapshot {
  RecordList records;
  int64_t last_contained_timestamp_ms = 0;
  QuorumControl quorum;
};
// path: for messages only. kCorrupt when the file is not whole, from header to footer.
Result<DecodedSnapshot> DecodeSnapshot(ByteView bytes, const std::string& path);

}  // namespace kb::metadata
