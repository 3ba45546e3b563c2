#include "metadata/batch.h"

#include <string_view>

#include "base/crc32c.h"
#include "base/varint.h"
#include "record/batch.h"

namespace kb::metadata {
namespace {

// What is appended to a string in big-endian and varint pieces.
class Out {
 public:
  explicit Out(std::string& to) : to_(to) {}
  template <typename T>
  void Int(T value) {
    uint8_t bytes[sizeof value];
    StoreBigEndian(bytes, value);
    Bytes(bytes);
  }
  void Varint(int32_t value) {
    uint8_t bytes[5];
    Bytes({bytes, static_cast<size_t>(WriteVarint(bytes, value) - bytes)});
  }
  void Bytes(ByteView bytes) { to_.append(AsText(bytes)); }
  // A length and the bytes; no key is length -1.
  void SizedBytes(ByteView bytes, bool is_null) {
    Varint(is_null ? -1 : static_cast<int32_t>(bytes.size()));
    Bytes(bytes);
  }

 private:
  std::string& to_;
};

// One record of a batch: everything behind its length is counted first.
void AppendRecord(Out& out, int32_t offset_delta, ByteView key, bool has_key, ByteView value) {
  size_t key_size = has_key ? VarintSize(static_cast<int32_t>(key.size())) + key.size() : VarintSize(-1);
  size_t value_size = VarintSize(static_cast<int32_t>(value.size())) + value.size();
  size_t size = 1 + VarintSize(0) + VarintSize(offset_delta) + key_size + value_size + VarintSize(0);
  out.Varint(static_cast<int32_t>(size));
  out.Int(int8_t{0});  // attributes
  out.Varint(0);       // timestamp delta
  out.Varint(offset_delta);
  out.SizedBytes(key, !has_key);
  out.SizedBytes(value, false);
  out.Varint(0);  // headers
}

struct BatchStart {
  Offset base_offset;
  LeaderEpoch epoch;
  int64_t timestamp_ms;
  uint16_t attributes;
  size_t count;
};

template <typename AppendRecords>
void AppendBatch(std::string& to, const BatchStart& start, const AppendRecords& append_records) {
  size_t at = to.size();
  Out out(to);
  out.Int(start.base_offset.value());
  out.Int(int32_t{0});  // length, known at the end
  out.Int(start.epoch.value());
  out.Int(record::kMagic);
  out.Int(uint32_t{0});  // checksum, known at the end
  out.Int(start.attributes);
  out.Int(static_cast<int32_t>(start.count) - 1);
  out.Int(start.timestamp_ms);
  out.Int(start.timestamp_ms);
  out.Int(kNoProducerId.value());
  out.Int(kNoProducerEpoch.value());
  out.Int(record::kNoSequence);
  out.Int(static_cast<int32_t>(start.count));
  append_records(out);
  auto* bytes = reinterpret_cast<uint8_t*>(to.data() + at);
  size_t size = to.size() - at;
  StoreBigEndian(bytes + record::kBatchLengthAt, static_cast<int32_t>(size - record::kBatchPrefixBytes));
  ByteView checked = ByteView(bytes, size).subspan(record::kCheckedFrom);
  StoreBigEndian(bytes + record::kCrcAt, Crc32c(checked));
}

// Reads the parts of one record. Any overrun makes it fail for good.
class In {
 public:
  explicit In(ByteView bytes) : rest_(bytes) {}
  bool ok() const { return ok_; }
  ByteView rest() const { return rest_; }
  int32_t Varint() {
    int32_t value = 0;
    Skip(ReadVarint(rest_, &value));
    return value;
  }
  void Varlong() {
    int64_t value = 0;
    Skip(ReadVarlong(rest_, &value));
  }
  ByteView Take(int32_t size) {
    if (size < 0 || static_cast<size_t>(size) > rest_.size()) {
      ok_ = false;
      return {};
    }
    ByteView taken = rest_.first(static_cast<size_t>(size));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  // Null reads as empty.
  ByteView SizedBytes() {
    int32_t size = Varint();
    return size < 0 ? ByteView() : Take(size);
  }

 private:
  void Skip(size_t taken) {
    if (taken == 0) ok_ = false;
    rest_ = rest_.subspan(taken);
  }
  ByteView rest_;
  bool ok_ = true;
};

// Takes the next record off `in`; false when it cannot be read.
bool ReadRecord(In& in, Offset base_offset, Batch::Record& out) {
  In body(in.Take(in.Varint()));
  body.Take(1);  // attributes: nothing is defined
  body.Varlong();
  int32_t offset_delta = body.Varint();
  out.key = body.SizedBytes();
  out.value = body.SizedBytes();
  int32_t headers = body.Varint();
  out.offset = base_offset + offset_delta;
  return in.ok() && body.ok() && headers == 0 && body.rest().empty() && offset_delta >= 0;
}

Error Damaged(std::string what) { return Error{ErrorKind::kCorrupt, std::move(what)}; }

Status ReadRecords(const record::BatchView& view, Batch& batch) {
  int32_t count = view.record_count();
  // The smallest record takes 7 bytes.
  if (count <= 0 || static_cast<size_t>(count) > view.payload().size() / 7) return Damaged("a batch with a wrong count");
  batch.records.reserve(static_cast<size_t>(count));
  In in(view.payload());
  Offset previous = batch.base_offset - 1;
  for (int32_t i = 0; i < count; ++i) {
    Batch::Record record;
    if (!ReadRecord(in, batch.base_offset, record)) return Damaged("a batch whose records cannot be read");
    if (record.offset <= previous || record.offset > batch.last_offset) return Damaged("a record outside its batch");
    previous = record.offset;
    batch.records.push_back(record);
  }
  if (!in.rest().empty()) return Damaged("bytes behind the last record of a batch");
  return {};
}

}  // namespace

void AppendDataBatch(std::string& out, Offset base_offset, LeaderEpoch epoch, int64_t timestamp_ms,
                     const RecordList& records, size_t first, size_t count) {
  KB_CHECK(count > 0 && first + count <= records.size());
  AppendBatch(out, {base_offset, epoch, timestamp_ms, 0, count}, [&](Out& to) {
    for (size_t i = 0; i < count; ++i) AppendRecord(to, static_cast<int32_t>(i), {}, false, records[first + i]);
  });
}

void AppendDataBatch(std::string& out, Offset base_offset, LeaderEpoch epoch, int64_t timestamp_ms,
                     const RecordList& records) {
  AppendDataBatch(out, base_offset, epoch, timestamp_ms, records, 0, records.size());
}

void AppendControlBatch(std::string& out, Offset base_offset, LeaderEpoch epoch, int64_t timestamp_ms,
                        const std::vector<ControlRecord>& records) {
  KB_CHECK(!records.empty());
  AppendBatch(out, {base_offset, epoch, timestamp_ms, record::kControlBit, records.size()}, [&](Out& to) {
    for (size_t i = 0; i < records.size(); ++i) {
      uint8_t key[4];
      StoreBigEndian(key, int16_t{0});
      StoreBigEndian(key + 2, static_cast<int16_t>(records[i].type));
      AppendRecord(to, static_cast<int32_t>(i), key, true, AsBytes(records[i].value));
    }
  });
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

Result<int16_t> ControlTypeOf(ByteView key) {
  if (key.size() < 4) return Damaged("a control record with a short key");
  return LoadBigEndian<int16_t>(key.data() + 2);
}

}  // namespace kb::metadata
