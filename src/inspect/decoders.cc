#include "inspect/decoders.h"

#include "base/arena.h"
#include "inspect/java_text.h"
#include "inspect/json_text.h"
#include "inspect/show.h"
#include "message/group_metadata_value.h"
#include "message/registry.h"
#include "metadata/record.h"
#include "protocol/reader.h"

namespace kb::inspect {
namespace {

using protocol::MessageInfo;
using protocol::MessageKind;

// The bytes as that message; nullopt when they are none, or of a version that it does not have.
std::optional<std::string> Show(const MessageInfo& info, int16_t version, ByteView bytes,
                                JsonText::BytesHook hook = nullptr) {
  const Shower* shower = FindShower(info.name);
  if (shower == nullptr || version < info.min_version || version > info.max_version) return std::nullopt;
  Arena arena;
  void* message = info.create(arena);
  protocol::Reader reader(bytes);
  if (!info.decode(reader, version, arena, message)) return std::nullopt;
  JsonText text(std::move(hook));
  shower->show(message, version, text);
  return text.text();
}

std::optional<std::string> Show(std::string_view name, int16_t version, ByteView bytes) {
  const MessageInfo* info = message::FindMessage(name);
  return info == nullptr ? std::nullopt : Show(*info, version, bytes);
}

// "TopicRecord" as "TOPIC_RECORD".
std::string UpperSnake(std::string_view name) {
  std::string text;
  for (char c : name) {
    bool is_upper = c >= 'A' && c <= 'Z';
    if (is_upper && !text.empty()) text += '_';
    text += is_upper ? c : static_cast<char>(c - 'a' + 'A');
  }
  return text;
}

std::string WhyNoFrame(ByteView value) {
  uint32_t version = 0;
  if (ReadUvarint(value, &version) == 0 || version == 0) return "Error while reading frame version";
  return "Could not deserialize metadata record due to unknown frame version " + std::to_string(version) +
         "(only frame version 1 is supported)";
}

std::string ShowMetadata(const record::RecordView& record) {
  const std::string skipping = "Error at " + ToString(record.offset) + ", skipping. ";
  ByteView value = record.value.value_or(ByteView());
  Result<metadata::RecordFrame> frame = metadata::ParseFrame(value);
  if (!frame.ok()) return skipping + WhyNoFrame(value);
  std::string_view name = metadata::RecordTypeName(frame->type);
  if (name.empty()) return skipping + "Unknown metadata id " + std::to_string(frame->type);
  std::optional<std::string> data;
  if (frame->version <= INT16_MAX) data = Show(name, static_cast<int16_t>(frame->version), frame->body);
  if (!data) return skipping + "Could not read " + std::string(name) + " of version " + std::to_string(frame->version);
  JsonText json;
  json.BeginObject();
  json.Name("type");
  json.Value(UpperSnake(name));
  json.Name("version");
  json.Value(frame->version);
  json.Name("data");
  json.Raw(*data);
  json.EndObject();
  return json.text();
}

// A member's subscription or assignment, as a consumer wrote it: a version, then the message. It shows itself without.
bool ShowConsumerBytes(std::string_view field, ByteView bytes, JsonText& out) {
  std::string_view name = field == "subscription" ? "ConsumerProtocolSubscription" : "ConsumerProtocolAssignment";
  if ((field != "subscription" && field != "assignment") || bytes.size() < sizeof(int16_t)) return false;
  std::optional<std::string> text =
      Show(name, LoadBigEndian<int16_t>(bytes.data()), bytes.subspan(sizeof(int16_t)));
  if (text) out.Raw(*text);
  return text.has_value();
}

JsonText::BytesHook HookOf(const MessageInfo& info, int16_t version, ByteView body) {
  if (info.name != message::GroupMetadataValue::kName) return nullptr;
  Arena arena;
  message::GroupMetadataValue group;
  protocol::Reader reader(body);
  bool is_group = version >= info.min_version && version <= info.max_version && Decode(reader, version, arena, group);
  if (!is_group || group.protocol_type != "consumer") return nullptr;
  return ShowConsumerBytes;
}

std::string Envelope(std::string_view label, int16_t number, std::string_view data) {
  JsonText json;
  json.BeginObject();
  json.Name(label);
  json.Value(std::to_string(number));
  json.Name("data");
  json.Raw(data);
  json.EndObject();
  return json.text();
}

struct Versioned {
  int16_t version = -1;
  ByteView body;
};
std::optional<Versioned> TakeVersion(ByteView bytes) {
  if (bytes.size() < sizeof(int16_t)) return std::nullopt;
  return Versioned{LoadBigEndian<int16_t>(bytes.data()), bytes.subspan(sizeof(int16_t))};
}

std::string CannotRead(int64_t offset, int16_t version, std::string_view part) {
  return "Error at offset " + std::to_string(offset) + ", skipping. Could not read record with version " +
         std::to_string(version) + " from " + std::string(part) + "'s buffer due to: null.";
}

Decoded DecodeCoordinatorRecord(std::string_view area, const record::RecordView& record) {
  const int64_t offset = record.offset.value();
  if (!record.key) {
    return {.payload = "Failed to decode message at offset " + std::to_string(offset) +
                       " using the specified decoder (message had a missing key)",
            .is_fatal = true};
  }
  std::optional<Versioned> key = TakeVersion(*record.key);
  if (!key) return {.key = CannotRead(offset, -1, "key")};
  const MessageInfo* key_info = message::FindMessage(area, MessageKind::kCoordinatorKey, key->version);
  if (key_info == nullptr) {
    return {.key = "Unknown record type " + std::to_string(key->version) + " at offset " + std::to_string(offset) +
                   ", skipping."};
  }
  std::optional<std::string> key_text = Show(*key_info, 0, key->body);
  if (!key_text) return {.key = CannotRead(offset, key->version, "key")};
  Decoded decoded{.key = Envelope("type", key->version, *key_text)};
  if (!record.value) {
    decoded.payload = "<DELETE>";
    return decoded;
  }
  std::optional<Versioned> value = TakeVersion(*record.value);
  const MessageInfo* info = message::FindMessage(area, MessageKind::kCoordinatorValue, key->version);
  std::optional<std::string> text;
  if (value && info != nullptr) {
    text = Show(*info, value->version, value->body, HookOf(*info, value->version, value->body));
  }
  if (!text) return {.key = CannotRead(offset, value ? value->version : int16_t{-1}, "value")};
  decoded.payload = Envelope("version", value->version, *text);
  return decoded;
}

// The value of a control record begins with its own version.
std::string ShowControl(std::string_view label, std::string_view message, const record::RecordView& record) {
  std::optional<std::string> text;
  if (record.value && record.value->size() >= sizeof(int16_t)) {
    text = Show(message, LoadBigEndian<int16_t>(record.value->data()), *record.value);
  }
  return std::string(label) + " " + text.value_or("(not readable)");
}

}  // namespace

Decoded DecodeRecord(Decoder decoder, const record::RecordView& record) {
  switch (decoder) {
    case Decoder::kText: {
      Decoded decoded;
      if (record.key) decoded.key = JavaText(*record.key);
      if (record.value) decoded.payload = JavaText(*record.value);
      return decoded;
    }
    case Decoder::kClusterMetadata: return {.payload = ShowMetadata(record)};
    case Decoder::kOffsets: return DecodeCoordinatorRecord("group", record);
    case Decoder::kTransactions: return DecodeCoordinatorRecord("transaction", record);
    case Decoder::kShareState: return DecodeCoordinatorRecord("share", record);
  }
  return {};
}

std::string DescribeControl(const record::RecordView& record) {
  std::optional<record::ControlType> type = record::ControlTypeOf(record);
  if (!type) return "controlType: UNKNOWN(-1)";
  switch (*type) {
    case record::ControlType::kAbort:
    case record::ControlType::kCommit: {
      std::optional<record::EndTransactionMarker> marker = record::ParseEndTransactionMarker(record);
      if (!marker) return "endTxnMarker: (not readable)";
      return std::string("endTxnMarker: ") + (marker->commit ? "COMMIT" : "ABORT") +
             " coordinatorEpoch: " + std::to_string(marker->coordinator_epoch);
    }
    case record::ControlType::kLeaderChange: return ShowControl("LeaderChange:", "LeaderChangeMessage", record);
    case record::ControlType::kSnapshotHeader: return ShowControl("SnapshotHeader", "SnapshotHeaderRecord", record);
    case record::ControlType::kSnapshotFooter: return ShowControl("SnapshotFooter", "SnapshotFooterRecord", record);
    case record::ControlType::kKRaftVersion: return ShowControl("KRaftVersion", "KRaftVersionRecord", record);
    case record::ControlType::kVoters: return ShowControl("KRaftVoters", "VotersRecord", record);
  }
  return "controlType: UNKNOWN(" + std::to_string(static_cast<int>(*type)) + ")";
}

}  // namespace kb::inspect
