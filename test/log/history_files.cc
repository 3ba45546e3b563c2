#include "log/history_files.h"

#include <algorithm>
#include <vector>

#include "log/file_names.h"
#include "log/history_model.h"
#include "log/index_file.h"

namespace kb::log {
namespace {

struct Found {
  uint64_t position;
  int64_t base, last, max_timestamp;
  uint64_t size;
};

template <typename Entry>
std::vector<Entry> EntriesOf(const std::string& bytes) {
  std::vector<Entry> entries;
  for (size_t at = 0; at + Entry::kSize <= bytes.size(); at += Entry::kSize) {
    entries.push_back(Entry::Decode(reinterpret_cast<const uint8_t*>(bytes.data()) + at));
  }
  return entries;
}

class SegmentJudge {
 public:
  SegmentJudge(int64_t base, const std::map<std::string_view, const std::string*>& files, bool is_active,
               const LogConfig& config)
      : base_(base), files_(files), is_active_(is_active), config_(config) {}

  std::string Judge() {
    for (auto judge : {&SegmentJudge::JudgeLog, &SegmentJudge::JudgeIndex, &SegmentJudge::JudgeTimeIndex}) {
      if (std::string complaint = (this->*judge)(); !complaint.empty())
        return "segment " + std::to_string(base_) + ": " + complaint;
    }
    return "";
  }

 private:
  const std::string* File(std::string_view suffix) const {
    auto found = files_.find(suffix);
    return found == files_.end() ? nullptr : found->second;
  }

  std::string JudgeLog() {
    const std::string& log = *File(kLogSuffix);
    record::BatchWalk walk(AsBytes(log));
    uint64_t position = 0;
    while (auto batch = walk.Next()) {
      batches_.push_back({position, batch->base_offset().value(), batch->last_offset().value(), batch->max_timestamp(),
                          batch->bytes().size()});
      position += batch->bytes().size();
    }
    return walk.rest().empty() ? "" : "bytes of no batch at " + std::to_string(position);
  }

  const Found* EndingAt(int64_t last) const {
    auto at = std::find_if(batches_.begin(), batches_.end(), [&](const Found& found) { return found.last == last; });
    return at == batches_.end() ? nullptr : &*at;
  }

  std::string JudgeIndex() {
    const std::string* bytes = File(kIndexSuffix);
    if (bytes == nullptr) return is_active_ || batches_.empty() ? "" : "no offset index";
    if (bytes->size() % OffsetIndexEntry::kSize != 0) return "half an entry in the offset index";
    int64_t before = -1;
    uint64_t indexed = 0;
    for (const OffsetIndexEntry& entry : EntriesOf<OffsetIndexEntry>(*bytes)) {
      const Found* found = EndingAt(base_ + entry.relative_offset);
      const bool is_true = found != nullptr && found->position == static_cast<uint64_t>(entry.position);
      if (!is_true) return "the offset index names no batch: " + std::to_string(base_ + entry.relative_offset);
      if (entry.relative_offset <= before) return "the offset index does not ascend";
      before = entry.relative_offset;
      const uint64_t gap = found->position - indexed;
      if (std::string complaint = JudgeGap(gap); !complaint.empty()) return complaint;
      indexed = found->position;
    }
    if (is_active_ || IsFull(bytes->size())) return "";
    return JudgeGap(batches_.empty() ? 0 : batches_.back().position - indexed);
  }
  bool IsFull(uint64_t index_bytes) const {
    const auto most = static_cast<uint64_t>(config_.segment_index_bytes);
    const std::string* times = File(kTimeIndexSuffix);
    return index_bytes + OffsetIndexEntry::kSize > most ||
           (times != nullptr && times->size() + 2 * TimeIndexEntry::kSize > most);
  }
  // Every batch that begins further behind the last entry would have one. The first of a segment has none.
  std::string JudgeGap(uint64_t gap) const {
    uint64_t largest = 0;
    for (const Found& found : batches_) largest = std::max(largest, found.size);
    return gap <= static_cast<uint64_t>(config_.index_interval_bytes) + 2 * largest ? "" : "the offset index has a gap";
  }

  std::string JudgeTimeIndex() {
    const std::string* bytes = File(kTimeIndexSuffix);
    if (bytes == nullptr) return is_active_ || batches_.empty() ? "" : "no time index";
    if (bytes->size() % TimeIndexEntry::kSize != 0) return "half an entry in the time index";
    int64_t before = -1;
    for (const TimeIndexEntry& entry : EntriesOf<TimeIndexEntry>(*bytes)) {
      const Found* found = EndingAt(base_ + entry.relative_offset);
      if (found == nullptr || found->max_timestamp != entry.timestamp) {
        return "the time index names no batch: " + std::to_string(base_ + entry.relative_offset) + " at " +
               std::to_string(entry.timestamp);
      }
      if (entry.timestamp <= before) return "the time index does not ascend";
      before = entry.timestamp;
      for (const Found& earlier : batches_) {
        if (&earlier == found) break;
        if (earlier.max_timestamp >= entry.timestamp) return "the time index names a later batch than the first";
      }
    }
    int64_t latest = -1;
    for (const Found& found : batches_) latest = std::max(latest, found.max_timestamp);
    return is_active_ || latest == before ? "" : "the time index does not end with the greatest time";
  }

  const int64_t base_;
  const std::map<std::string_view, const std::string*>& files_;
  const bool is_active_;
  const LogConfig& config_;
  std::vector<Found> batches_;
};

// What a snapshot at an offset says of the batches before it. Of a compacted log, some of those are gone.
std::string JudgeSnapshot(int64_t offset, const std::string& bytes, bool is_compacted, const HistoryModel& model) {
  ProducerState state(1000);
  const std::string name = "the snapshot at " + std::to_string(offset);
  if (!state.Restore(AsBytes(bytes), 0).ok()) return "";  // torn, and known to be
  if (offset > model.end || is_compacted) return "";
  HistoryReplay replay;
  for (const auto& [base, batch] : model.batches) {
    if (base < offset) replay.Add(record::BatchView(AsBytes(batch)));
  }
  for (const ActiveProducer& active : state.Active()) {
    auto facts = replay.producers.find(active.id.value());
    if (facts == replay.producers.end()) return name + " knows producer " + ToString(active.id) + " that wrote nothing";
    const int32_t last = facts->second.last.empty() ? -1 : facts->second.last.back().last_sequence;
    const bool knows_less =
        active.last_sequence < 0 && model.log_start > 0;  // the batches went, and so did their snapshot
    const bool is_right =
        knows_less || (active.epoch.value() == facts->second.epoch && active.last_sequence == last &&
                       (active.transaction_first_offset == kNoOffset) == (facts->second.open_since < 0));
    if (!is_right) {
      return name + " is wrong about producer " + ToString(active.id) + ": epoch " + ToString(active.epoch) +
             " sequence " + std::to_string(active.last_sequence) + " open " +
             ToString(active.transaction_first_offset) + ", not " + std::to_string(facts->second.epoch) + " " +
             std::to_string(last) + " " + std::to_string(facts->second.open_since);
    }
  }
  return "";
}

}  // namespace

std::string JudgeFiles(const std::map<std::string, std::string>& contents, const LogConfig& config, bool is_compacted,
                       const HistoryModel& model) {
  std::map<int64_t, std::map<std::string_view, const std::string*>> segments;
  for (const auto& [path, content] : contents) {
    const std::string name = path.substr(path.rfind('/') + 1);
    for (std::string_view suffix : {kDeletedSuffix, kCleanedSuffix, kSwapSuffix}) {
      if (name.ends_with(suffix)) return "left behind: " + name;
    }
    std::optional<OffsetFile> file = ParseOffsetFileName(name);
    if (!file) continue;
    if (file->suffix == kSnapshotSuffix) {
      std::string complaint = JudgeSnapshot(file->offset.value(), content, is_compacted, model);
      if (!complaint.empty()) return complaint;
      continue;
    }
    segments[file->offset.value()][file->suffix] = &content;
  }
  for (auto at = segments.begin(); at != segments.end(); ++at) {
    const auto& [base, files] = *at;
    if (!files.contains(kLogSuffix)) return "an index without a segment at " + std::to_string(base);
    const bool is_active = base == segments.rbegin()->first;
    // What a removal did not get to: nobody reads it, and that it was flushed nobody waited for.
    if (!is_active && std::next(at)->first <= model.log_start) continue;
    if (std::string complaint = SegmentJudge(base, files, is_active, config).Judge(); !complaint.empty())
      return complaint;
  }
  return "";
}

}  // namespace kb::log
