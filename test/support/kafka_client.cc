#include "support/kafka_client.h"

namespace kb::test {
namespace {

constexpr size_t kLengthBytes = 4;

size_t FrameBytes(std::string_view received) {
  return static_cast<size_t>(LoadBigEndian<uint32_t>(AsBytes(received).data()));
}

}  // namespace

bool KafkaClient::HasAnswer() const {
  if (socket_ == nullptr) return false;
  std::string_view received = socket_->received();
  return received.size() >= kLengthBytes && received.size() - kLengthBytes >= FrameBytes(received);
}

std::optional<std::string> KafkaClient::Receive() {
  if (!HasAnswer()) return std::nullopt;
  size_t size = FrameBytes(socket_->received());
  return socket_->Take(kLengthBytes + size).substr(kLengthBytes);
}

std::string BatchOf(const std::vector<std::string>& values, int64_t timestamp_ms, record::BatchOptions options) {
  record::BatchBuilder builder(options);
  for (const std::string& value : values) builder.Append(timestamp_ms, std::nullopt, AsBytes(value));
  std::vector<uint8_t> bytes = builder.Build();
  return {bytes.begin(), bytes.end()};
}

std::optional<ReadBatches> ReadRecords(ByteView bytes, int64_t from) {
  ReadBatches read;
  read.next_offset = from;
  record::Decompressor decompressor;
  record::BatchWalk walk(bytes);
  while (std::optional<record::BatchView> batch = walk.Next()) {
    if (batch->magic() != record::kMagic || !batch->CheckCrc()) return std::nullopt;
    read.next_offset = batch->next_offset().value();
    if (batch->is_control()) continue;
    record::RecordIterator records(*batch, decompressor);
    record::RecordView record;
    record::RecordIterator::Answer answer;
    while ((answer = records.Next(&record)) == record::RecordIterator::kRecord) {
      if (record.offset.value() < from) continue;
      read.records.push_back({record.offset.value(), record.value ? std::string(AsText(*record.value)) : ""});
    }
    if (answer != record::RecordIterator::kEnd) return std::nullopt;
  }
  return read;
}

}  // namespace kb::test
