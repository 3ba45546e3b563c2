// Measurer and Writer agree, refuse what cannot be said, and never write past the buffer.
#include "protocol/writer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "protocol/reader.h"

namespace kb::protocol {
namespace {

// Runs put through both ends and returns the bytes.
template <typename Put>
std::vector<uint8_t> Written(const Put& put) {
  Measurer measurer;
  put(measurer);
  std::vector<uint8_t> bytes(measurer.size());
  Writer writer(bytes);
  put(writer);
  EXPECT_EQ(writer.left(), 0u) << "the Measurer promised exactly what the Writer wrote";
  return bytes;
}

TEST(Writer, PrimitivesInBothEncodings) {
  EXPECT_EQ(Written([](auto& sink) {
              sink.PutBool(true);
              sink.PutInt16(-2);
              sink.PutUint16(65535);
              sink.PutInt32(1);
              sink.PutUint32(0x80000000u);
              sink.PutInt64(-1);
            }),
            (std::vector<uint8_t>{1, 0xff, 0xfe, 0xff, 0xff, 0,    0,    0,    1,    0x80, 0,
                                  0, 0,    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}));
  EXPECT_EQ(Written([](auto& sink) {
              sink.PutString(false, std::string_view("hi"));
              sink.PutString(true, std::string_view("hi"));
              sink.PutString(false, std::optional<std::string_view>());
              sink.PutString(true, std::optional<std::string_view>());
              sink.PutBytes(false, std::optional<ByteView>());
              sink.PutBytes(true, std::optional<ByteView>());
            }),
            (std::vector<uint8_t>{0, 2, 'h', 'i', 3, 'h', 'i', 0xff, 0xff, 0, 0xff, 0xff, 0xff, 0xff, 0}));
}

TEST(Writer, UvarintsOfEveryLength) {
  for (uint32_t value : {0u, 127u, 128u, 16383u, 16384u, 1u << 21, 1u << 28, UINT32_MAX}) {
    std::vector<uint8_t> bytes = Written([&](auto& sink) { sink.PutUvarint(value); });
    Reader reader(bytes);
    EXPECT_EQ(reader.ReadUvarint(), value);
    EXPECT_EQ(reader.left(), 0u);
  }
}

TEST(Writer, ExternalRecordsLeaveAGapThatIsNotInTheBuffer) {
  Records records = Records::External(/*id=*/7, /*size=*/1000);
  Measurer measurer;
  measurer.PutRecords(true, records);
  measurer.PutInt8(1);
  EXPECT_EQ(measurer.size(), 3u) << "two bytes of length 1001 and the byte behind";
  EXPECT_EQ(measurer.external_size(), 1000u);

  std::vector<uint8_t> bytes(3);
  Writer writer(bytes);
  writer.PutRecords(true, records);
  writer.PutInt8(1);
  EXPECT_EQ(bytes, (std::vector<uint8_t>{0xe9, 0x07, 1}));
  ASSERT_EQ(writer.splices().size(), 1u);
  EXPECT_EQ(writer.splices()[0].position, 2u);
  EXPECT_EQ(writer.splices()[0].external_id, 7u);
  EXPECT_EQ(writer.splices()[0].size, 1000u);
}

TEST(Writer, KnownAndUnknownTagsMixInAscendingOrder) {
  Arena arena;
  auto unknown = Array<RawTag>::Of(arena, {{1, ByteView()}, {9, ByteView()}});
  std::vector<uint8_t> bytes = Written([&](auto& sink) {
    const RawTag* at = unknown.begin();
    sink.PutTagsBelow(3, at, unknown.end());
    sink.PutTag(3, [](auto& value) { value.PutInt16(5); });
    sink.PutTagsBelow(kAllTags, at, unknown.end());
  });
  EXPECT_EQ(bytes, (std::vector<uint8_t>{1, 0, 3, 2, 0, 5, 9, 0}));
}

TEST(Writer, WhatIsTooLongIsRefused) {
  std::string text(32768, 'x');
  Measurer string;
  string.PutString(true, std::string_view(text));
  Result<size_t> size = string.Finish("Test", 3);
  ASSERT_FALSE(size.ok());
  EXPECT_EQ(size.error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(size.error().message, "Test version 3: a string is longer than 32767 bytes");

  Measurer most;
  most.PutString(true, std::string_view(text).substr(1));
  EXPECT_TRUE(most.Finish("Test", 3).ok());

  Measurer records;
  records.PutRecords(true, Records::External(1, uint64_t{1} << 31));
  EXPECT_FALSE(records.Finish("Test", 3).ok());

  Measurer sum;  // each fits, both together are more than a frame's size can say
  sum.PutRecords(true, Records::External(1, uint64_t{3} << 29));
  sum.PutRecords(true, Records::External(1, uint64_t{3} << 29));
  EXPECT_FALSE(sum.Finish("Test", 3).ok());
}

TEST(WriterDeathTest, RunningOverTheBufferStopsTheProcess) {
  uint8_t bytes[3];
  EXPECT_DEATH(Writer(bytes).PutInt32(1), "CHECK failed");
  EXPECT_DEATH(Writer(bytes).PutString(false, std::string_view("ab")), "CHECK failed");
  EXPECT_DEATH(
      {
        Writer full(bytes);
        full.PutInt16(0);
        full.PutUvarint(300);
      },
      "CHECK failed");
}

}  // namespace
}  // namespace kb::protocol
