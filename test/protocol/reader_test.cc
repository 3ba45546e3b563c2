// What a Reader makes of bytes that lie: lengths, counts and tags that promise more than there is.
#include "protocol/reader.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace kb::protocol {
namespace {

struct Bytes {
  std::vector<uint8_t> data;
  Bytes(std::initializer_list<int> list) {
    for (int byte : list) data.push_back(static_cast<uint8_t>(byte));
  }
  Bytes& Then(size_t count, uint8_t byte) {
    data.insert(data.end(), count, byte);
    return *this;
  }
  operator ByteView() const { return data; }  // NOLINT: implicit on purpose
};

Array<int32_t> ReadInts(Reader& reader, Arena& arena, bool flexible) {
  return reader.ReadArray<int32_t>(flexible, 4, arena, [&](int32_t& element) { element = reader.ReadInt32(); });
}
Array<std::string_view> ReadStrings(Reader& reader, Arena& arena) {
  return reader.ReadArray<std::string_view>(true, 1, arena,
                                            [&](std::string_view& element) { element = reader.ReadString(true); });
}

TEST(Reader, IntegersAreBigEndian) {
  Bytes bytes{0x01, 0xff, 0xfe, 0x00, 0x00, 0x00, 0x02, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x02};
  Reader reader(bytes);
  EXPECT_EQ(reader.ReadInt8(), 1);
  EXPECT_EQ(reader.ReadInt16(), -2);
  EXPECT_EQ(reader.ReadInt32(), 2);
  EXPECT_EQ(reader.ReadInt64(), INT64_MIN);
  EXPECT_TRUE(reader.ReadBool()) << "anything but 0 is true";
  EXPECT_TRUE(reader.ok());
  EXPECT_EQ(reader.left(), 0u);
}

TEST(Reader, TheFirstFailureEndsEverything) {
  Bytes bytes{0, 0, 1};
  Reader reader(bytes);
  EXPECT_EQ(reader.ReadInt32(), 0);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.left(), 0u);
  EXPECT_EQ(reader.ReadInt8(), 0) << "the bytes that are there are not handed out any more";
  EXPECT_EQ(reader.ReadString(false), "");
  EXPECT_FALSE(reader.ok());
}

TEST(Reader, AnEmptyFrameIsReadable) {
  Reader reader(ByteView{});
  EXPECT_TRUE(reader.ok());
  EXPECT_EQ(reader.ReadUvarint(), 0u);
  EXPECT_FALSE(reader.ok());
}

TEST(Reader, AUvarintMayBeLongerThanItMustButNotLongerThanFiveBytes) {
  Bytes padded{0x81, 0x80, 0x80, 0x80, 0x00};
  Reader reader(padded);
  EXPECT_EQ(reader.ReadUvarint(), 1u);
  EXPECT_TRUE(reader.ok());

  Bytes overlong{0x81, 0x80, 0x80, 0x80, 0x80, 0x00};
  Reader too_long(overlong);
  EXPECT_EQ(too_long.ReadUvarint(), 0u);
  EXPECT_FALSE(too_long.ok());

  Bytes cut{0x81, 0x80};
  Reader too_short(cut);
  too_short.ReadUvarint();
  EXPECT_FALSE(too_short.ok());
}

TEST(Reader, StringsAreViewsIntoTheFrame) {
  Bytes bytes{0x00, 0x02, 'h', 'i', 0x03, 'h', 'o'};
  Reader reader(bytes);
  std::string_view old_form = reader.ReadString(false);
  std::string_view flexible = reader.ReadString(true);
  EXPECT_EQ(old_form, "hi");
  EXPECT_EQ(flexible, "ho");
  EXPECT_EQ(reinterpret_cast<const uint8_t*>(old_form.data()), bytes.data.data() + 2);
}

TEST(Reader, AStringEndsAt32767Bytes) {
  Bytes longest{0x80, 0x80, 0x02};  // 32767 + 1
  longest.Then(32767, 'x');
  Reader reader(longest);
  EXPECT_EQ(reader.ReadString(true).size(), 32767u);
  EXPECT_TRUE(reader.ok());

  Bytes longer{0x81, 0x80, 0x02};
  longer.Then(32768, 'x');
  Reader too_long(longer);
  too_long.ReadString(true);
  EXPECT_FALSE(too_long.ok());

  Bytes bytes_may{0x81, 0x80, 0x02};
  bytes_may.Then(32768, 'x');
  Reader bytes(bytes_may);
  EXPECT_EQ(bytes.ReadBytes(true).size(), 32768u) << "only strings have this limit";
}

TEST(Reader, EveryNegativeLengthIsNull) {
  Bytes minus_two{0xff, 0xfe};
  Reader old_form(minus_two);
  EXPECT_EQ(old_form.ReadNullableString(false), std::nullopt);
  EXPECT_TRUE(old_form.ok());

  Bytes beyond_31_bits{0x85, 0x80, 0x80, 0x80, 0x08};
  Reader flexible(beyond_31_bits);
  EXPECT_EQ(flexible.ReadNullableBytes(true), std::nullopt);
  EXPECT_TRUE(flexible.ok());
}

TEST(Reader, NullWhereNoneIsAllowedIsMalformed) {
  Arena arena;
  Bytes old_null{0xff, 0xff, 0xff, 0xff};
  for (int what = 0; what < 4; ++what) {
    Reader reader(old_null);
    if (what == 0) reader.ReadString(false);
    if (what == 1) reader.ReadBytes(false);
    if (what == 2) reader.ReadRecords(false);
    if (what == 3) ReadInts(reader, arena, false);
    EXPECT_FALSE(reader.ok()) << what;
  }
  Bytes flexible_null{0x00};
  Reader reader(flexible_null);
  reader.ReadString(true);
  EXPECT_FALSE(reader.ok());
}

TEST(Reader, NullAndEmptyAreDifferent) {
  Arena arena;
  Bytes bytes{0x00, 0x01, 0x00, 0x01};
  Reader reader(bytes);
  EXPECT_TRUE(reader.ReadNullableRecords(true).is_null);
  EXPECT_FALSE(reader.ReadNullableRecords(true).is_null);
  auto read = [&] {
    return reader.ReadNullableArray<int8_t>(true, 1, arena, [&](int8_t& e) { e = reader.ReadInt8(); });
  };
  EXPECT_TRUE(read().is_null());
  EXPECT_FALSE(read().is_null());
  EXPECT_TRUE(reader.ok());
}

TEST(Reader, ACountOfABillionAllocatesNothing) {
  Arena arena;
  Bytes billion{0x3b, 0x9a, 0xca, 0x00};
  billion.Then(36, 0);
  Reader reader(billion);
  ReadInts(reader, arena, false);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(arena.allocated_bytes(), 0u);
}

TEST(Reader, ACountThatTheBytesCannotHoldIsRefusedBeforeAllocating) {
  Arena arena;
  Bytes eleven_of_four_bytes_in_forty{12};
  eleven_of_four_bytes_in_forty.Then(40, 0);
  Reader reader(eleven_of_four_bytes_in_forty);
  ReadInts(reader, arena, true);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(arena.allocated_bytes(), 0u);

  Bytes ten{11};
  ten.Then(40, 0);
  Reader exact(ten);
  EXPECT_EQ(ReadInts(exact, arena, true).size(), 10u);
  EXPECT_TRUE(exact.ok());
}

// A struct that is large in memory and a byte on the wire.
struct Wide {
  int8_t value = 0;
  char room[999] = {};
};

TEST(Reader, ADecodeThatFailsEarlyHasCostLittle) {
  Arena arena;
  Bytes bytes{0x00, 0x01, 0x00, 0x00};  // 65,536 elements, a byte each: 65 MB in memory
  bytes.Then(65536, 1);
  Reader reader(bytes);
  int read = 0;
  reader.ReadArray<Wide>(false, 1, arena, [&](Wide& element) {
    element.value = reader.ReadInt8();
    if (++read == 10) reader.Fail();
  });
  EXPECT_FALSE(reader.ok());
  EXPECT_LE(arena.allocated_bytes(), 600'000u) << "8 bytes for each byte left";
}

TEST(Reader, ArraysMayTakeEightTimesTheFrameAndALittle) {
  Arena arena;
  Bytes bytes{0x00, 0x01, 0x00, 0x00};
  bytes.Then(65536, 1);
  Reader reader(bytes);
  reader.ReadArray<Wide>(false, 1, arena, [&](Wide& element) { element.value = reader.ReadInt8(); });
  EXPECT_FALSE(reader.ok());
  EXPECT_LE(arena.allocated_bytes(), Reader::kFreeMemory + 8 * 65540 + Arena::kMostBlock);
}

TEST(Reader, ArraysThatGrowKeepTheirElements) {
  Arena arena;
  Bytes bytes{0x00, 0x00, 0x04, 0x00};  // 1,024 elements: room for 9 at first
  for (int i = 0; i < 1024; ++i) bytes.data.push_back(static_cast<uint8_t>(i));
  Reader reader(bytes);
  auto array = reader.ReadArray<Wide>(false, 1, arena, [&](Wide& element) { element.value = reader.ReadInt8(); });
  ASSERT_TRUE(reader.ok());
  ASSERT_EQ(array.size(), 1024u);
  for (size_t i = 0; i < array.size(); ++i) ASSERT_EQ(array[i].value, static_cast<int8_t>(i));
}

TEST(Reader, ATighterMemoryLimitIsKept) {
  Bytes bytes{0x05, 0x02, 'a', 0x02, 'b', 0x02, 'c', 0x02, 'd'};
  for (size_t limit : {4 * sizeof(std::string_view), 4 * sizeof(std::string_view) - 1}) {
    Arena arena;
    Reader reader(bytes);
    reader.set_memory_limit(limit);
    ReadStrings(reader, arena);
    EXPECT_EQ(reader.ok(), limit == 4 * sizeof(std::string_view));
  }
}

// ---- tags

TEST(TagSection, UnknownTagsAreKeptInAscendingOrder) {
  Arena arena;
  Bytes bytes{0x04, 0x63, 0x01, 0xaa, 0x05, 0x00, 0x62, 0x02, 0xbb, 0xcc, 0x63, 0x01, 0xdd, 0x77};
  Reader reader(bytes);
  Array<RawTag> unknown;
  reader.ReadUnknownTags(arena, unknown);
  ASSERT_TRUE(reader.ok());
  ASSERT_EQ(unknown.size(), 4u);
  EXPECT_EQ(unknown[0].number, 5u);
  EXPECT_EQ(unknown[1].number, 0x62u);
  EXPECT_EQ(unknown[2].bytes[0], 0xaa) << "of two with one number, the first stays first";
  EXPECT_EQ(unknown[3].bytes[0], 0xdd);
  EXPECT_EQ(reader.left(), 1u) << "what follows is not the section's";
}

TEST(TagSection, EveryCutInsideItIsMalformed) {
  Bytes whole{0x02, 0x63, 0x01, 0xaa, 0x64, 0x02, 0xbb, 0xcc};
  for (size_t size = 0; size < whole.data.size(); ++size) {
    Arena arena;
    Reader reader(ByteView(whole).first(size));
    Array<RawTag> unknown;
    reader.ReadUnknownTags(arena, unknown);
    EXPECT_FALSE(reader.ok()) << size;
  }
}

TEST(TagSection, ManyDescendingTagsAreSortedAndBounded) {
  Arena arena;
  Bytes bytes{0x80, 0x80, 0x02};  // 32,768 tags
  for (int i = 32767; i >= 0; --i) {
    for (int byte : {(i & 0x7f) | 0x80, ((i >> 7) & 0x7f) | 0x80, i >> 14, 0})
      bytes.data.push_back(static_cast<uint8_t>(byte));
  }
  Reader reader(bytes);
  Array<RawTag> unknown;
  reader.ReadUnknownTags(arena, unknown);
  ASSERT_TRUE(reader.ok());
  ASSERT_EQ(unknown.size(), 32768u);
  for (size_t i = 0; i < unknown.size(); ++i) ASSERT_EQ(unknown[i].number, i);

  Reader bounded(bytes);
  bounded.set_memory_limit(1000);
  Array<RawTag> few;
  bounded.ReadUnknownTags(arena, few);
  EXPECT_FALSE(bounded.ok());
  EXPECT_LE(few.size(), 21u);
}

}  // namespace
}  // namespace kb::protocol
