#include "message/golden.h"

#include <gtest/gtest.h>
#include <isa-l/igzip_lib.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace kb::golden {
namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

int HexDigit(char c) {
  return c <= '9' ? c - '0' : c - 'a' + 10;
}

// Length of the well-formed UTF-8 sequence at the front, or 0; `bad` is then how many bytes one U+FFFD stands for.
size_t WellFormed(std::string_view text, size_t* bad) {
  auto at = [&](size_t i) { return i < text.size() ? static_cast<uint8_t>(text[i]) : 0; };
  uint8_t first = static_cast<uint8_t>(at(0));
  *bad = 1;
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  size_t length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  uint8_t least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  uint8_t most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  for (size_t i = 1; i < length; ++i) {
    if (at(i) < least || at(i) > most) {
      *bad = i;
      return 0;
    }
    least = 0x80;
    most = 0xbf;
  }
  return length;
}

}  // namespace

std::string Folder() {
  const char* folder = std::getenv("GOLDEN_DIR");
  return folder != nullptr && *folder != '\0' ? folder : GOLDEN_SOURCE_DIR "/vectors";
}

bool IsOurCopy() {
  return Folder() == GOLDEN_SOURCE_DIR "/vectors";
}

std::string Unzip(const std::string& path) {
  std::string packed = ReadFile(path);
  if (!path.ends_with(".gz")) return packed;
  std::string out;
  std::string piece(1 << 16, '\0');
  inflate_state state;
  isal_inflate_init(&state);
  state.crc_flag = ISAL_GZIP;
  state.next_in = reinterpret_cast<uint8_t*>(packed.data());
  state.avail_in = static_cast<uint32_t>(packed.size());
  do {
    state.next_out = reinterpret_cast<uint8_t*>(piece.data());
    state.avail_out = static_cast<uint32_t>(piece.size());
    if (isal_inflate(&state) != ISAL_DECOMP_OK) return {};
    out.append(piece, 0, piece.size() - state.avail_out);
  } while (state.block_state != ISAL_BLOCK_FINISH && (state.avail_in != 0 || state.avail_out == 0));
  return out;
}

bool Has(const std::string& name) {
  return IsOurCopy() || std::filesystem::exists(Folder() + "/" + name);
}

void ForEachLine(const std::string& path, const std::function<void(const nlohmann::json&)>& line) {
  std::string text = Unzip(path);
  ASSERT_FALSE(text.empty()) << path;
  for (size_t start = 0; start < text.size();) {
    size_t end = std::min(text.find('\n', start), text.size());
    if (end > start) line(nlohmann::json::parse(text.substr(start, end - start)));
    start = end + 1;
  }
}

std::vector<std::string> MessageFiles() {
  std::vector<std::string> files;
  for (const char* area : {"api", "group", "metadata", "raft", "share", "storage", "transaction"}) {
    std::filesystem::path folder = std::filesystem::path(Folder()) / area;
    if (!std::filesystem::is_directory(folder)) continue;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (entry.path().string().find(".jsonl") != std::string::npos) files.push_back(entry.path().string());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string FromHex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(HexDigit(hex[i]) << 4 | HexDigit(hex[i + 1]));
  }
  return bytes;
}

std::string ToHex(ByteView bytes) {
  std::string hex;
  for (uint8_t byte : bytes) {
    hex += "0123456789abcdef"[byte >> 4];
    hex += "0123456789abcdef"[byte & 15];
  }
  return hex;
}

std::string FromBase64(std::string_view text) {
  static constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  uint32_t bits = 0;
  int have = 0;
  for (char c : text) {
    size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) break;
    bits = bits << 6 | static_cast<uint32_t>(digit);
    have += 6;
    if (have >= 8) bytes += static_cast<char>(bits >> (have -= 8));
  }
  return bytes;
}

std::string AsJavaReadsIt(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    size_t bad = 1;
    size_t good = WellFormed(text, &bad);
    if (good == 0) out += "\xef\xbf\xbd";
    out += text.substr(0, good);
    text.remove_prefix(good == 0 ? std::min(bad, text.size()) : good);
  }
  return out;
}

}  // namespace kb::golden
