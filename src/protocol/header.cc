#include "protocol/header.h"

namespace kb::protocol {
namespace {

bool IsFlexible(int16_t api_key, int16_t api_version) {
  const ApiInfo* api = FindApi(api_key);
  return api != nullptr && api->IsFlexible(api_version);
}

template <typename Sink>
void PutRequestHeader(Sink& sink, const RequestHeader& header) {
  sink.PutInt16(header.api_key);
  sink.PutInt16(header.api_version);
  sink.PutInt32(header.correlation_id);
  sink.PutString(/*flexible=*/false, header.client_id);
  if (RequestHeaderHasTags(header.api_key, header.api_version)) sink.PutTags(header.unknown_tags);
}

}  // namespace

bool RequestHeaderHasTags(int16_t api_key, int16_t api_version) {
  return IsFlexible(api_key, api_version);
}

bool ResponseHeaderHasTags(int16_t api_key, int16_t api_version) {
  return api_key != static_cast<int16_t>(ApiKey::kApiVersions) && IsFlexible(api_key, api_version);
}

bool ReadRequestHeader(Reader& reader, Arena& arena, RequestHeader& out) {
  out = {};
  out.api_key = reader.ReadInt16();
  out.api_version = reader.ReadInt16();
  out.correlation_id = reader.ReadInt32();
  out.client_id = reader.ReadNullableString(/*flexible=*/false);
  if (RequestHeaderHasTags(out.api_key, out.api_version)) reader.ReadUnknownTags(arena, out.unknown_tags);
  return reader.ok();
}

bool ReadResponseHeader(Reader& reader, int16_t api_key, int16_t api_version, Arena& arena, ResponseHeader& out) {
  out = {};
  out.correlation_id = reader.ReadInt32();
  if (ResponseHeaderHasTags(api_key, api_version)) reader.ReadUnknownTags(arena, out.unknown_tags);
  return reader.ok();
}

size_t RequestHeaderSize(const RequestHeader& header) {
  KB_CHECK(!header.client_id.has_value() || header.client_id->size() <= Reader::kMostString);
  Measurer measurer;
  PutRequestHeader(measurer, header);
  return measurer.size();
}

void WriteRequestHeader(const RequestHeader& header, Writer& writer) {
  PutRequestHeader(writer, header);
}

size_t ResponseHeaderSize(int16_t api_key, int16_t api_version) {
  return sizeof(int32_t) + (ResponseHeaderHasTags(api_key, api_version) ? 1 : 0);
}

void WriteResponseHeader(int16_t api_key, int16_t api_version, int32_t correlation_id, Writer& writer) {
  writer.PutInt32(correlation_id);
  if (ResponseHeaderHasTags(api_key, api_version)) writer.PutTags({});
}

void FinishFrame(Writer& writer, size_t start) {
  uint64_t size = writer.size() - start - sizeof(int32_t);
  for (const Splice& splice : writer.splices()) size += splice.position > start ? splice.size : 0;
  KB_CHECK(size <= INT32_MAX);
  writer.PatchInt32(start, static_cast<int32_t>(size));
}

}  // namespace kb::protocol
