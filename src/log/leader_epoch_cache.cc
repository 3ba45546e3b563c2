#include "log/leader_epoch_cache.h"

#include <algorithm>

namespace kb::log {

bool LeaderEpochCache::Assign(LeaderEpoch epoch, Offset start_offset) {
  if (epoch.value() < 0) return false;
  if (!entries_.empty()) {
    const EpochStart& latest = entries_.back();
    if (latest.epoch == epoch && latest.start_offset <= start_offset) return false;
    if (latest.epoch > epoch && latest.start_offset < start_offset) return false;  // an older leader's: nothing new
  }
  auto contradicts = [&](const EpochStart& entry) {
    return entry.epoch >= epoch || entry.start_offset >= start_offset;
  };
  entries_.erase(std::find_if(entries_.begin(), entries_.end(), contradicts), entries_.end());
  entries_.push_back({epoch, start_offset});
  return true;
}

EpochEndOffset LeaderEpochCache::EndOffsetFor(LeaderEpoch wanted, Offset log_end_offset) const {
  if (entries_.empty() || wanted.value() < 0 || wanted > entries_.back().epoch) return {};
  if (wanted == entries_.back().epoch) return {wanted, log_end_offset};
  auto next = std::upper_bound(entries_.begin(), entries_.end(), wanted,
                               [](LeaderEpoch value, const EpochStart& entry) { return value < entry.epoch; });
  if (next == entries_.begin()) return {wanted, next->start_offset};
  return {std::prev(next)->epoch, next->start_offset};
}

std::optional<LeaderEpoch> LeaderEpochCache::EpochFor(Offset offset) const {
  auto next = std::upper_bound(entries_.begin(), entries_.end(), offset,
                               [](Offset value, const EpochStart& entry) { return value < entry.start_offset; });
  if (next == entries_.begin()) return std::nullopt;
  return std::prev(next)->epoch;
}

std::optional<LeaderEpoch> LeaderEpochCache::latest_epoch() const {
  if (entries_.empty()) return std::nullopt;
  return entries_.back().epoch;
}

bool LeaderEpochCache::TruncateFromEnd(Offset end_offset) {
  size_t before = entries_.size();
  std::erase_if(entries_, [&](const EpochStart& entry) { return entry.start_offset >= end_offset; });
  return entries_.size() != before;
}

bool LeaderEpochCache::TruncateFromStart(Offset start_offset) {
  auto next = std::upper_bound(entries_.begin(), entries_.end(), start_offset,
                               [](Offset value, const EpochStart& entry) { return value < entry.start_offset; });
  if (next == entries_.begin()) return false;
  auto kept = std::prev(next);
  if (kept == entries_.begin() && kept->start_offset == start_offset) return false;
  kept->start_offset = start_offset;
  entries_.erase(entries_.begin(), kept);
  return true;
}

}  // namespace kb::log
