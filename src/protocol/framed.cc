#include "protocol/framed.h"

#include "base/varint.h"

namespace kb::protocol {
namespace {

// A key or a version: int16 and not negative, in a uvarint.
int16_t ReadNumber(Reader& reader) {
  uint32_t number = reader.ReadUvarint();
  if (number > INT16_MAX) {
    reader.Fail();
    return -1;
  }
  return static_cast<int16_t>(number);
}

uint32_t Unsigned(int16_t number) {
  KB_CHECK(number >= 0);
  return static_cast<uint32_t>(number);
}

}  // namespace

bool ReadMetadataFrame(Reader& reader, RecordType& out) {
  if (reader.ReadUvarint() != kMetadataFrameVersion) reader.Fail();
  out.key = ReadNumber(reader);
  out.version = ReadNumber(reader);
  return reader.ok();
}

bool ReadInt16Prefix(Reader& reader, int16_t& out) {
  out = reader.ReadInt16();
  return reader.ok();
}

size_t MetadataFrameSize(RecordType type) {
  return UvarintSize(kMetadataFrameVersion) + UvarintSize(Unsigned(type.key)) + UvarintSize(Unsigned(type.version));
}

void WriteMetadataFrame(RecordType type, Writer& writer) {
  writer.PutUvarint(kMetadataFrameVersion);
  writer.PutUvarint(Unsigned(type.key));
  writer.PutUvarint(Unsigned(type.version));
}

}  // namespace kb::protocol
