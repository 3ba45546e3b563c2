#include "limit/answers.h"

#include "base/bytes.h"

namespace kb::limit {
namespace {

constexpr int16_t kProduceVersion = 8, kFetchVersion = 11;
constexpr int16_t kCorruptMessage = 2;
constexpr size_t kFetchPartitionBytes = 42;  // in front of the records

// Reads big-endian fields; once the bytes are too few, everything is 0 and good() is false.
class Reader {
 public:
  Reader(std::span<const uint8_t> bytes, size_t at) : bytes_(bytes), at_(at) {}

  template <typename T>
  T Get() {
    const size_t at = Skip(sizeof(T));
    return good_ ? LoadBigEndian<T>(&bytes_[at]) : T{0};
  }
  std::string_view String() {
    const auto size = Get<int16_t>();
    if (size <= 0) return {};
    const size_t at = Skip(static_cast<size_t>(size));
    return good_ ? AsText(bytes_.subspan(at, static_cast<size_t>(size))) : std::string_view();
  }
  size_t Skip(size_t bytes) {
    const size_t at = at_;
    good_ = good_ && bytes <= bytes_.size() - at_;
    if (good_) at_ += bytes;
    return at;
  }
  size_t at() const { return at_; }
  size_t left() const { return bytes_.size() - at_; }
  bool good() const { return good_; }

 private:
  const std::span<const uint8_t> bytes_;
  size_t at_;
  bool good_ = true;
};

template <typename T>
void Put(T value, std::string* out) {
  uint8_t bytes[sizeof(T)];
  StoreBigEndian<T>(bytes, value);
  out->append(reinterpret_cast<const char*>(bytes), sizeof bytes);
}

void PutString(std::string_view text, std::string* out) {
  Put<int16_t>(static_cast<int16_t>(text.size()), out);
  out->append(text);
}

// Leaves room for the length of an answer.
size_t BeginAnswer(int32_t correlation_id, std::string* out) {
  const size_t at = out->size();
  Put<int32_t>(0, out);
  Put<int32_t>(correlation_id, out);
  return at;
}

void EndAnswer(size_t at, size_t bytes_to_come, std::string* out) {
  StoreBigEndian<int32_t>(reinterpret_cast<uint8_t*>(out->data()) + at,
                          static_cast<int32_t>(out->size() - at - 4 + bytes_to_come));
}

}  // namespace

std::optional<Header> ReadHeader(std::span<const uint8_t> frame) {
  Reader in(frame, 0);
  Header header;
  header.api_key = in.Get<int16_t>();
  header.version = in.Get<int16_t>();
  header.correlation_id = in.Get<int32_t>();
  in.String();
  header.bytes = in.at();
  if (!in.good()) return std::nullopt;
  return header;
}

std::optional<ProduceBody> ReadProduce(std::span<const uint8_t> frame, const Header& header) {
  Reader in(frame, header.bytes);
  ProduceBody body;
  in.String();
  in.Skip(6);  // acks, timeout
  const bool one_topic = in.Get<int32_t>() == 1;
  body.topic = in.String();
  const bool one_partition = in.Get<int32_t>() == 1;
  body.partition = in.Get<int32_t>();
  const auto batch_bytes = in.Get<int32_t>();
  body.batch_at = in.at();
  body.batch_bytes = in.left();
  const bool whole = batch_bytes >= 0 && static_cast<size_t>(batch_bytes) == in.left();
  if (!in.good() || header.version != kProduceVersion || !one_topic || !one_partition || !whole) return std::nullopt;
  return body;
}

std::optional<FetchBody> ReadFetch(std::span<const uint8_t> frame, const Header& header,
                                   std::vector<FetchPartition>* partitions) {
  Reader in(frame, header.bytes);
  FetchBody body;
  partitions->clear();
  in.Skip(4);
  body.max_wait_ms = in.Get<int32_t>();
  body.min_bytes = in.Get<int32_t>();
  in.Skip(13);  // most bytes, isolation, session
  const bool one_topic = in.Get<int32_t>() == 1;
  body.topic = in.String();
  for (auto left = in.Get<int32_t>(); left > 0 && in.good(); --left) {
    FetchPartition partition;
    partition.partition = in.Get<int32_t>();
    in.Skip(4);
    partition.offset = in.Get<int64_t>();
    in.Skip(8);
    const auto most_bytes = in.Get<int32_t>();
    partition.most_bytes = most_bytes < 0 ? 0 : static_cast<size_t>(most_bytes);
    partitions->push_back(partition);
  }
  if (!in.good() || header.version != kFetchVersion || !one_topic) return std::nullopt;
  return body;
}

void AnswerProduce(int32_t correlation_id, const ProduceBody& request, int64_t base_offset, std::string* out) {
  const size_t at = BeginAnswer(correlation_id, out);
  Put<int32_t>(1, out);
  PutString(request.topic, out);
  Put<int32_t>(1, out);
  Put<int32_t>(request.partition, out);
  Put<int16_t>(base_offset < 0 ? kCorruptMessage : 0, out);
  Put<int64_t>(base_offset, out);
  Put<int64_t>(-1, out);  // log append time
  Put<int64_t>(0, out);   // log start offset
  Put<int32_t>(0, out);   // record errors
  Put<int16_t>(-1, out);  // their message
  Put<int32_t>(0, out);   // throttle time
  EndAnswer(at, 0, out);
}

void AnswerApiVersions(int32_t correlation_id, std::string* out) {
  const size_t at = BeginAnswer(correlation_id, out);
  Put<int16_t>(0, out);
  Put<int32_t>(3, out);
  for (const auto& [key, version] :
       {std::pair(kProduce, kProduceVersion), std::pair(kFetch, kFetchVersion), std::pair(kApiVersions, int16_t{0})}) {
    Put<int16_t>(key, out);
    Put<int16_t>(version, out);
    Put<int16_t>(version, out);
  }
  EndAnswer(at, 0, out);
}

void BeginFetchAnswer(int32_t correlation_id, const FetchBody& request, size_t partitions, size_t record_bytes,
                      std::string* out) {
  const size_t at = BeginAnswer(correlation_id, out);
  Put<int32_t>(0, out);  // throttle time
  Put<int16_t>(0, out);
  Put<int32_t>(0, out);  // no session
  Put<int32_t>(1, out);
  PutString(request.topic, out);
  Put<int32_t>(static_cast<int32_t>(partitions), out);
  EndAnswer(at, partitions * kFetchPartitionBytes + record_bytes, out);
}

void AddFetchPartition(int32_t partition, int64_t high_watermark, size_t record_bytes, std::string* out) {
  Put<int32_t>(partition, out);
  Put<int16_t>(0, out);
  Put<int64_t>(high_watermark, out);
  Put<int64_t>(high_watermark, out);  // last stable offset
  Put<int64_t>(0, out);               // log start offset
  Put<int32_t>(0, out);               // aborted transactions
  Put<int32_t>(-1, out);              // preferred read replica
  Put<int32_t>(static_cast<int32_t>(record_bytes), out);
}

}  // namespace kb::limit
