#include "metadata/batch.h"

#include <optional>
#include <string>

#include "base/varint.h"
#include "record/batch.h"
#include "record/builder.h"

namespace kb::metadata {
namespace {

constexpr size_t kSmallestRecord = 7;  // its length and six fields of one byte

Error Damaged(std::string what) { return Error{ErrorKind::kCorrupt, std::move(what)}; }

// Takes the next record off the payload; false when it cannot be read.
bool TakeRecord(ByteView& payload, record::RecordView& record) {
  int32_t size = 0;
  size_t taken = ReadVarint(payload, &size);
  if (taken == 0 || size < 0 || static_cast<size_t>(size) > payload.size() - taken) return false;
  ByteView body = payload.subspan(taken, static_cast<size_t>(size));
  payload = payload.subspan(taken + body.size());
  return record::ParseRecordBody(body, &record);
}

Status ReadRecords(const record::BatchView& view, Batch& batch) {
  ByteView payload = view.payload();
  int32_t count = view.record_count();
  if (count <= 0 || static_cast<size_t>(count) > payload.size() / kSmallestRecord) {
    return Damaged("a batch that counts " + std::to_string(count) + " records");
  }
  batch.records.reserve(static_cast<size_t>(count));
  int32_t previous_delta = -1;
  for (int32_t i = 0; i < count; ++i) {
    record::RecordView record;
    if (!TakeRecord(payload, record)) return Damaged("a batch whose records cannot be read");
    if (record.offset_delta <= previous_delta || record.offset_delta > view.last_offset_delta()) {
      return Damaged("a record with an offset outside its batch");
    }
    previous_delta = record.offset_delta;
    record.offset = batch.base_offset + record.offset_delta;
    batch.records.push_back(record);
  }
  if (!payload.empty()) return Damaged("bytes behind the last record of a batch");
  return {};
}

}  // namespace

std::vector<uint8_t> BuildBatch(Offset base_offset, LeaderEpoch epoch, int64_t timestamp_ms, const RecordList& records,
                                size_t first, size_t count) {
  KB_CHECK(count > 0 && first + count <= records.size());
  record::BatchBuilder builder({.base_offset = base_offset, .leader_epoch = epoch});
  for (size_t i = first; i < first + count; ++i) builder.Append(timestamp_ms, std::nullopt, records[i]);
  return builder.Build();
}

Result<Batch> ReadBatch(ByteView bytes) {
  std::optional<record::BatchView> view = record::BatchView::First(bytes);
  if (!view) return Damaged("no whole batch");
  if (view->magic() != record::kMagic) return Damaged("a batch with magic " + std::to_string(view->magic()));
  if (!view->CheckCrc()) return Damaged("a batch with a wrong checksum");
  if (view->codec() != record::Codec::kNone) {
    return Error{ErrorKind::kForeign, "a compressed batch; the metadata log's batches are not compressed"};
  }
  Batch batch;
  batch.base_offset = view->base_offset();
  batch.last_offset = view->last_offset();
  batch.epoch = view->leader_epoch();
  batch.max_timestamp_ms = view->max_timestamp();
  batch.is_control = view->is_control();
  batch.byte_size = view->bytes().size();
  if (batch.base_offset.value() < 0 || view->last_offset_delta() < 0) return Damaged("a batch with a negative offset");
  KB_RETURN_IF_ERROR(ReadRecords(*view, batch));
  return batch;
}

}  // namespace kb::metadata
