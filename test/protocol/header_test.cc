// Headers of requests and responses, and the ones that are odd.
#include "protocol/header.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace kb::protocol {
namespace {

constexpr int16_t kProduce = static_cast<int16_t>(ApiKey::kProduce);
constexpr int16_t kApiVersions = static_cast<int16_t>(ApiKey::kApiVersions);
constexpr int16_t kSaslHandshake = static_cast<int16_t>(ApiKey::kSaslHandshake);

std::vector<uint8_t> Written(const RequestHeader& header) {
  std::vector<uint8_t> bytes(RequestHeaderSize(header));
  Writer writer(bytes);
  WriteRequestHeader(header, writer);
  EXPECT_EQ(writer.left(), 0u);
  return bytes;
}

TEST(ApiTable, IsInOrderAndWithoutTheKeysThatApacheKafkaRemoved) {
  for (size_t i = 1; i < kApiCount; ++i) EXPECT_LT(kApiTable[i - 1].key, kApiTable[i].key);
  for (int key : {-1, 4, 7, 93, 32767}) EXPECT_EQ(FindApi(static_cast<int16_t>(key)), nullptr) << key;
  EXPECT_EQ(ApiName(ApiKey::kFetch), "Fetch");
  EXPECT_EQ(Info(ApiKey::kFetch).min_version, 4);
  EXPECT_EQ(Info(ApiKey::kFetch).max_version, 18);
  EXPECT_TRUE(Info(ApiKey::kFetch).on_controller);
  EXPECT_FALSE(Info(ApiKey::kProduce).on_controller);
  EXPECT_TRUE(Info(ApiKey::kInitProducerId).newest_is_unstable);
}

TEST(RequestHeader, TheClientIdKeepsTheOldEncodingWhereTheRestIsFlexible) {
  RequestHeader header{.api_key = kProduce, .api_version = 9, .correlation_id = 5, .client_id = "me"};
  EXPECT_EQ(Written(header), (std::vector<uint8_t>{0, 0, 0, 9, 0, 0, 0, 5, 0, 2, 'm', 'e', 0}));
  header.api_version = 8;
  EXPECT_EQ(Written(header), (std::vector<uint8_t>{0, 0, 0, 8, 0, 0, 0, 5, 0, 2, 'm', 'e'}));
  header.client_id = std::nullopt;
  EXPECT_EQ(Written(header), (std::vector<uint8_t>{0, 0, 0, 8, 0, 0, 0, 5, 0xff, 0xff}));
}

TEST(RequestHeader, UnknownTagsAreKept) {
  Arena arena;
  const std::vector<uint8_t> bytes{0, 18, 0, 3, 0, 0, 0, 9, 0xff, 0xff, 1, 0x63, 1, 0xaa, 0x77};
  Reader reader(bytes);
  RequestHeader header;
  ASSERT_TRUE(ReadRequestHeader(reader, arena, header));
  ASSERT_EQ(header.unknown_tags.size(), 1u);
  EXPECT_EQ(header.unknown_tags[0].number, 0x63u);
  EXPECT_EQ(reader.left(), 1u);
  EXPECT_EQ(Written(header), std::vector<uint8_t>(bytes.begin(), bytes.end() - 1));
}

TEST(RequestHeader, ApiVersionsOfAVersionNobodyKnowsIsReadAsTheNewestAndANegativeOneAsTheOldest) {
  Arena arena;
  for (int version : {5, 99, 32767, -1}) {
    std::vector<uint8_t> bytes{0,    18,  static_cast<uint8_t>(version >> 8), static_cast<uint8_t>(version), 0, 0, 0, 9,
                               0xff, 0xff};
    if (version >= 0) bytes.push_back(0);
    Reader reader(bytes);
    RequestHeader header;
    EXPECT_TRUE(ReadRequestHeader(reader, arena, header)) << version;
    EXPECT_EQ(reader.left(), 0u) << version;
    ASSERT_NE(header.api(), nullptr);
    EXPECT_FALSE(header.api()->Has(header.api_version));
  }
}

TEST(RequestHeader, AnUnknownKeyIsReadAndIsTheCallersToRefuse) {
  Arena arena;
  const std::vector<uint8_t> bytes{0x03, 0xe7, 0, 0, 0, 0, 0, 1, 0, 1, 'x'};
  Reader reader(bytes);
  RequestHeader header;
  EXPECT_TRUE(ReadRequestHeader(reader, arena, header));
  EXPECT_EQ(header.api(), nullptr);
  EXPECT_EQ(header.client_id, "x");
}

TEST(RequestHeader, EveryCutIsMalformed) {
  const std::vector<uint8_t> bytes{0, 0, 0, 9, 0, 0, 0, 5, 0, 2, 'm', 'e', 0};
  for (size_t size = 0; size < bytes.size(); ++size) {
    Arena arena;
    Reader reader(ByteView(bytes).first(size));
    RequestHeader header;
    EXPECT_FALSE(ReadRequestHeader(reader, arena, header)) << size;
  }
}

TEST(ResponseHeader, HasTagsWhereTheVersionIsFlexibleExceptForApiVersions) {
  EXPECT_FALSE(ResponseHeaderHasTags(kProduce, 8));
  EXPECT_TRUE(ResponseHeaderHasTags(kProduce, 9));
  EXPECT_FALSE(ResponseHeaderHasTags(kApiVersions, 4));
  EXPECT_TRUE(RequestHeaderHasTags(kApiVersions, 4));
  EXPECT_FALSE(ResponseHeaderHasTags(kSaslHandshake, 1)) << "never flexible";
}

// A body of two bytes and as many external ones as asked for.
struct Body {
  uint64_t external = 0;
};
template <typename Sink>
void Put(Sink& sink, const Body& body) {
  sink.PutInt16(7);
  if (body.external != 0) sink.PutExternal(Records::External(1, body.external));
}
Result<size_t> EncodedSize(const Body& body, int16_t version) {
  Measurer measurer;
  Put(measurer, body);
  return measurer.Finish("Body", version);
}
void Encode(const Body& body, int16_t, Writer& writer) {
  Put(writer, body);
}

TEST(Frame, ItsSizeCountsTheExternalBytesToo) {
  Body body{.external = 1000};
  Result<size_t> size = ResponseFrameSize(kProduce, 9, body);
  ASSERT_TRUE(size.ok());
  EXPECT_EQ(*size, 4u + 4 + 1 + 2);
  std::vector<uint8_t> bytes(2 * *size);
  Writer writer(bytes);
  WriteResponseFrame(kProduce, 9, /*correlation_id=*/3, body, writer);
  WriteResponseFrame(kProduce, 9, /*correlation_id=*/4, Body{.external = 0x10000}, writer);
  EXPECT_EQ(bytes, (std::vector<uint8_t>{0, 0, 0x03, 0xef, 0, 0, 0, 3, 0, 0, 7, 0, 1, 0, 7, 0, 0, 0, 4, 0, 0, 7}));
  ASSERT_EQ(writer.splices().size(), 2u);
  EXPECT_EQ(writer.splices()[1].position, 22u);
}

}  // namespace
}  // namespace kb::protocol
