#include "inspect/verify_segment.h"

#include <algorithm>

#include "inspect/batch_file.h"
#include "log/file_names.h"
#include "log/index_file.h"
#include "log/segment_scan.h"
#include "metadata/record.h"
#include "record/iterate.h"

namespace kb::inspect {
namespace {

constexpr size_t kMostIndexBytes = size_t{1} << 31;

std::string AtPosition(uint64_t position) { return "position " + std::to_string(position); }
std::string AtOffset(int64_t offset) { return "offset " + std::to_string(offset); }

// The entries of one index, taken off one by one as the walk over the segment comes by.
template <typename Entry>
class IndexWalk {
 public:
  IndexWalk(io::FileSystem& files, const SegmentContext& context, std::string_view suffix, VerifyReport& report)
      : path_(context.directory + "/" + log::OffsetFileName(context.base_offset, suffix)), report_(report) {
    Read(files, context);
  }

  const Entry* next() const { return at_ < entries_.size() ? &entries_[at_] : nullptr; }
  void Take() { ++at_; }
  void Find(std::string_view what) { FindAt(at_, what); }
  void FindAt(size_t entry, std::string_view what) { report_.Find(path_, AtPosition(entry * Entry::kSize), what); }
  const std::vector<Entry>& entries() const { return entries_; }
  bool is_there() const { return is_there_; }

 private:
  void Read(io::FileSystem& files, const SegmentContext& context) {
    Result<uint64_t> size = files.SizeOf(path_);
    if (!size.ok()) return Missing(size.error(), context);
    is_there_ = true;
    if (*size % Entry::kSize != 0) {
      report_.Find(path_, AtPosition(*size - *size % Entry::kSize), "the file ends inside of an entry");
    }
    Result<std::vector<Entry>> entries = log::ReadIndex<Entry>(files, path_, kMostIndexBytes);
    if (!entries.ok()) return report_.FindOrFail(entries.error());
    entries_ = std::move(entries).value();
    TakeUnwrittenOff();
    report_.index_entries += entries_.size();
  }

  void Missing(const Error& error, const SegmentContext& context) {
    if (error.kind != ErrorKind::kNotFound) return report_.Fail(error.message);
    // The metadata log is read whole: it may do without.
    bool is_needed = !context.is_metadata && (!context.is_last || context.was_clean);
    if (is_needed) report_.Find(path_, "", "missing; the next start builds it anew");
  }
  // A running Apache Kafka keeps room for entries to come: zeros at the end.
  void TakeUnwrittenOff() {
    while (!entries_.empty() && entries_.back() == Entry{}) entries_.pop_back();
  }

  std::string path_;
  VerifyReport& report_;
  std::vector<Entry> entries_;
  bool is_there_ = false;
  size_t at_ = 0;
};

class SegmentVerifier {
 public:
  SegmentVerifier(io::FileSystem& files, const SegmentContext& context, record::Decompressor& decompressor,
                  VerifyReport& report)
      : files_(files),
        context_(context),
        decompressor_(decompressor),
        report_(report),
        path_(context.directory + "/" + log::OffsetFileName(context.base_offset, log::kLogSuffix)),
        offsets_(files, context, log::kIndexSuffix, report),
        times_(files, context, log::kTimeIndexSuffix, report) {}

  SegmentSummary Run() {
    summary_.next_offset = context_.base_offset;
    expected_ = std::max(context_.expected, context_.base_offset);
    ++report_.segments;
    if (context_.expected > context_.base_offset) {
      report_.Find(path_, AtOffset(context_.base_offset.value()), "the segment before reaches into this one");
    } else if (context_.expected < context_.base_offset) {
      Gap(context_.expected, context_.base_offset, 0);
    }
    CheckOrder(offsets_.entries(), offsets_);
    CheckOrder(times_.entries(), times_);
    Result<BatchFile> file = BatchFile::Open(files_, path_);
    if (!file.ok()) {
      report_.Fail(file.error().message);
      return summary_;
    }
    report_.bytes += file->size();
    Walk(*file);
    EndOfIndexes();
    CheckLastTime();
    CheckTransactions();
    return summary_;
  }

 private:
  void Walk(BatchFile& file) {
    uint64_t position = 0;
    while (position < file.size()) {
      std::optional<BatchFile::At> batch = file.Read(position);
      if (file.error()) return report_.Fail(file.error()->message);
      std::string fault = batch ? FaultOf(batch->view) : "no batch begins here";
      if (fault.empty()) {
        Batch(*batch);
        position = batch->end();
        continue;
      }
      std::optional<uint64_t> next = NextWhole(file, position);
      if (!next) return Tail(position, file.size(), fault);
      report_.Find(path_, AtPosition(position) + ", " + AtOffset(expected_.value()),
                   fault + "; the next whole batch begins at position " + std::to_string(*next));
      is_damaged_ = after_damage_ = true;
      Skip(position, *next);
      position = *next;
    }
  }

  // Why a batch with a possible length is no right one; empty: it is.
  std::string FaultOf(const record::BatchView& batch) const {
    if (batch.last_offset_delta() < 0) return "the last offset delta is negative";
    if (!batch.CheckCrc()) return "the checksum of the batch is wrong";
    bool is_in = batch.base_offset() >= context_.base_offset && batch.last_offset() < context_.limit &&
                 batch.last_offset() - context_.base_offset <= INT32_MAX;
    if (!is_in) return "the batch's offset " + ToString(batch.base_offset()) + " does not belong into this segment";
    if (batch.base_offset() < expected_) {
      return "the batch's offset " + ToString(batch.base_offset()) + " is below that of the batch before";
    }
    return "";
  }

  std::optional<uint64_t> NextWhole(const BatchFile& file, uint64_t position) const {
    log::SegmentScan scan(file.file(), position, file.size(), context_.base_offset, log::SegmentScan::kCheckCrc,
                          context_.limit);
    // It finds what is wrong here as well, except for an offset that was there before: then it is asked from behind.
    log::SegmentScan::Answer answer = scan.Next();
    while (answer == log::SegmentScan::kBatch && scan.header().base_offset() < expected_) answer = scan.Next();
    if (answer == log::SegmentScan::kDamaged && scan.Resynchronize(expected_, context_.limit)) answer = scan.Next();
    if (answer != log::SegmentScan::kBatch || scan.position() == position) return std::nullopt;
    return scan.position();
  }

  void Tail(uint64_t position, uint64_t size, const std::string& fault) {
    report_.Find(path_, AtPosition(position) + ", " + AtOffset(expected_.value()),
                 fault + "; the last " + std::to_string(size - position) + " bytes hold no whole batch");
    is_damaged_ = true;
    Skip(position, size);
  }

  // Entries for batches that cannot be read have nothing to be held against.
  void Skip(uint64_t from, uint64_t to) {
    while (offsets_.next() != nullptr && offsets_.next()->position >= 0 &&
           static_cast<uint64_t>(offsets_.next()->position) < to &&
           static_cast<uint64_t>(offsets_.next()->position) >= from) {
      offsets_.Take();
    }
  }

  void Batch(const BatchFile::At& at) {
    const record::BatchView& batch = at.view;
    ++report_.batches;
    if (batch.base_offset() > expected_ && !after_damage_) Gap(expected_, batch.base_offset(), at.position);
    SkipTimesBelow(batch.base_offset());
    after_damage_ = false;
    Records(at);
    Epoch(at);
    OffsetEntries(at);
    TimeEntries(batch);
    latest_ = std::max(latest_, batch.max_timestamp());
    expected_ = summary_.next_offset = batch.next_offset();
    summary_.has_producers |= batch.has_producer();
  }

  void Gap(Offset from, Offset to, uint64_t position) {
    if (from < context_.gaps_below) return;
    report_.Find(path_, AtPosition(position) + ", " + AtOffset(from.value()),
                 "no batch holds the offsets from here to " + std::to_string(to.value() - 1));
  }

  void Records(const BatchFile::At& at) {
    record::RecordIterator records(at.view, decompressor_);
    record::RecordView record;
    record::RecordIterator::Answer answer;
    while ((answer = records.Next(&record)) == record::RecordIterator::kRecord) {
      ++report_.records;
      if (context_.is_metadata && !at.view.is_control()) Frame(at, record);
    }
    if (answer == record::RecordIterator::kEnd) return;
    report_.Find(path_, AtPosition(at.position) + ", " + AtOffset(at.view.base_offset().value()),
                 "the records of the batch cannot be read, though its checksum is right");
  }

  void Frame(const BatchFile::At& at, const record::RecordView& record) {
    Result<metadata::RecordFrame> frame = metadata::ParseFrame(record.value.value_or(ByteView()));
    if (frame.ok()) return;
    report_.Find(path_, AtPosition(at.position) + ", " + AtOffset(record.offset.value()),
                 "not a record of the metadata log: " + frame.error().message);
  }

  void Epoch(const BatchFile::At& at) {
    const LeaderEpoch epoch = at.view.leader_epoch();
    const std::string where = AtPosition(at.position) + ", " + AtOffset(at.view.base_offset().value());
    if (epoch < summary_.last_epoch) {
      report_.Find(path_, where, "leader epoch " + ToString(epoch) + " follows " + ToString(summary_.last_epoch));
    }
    summary_.last_epoch = std::max(summary_.last_epoch, epoch);
    const Offset offset = at.view.last_offset();
    if (epoch < LeaderEpoch(0) || offset < context_.log_start || offset >= context_.epochs_below) return;
    summary_.has_trusted_epochs = true;
    if (context_.epochs.empty()) return;
    auto after = std::upper_bound(context_.epochs.begin(), context_.epochs.end(), offset,
                                  [](Offset of, const log::EpochStart& each) { return of < each.start_offset; });
    if (after != context_.epochs.begin() && std::prev(after)->epoch == epoch) return;
    report_.Find(path_, where,
                 "written in leader epoch " + ToString(epoch) + ", which leader-epoch-checkpoint does not say");
  }

  void OffsetEntries(const BatchFile::At& at) {
    for (; offsets_.next() != nullptr; offsets_.Take()) {
      const log::OffsetIndexEntry& entry = *offsets_.next();
      auto position = static_cast<uint64_t>(std::max(entry.position, 0));
      if (position > at.position) return;
      const Offset offset = context_.base_offset + entry.relative_offset;
      if (position < at.position) {
        offsets_.Find("names position " + std::to_string(entry.position) + ", where no batch begins");
      } else if (offset != at.view.last_offset()) {
        offsets_.Find("names " + AtOffset(offset.value()) + " for the batch that ends with " +
                      ToString(at.view.last_offset()));
      }
    }
  }

  void TimeEntries(const record::BatchView& batch) {
    for (; times_.next() != nullptr; times_.Take()) {
      const log::TimeIndexEntry& entry = *times_.next();
      const Offset offset = context_.base_offset + entry.relative_offset;
      if (offset > batch.last_offset()) return;
      if (entry.timestamp == record::kNoTimestamp) continue;  // of a segment without timestamps
      if (offset != batch.last_offset()) {
        times_.Find("names " + AtOffset(offset.value()) + ", with which no batch ends");
      } else if (entry.timestamp != batch.max_timestamp()) {
        times_.Find("says " + std::to_string(entry.timestamp) + " of the batch whose greatest timestamp is " +
                    std::to_string(batch.max_timestamp()));
      }
    }
  }

  // Behind damage: what the entries speak of was lost.
  void SkipTimesBelow(Offset offset) {
    if (!after_damage_) return;
    while (times_.next() != nullptr && context_.base_offset + times_.next()->relative_offset < offset) times_.Take();
  }

  template <typename Entry>
  void CheckOrder(const std::vector<Entry>& entries, IndexWalk<Entry>& walk) {
    auto falls = [](const Entry& a, const Entry& b) {
      if constexpr (requires { a.timestamp; }) {
        return b.timestamp <= a.timestamp || b.relative_offset < a.relative_offset;
      } else {
        return b.position <= a.position || b.relative_offset <= a.relative_offset;
      }
    };
    auto found = std::adjacent_find(entries.begin(), entries.end(), falls);
    if (found == entries.end()) return;
    walk.FindAt(static_cast<size_t>(found - entries.begin()) + 1, "the entry is not above the one before it");
  }

  void EndOfIndexes() {
    if (is_damaged_) return;  // of what they say nothing can be told
    for (; offsets_.next() != nullptr; offsets_.Take()) {
      offsets_.Find("names position " + std::to_string(offsets_.next()->position) + ", where no batch begins");
    }
    for (; times_.next() != nullptr; times_.Take()) {
      if (times_.next()->timestamp == record::kNoTimestamp) continue;
      const Offset offset = context_.base_offset + times_.next()->relative_offset;
      times_.Find("names " + AtOffset(offset.value()) + ", with which no batch ends");
    }
  }

  // A finished time index ends with the greatest timestamp of its segment: by it the segment is found and retained.
  void CheckLastTime() {
    bool is_finished = !context_.is_metadata && (!context_.is_last || context_.was_clean);
    if (!is_finished || is_damaged_ || latest_ < 0 || !times_.is_there()) return;
    if (!times_.entries().empty() && times_.entries().back().timestamp >= latest_) return;
    times_.FindAt(times_.entries().size(), "the greatest timestamp of the segment, " + std::to_string(latest_) +
                                               ", is not in it");
  }

  void CheckTransactions() {
    const std::string path = context_.directory + "/" + log::OffsetFileName(context_.base_offset, log::kTxnIndexSuffix);
    Result<uint64_t> size = files_.SizeOf(path);
    if (!size.ok()) {
      if (size.error().kind != ErrorKind::kNotFound) report_.Fail(size.error().message);
      return;
    }
    constexpr size_t kEntry = log::TxnIndexEntry::kSize;
    if (*size % kEntry != 0) report_.Find(path, AtPosition(*size - *size % kEntry), "the file ends inside of an entry");
    Result<std::string> content = io::ReadFile(files_, path, kMostIndexBytes);
    if (!content.ok()) return report_.FindOrFail(content.error());
    Offset last = kNoOffset;
    for (size_t at = 0; at + kEntry <= content->size(); at += kEntry) {
      const uint8_t* from = AsBytes(*content).data() + at;
      const log::AbortedTransaction aborted = log::TxnIndexEntry::Decode(from).transaction;
      ++report_.index_entries;
      if (LoadBigEndian<int16_t>(from) != 0) {
        report_.Find(path, AtPosition(at), "an entry of an unknown version");
      } else if (aborted.first_offset > aborted.last_offset || aborted.last_offset < context_.base_offset ||
                 aborted.last_offset >= std::max(expected_, summary_.next_offset)) {
        report_.Find(path, AtPosition(at), "names the transaction from offset " + ToString(aborted.first_offset) +
                                               " to " + ToString(aborted.last_offset) + ", which is not in the segment");
      } else if (aborted.last_offset <= last) {
        report_.Find(path, AtPosition(at), "the entry is not above the one before it");
      }
      last = aborted.last_offset;
    }
  }

  io::FileSystem& files_;
  const SegmentContext& context_;
  record::Decompressor& decompressor_;
  VerifyReport& report_;
  const std::string path_;
  IndexWalk<log::OffsetIndexEntry> offsets_;
  IndexWalk<log::TimeIndexEntry> times_;
  SegmentSummary summary_;
  Offset expected_{0};
  int64_t latest_ = record::kNoTimestamp;  // of all batches
  bool is_damaged_ = false;
  bool after_damage_ = false;
};

}  // namespace

SegmentSummary VerifySegment(io::FileSystem& files, const SegmentContext& context, record::Decompressor& decompressor,
                             VerifyReport& report) {
  return SegmentVerifier(files, context, decompressor, report).Run();
}

}  // namespace kb::inspect
