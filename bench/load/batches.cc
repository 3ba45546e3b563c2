#include "load/batches.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <string_view>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "record/compression.h"
#include "stress/raw_client.h"

namespace kb::load {
namespace {

constexpr size_t kHeaderBytes = 61, kLengthEnd = 12, kCrcAt = 17, kCrcEnd = 21;

record::Codec CodecOf(std::string_view name) {
  if (name == "gzip") return record::Codec::kGzip;
  if (name == "snappy") return record::Codec::kSnappy;
  if (name == "lz4") return record::Codec::kLz4;
  return name == "zstd" ? record::Codec::kZstd : record::Codec::kNone;
}

// The same batch with its records packed.
std::string Packed(const std::string& batch, record::Codec codec) {
  if (codec == record::Codec::kNone) return batch;
  const ByteView bytes = AsBytes(batch);
  std::vector<uint8_t> packed(bytes.begin(), bytes.begin() + kHeaderBytes);
  const auto compressor =
      record::Compressor::Create(codec, record::DefaultLevel(codec), &packed, 2 * batch.size() + (64 << 10));
  if (!compressor->Append(bytes.subspan(kHeaderBytes)) || !compressor->Finish()) raw::Die("a batch cannot be packed");
  StoreBigEndian<int32_t>(&packed[8], static_cast<int32_t>(packed.size() - kLengthEnd));
  StoreBigEndian<int16_t>(&packed[kCrcEnd], static_cast<int16_t>(codec));
  StoreBigEndian<uint32_t>(&packed[kCrcAt], Crc32c(ByteView(packed).subspan(kCrcEnd)));
  return std::string(AsText(packed));
}

std::string Digits(std::mt19937* random, size_t size) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string digits;
  while (digits.size() < size) digits += kDigits[(*random)() % kDigits.size()];
  return digits;
}

}  // namespace

std::vector<std::string> MakeBatches(const Options& options) {
  constexpr size_t kBatches = 3000;
  const auto record_bytes = static_cast<size_t>(options.record_bytes);
  const auto records = static_cast<size_t>(options.records);
  const record::Codec codec = CodecOf(options.codec);
  std::mt19937 random(1);
  if (options.keys == 0) {
    std::vector<std::string> values(records, std::string(record_bytes, 'x'));
    if (codec != record::Codec::kNone) {
      for (std::string& value : values) value = Digits(&random, record_bytes);
    }
    return {Packed(raw::Batch(values), codec)};
  }
  std::vector<std::string> batches;
  while (batches.size() < kBatches) {
    std::vector<std::string> keys, values;
    while (keys.size() < records) {
      const std::string number = std::to_string(random() % static_cast<unsigned>(options.keys));
      keys.push_back("key-" + std::string(10 - std::min<size_t>(number.size(), 10), '0') + number);
      values.push_back(Digits(&random, record_bytes));
    }
    batches.push_back(Packed(raw::Batch(values, keys), codec));
  }
  return batches;
}

}  // namespace kb::load
