#include "coordinator/partition_reader.h"

#include "log/producer_state.h"
#include "reactor/completion.h"
#include "record/batch.h"
#include "record/iterate.h"

namespace kb::coordinator {

reactor::Task<Status> PartitionReader::ReadAll(std::shared_ptr<partition::Partition> partition, Visit visit) {
  Offset end = partition->log_end_offset();
  reactor::Completion<ErrorCode> committed;
  partition->WhenCommitted(end, [&committed](ErrorCode error) { committed.TrySet(error); });
  auto wait = committed.Wait();
  ErrorCode error = co_await wait;
  const std::string name = partition->name().ToString();
  if (error != ErrorCode::kNone) co_return Error{ErrorKind::kIo, name + ": " + std::string(ErrorName(error))};

  std::vector<uint8_t> piece;
  Offset next = partition->log_start_offset();
  while (next < end) {
    partition::ReadRequest request;
    request.id = partition->id();
    request.fetch_offset = next;
    request.max_bytes = kPieceBytes;
    auto read = partition->Read(request);
    partition::ReadOutcome outcome = co_await read;
    if (outcome.error == ErrorCode::kCorruptMessage && outcome.next_offset > next) {
      next = outcome.next_offset;  // it was logged; all groups of the partition for ever would be too high a price
      continue;
    }
    if (outcome.error != ErrorCode::kNone) {
      co_return Error{ErrorKind::kIo,
                      name + " at offset " + ToString(next) + ": " + std::string(ErrorName(outcome.error))};
    }
    if (!outcome.slice) break;  // nothing but a gap up to the end
    const log::Slice& slice = *outcome.slice;
    piece.resize(slice.size_bytes);
    auto fetch = disk_.Run([&slice, &piece] { return slice.file->ReadAt(slice.position, piece); });
    Result<size_t> bytes = co_await fetch;
    if (!bytes.ok()) co_return bytes.error();
    Offset before = next;
    Status visited = VisitBatches(name, ByteView(piece).first(*bytes), before, visit, &next);
    if (!visited.ok()) co_return visited;
    if (next == before)
      co_return Error{ErrorKind::kCorrupt, name + " at offset " + ToString(next) + ": no whole batch"};
    reactor::Yield yield;
    co_await yield;
  }
  co_return Status();
}

Status PartitionReader::VisitBatches(const std::string& name, ByteView bytes, Offset from, const Visit& visit,
                                     Offset* next) {
  auto corrupt = [&](const record::BatchView& batch, const char* what) {
    return Error{ErrorKind::kCorrupt, name + " at offset " + ToString(batch.base_offset()) + ": " + what};
  };
  record::BatchWalk walk(bytes);
  while (std::optional<record::BatchView> whole = walk.Next()) {
    const record::BatchView& batch = *whole;
    if (!batch.CheckCrc()) return corrupt(batch, "the batch's checksum is wrong");
    *next = batch.next_offset();
    if (batch.is_control()) {
      if (auto marker = log::ParseTransactionMarker(batch)) {
        StoredRecord end;
        end.offset = batch.base_offset();
        end.producer_id = batch.producer_id();
        end.end_of_transaction = true;
        end.committed = marker->commit;
        KB_RETURN_IF_ERROR(visit(end));
      }
      continue;
    }
    record::RecordIterator records(batch, decompressor_);
    record::RecordView record;
    record::RecordIterator::Answer answer;
    while ((answer = records.Next(&record)) == record::RecordIterator::kRecord) {
      if (record.offset < from) continue;
      StoredRecord stored;
      stored.offset = record.offset;
      stored.key = record.key;
      stored.value = record.value;
      stored.producer_id = batch.producer_id();
      stored.transactional = batch.is_transactional();
      KB_RETURN_IF_ERROR(visit(stored));
    }
    if (answer != record::RecordIterator::kEnd) return corrupt(batch, "its records cannot be read");
  }
  return Status();
}

}  // namespace kb::coordinator
