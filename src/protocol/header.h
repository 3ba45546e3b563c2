// What stands between the size of a frame and its body.
//
//   request   := size: i32, api_key: i16, api_version: i16, correlation_id: i32, client_id: string?, [tags], body
//   response  := size: i32, correlation_id: i32, [tags], body
//
// size counts what follows it. client_id keeps the old encoding also where everything else is flexible. The tags are
// there where the version of the API is flexible ("header v2" of requests, "v1" of responses), with one exception:
// responses of ApiVersions never have them, so that a client can read the answer to a version it only guessed.
//
// A client may guess too high: an ApiVersions version that nobody knows is read as the newest would be, and answered
// with body version 0 and error 35. A negative one is read as version 0 would be.
//
// Frames are written in two passes, like bodies: the size of the buffer, then the bytes.
//
//   Result<size_t> size = ResponseFrameSize(key, version, body);
//   Writer writer(buffer of *size bytes);
//   WriteResponseFrame(key, version, correlation_id, body, writer);
//
// Functions of values: any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/arena.h"
#include "base/result.h"
#include "protocol/api_key.h"
#include "protocol/reader.h"
#include "protocol/types.h"
#include "protocol/writer.h"

namespace kb::protocol {

struct RequestHeader {
  int16_t api_key = 0;
  int16_t api_version = 0;
  int32_t correlation_id = 0;
  std::optional<std::string_view> client_id;
  Array<RawTag> unknown_tags;

  // nullptr: nobody knows this key.
  const ApiInfo* api() const { return FindApi(api_key); }
};

struct ResponseHeader {
  int32_t correlation_id = 0;
  Array<RawTag> unknown_tags;
};

// Whether the header in front of this request or response has a tag section. False for unknown keys.
bool RequestHeaderHasTags(int16_t api_key, int16_t api_version);
bool ResponseHeaderHasTags(int16_t api_key, int16_t api_version);

// Reads what stands behind the size. False: malformed. An unknown key or version is not malformed here: the caller asks
// header.api() and api()->Has(version), and decides (Apache Kafka closes the connection, ApiVersions apart).
bool ReadRequestHeader(Reader& reader, Arena& arena, RequestHeader& out);
// For those who asked: the version is that of the request which this answers.
bool ReadResponseHeader(Reader& reader, int16_t api_key, int16_t api_version, Arena& arena, ResponseHeader& out);

size_t RequestHeaderSize(const RequestHeader& header);
void WriteRequestHeader(const RequestHeader& header, Writer& writer);
size_t ResponseHeaderSize(int16_t api_key, int16_t api_version);
void WriteResponseHeader(int16_t api_key, int16_t api_version, int32_t correlation_id, Writer& writer);

// Puts the size in front of the frame that was written from `start` on, external bytes included.
void FinishFrame(Writer& writer, size_t start);

// ---- whole frames

// Bytes of the buffer for size, header and body; external records are not among them. The error is EncodedSize's.
// body_version is api_version except in the answer to an ApiVersions request of an unknown version, where it is 0.
template <typename Body>
Result<size_t> ResponseFrameSize(int16_t api_key, int16_t api_version, const Body& body, int16_t body_version) {
  Result<size_t> size = EncodedSize(body, body_version);
  if (!size.ok()) return size;
  return sizeof(int32_t) + ResponseHeaderSize(api_key, api_version) + *size;
}
template <typename Body>
Result<size_t> ResponseFrameSize(int16_t api_key, int16_t api_version, const Body& body) {
  return ResponseFrameSize(api_key, api_version, body, api_version);
}

template <typename Body>
void WriteResponseFrame(int16_t api_key, int16_t api_version, int32_t correlation_id, const Body& body,
                        int16_t body_version, Writer& writer) {
  size_t start = writer.size();
  writer.PutInt32(0);
  WriteResponseHeader(api_key, api_version, correlation_id, writer);
  Encode(body, body_version, writer);
  FinishFrame(writer, start);
}
template <typename Body>
void WriteResponseFrame(int16_t api_key, int16_t api_version, int32_t correlation_id, const Body& body,
                        Writer& writer) {
  WriteResponseFrame(api_key, api_version, correlation_id, body, api_version, writer);
}

template <typename Body>
Result<size_t> RequestFrameSize(const RequestHeader& header, const Body& body) {
  Result<size_t> size = EncodedSize(body, header.api_version);
  if (!size.ok()) return size;
  return sizeof(int32_t) + RequestHeaderSize(header) + *size;
}
template <typename Body>
void WriteRequestFrame(const RequestHeader& header, const Body& body, Writer& writer) {
  size_t start = writer.size();
  writer.PutInt32(0);
  WriteRequestHeader(header, writer);
  Encode(body, header.api_version, writer);
  FinishFrame(writer, start);
}

}  // namespace kb::protocol
