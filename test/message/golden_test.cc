// Every message in both directions against what Apache Kafka 4.3.1 wrote, byte for byte:
//
//   bytes -> message -> the same bytes          bytes -> message -> the same JSON          JSON -> message -> the same
//   bytes
//
// and whole frames, stored forms, damaged bodies, and records of a real data directory. Each test prints how many it
// ran.
#include "message/golden.h"

#include <gtest/gtest.h>

#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "base/crc32c.h"
#include "base/varint.h"
#include "message/registry.h"
#include "message_json/json.h"
#include "protocol/framed.h"
#include "protocol/header.h"
#include "protocol/message_info.h"

namespace kb::golden {

// A message of any type, with the functions that protocol's templates look for.
struct AnyMessage {
  const protocol::MessageInfo* info = nullptr;
  void* message = nullptr;
};
Result<size_t> EncodedSize(const AnyMessage& any, int16_t version) {
  return any.info->encoded_size(any.message, version);
}
void Encode(const AnyMessage& any, int16_t version, protocol::Writer& writer) {
  any.info->encode(any.message, version, writer);
}

namespace {

using nlohmann::json;
using protocol::MessageInfo;
using protocol::MessageKind;

class GoldenTest : public ::testing::Test {
 protected:
  void TearDown() override {
    std::cout << "[  GOLDEN  ] " << ran_ << " " << what_ << " from " << Folder() << std::endl;
    RecordProperty("ran", static_cast<int>(ran_));
  }
  // Our own copy holds exactly this many, so that a reader of files that finds nothing is noticed.
  void ExpectRan(size_t expected, const char* what) {
    what_ = what;
    if (IsOurCopy()) {
      EXPECT_EQ(ran_, expected) << what;
    } else {
      EXPECT_GT(ran_, 0u) << what;
    }
  }

  static AnyMessage New(const json& vector, Arena& arena) {
    const MessageInfo* info = message::FindMessage(vector.at("message").get<std::string>());
    EXPECT_NE(info, nullptr) << vector.at("message");
    return {info, info == nullptr ? nullptr : info->create(arena)};
  }
  static json ToJson(const AnyMessage& any, int16_t version) {
    return message_json::FindCodec(any.info->name)->to_json(any.message, version);
  }
  static std::string EncodedHex(const AnyMessage& any, int16_t version) {
    Arena arena;
    Result<ByteView> bytes = protocol::EncodeTo(arena, any, version);
    return bytes.ok() ? ToHex(*bytes) : bytes.error().message;
  }

  // Bytes to message, and from it back to the bytes and to the JSON.
  static void ExpectReads(const MessageInfo* info, int16_t version, ByteView bytes, const json& expected) {
    ASSERT_NE(info, nullptr);
    Arena arena;
    AnyMessage any{info, info->create(arena)};
    protocol::Reader reader(bytes);
    ASSERT_TRUE(info->decode(reader, version, arena, any.message))
        << info->name << " v" << version << " " << ToHex(bytes);
    EXPECT_EQ(reader.left(), 0u);
    EXPECT_EQ(EncodedHex(any, version), ToHex(bytes)) << info->name << " v" << version;
    EXPECT_EQ(ToJson(any, version), expected) << info->name << " v" << version;
  }
  // JSON to message, and from it to the bytes.
  static void ExpectWrites(const MessageInfo* info, int16_t version, const json& from, const std::string& hex) {
    Arena arena;
    AnyMessage any{info, info->create(arena)};
    Status status = message_json::FindCodec(info->name)->from_json(from, version, arena, any.message);
    ASSERT_TRUE(status.ok()) << info->name << " v" << version << ": " << status.error().message << " " << from;
    EXPECT_EQ(EncodedHex(any, version), hex) << info->name << " v" << version << " " << from;
  }

  size_t ran_ = 0;
  const char* what_ = "vectors";
};

TEST_F(GoldenTest, EveryBodyOfEveryVersionInBothDirections) {
  for (const std::string& file : MessageFiles()) {
    ForEachLine(file, [&](const json& vector) {
      ++ran_;
      const MessageInfo* info = message::FindMessage(vector.at("message").get<std::string>());
      int16_t version = vector.at("version").get<int16_t>();
      std::string hex = vector.at("hex").get<std::string>();
      ASSERT_NE(info, nullptr) << vector.at("message");
      EXPECT_EQ(info->key, vector.value("key", int16_t{-1})) << info->name;
      ExpectReads(info, version, AsBytes(FromHex(hex)), vector.at("json"));
      ExpectWrites(info, version, vector.at("json"), hex);
    });
    if (HasFailure()) break;  // one message's worth of differences is enough to read
  }
  ExpectRan(5770, "bodies");
}

// The prefix that a message has where it is stored.
std::string StoredPrefix(const MessageInfo& info, int16_t version) {
  std::string bytes(8, '\0');
  protocol::Writer writer({reinterpret_cast<uint8_t*>(bytes.data()), bytes.size()});
  if (info.kind == MessageKind::kMetadata) {
    protocol::WriteMetadataFrame({info.key, version}, writer);
  } else {
    writer.PutInt16(info.kind == MessageKind::kCoordinatorKey ? info.key : version);
  }
  return bytes.substr(0, writer.size());
}

TEST_F(GoldenTest, EveryStoredFormHasItsPrefix) {
  for (const std::string& file : MessageFiles()) {
    ForEachLine(file, [&](const json& vector) {
      // quorum-state is a text file, not bytes
      if (!vector.contains("framed") || vector.at("message") == "QuorumStateData") return;
      ++ran_;
      const MessageInfo* info = message::FindMessage(vector.at("message").get<std::string>());
      ASSERT_NE(info, nullptr);
      int16_t version = vector.at("version").get<int16_t>();
      std::string prefix = StoredPrefix(*info, version);
      EXPECT_EQ(ToHex(AsBytes(prefix)) + vector.at("hex").get<std::string>(), vector.at("framed")) << info->name;

      std::string framed = FromHex(vector.at("framed").get<std::string>());
      protocol::Reader reader(AsBytes(framed));
      protocol::RecordType type;
      if (info->kind == MessageKind::kMetadata) {
        EXPECT_TRUE(protocol::ReadMetadataFrame(reader, type));
        EXPECT_EQ(type.key, info->key);
        EXPECT_EQ(type.version, version);
      } else {
        EXPECT_TRUE(protocol::ReadInt16Prefix(reader, type.key));
        EXPECT_EQ(type.key, info->kind == MessageKind::kCoordinatorKey ? info->key : version);
      }
      EXPECT_EQ(reader.position(), prefix.size());
    });
  }
  what_ = "stored forms";
  if (IsOurCopy()) ExpectRan(885, "stored forms");
}

TEST_F(GoldenTest, EveryFrameFromItsSizeToItsLastByte) {
  if (!Has("frames.jsonl.gz")) GTEST_SKIP() << Folder() << " has no frames.jsonl.gz";
  ForEachLine(Folder() + "/frames.jsonl.gz", [&](const json& vector) {
    ++ran_;
    Arena arena;
    AnyMessage body = New(vector, arena);
    int16_t key = vector.at("key").get<int16_t>(), version = vector.at("version").get<int16_t>();
    int32_t correlation_id = vector.at("correlationId").get<int32_t>();
    bool is_request = vector.at("kind") == "request";
    std::string bytes = FromHex(vector.at("hex").get<std::string>());
    protocol::Reader reader(AsBytes(bytes));
    EXPECT_EQ(static_cast<size_t>(reader.ReadInt32()), bytes.size() - 4);

    std::string again(bytes.size(), '\0');
    protocol::Writer writer({reinterpret_cast<uint8_t*>(again.data()), again.size()});
    if (is_request) {
      protocol::RequestHeader header;
      ASSERT_TRUE(protocol::ReadRequestHeader(reader, arena, header));
      EXPECT_EQ(header.api_key, key);
      EXPECT_EQ(header.api_version, version);
      EXPECT_EQ(header.correlation_id, correlation_id);
      EXPECT_EQ(header.client_id.has_value(), !vector.at("clientId").is_null());
      EXPECT_EQ(header.client_id.value_or(""),
                vector.at("clientId").is_null() ? "" : vector.at("clientId").get<std::string>());
      ASSERT_NE(header.api(), nullptr);
      EXPECT_TRUE(header.api()->Has(version));
      EXPECT_EQ(protocol::RequestHeaderHasTags(key, version), vector.at("headerVersion") == 2);
      ASSERT_TRUE(body.info->decode(reader, version, arena, body.message));
      Result<size_t> size = protocol::RequestFrameSize(header, body);
      ASSERT_TRUE(size.ok());
      ASSERT_EQ(*size, bytes.size());
      protocol::WriteRequestFrame(header, body, writer);
    } else {
      protocol::ResponseHeader header;
      ASSERT_TRUE(protocol::ReadResponseHeader(reader, key, version, arena, header));
      EXPECT_EQ(header.correlation_id, correlation_id);
      EXPECT_EQ(protocol::ResponseHeaderHasTags(key, version), vector.at("headerVersion") == 1);
      ASSERT_TRUE(body.info->decode(reader, version, arena, body.message));
      Result<size_t> size = protocol::ResponseFrameSize(key, version, body);
      ASSERT_TRUE(size.ok());
      ASSERT_EQ(*size, bytes.size());
      protocol::WriteResponseFrame(key, version, correlation_id, body, writer);
    }
    EXPECT_EQ(reader.left(), 0u);
    EXPECT_EQ(ToHex(AsBytes(again)), vector.at("hex")) << vector.at("message") << " v" << version;
  });
  ExpectRan(574, "frames");
}

// Strings that are not UTF-8 are kept as they came; Apache Kafka has U+FFFD in their place, and so has the JSON
// recorded for damaged bodies. It also leaves out the unknown tags.
json AsJavaReadsIt(const json& value) {
  if (value.is_string()) return golden::AsJavaReadsIt(value.get<std::string>());
  json out = value;
  if (out.is_object()) out.erase("_unknown");
  for (json& part : out) {
    if (part.is_structured() || part.is_string()) part = AsJavaReadsIt(part);
  }
  return out;
}

TEST_F(GoldenTest, EveryDamagedBodyIsReadOrRefusedAsRecorded) {
  if (!Has("malformed.jsonl.gz")) GTEST_SKIP() << Folder() << " has no malformed.jsonl.gz";
  ForEachLine(Folder() + "/malformed.jsonl.gz", [&](const json& vector) {
    ++ran_;
    Arena arena;
    AnyMessage body = New(vector, arena);
    int16_t version = vector.at("version").get<int16_t>();
    std::string bytes = FromHex(vector.at("hex").get<std::string>());
    protocol::Reader reader(AsBytes(bytes));
    bool accepted = body.info->decode(reader, version, arena, body.message);
    EXPECT_EQ(accepted, vector.at("outcome") == "ok")
        << vector.at("message") << " v" << version << " " << vector.at("mutation") << " " << vector.at("hex");
    if (!accepted || vector.at("outcome") != "ok") return;
    EXPECT_EQ(reader.left(), vector.at("left").get<size_t>());
    if (vector.contains("json")) {
      EXPECT_EQ(AsJavaReadsIt(ToJson(body, version)), vector.at("json"))
          << vector.at("message") << " v" << version << " " << vector.at("mutation") << " " << vector.at("hex");
    }
  });
  ExpectRan(861, "damaged bodies");
}

TEST_F(GoldenTest, EveryRecordOfADataDirectoryThatHasASchema) {
  if (!Has("disk/expected.jsonl.gz")) GTEST_SKIP() << Folder() << " has no disk/expected.jsonl.gz";
  auto read_key = [&](const json& record) {
    std::string bytes = FromBase64(record.at("key").get<std::string>());
    protocol::Reader reader(AsBytes(bytes));
    int16_t type = -1;
    ASSERT_TRUE(protocol::ReadInt16Prefix(reader, type));
    const MessageInfo* info = message::FindMessage(record.at("keyMessage").get<std::string>());
    ASSERT_NE(info, nullptr);
    EXPECT_EQ(type, info->key);
    EXPECT_EQ(info, message::FindMessage(info->area, MessageKind::kCoordinatorKey, type));
    ExpectReads(info, 0, reader.rest(), record.at("keyJson"));
  };
  auto read_value = [&](const json& record) {
    std::string bytes = FromBase64(record.at("value").get<std::string>());
    protocol::Reader reader(AsBytes(bytes));
    int16_t version = -1;
    ASSERT_TRUE(protocol::ReadInt16Prefix(reader, version));
    EXPECT_EQ(version, record.at("version").get<int16_t>());
    ExpectReads(message::FindMessage(record.at("valueMessage").get<std::string>()), version, reader.rest(),
                record.at("valueJson"));
  };
  auto read_metadata = [&](const json& record) {
    std::string bytes = FromBase64(record.at("value").get<std::string>());
    protocol::Reader reader(AsBytes(bytes));
    protocol::RecordType type;
    ASSERT_TRUE(protocol::ReadMetadataFrame(reader, type));
    EXPECT_EQ(type.version, record.at("version").get<int16_t>());
    const MessageInfo* info = message::FindMessage("metadata", MessageKind::kMetadata, type.key);
    ASSERT_NE(info, nullptr);
    EXPECT_EQ(info->name, record.at("message").get<std::string>());
    ExpectReads(info, type.version, reader.rest(), record.at("json"));
  };
  ForEachLine(Folder() + "/disk/expected.jsonl.gz", [&](const json& batch) {
    for (const json& record : batch.at("records")) {
      bool has_schema = record.contains("message") || record.contains("keyMessage");
      if (has_schema) ++ran_;
      if (record.contains("message")) read_metadata(record);
      if (record.contains("keyMessage")) read_key(record);
      if (record.contains("valueMessage")) read_value(record);
    }
  });
  ExpectRan(199, "records of a data directory");
}

TEST_F(GoldenTest, EveryPrimitive) {
  if (!Has("batches/primitives.jsonl.gz")) GTEST_SKIP() << Folder() << " has no batches/primitives.jsonl.gz";
  ForEachLine(Folder() + "/batches/primitives.jsonl.gz", [&](const json& vector) {
    std::string type = vector.at("type").get<std::string>();
    std::string bytes = FromHex(vector.at("hex").get<std::string>());
    ++ran_;
    if (type == "bytes") {
      EXPECT_EQ(Crc32c(AsBytes(bytes)), vector.at("crc32c").get<uint32_t>());
      return;
    }
    protocol::Reader reader(AsBytes(bytes));
    uint8_t again[10];
    uint8_t* end = again;
    int64_t value = vector.at("value").get<int64_t>();
    if (type == "uvarint") {
      EXPECT_EQ(reader.ReadUvarint(), static_cast<uint32_t>(value));
      end = WriteUvarint(again, static_cast<uint32_t>(value));
      EXPECT_EQ(UvarintSize(static_cast<uint32_t>(value)), bytes.size());
    } else if (type == "varint") {
      EXPECT_EQ(reader.ReadVarint(), value);
      end = WriteVarint(again, static_cast<int32_t>(value));
      EXPECT_EQ(VarintSize(static_cast<int32_t>(value)), bytes.size());
    } else {
      ASSERT_EQ(type, "varlong");
      EXPECT_EQ(reader.ReadVarlong(), value);
      end = WriteVarlong(again, value);
      EXPECT_EQ(VarlongSize(value), bytes.size());
    }
    EXPECT_TRUE(reader.ok());
    EXPECT_EQ(reader.left(), 0u);
    EXPECT_EQ(ToHex({again, static_cast<size_t>(end - again)}), vector.at("hex"));
  });
  ExpectRan(672, "primitives");
}

}  // namespace
}  // namespace kb::golden
