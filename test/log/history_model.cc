#include "log/history_model.h"

#include <algorithm>

#include "record/iterate.h"

namespace kb::log {
namespace {

record::BatchView ViewOf(const std::string& bytes) {
  return record::BatchView(AsBytes(bytes));
}

std::string NameOf(const record::BatchHeader& batch) {
  return "batch " + std::to_string(batch.base_offset().value()) + ".." + std::to_string(batch.last_offset().value());
}

}  // namespace

// ---- replay

void HistoryReplay::Add(const record::BatchView& batch) {
  if (!batch.has_producer()) return;
  std::optional<TransactionMarker> marker;
  if (batch.is_control()) marker = ParseTransactionMarker(batch);
  if (batch.is_control() && !marker) return;
  const int64_t id = batch.producer_id().value();
  ProducerFacts& facts = producers[id];
  if (facts.epoch != batch.producer_epoch().value()) facts.last.clear();
  facts.epoch = batch.producer_epoch().value();
  facts.ends_with_marker = marker.has_value();
  if (!marker) {
    facts.last.push_back(
        {batch.base_sequence(), batch.last_sequence(), batch.base_offset().value(), batch.last_offset().value()});
    if (facts.last.size() > 5) facts.last.pop_front();
    if (!batch.is_transactional()) return;
    if (facts.open_since < 0) facts.open_since = batch.base_offset().value();
    open_data[id].insert(batch.base_offset().value());
    return;
  }
  facts.coordinator_epoch = marker->coordinator_epoch;
  if (facts.open_since < 0) return;
  const int64_t first = std::exchange(facts.open_since, -1);
  ended[{id, first}] = batch.base_offset().value();
  std::set<int64_t> data = std::exchange(open_data[id], {});
  if (marker->commit) return;
  int64_t stable = batch.next_offset().value();
  for (const auto& [other, its] : producers) {
    if (its.open_since >= 0) stable = std::min(stable, its.open_since);
  }
  aborted.push_back({batch.producer_id(), Offset(first), batch.base_offset(), Offset(stable)});
  aborted_offsets.insert(data.begin(), data.end());
}

HistoryReplay HistoryModel::Replay() const {
  HistoryReplay replay;
  for (const auto& [base, bytes] : batches) replay.Add(ViewOf(bytes));
  return replay;
}

HistoryReplay HistoryModel::Replay(const std::vector<std::string>& batches) {
  HistoryReplay replay;
  for (const std::string& bytes : batches) replay.Add(ViewOf(bytes));
  return replay;
}

// ---- what happened

void HistoryModel::Add(ByteView bytes) {
  record::BatchWalk walk(bytes);
  while (auto batch = walk.Next()) {
    batches[batch->base_offset().value()] = AsText(batch->bytes());
    end = batch->next_offset().value();
  }
  required_end = end;
}

void HistoryModel::AddAttempt(ByteView bytes) {
  record::BatchWalk walk(bytes);
  while (auto batch = walk.Next()) attempts.emplace_back(AsText(batch->bytes()));
}

// Where the last batches were compacted away, the log ends before them when it is opened again. Of those below the log
// start that a cleaning came to, nobody looked whether they are there.
int64_t HistoryModel::EndBelow(int64_t offset) const {
  auto at = batches.lower_bound(offset);
  if (at == batches.begin()) return 0;
  const int64_t end_below = ViewOf(std::prev(at)->second).next_offset().value();
  return end_below <= log_start && std::prev(at)->first < cleaned_end ? 0 : end_below;
}

void HistoryModel::Truncating(int64_t offset) {
  required_end = std::min({required_end, offset, EndBelow(offset)});
  for (auto gone = batches.lower_bound(offset); gone != batches.end(); ++gone) ghosts.push_back(gone->second);
  durable = std::min(durable, required_end);
  log_start = std::min(log_start, offset);
  least_log_start = std::min(least_log_start, offset);
  if (!cleaning) return;
  cleaning->end = std::min(cleaning->end, offset);
  cleaning->touched_end = std::min(cleaning->touched_end, offset);
}

void HistoryModel::Truncated(int64_t offset) {
  batches.erase(batches.lower_bound(offset), batches.end());
  attempts.clear();
  ghosts.clear();
  end = offset;
}

void HistoryModel::StartedAnewAt(int64_t offset) {
  batches.clear();
  attempts.clear();
  ghosts.clear();
  log_start = end = required_end = offset;
  durable = 0;  // not even the name of the first segment
}

void HistoryModel::Flushed(int64_t recovery_point) {
  durable = std::max(durable, recovery_point);
  ghosts.clear();
}

// ---- judging

std::vector<HistoryRecord> HistoryModel::RecordsOf(const record::BatchView& batch) {
  std::vector<HistoryRecord> all;
  record::RecordIterator records(batch, decompressor_);
  record::RecordView record;
  while (records.Next(&record) == record::RecordIterator::kRecord) {
    HistoryRecord one{record.offset.value(), record.timestamp, {}, {}};
    if (record.key) one.key.emplace(AsText(*record.key));
    if (record.value) one.value.emplace(AsText(*record.value));
    all.push_back(std::move(one));
  }
  return all;
}

bool HistoryModel::IsAttempt(ByteView batch) const {
  auto is_in = [&](const std::vector<std::string>& all) {
    return std::find(all.begin(), all.end(), AsText(batch)) != all.end();
  };
  return is_in(attempts) || is_in(ghosts);
}

void HistoryModel::Clean() {
  must_stay_.clear();
  may_stay_.clear();
  // The map may have taken some keys of the batch for which it had no room.
  std::map<std::string, int64_t> latest, latest_of_all;
  aborted_ = Replay().aborted_offsets;
  std::vector<std::pair<HistoryRecord, bool>> candidates;  // and whether its horizon is over
  for (const auto& [base, bytes] : batches) {
    if (base >= cleaning->touched_end) break;
    const record::BatchView batch = ViewOf(bytes);
    if (batch.is_control() || aborted_.contains(base)) continue;
    const bool is_expired = batch.delete_horizon_ms() && *batch.delete_horizon_ms() <= cleaning->now_ms;
    for (HistoryRecord& record : RecordsOf(batch)) {
      if (!record.key) continue;
      latest_of_all[*record.key] = record.offset;
      if (record.offset >= cleaning->end) continue;
      latest[*record.key] = record.offset;
      candidates.emplace_back(std::move(record), is_expired);
    }
  }
  for (const auto& [record, is_expired] : candidates) {
    if (!record.value && is_expired) continue;
    if (latest[*record.key] == record.offset) may_stay_.insert(record.offset);
    if (latest_of_all[*record.key] == record.offset) must_stay_.insert(record.offset);
  }
}

// A batch below the end of a cleaning: nothing new in it, and what had to stay stayed. is_known: what an earlier cleaning
// left of it was looked at.
std::string HistoryModel::JudgeCleaned(const record::BatchView& before, const record::BatchView& found, bool is_known) {
  bool is_same_batch = before.last_offset() == found.last_offset() && before.producer_id() == found.producer_id() &&
                       before.producer_epoch() == found.producer_epoch() &&
                       before.base_sequence() == found.base_sequence() && before.is_control() == found.is_control() &&
                       before.is_transactional() == found.is_transactional() &&
                       before.leader_epoch() == found.leader_epoch();
  if (!is_same_batch) return NameOf(found) + " changed its header in a cleaning";
  const std::vector<HistoryRecord> old_records = RecordsOf(before), records = RecordsOf(found);
  if (records.size() != static_cast<size_t>(found.record_count()))
    return NameOf(found) + " cannot be read after a cleaning";
  auto at = old_records.begin();
  for (const HistoryRecord& record : records) {
    while (at != old_records.end() && at->offset < record.offset) ++at;
    if (at == old_records.end() || *at != record) return "a cleaning changed record " + std::to_string(record.offset);
  }
  if (found.is_control() || aborted_.contains(found.base_offset().value())) return "";
  std::set<int64_t> present;
  for (const HistoryRecord& record : records) present.insert(record.offset);
  for (const HistoryRecord& record : old_records) {
    const bool must = record.offset >= cleaning->end || must_stay_.contains(record.offset);
    const bool may = must || may_stay_.contains(record.offset);
    if (must && is_known && !present.contains(record.offset)) return "a cleaning lost record " + std::to_string(record.offset);
    // Below the log start it may be there because of another one there: they are not looked for.
    if (!may && cleaning->is_done && present.contains(record.offset) &&
        record.offset >= std::max(log_start, cleaning->looked_from)) {
      return "a cleaning left record " + std::to_string(record.offset);
    }
  }
  return "";
}

// is_in_doubt: whether what came behind the last whole batch may be missing.
std::string HistoryModel::JudgeMissing(const record::BatchView& batch, bool is_in_doubt) {
  if (cleaning && batch.base_offset().value() < cleaning->touched_end) {
    if (batch.is_control() || aborted_.contains(batch.base_offset().value())) return "";
    for (const HistoryRecord& record : RecordsOf(batch)) {
      const bool must = record.offset >= cleaning->end || must_stay_.contains(record.offset);
      if (must) return "record " + std::to_string(record.offset) + " is missing after a cleaning";
    }
    return "";
  }
  if (!is_in_doubt) return NameOf(batch) + " is missing";
  return "";
}

std::string HistoryModel::Judge(const std::vector<std::string>& found, int64_t found_start, int64_t found_end,
                                bool may_have_holes) {
  if (found_start < least_log_start || found_start > std::max(log_start, least_log_start)) {
    return "the log starts at " + std::to_string(found_start) + ", not in " + std::to_string(least_log_start) + ".." +
           std::to_string(log_start);
  }
  if (found_end < required_end) {
    return "the log ends at " + std::to_string(found_end) + ", before " + std::to_string(required_end);
  }
  const int64_t cleaned_before = cleaned_end;
  if (cleaning) {
    Clean();
    cleaned_end = std::max(cleaned_end, cleaning->touched_end);
  }
  std::map<int64_t, const std::string*> by_base;
  int64_t next = found_start;
  bool is_first = true;
  for (const std::string& bytes : found) {
    const record::BatchView batch = ViewOf(bytes);
    const int64_t base = batch.base_offset().value();
    if (!batch.CheckCrc()) return NameOf(batch) + " has a wrong checksum";
    if (!is_first && base < next) return NameOf(batch) + " lies before the end of its predecessor";
    if (batch.next_offset().value() > found_end) return NameOf(batch) + " lies behind the end of the log";
    is_first = false;
    next = batch.next_offset().value();
    by_base[base] = &bytes;
    auto known = batches.find(base);
    if (known != batches.end() && known->second == bytes) continue;
    if (known != batches.end() && cleaning && base < cleaning->touched_end) {
      const bool is_known = base >= cleaned_before || batch.next_offset().value() > log_start;
      const std::string complaint = JudgeCleaned(ViewOf(known->second), batch, is_known);
      if (!complaint.empty()) return complaint;
      continue;
    }
    if (known != batches.end() && base < cleaned_end && batch.next_offset().value() <= log_start) continue;
    if (base < required_end)
      return NameOf(batch) + (known == batches.end() ? " was never written" : " is not what was written");
    if (!IsAttempt(batch.bytes())) return NameOf(batch) + " was never written, nor tried";
  }
  std::optional<int64_t> hole;
  for (const auto& [base, bytes] : batches) {
    const record::BatchView batch = ViewOf(bytes);
    if (batch.next_offset().value() <= log_start) continue;
    const bool is_there = by_base.contains(base);
    if (is_there && hole && !may_have_holes && ghosts.empty())
      return NameOf(batch) + " is there, and the one at " + std::to_string(*hole) + " is not";
    if (is_there) continue;
    const bool is_in_doubt = base >= required_end;
    if (std::string complaint = JudgeMissing(batch, is_in_doubt); !complaint.empty()) return complaint;
    if (is_in_doubt && !hole) hole = base;
  }
  return "";
}

void HistoryModel::TakeOver(const std::vector<std::string>& found, int64_t found_start, int64_t found_end) {
  std::erase_if(batches, [&](const auto& each) { return ViewOf(each.second).next_offset().value() > found_start; });
  for (const std::string& bytes : found) batches[ViewOf(bytes).base_offset().value()] = bytes;
  attempts.clear();
  cleaning.reset();
  log_start = found_start;
  end = required_end = found_end;
  durable = std::min(durable, found_end);
}

}  // namespace kb::log
