// Records of the metadata log in their stored form.
//
//   frame := frame version: uvarint (1), record type: uvarint, record version: uvarint, body (message/*_record.h)
//
// A batch's records have such a frame as their value and no key. Everything here is a plain value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/result.h"
#include "base/varint.h"
#include "protocol/writer.h"

namespace kb::metadata {

inline constexpr uint32_t kFrameVersion = 1;

struct RecordFrame {
  uint32_t type = 0;     // of RecordType, or something newer
  uint32_t version = 0;
  ByteView body;
};

// kCorrupt: no frame; kForeign: a frame version that we do not know.
Result<RecordFrame> ParseFrame(ByteView record);

// "TopicRecord"; "" for a type that we do not know. For messages to a person.
std::string_view RecordTypeName(uint32_t type);
// The highest version of a type that we know; -1 for an unknown type.
int RecordTypeMaxVersion(uint32_t type);

// Framed records in the order in which they go to the log. Owns its bytes.
class RecordList {
 public:
  // record: a message::…Record; version: one of its valid versions.
  template <typename Record>
  void Add(const Record& record, int16_t version = Record::kMaxVersion) {
    auto size = EncodedSize(record, version);  // by argument-dependent lookup: kb::message
    KB_CHECK(size.ok());
    size_t at = Open(static_cast<uint32_t>(Record::kKey), static_cast<uint32_t>(version), *size);
    protocol::Writer writer(MutableByteView(bytes_).subspan(at));
    Encode(record, version, writer);
  }
  void AddFramed(ByteView record);
  void Append(const RecordList& others);

  size_t size() const { return ends_.size(); }
  bool empty() const { return ends_.empty(); }
  size_t byte_size() const { return bytes_.size(); }
  ByteView operator[](size_t i) const {
    KB_CHECK(i < ends_.size());
    size_t start = i == 0 ? 0 : ends_[i - 1];
    return ByteView(bytes_).subspan(start, ends_[i] - start);
  }

 private:
  // Appends a frame's head and room for a body of that size; returns where the body starts.
  size_t Open(uint32_t type, uint32_t version, size_t body_size);

  std::vector<uint8_t> bytes_;
  std::vector<size_t> ends_;
};

}  // namespace kb::metadata
