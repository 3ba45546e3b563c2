#include "stress/raw_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>

namespace kb::raw {
namespace {

constexpr size_t kBatchHeaderBytes = 61;
constexpr size_t kBatchLengthEnd = 12;  // base offset and length: what the length does not count
constexpr size_t kCrcEnd = 21;          // the CRC covers everything behind itself
constexpr int16_t kProduce = 0, kProduceVersion = 8;
constexpr int16_t kFetch = 1, kFetchVersion = 11;

// Of all records: not long ago, or retention would take them away in the middle of a run.
int64_t TimestampMs() {
  static const int64_t at_start_ms = static_cast<int64_t>(time(nullptr)) * 1000;
  return at_start_ms;
}

std::array<uint32_t, 256> MakeCrcTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < table.size(); ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78u : 0);
    table[i] = crc;
  }
  return table;
}

std::string Errno(const char* what) { return std::string(what) + ": " + strerror(errno); }

}  // namespace

void Die(const std::string& why) {
  fprintf(stderr, "%s\n", why.c_str());
  // Not exit(): other threads are still at work on what its destructors would take away.
  fflush(stdout);
  _exit(1);
}

void Out::Varint(int64_t value) {
  uint64_t zigzag = (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
  for (; zigzag > 127; zigzag >>= 7) bytes_.push_back(static_cast<char>((zigzag & 127) | 128));
  bytes_.push_back(static_cast<char>(zigzag));
}

uint64_t In::Big(size_t size) {
  uint64_t value = 0;
  for (const char byte : Raw(size)) value = (value << 8) | static_cast<uint8_t>(byte);
  return value;
}

std::string_view In::Raw(size_t size) {
  if (size > bytes_.size()) Die("an answer ends too early");
  const std::string_view out = bytes_.substr(0, size);
  bytes_.remove_prefix(size);
  return out;
}

int64_t In::Varint() {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const auto byte = static_cast<uint8_t>(I8());
    value |= static_cast<uint64_t>(byte & 127) << shift;
    if (byte < 128) return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
  }
  Die("a varint is too long");
}

int Connect(uint16_t port) {
  const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) Die(Errno("socket"));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) Die(Errno("connect"));
  const int on = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return descriptor;
}

Connection::Connection(uint16_t port) : descriptor_(Connect(port)) {}

Connection::~Connection() { close(descriptor_); }

void Connection::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0) Die(Errno("send"));
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
}

std::string_view Connection::Receive() {
  const auto read = [this](char* to, size_t size) {
    while (size > 0) {
      const ssize_t got = recv(descriptor_, to, size, MSG_WAITALL);
      if (got < 0) Die(Errno("recv"));
      if (got == 0) Die("the broker closed a connection");
      to += got;
      size -= static_cast<size_t>(got);
    }
  };
  char length[4];
  read(length, sizeof length);
  const int32_t size = In({length, sizeof length}).I32();
  if (size < 4) Die("a frame of " + std::to_string(size) + " bytes");
  buffer_.resize(static_cast<size_t>(size));
  read(buffer_.data(), buffer_.size());
  return buffer_;
}

std::string Request(int16_t api_key, int16_t version, int32_t correlation_id, std::string_view body) {
  Out header;
  header.I16(api_key);
  header.I16(version);
  header.I32(correlation_id);
  header.String("raw");
  Out out;
  out.I32(static_cast<int32_t>(header.bytes().size() + body.size()));
  out.Raw(header.bytes());
  out.Raw(body);
  return std::move(out.bytes());
}

std::string Batch(const std::vector<std::string>& values, const std::vector<std::string>& keys) {
  Out tail;  // what the CRC covers
  tail.I16(0);
  tail.I32(static_cast<int32_t>(values.size()) - 1);
  tail.I64(TimestampMs());
  tail.I64(TimestampMs());
  tail.I64(-1);
  tail.I16(-1);
  tail.I32(-1);
  tail.I32(static_cast<int32_t>(values.size()));
  for (size_t i = 0; i < values.size(); ++i) {
    Out record;
    record.I8(0);
    record.Varint(0);
    record.Varint(static_cast<int64_t>(i));
    record.Varint(keys.empty() ? -1 : static_cast<int64_t>(keys[i].size()));
    if (!keys.empty()) record.Raw(keys[i]);
    record.Varint(static_cast<int64_t>(values[i].size()));
    record.Raw(values[i]);
    record.Varint(0);
    tail.Varint(static_cast<int64_t>(record.bytes().size()));
    tail.Raw(record.bytes());
  }
  Out out;
  out.I64(0);
  out.I32(static_cast<int32_t>(tail.bytes().size() + kCrcEnd - kBatchLengthEnd));
  out.I32(-1);
  out.I8(2);
  out.I32(static_cast<int32_t>(Crc32c(tail.bytes())));
  out.Raw(tail.bytes());
  return std::move(out.bytes());
}

std::string ProduceRequest(int32_t correlation_id, std::string_view topic, int32_t partition, int16_t acks,
                           std::string_view batch) {
  Out body;
  body.NullString();
  body.I16(acks);
  body.I32(30000);
  body.I32(1);
  body.String(topic);
  body.I32(1);
  body.I32(partition);
  body.I32(static_cast<int32_t>(batch.size()));
  body.Raw(batch);
  return Request(kProduce, kProduceVersion, correlation_id, body.bytes());
}

Produced ParseProduced(std::string_view frame) {
  In in(frame);
  Produced out;
  out.correlation_id = in.I32();
  if (in.I32() != 1) Die("Produce answered for another number of topics");
  in.String();
  if (in.I32() != 1) Die("Produce answered for another number of partitions");
  in.I32();
  out.error = in.I16();
  out.base_offset = in.I64();
  return out;
}

std::string FetchRequest(int32_t correlation_id, std::string_view topic, int32_t partition, int64_t offset,
                         const FetchOptions& options) {
  Out body;
  body.I32(-1);
  body.I32(options.max_wait_ms);
  body.I32(options.min_bytes);
  body.I32(options.max_bytes);
  body.I8(0);
  body.I32(0);
  body.I32(-1);
  body.I32(1);
  body.String(topic);
  body.I32(1);
  body.I32(partition);
  body.I32(-1);
  body.I64(offset);
  body.I64(-1);
  body.I32(options.partition_max_bytes);
  body.I32(0);
  body.String("");
  return Request(kFetch, kFetchVersion, correlation_id, body.bytes());
}

Fetched ParseFetched(std::string_view frame) {
  In in(frame);
  Fetched out;
  out.correlation_id = in.I32();
  in.I32();
  out.error = in.I16();
  in.I32();
  if (in.I32() != 1) Die("Fetch answered for another number of topics, error " + std::to_string(out.error));
  in.String();
  if (in.I32() != 1) Die("Fetch answered for another number of partitions");
  in.I32();
  out.error = in.I16();
  out.high_watermark = in.I64();
  in.I64();
  in.I64();
  for (int32_t aborted = in.I32(); aborted > 0; --aborted) in.Raw(16);
  in.I32();
  out.records = in.Bytes();
  return out;
}

namespace {

// The first batch of `records` when it is whole, else nothing.
std::string_view WholeBatch(std::string_view records) {
  if (records.size() < kBatchHeaderBytes) return {};
  In in(records.substr(8));
  const size_t size = static_cast<size_t>(in.I32()) + kBatchLengthEnd;
  return size <= records.size() ? records.substr(0, size) : std::string_view();
}

int64_t LastOffset(std::string_view batch) {
  In in(batch);
  const int64_t base = in.I64();
  In delta(batch.substr(23));
  return base + delta.I32();
}

}  // namespace

int64_t NextOffset(std::string_view records, int64_t from) {
  for (auto batch = WholeBatch(records); !batch.empty(); batch = WholeBatch(records)) {
    from = LastOffset(batch) + 1;
    records.remove_prefix(batch.size());
  }
  return from;
}

int64_t ForEachRecord(std::string_view records, int64_t from,
                      const std::function<void(int64_t offset, std::string_view value)>& callback) {
  int64_t next = from;
  for (auto batch = WholeBatch(records); !batch.empty(); batch = WholeBatch(records)) {
    In head(batch);
    const int64_t base = head.I64();
    head.Raw(8);
    if (head.I8() != 2) Die("a batch of another magic");
    if (static_cast<uint32_t>(head.I32()) != Crc32c(batch.substr(kCrcEnd))) {
      Die("the CRC is wrong of the batch at offset " + std::to_string(base));
    }
    In in(batch.substr(kBatchHeaderBytes - 4));
    for (int32_t count = in.I32(); count > 0; --count) {
      In record(in.Raw(static_cast<size_t>(in.Varint())));
      record.I8();
      record.Varint();
      const int64_t offset = base + record.Varint();
      if (const int64_t key = record.Varint(); key > 0) record.Raw(static_cast<size_t>(key));
      const std::string_view value = record.Raw(static_cast<size_t>(record.Varint()));
      if (offset >= from) callback(offset, value);
    }
    if (in.left() != 0) Die("bytes behind the last record of a batch");
    next = LastOffset(batch) + 1;
    records.remove_prefix(batch.size());
  }
  return next;
}

uint32_t Crc32c(std::string_view bytes) {
  static const std::array<uint32_t, 256> table = MakeCrcTable();
  uint32_t crc = 0xFFFFFFFFu;
  for (const char byte : bytes) crc = table[(crc ^ static_cast<uint8_t>(byte)) & 255] ^ (crc >> 8);
  return crc ^ 0xFFFFFFFFu;
}

}  // namespace kb::raw
