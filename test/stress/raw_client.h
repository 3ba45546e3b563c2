// A Kafka client of the few requests that load and counting need, written from the protocol's description alone: it shares
// no code with the broker, so that a mistake of the broker's codec is not repeated here. Blocking sockets; each object
// belongs to one thread. What cannot be (a refused connection, an answer that does not parse) ends the program: it is a
// test's or a bench's own process.
//
//   Produce v8, Fetch v11: the newest versions before compact encodings.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace kb::raw {

[[noreturn]] void Die(const std::string& why);

// Appends big-endian fields.
class Out {
 public:
  void I8(int8_t value) { bytes_.push_back(static_cast<char>(value)); }
  void I16(int16_t value) { Big(static_cast<uint16_t>(value), 2); }
  void I32(int32_t value) { Big(static_cast<uint32_t>(value), 4); }
  void I64(int64_t value) { Big(static_cast<uint64_t>(value), 8); }
  void String(std::string_view text) {
    I16(static_cast<int16_t>(text.size()));
    bytes_.append(text);
  }
  void NullString() { I16(-1); }
  void Varint(int64_t value);
  void Raw(std::string_view bytes) { bytes_.append(bytes); }
  std::string& bytes() { return bytes_; }

 private:
  void Big(uint64_t value, int size) {
    for (int shift = (size - 1) * 8; shift >= 0; shift -= 8) bytes_.push_back(static_cast<char>(value >> shift));
  }
  std::string bytes_;
};

// Reads them; ends the program where the bytes are too few.
class In {
 public:
  explicit In(std::string_view bytes) : bytes_(bytes) {}
  int8_t I8() { return static_cast<int8_t>(Big(1)); }
  int16_t I16() { return static_cast<int16_t>(Big(2)); }
  int32_t I32() { return static_cast<int32_t>(Big(4)); }
  int64_t I64() { return static_cast<int64_t>(Big(8)); }
  std::string_view String() {
    const int16_t size = I16();
    return size < 0 ? std::string_view() : Raw(static_cast<size_t>(size));
  }
  std::string_view Bytes() {
    const int32_t size = I32();
    return size < 0 ? std::string_view() : Raw(static_cast<size_t>(size));
  }
  std::string_view Raw(size_t size);
  int64_t Varint();
  size_t left() const { return bytes_.size(); }

 private:
  uint64_t Big(size_t size);
  std::string_view bytes_;
};

// A TCP connection to the broker on this machine.
class Connection {
 public:
  explicit Connection(uint16_t port);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void Send(std::string_view bytes);
  // The next whole frame without its length, valid until the next call.
  std::string_view Receive();
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
  std::string buffer_;
};

// Opens a socket to 127.0.0.1:port with TCP_NODELAY; ends the program where that fails.
int Connect(uint16_t port);

// Length, header and body of a request.
std::string Request(int16_t api_key, int16_t version, int32_t correlation_id, std::string_view body);

// A batch of records with these values; headers stay empty, and keys where there are none.
std::string Batch(const std::vector<std::string>& values, const std::vector<std::string>& keys = {});

struct Produced {
  int32_t correlation_id = 0;
  int16_t error = 0;
  int64_t base_offset = -1;
};
std::string ProduceRequest(int32_t correlation_id, std::string_view topic, int32_t partition, int16_t acks,
                           std::string_view batch);
Produced ParseProduced(std::string_view frame);

struct FetchOptions {
  int32_t max_wait_ms = 100;
  int32_t min_bytes = 1;
  int32_t max_bytes = 50 << 20;
  int32_t partition_max_bytes = 1 << 20;
};
struct Fetched {
  int32_t correlation_id = 0;
  int16_t error = 0;
  int64_t high_watermark = -1;
  std::string_view records;  // a view into the frame
};
std::string FetchRequest(int32_t correlation_id, std::string_view topic, int32_t partition, int64_t offset,
                         const FetchOptions& options);
Fetched ParseFetched(std::string_view frame);  // of a request for one partition

// Calls back with every record at or after `from` of the whole batches in `records`; checks magic, CRC and count of each
// batch. Returns the offset behind the last whole batch, or `from` where there is none.
int64_t ForEachRecord(std::string_view records, int64_t from,
                      const std::function<void(int64_t offset, std::string_view value)>& callback);

// The offset behind the last whole batch, looking at headers only; `from` where there is none.
int64_t NextOffset(std::string_view records, int64_t from);

uint32_t Crc32c(std::string_view bytes);

}  // namespace kb::raw
