// Recovery: from the files of a replica directory to a Log, whatever happened to them.
//
//   trusted segments            recovered segments
//   [ ok ][ ok ][ no index ]    [ … ][ … recovery point …][ … torn ]
//                 ▲ scanned       ▲ checked: length, magic, CRC, offsets; the log ends before the first batch that fails
//
// 1. Leftovers: .deleted and .cleaned go, .swap files are put in place or removed, as Apache Kafka's loader does.
// 2. Segments below the recovery point (all, after a clean stop) are trusted as far as their indexes look sound; an index
//    that is missing, has half an entry or points outside its segment is built anew.
// 3. After an unclean stop every segment from the one with the recovery point on is scanned: indexes, leader epochs and
//    producer state are built from the batches. After a clean one only what lies behind the last index entry of the last
//    segment is: a marker says what was meant, not what is there.
// 4. At the first batch that is not whole or not right: above the recovery point the log ends there, and later segments
//    go; nobody was promised them. Below it (or with a whole batch behind it, after a clean stop) the damage stays as it is
//    and readers go past it: cutting would take good records along.
// 5. A segment behind a gap of offsets, where nothing was durable, is what is left of a tail that a power cut took, and
//    goes, too. Not in a log that is or was compacted, nor if the segment has a whole snapshot: what lies before was
//    flushed then.
// 6. A log start on record that is behind the log's end is ignored: no record goes for a number.
//
// Blocks. Source of the rules: Apache Kafka, LogLoader; rules 4 to 6 are our own, on purpose.
#pragma once

#include <memory>

#include "base/result.h"
#include "io/file_system.h"
#include "log/log.h"

namespace kb::log {

class LogRecovery {
 public:
  // is_reload: of a log that was in use until now; producer state is then never taken for granted.
  static Result<std::unique_ptr<Log>> Run(io::FileSystem& files, LogOptions options, RecoveryReport& report,
                                          bool is_reload);
};

}  // namespace kb::log
