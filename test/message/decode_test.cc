// The generated decoders on what is not a message: bodies cut at every byte, counts of a billion, a byte changed
// anywhere; and what they refuse to encode.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fuzz/codec.h"
#include "message/consumer_group_member_metadata_value.h"
#include "message/create_topics_request.h"
#include "message/describe_topic_partitions_request.h"
#include "message/fetch_request.h"
#include "message/fetch_response.h"
#include "message/golden.h"
#include "message/metadata_request.h"
#include "message/produce_request.h"
#include "message/registry.h"
#include "protocol/encode.h"
#include "protocol/message_info.h"
#include "protocol/reader.h"
#include "protocol/writer.h"

namespace kb::message {
namespace {

using golden::FromHex;
using golden::ToHex;
using protocol::Array;
using protocol::MessageInfo;
using protocol::Reader;
using protocol::Records;

template <typename Message>
bool DecodeHex(std::string_view hex, int16_t version, Arena& arena, Message& out) {
  // In the arena, because the message keeps views.
  Reader reader(arena.Copy(AsBytes(FromHex(hex))));
  return Decode(reader, version, arena, out);
}
template <typename Message>
std::string EncodedHex(const Message& message, int16_t version) {
  Arena arena;
  Result<ByteView> bytes = protocol::EncodeTo(arena, message, version);
  return bytes.ok() ? ToHex(*bytes) : bytes.error().message;
}

// Each golden body of at most `most` bytes.
template <typename Callback>
void ForEachGoldenBody(size_t most, const Callback& callback) {
  for (const std::string& file : golden::MessageFiles()) {
    golden::ForEachLine(file, [&](const nlohmann::json& vector) {
      std::string body = FromHex(vector.at("hex").get<std::string>());
      if (body.size() > most) return;
      const MessageInfo* info = FindMessage(vector.at("message").get<std::string>());
      ASSERT_NE(info, nullptr);
      callback(*info, vector.at("version").get<int16_t>(), body);
    });
  }
}

TEST(Decode, EveryBodyCutAtAnyByteIsMalformed) {
  size_t cuts = 0;
  ForEachGoldenBody(600, [&](const MessageInfo& info, int16_t version, const std::string& body) {
    for (size_t size = 0; size < body.size(); ++size) {
      ++cuts;
      // A block of its own: asan sees one byte too far.
      std::vector<uint8_t> cut(body.begin(), body.begin() + static_cast<ptrdiff_t>(size));
      Arena arena;
      Reader reader(cut);
      ASSERT_FALSE(info.decode(reader, version, arena, info.create(arena)))
          << info.name << " v" << version << " cut to " << size << " of " << ToHex(AsBytes(body));
      ASSERT_LE(arena.allocated_bytes(), 4096 + 32 * size) << info.name;
    }
  });
  EXPECT_GT(cuts, golden::IsOurCopy() ? 100'000u : 0u);
}

TEST(Decode, EveryByteThatChangesIsReadOrRefusedAndWhatWasReadCanBeWritten) {
  size_t accepted = 0, ran = 0;
  ForEachGoldenBody(120, [&](const MessageInfo& info, int16_t version, const std::string& body) {
    std::vector<uint8_t> changed(body.begin(), body.end());
    for (uint8_t& byte : changed) {
      uint8_t original = byte;
      for (int value : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
        byte = static_cast<uint8_t>(value);
        accepted += fuzz::DecodeAndBack(info, version, changed);
        ++ran;
      }
      byte = original;
    }
  });
  EXPECT_GT(accepted, ran / 10) << "most values are as good as any other";
  EXPECT_LT(accepted, ran);
}

// The lies: every four bytes that could be a count, and every one that could be a flexible one, say a billion.
TEST(Decode, ACountOfABillionAnywhereCostsNoMoreThanTheFrameIsWorth) {
  ForEachGoldenBody(300, [&](const MessageInfo& info, int16_t version, const std::string& body) {
    const std::string plain("\x3b\x9a\xca\x00", 4), flexible("\x80\x94\xeb\xdc\x03", 5);
    for (const std::string& lie : {plain, flexible}) {
      for (size_t at = 0; at < body.size(); ++at) {
        std::string changed = body.substr(0, at) + lie + body.substr(std::min(body.size(), at + lie.size()));
        Arena arena;
        Reader reader(AsBytes(changed));
        info.decode(reader, version, arena, info.create(arena));
        ASSERT_LE(arena.allocated_bytes(), 4096 + 32 * changed.size())
            << info.name << " v" << version << " at " << at << " of " << ToHex(AsBytes(body));
      }
    }
  });
}

TEST(Decode, TheHungriestRequestStaysWithinReadersBound) {
  // Topics without names: 2 bytes each, and the most memory per byte that any schema takes.
  std::string body("\x80\x80\x80\x05", 4);  // 10,485,759 topics
  body.append(size_t{2} * 10'485'759, '\x01');
  Arena arena;
  MetadataRequest request;
  Reader reader(AsBytes(body));
  EXPECT_FALSE(Decode(reader, 9, arena, request));
  EXPECT_LE(arena.allocated_bytes(), 2 * (Reader::kFreeMemory + Reader::kMemoryPerByte * body.size()));
}

TEST(Decode, AVersionThatTheSchemaDoesNotHaveIsRefused) {
  for (const MessageInfo& info : AllMessages()) {
    for (int version : {info.min_version - 1, info.max_version + 1, -1, int{INT16_MAX}}) {
      Arena arena;
      const std::vector<uint8_t> zeros(4096);
      Reader reader(zeros);
      int16_t odd = static_cast<int16_t>(version);
      EXPECT_FALSE(info.decode(reader, odd, arena, info.create(arena))) << info.name << " v" << odd;
      EXPECT_FALSE(info.encoded_size(info.create(arena), odd).ok()) << info.name << " v" << odd;
    }
  }
}

TEST(Decode, WhatStoodInTheMessageBeforeIsGone) {
  Arena arena;
  MetadataRequest request;
  request.topics = Array<MetadataRequest::MetadataRequestTopic>::Of(arena, {{.name = "old"}});
  request.include_topic_authorized_operations = true;
  ASSERT_TRUE(DecodeHex("00000000", 0, arena, request));
  EXPECT_EQ(request.topics.size(), 0u);
  EXPECT_FALSE(request.include_topic_authorized_operations);
  EXPECT_TRUE(request.allow_auto_topic_creation) << "absent in v0: its default";
}

TEST(Decode, BytesBehindTheBodyAreLeft) {
  Arena arena;
  const std::string bytes = FromHex("00000000aabb");
  Reader reader(AsBytes(bytes));
  MetadataRequest request;
  EXPECT_TRUE(Decode(reader, 0, arena, request));
  EXPECT_EQ(reader.left(), 2u);
}

TEST(Decode, RecordsOfAProduceRequestAreTheBytesOfTheFrame) {
  Arena arena;
  // transactional id null, acks -1, timeout 1500, one topic "t" with partition 7 and four bytes of records
  const std::string frame = FromHex("00" "ffff" "000005dc" "02" "0274" "02" "00000007" "05" "deadbeef" "00" "00" "00");
  Reader reader(AsBytes(frame));
  ProduceRequest request;
  ASSERT_TRUE(Decode(reader, 9, arena, request));
  EXPECT_EQ(request.acks, -1);
  ASSERT_EQ(request.topic_data.size(), 1u);
  const auto& partition = request.topic_data[0].partition_data[0];
  EXPECT_EQ(partition.index, 7);
  EXPECT_EQ(ToHex(partition.records.bytes), "deadbeef");
  EXPECT_EQ(partition.records.bytes.data(), reinterpret_cast<const uint8_t*>(frame.data()) + 16);
}

// ---- tags that a version knows or does not know; recorded from Apache Kafka's own classes

constexpr char kFetchV12[] = "ffffffff0000000000000000000000000000000000ffffffff" "020274" "02";
constexpr char kFetchV17[] = "0000000000000000000000000000000000ffffffff" "02000102030405060708090a0b0c0d0e0f" "02";
constexpr char kFetchPartition[] = "00000000ffffffff0000000000000000ffffffff000000000000000000000000";
constexpr char kDirectory[] = "000102030405060708090a0b0c0d0e0f";
constexpr char kEnd[] = "00010100";  // of the topic, the forgotten topics, the rack, the request

TEST(DecodeTags, OneThatComesBeforeItsVersionIsMalformed) {
  Arena arena;
  FetchRequest request;
  const std::string partition = std::string(kFetchV12) + kFetchPartition;
  EXPECT_FALSE(DecodeHex(partition + "0100" "10" + kDirectory + kEnd, 12, arena, request));
  EXPECT_TRUE(DecodeHex(partition + "0105" "10" + kDirectory + kEnd, 12, arena, request))
      << "a number that no version has is unknown, and kept";
  EXPECT_EQ(request.topics[0].partitions[0].unknown_tags.size(), 1u);
}

TEST(DecodeTags, TheAnnouncedSizeOfAKnownOneDoesNotMatter) {
  for (const char* size : {"10", "03"}) {
    Arena arena;
    FetchRequest request;
    const std::string partition = std::string(kFetchV17) + kFetchPartition;
    ASSERT_TRUE(DecodeHex(partition + "0100" + size + kDirectory + kEnd, 17, arena, request));
    EXPECT_EQ(request.topics[0].partitions[0].replica_directory_id.ToString(), "AAECAwQFBgcICQoLDA0ODw");
  }
}

TEST(DecodeTags, OfTwoWithOneNumberTheLastCounts) {
  Arena arena;
  FetchRequest request;
  ASSERT_TRUE(DecodeHex(std::string(kFetchV17) + kFetchPartition + "02" "0010" + kDirectory + "0010" "10" +
                            std::string(kDirectory).substr(2) + kEnd,
                        17, arena, request));
  EXPECT_EQ(request.topics[0].partitions[0].replica_directory_id.ToString(), "EAECAwQFBgcICQoLDA0ODw");
}

TEST(DecodeTags, ANullableStructInATagIsMarkedByAUvarint) {
  Arena arena;
  ConsumerGroupMemberMetadataValue value;
  const std::string fields = "010101010101ffffffff01";
  ASSERT_TRUE(DecodeHex(fields + "00", 0, arena, value));
  ASSERT_NE(value.classic_member_metadata, nullptr) << "absent on the wire means present with defaults";
  EXPECT_EQ(EncodedHex(value, 0), fields + "00");
  ASSERT_TRUE(DecodeHex(fields + "01" "00" "01" "00", 0, arena, value));
  EXPECT_EQ(value.classic_member_metadata, nullptr);
  EXPECT_EQ(EncodedHex(value, 0), fields + "01" "00" "01" "00");
  ASSERT_TRUE(DecodeHex(fields + "01" "00" "0b" "02" "00000007" "01" "00", 0, arena, value));
  EXPECT_EQ(value.classic_member_metadata->session_timeout_ms, 7);
  EXPECT_EQ(EncodedHex(value, 0), fields + "01" "00" "07" "01" "00000007" "01" "00");
}

TEST(DecodeTags, ANullableStructElsewhereIsMarkedByItsSign) {
  for (const char* mark : {"05", "00", "01"}) {
    Arena arena;
    DescribeTopicPartitionsRequest request;
    ASSERT_TRUE(DecodeHex("01" "00000001" + std::string(mark) + "0274" "00000001" "00" "00", 0, arena, request));
    ASSERT_NE(request.cursor, nullptr);
    EXPECT_EQ(request.cursor->topic_name, "t");
    EXPECT_EQ(EncodedHex(request, 0), "01" "00000001" "01" "0274" "00000001" "00" "00");
  }
  Arena arena;
  DescribeTopicPartitionsRequest request;
  ASSERT_TRUE(DecodeHex("01" "00000001" "fb" "00", 0, arena, request));
  EXPECT_EQ(request.cursor, nullptr);
}

TEST(DecodeTags, NegativeCountsAreNoneAndNegativeSizesAreMalformed) {
  Arena arena;
  ProduceRequest request;
  EXPECT_TRUE(DecodeHex("00" "0001" "00000000" "01" "8180808008", 9, arena, request));
  EXPECT_FALSE(DecodeHex("00" "0001" "00000000" "01" "01" "63" "8180808008", 9, arena, request));
}

// ---- what cannot be written

TEST(Encode, AFieldThatIsSetAndThatTheVersionLacksIsRefusedUnlessIgnorable) {
  FetchRequest request;
  request.rack_id = "ignorable";
  EXPECT_TRUE(EncodedSize(request, 4).ok());
  request.replica_state.replica_id = 3;
  Result<size_t> size = EncodedSize(request, 12);
  ASSERT_FALSE(size.ok());
  EXPECT_EQ(size.error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(size.error().message, "FetchRequest version 12: replica_state is set");
  EXPECT_TRUE(EncodedSize(request, 15).ok());
}

TEST(Encode, ANullWhereTheVersionHasNoneIsRefused) {
  Arena arena;
  MetadataRequest request;
  request.topics = Array<MetadataRequest::MetadataRequestTopic>::Null();
  EXPECT_FALSE(EncodedSize(request, 0).ok());
  EXPECT_TRUE(EncodedSize(request, 1).ok()) << "null means all topics from v1 on";
  request.topics = Array<MetadataRequest::MetadataRequestTopic>::Of(arena, {{.name = std::nullopt}});
  EXPECT_FALSE(EncodedSize(request, 9).ok());
  EXPECT_TRUE(EncodedSize(request, 10).ok()) << "topics by id from v10 on";

  CreateTopicsRequest no_null_at_all;
  no_null_at_all.topics = Array<CreateTopicsRequest::CreatableTopic>::Null();
  EXPECT_FALSE(EncodedSize(no_null_at_all, 7).ok());
}

TEST(Encode, AStringIsAtMost32767BytesLong) {
  const std::string text(32768, 'x');
  FetchRequest request;
  request.rack_id = std::string_view(text).substr(1);
  EXPECT_TRUE(EncodedSize(request, 18).ok());
  request.rack_id = text;
  EXPECT_FALSE(EncodedSize(request, 18).ok());
  EXPECT_TRUE(EncodedSize(request, 10).ok()) << "where it is not written, it may be anything";
}

TEST(Encode, ARecordsFieldMaySendBytesThatAreElsewhere) {
  Arena arena;
  FetchResponse response;
  auto& topic = response.responses.Add(arena);
  topic.partitions.Add(arena).records = Records::External(/*id=*/1, /*size=*/500);
  topic.partitions.Add(arena).records = Records::Of(ByteView());
  topic.partitions.Add(arena).records = Records::External(/*id=*/2, /*size=*/70);
  Result<size_t> size = EncodedSize(response, 13);
  ASSERT_TRUE(size.ok());
  std::vector<uint8_t> bytes(*size);
  protocol::Writer writer(bytes);
  Encode(response, 13, writer);
  EXPECT_EQ(writer.left(), 0u);
  EXPECT_EQ(writer.external_size(), 570u);
  ASSERT_EQ(writer.splices().size(), 2u);

  // Put together, it is what a client reads.
  std::vector<uint8_t> sent;
  auto from = bytes.begin();
  for (const protocol::Splice& splice : writer.splices()) {
    auto to = bytes.begin() + static_cast<ptrdiff_t>(splice.position);
    sent.insert(sent.end(), from, to);
    sent.insert(sent.end(), splice.size, static_cast<uint8_t>(splice.external_id));
    from = to;
  }
  sent.insert(sent.end(), from, bytes.end());
  Reader reader(sent);
  FetchResponse read;
  ASSERT_TRUE(Decode(reader, 13, arena, read));
  EXPECT_EQ(reader.left(), 0u);
  const auto& partitions = read.responses[0].partitions;
  EXPECT_EQ(partitions[0].records.size(), 500u);
  EXPECT_EQ(partitions[0].records.bytes[499], 1);
  EXPECT_EQ(partitions[1].records.size(), 0u);
  EXPECT_EQ(partitions[2].records.size(), 70u);
  EXPECT_EQ(partitions[2].records.bytes[0], 2);
}

}  // namespace
}  // namespace kb::message
