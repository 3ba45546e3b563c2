// One segment and its indexes, held against each other. Reads only; blocks; one thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "inspect/verify_report.h"
#include "io/file_system.h"
#include "log/checkpoint_files.h"
#include "model/ids.h"
#include "record/compression.h"

namespace kb::inspect {

// What is known of the log around the segment.
struct SegmentContext {
  std::string directory;
  Offset base_offset{0};
  Offset limit{INT64_MAX};         // base of the next segment
  Offset expected{0};              // the next offset after the segment before; the base of the first one
  Offset gaps_below{0};            // compaction may have taken batches out below this
  bool is_last = false;
  bool was_clean = false;          // the directory has the marker of a clean stop
  bool is_metadata = false;        // records have frames
  std::vector<log::EpochStart> epochs;  // of leader-epoch-checkpoint; empty: not compared
  Offset epochs_below{0};               // what lies above may be in an epoch that is not written down yet
  Offset log_start{0};
};

struct SegmentSummary {
  Offset next_offset{0};  // behind the last batch; the base offset of an empty one
  LeaderEpoch last_epoch = kNoLeaderEpoch;
  bool has_producers = false;
  bool has_trusted_epochs = false;  // batches below epochs_below that name one
};

SegmentSummary VerifySegment(io::FileSystem& files, const SegmentContext& context, record::Decompressor& decompressor,
                             VerifyReport& report);

}  // namespace kb::inspect
