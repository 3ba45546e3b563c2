#include "log/file_names.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

#include "base/check.h"

namespace kb::log {
namespace {

constexpr size_t kDigits = 20;
constexpr size_t kLongestName = 255;
constexpr std::array kSuffixes = {kLogSuffix, kIndexSuffix, kTimeIndexSuffix, kTxnIndexSuffix, kSnapshotSuffix};

// All of text, decimal digits only.
template <typename T>
std::optional<T> ParseDigits(std::string_view text) {
  if (text.empty() || !std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    return std::nullopt;
  }
  T value{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string_view SuffixOf(ReplicaDirectoryKind kind) {
  switch (kind) {
    case ReplicaDirectoryKind::kCurrent: return "";
    case ReplicaDirectoryKind::kDelete: return "-delete";
    case ReplicaDirectoryKind::kStray: return "-stray";
    case ReplicaDirectoryKind::kFuture: return "-future";
  }
  return "";
}

std::string HexOf(const Uuid& id) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string hex;
  for (uint8_t byte : id.bytes()) {
    hex += kHex[byte >> 4];
    hex += kHex[byte & 15];
  }
  return hex;
}

std::optional<TopicPartition> ParseTopicPartition(std::string_view name) {
  size_t dash = name.rfind('-');
  if (dash == std::string_view::npos || dash == 0) return std::nullopt;
  std::optional<int32_t> partition = ParseDigits<int32_t>(name.substr(dash + 1));
  if (!partition) return std::nullopt;
  return TopicPartition{std::string(name.substr(0, dash)), *partition};
}

// Takes ".<32 hex><suffix>" off the end of name.
bool TakeSuffix(std::string_view& name, ReplicaDirectoryKind kind) {
  std::string_view suffix = SuffixOf(kind);
  constexpr size_t kHexDigits = 2 * Uuid::kSize;
  if (!name.ends_with(suffix) || name.size() < suffix.size() + kHexDigits + 1) return false;
  size_t dot = name.size() - suffix.size() - kHexDigits - 1;
  std::string_view hex = name.substr(dot + 1, kHexDigits);
  bool is_hex = hex.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
  if (name[dot] != '.' || !is_hex) return false;
  name = name.substr(0, dot);
  return true;
}

}  // namespace

std::string OffsetFileName(Offset base_offset, std::string_view suffix) {
  KB_CHECK(base_offset.value() >= 0);
  std::string digits = std::to_string(base_offset.value());
  return std::string(kDigits - digits.size(), '0').append(digits).append(suffix);
}

std::optional<OffsetFile> ParseOffsetFileName(std::string_view name) {
  if (name.size() <= kDigits) return std::nullopt;
  std::optional<int64_t> offset = ParseDigits<int64_t>(name.substr(0, kDigits));
  if (!offset) return std::nullopt;
  for (std::string_view suffix : kSuffixes) {
    if (name.substr(kDigits) == suffix) return OffsetFile{Offset(*offset), suffix};
  }
  return std::nullopt;
}

std::string DirectoryNameOf(const TopicPartition& partition) { return partition.ToString(); }

std::string DirectoryNameOf(const TopicPartition& partition, ReplicaDirectoryKind kind, const Uuid& unique) {
  if (kind == ReplicaDirectoryKind::kCurrent) return DirectoryNameOf(partition);
  std::string tail = "-" + std::to_string(partition.partition) + "." + HexOf(unique);
  tail += SuffixOf(kind);
  return partition.topic.substr(0, std::min(partition.topic.size(), kLongestName - tail.size())) + tail;
}

std::optional<ReplicaDirectoryName> ParseDirectoryName(std::string_view name) {
  ReplicaDirectoryKind kind = ReplicaDirectoryKind::kCurrent;
  for (auto each : {ReplicaDirectoryKind::kDelete, ReplicaDirectoryKind::kStray, ReplicaDirectoryKind::kFuture}) {
    if (kind == ReplicaDirectoryKind::kCurrent && TakeSuffix(name, each)) kind = each;
  }
  std::optional<TopicPartition> partition = ParseTopicPartition(name);
  if (!partition) return std::nullopt;
  return ReplicaDirectoryName{std::move(*partition), kind};
}

}  // namespace kb::log
