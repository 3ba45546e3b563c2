#include "fuzz/codec.h"

#include <vector>

#include "base/check.h"
#include "message/registry.h"
#include "protocol/header.h"

namespace kb::fuzz {
namespace {

using protocol::MessageInfo;
using protocol::MessageKind;

// Arrays within Reader's bound, what is left over of blocks, and the few structs that are not in arrays.
size_t MostMemory(size_t body) {
  return 2 * (protocol::Reader::kFreeMemory + protocol::Reader::kMemoryPerByte * body) + 4 * body +
         2 * Arena::kMostBlock;
}

std::vector<uint8_t> Encoded(const MessageInfo& info, int16_t version, const void* message, size_t size) {
  std::vector<uint8_t> bytes(size);
  protocol::Writer writer(bytes);
  info.encode(message, version, writer);
  KB_CHECK(writer.left() == 0);
  return bytes;
}

// What these bytes, which we wrote, mean must again be these bytes.
void CheckStable(const MessageInfo& info, int16_t version, const std::vector<uint8_t>& bytes) {
  Arena arena;
  void* message = info.create(arena);
  protocol::Reader reader(bytes);
  reader.set_memory_limit(SIZE_MAX);
  KB_CHECK(info.decode(reader, version, arena, message));
  KB_CHECK(reader.left() == 0);
  Result<size_t> size = info.encoded_size(message, version);
  KB_CHECK(size.ok());
  KB_CHECK(Encoded(info, version, message, *size) == bytes);
}

bool Is(Family family, const MessageInfo& info) {
  switch (family) {
    case Family::kResponses:
      return info.kind == MessageKind::kResponse;
    case Family::kStored:
      return info.kind != MessageKind::kResponse && info.kind != MessageKind::kRequest;
    case Family::kAll:
      return true;
  }
  return false;
}

std::vector<const MessageInfo*> MembersOf(Family family) {
  std::vector<const MessageInfo*> members;
  for (const MessageInfo& info : message::AllMessages()) {
    if (Is(family, info)) members.push_back(&info);
  }
  return members;
}

}  // namespace

bool DecodeAndBack(const MessageInfo& info, int16_t version, ByteView body) {
  Arena arena;
  void* message = info.create(arena);
  protocol::Reader reader(body);
  bool accepted = info.decode(reader, version, arena, message);
  KB_CHECK(arena.allocated_bytes() <= MostMemory(body.size()));
  KB_CHECK(accepted == reader.ok());
  if (!accepted) return false;
  Result<size_t> size = info.encoded_size(message, version);
  KB_CHECK(size.ok());
  CheckStable(info, version, Encoded(info, version, message, *size));
  return true;
}

void DecodeAndEncodeInEveryVersion(const MessageInfo& info, int16_t version, ByteView body) {
  if (!DecodeAndBack(info, version, body)) return;
  Arena arena;
  void* message = info.create(arena);
  protocol::Reader reader(body);
  KB_CHECK(info.decode(reader, version, arena, message));
  for (int16_t other = info.min_version; other <= info.max_version; ++other) {
    Result<size_t> size = info.encoded_size(message, other);
    if (size.ok()) CheckStable(info, other, Encoded(info, other, message, *size));
  }
}

bool DecodeRequest(ByteView frame) {
  Arena arena;
  protocol::Reader reader(frame);
  protocol::RequestHeader header;
  if (!protocol::ReadRequestHeader(reader, arena, header)) return false;
  std::vector<uint8_t> again(protocol::RequestHeaderSize(header));
  protocol::Writer writer(again);
  protocol::WriteRequestHeader(header, writer);
  KB_CHECK(writer.left() == 0);
  const MessageInfo* info = message::FindMessage("api", MessageKind::kRequest, header.api_key);
  KB_CHECK((info != nullptr) == (header.api() != nullptr));
  if (info == nullptr || !header.api()->Has(header.api_version)) return false;
  return DecodeAndBack(*info, header.api_version, reader.rest());
}

Chosen Choose(Family family, ByteView bytes) {
  if (bytes.size() < 3) return {};
  static const std::vector<const MessageInfo*> kMembers[] = {MembersOf(Family::kResponses), MembersOf(Family::kStored),
                                                             MembersOf(Family::kAll)};
  const auto& members = kMembers[static_cast<size_t>(family)];
  const MessageInfo* info = members[LoadBigEndian<uint16_t>(bytes.data()) % members.size()];
  int versions = info->max_version - info->min_version + 1;
  return {info, static_cast<int16_t>(info->min_version + bytes[2] % versions), bytes.subspan(3)};
}

}  // namespace kb::fuzz
