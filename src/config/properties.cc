#include "config/properties.h"

#include <cstdint>

namespace kb::config {
namespace {

bool IsBlank(char c) {
  return c == ' ' || c == '\t' || c == '\f';
}

void AppendUtf8(std::string& to, uint32_t code_point) {
  auto put = [&to](uint32_t byte) { to += static_cast<char>(byte); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xc0 | code_point >> 6);
    put(0x80 | (code_point & 0x3f));
  } else if (code_point < 0x10000) {
    put(0xe0 | code_point >> 12);
    put(0x80 | (code_point >> 6 & 0x3f));
    put(0x80 | (code_point & 0x3f));
  } else {
    put(0xf0 | code_point >> 18);
    put(0x80 | (code_point >> 12 & 0x3f));
    put(0x80 | (code_point >> 6 & 0x3f));
    put(0x80 | (code_point & 0x3f));
  }
}

// Cuts natural lines into logical ones: blank lines and comments gone, continued lines joined, escapes still in.
class LineReader {
 public:
  explicit LineReader(std::string_view text) : rest_(text) {}

  bool Next(std::string* logical) {
    while (!rest_.empty()) {
      std::string_view line = TakeLine();
      if (line.empty() || line.front() == '#' || line.front() == '!') continue;
      first_line_ = line_number_;
      logical->assign(line);
      while (EndsInContinuation(*logical)) {
        logical->pop_back();
        if (rest_.empty()) break;
        logical->append(TakeLine());
      }
      return true;
    }
    return false;
  }
  int first_line() const { return first_line_; }

 private:
  // The next natural line without its indentation and its end.
  std::string_view TakeLine() {
    ++line_number_;
    size_t end = rest_.find_first_of("\r\n");
    std::string_view line = rest_.substr(0, end);
    if (end == std::string_view::npos) {
      rest_ = {};
    } else {
      bool crlf = rest_[end] == '\r' && end + 1 < rest_.size() && rest_[end + 1] == '\n';
      rest_ = rest_.substr(end + (crlf ? 2 : 1));
    }
    while (!line.empty() && IsBlank(line.front())) line.remove_prefix(1);
    return line;
  }

  static bool EndsInContinuation(std::string_view line) {
    size_t last_other = line.find_last_not_of('\\');
    size_t backslashes = line.size() - (last_other == std::string_view::npos ? 0 : last_other + 1);
    return backslashes % 2 == 1;
  }

  std::string_view rest_;
  int line_number_ = 0;
  int first_line_ = 0;
};

bool ReadHex4(std::string_view from, uint32_t* unit) {
  if (from.size() < 4) return false;
  *unit = 0;
  for (char c : from.substr(0, 4)) {
    int digit = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
    if (digit < 0) return false;
    *unit = *unit << 4 | static_cast<uint32_t>(digit);
  }
  return true;
}

// \uXXXX at from[at] (behind the u), with the second half of a surrogate pair if one follows. False: not four hex
// digits.
bool ReadUnicode(std::string_view from, size_t* at, std::string& to) {
  uint32_t unit;
  if (!ReadHex4(from.substr(*at), &unit)) return false;
  *at += 4;
  uint32_t low;
  bool is_pair = unit >= 0xd800 && unit < 0xdc00 && from.substr(*at, 2) == "\\u" &&
                 ReadHex4(from.substr(*at + 2), &low) && low >= 0xdc00 && low < 0xe000;
  if (is_pair) {
    *at += 6;
    unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
  }
  AppendUtf8(to, unit);
  return true;
}

// Resolves escapes; false when one is malformed.
bool Unescape(std::string_view from, std::string* to) {
  to->clear();
  for (size_t at = 0; at < from.size();) {
    char c = from[at++];
    if (c != '\\' || at == from.size()) {
      if (c != '\\') *to += c;
      continue;
    }
    switch (char escaped = from[at++]) {
      case 't':
        *to += '\t';
        break;
      case 'n':
        *to += '\n';
        break;
      case 'r':
        *to += '\r';
        break;
      case 'f':
        *to += '\f';
        break;
      case 'u':
        if (!ReadUnicode(from, &at, *to)) return false;
        break;
      default:
        *to += escaped;
    }
  }
  return true;
}

// Where the key ends: at the first '=', ':' or blank that is not escaped.
size_t EndOfKey(std::string_view line) {
  for (size_t at = 0; at < line.size(); ++at) {
    if (line[at] == '\\') {
      ++at;
    } else if (line[at] == '=' || line[at] == ':' || IsBlank(line[at])) {
      return at;
    }
  }
  return line.size();
}

// Where the value begins: behind blanks, at most one '=' or ':', and blanks again.
size_t StartOfValue(std::string_view line, size_t key_end) {
  bool seen_separator = false;
  size_t at = key_end;
  for (; at < line.size(); ++at) {
    if (IsBlank(line[at])) continue;
    if (seen_separator || (line[at] != '=' && line[at] != ':')) break;
    seen_separator = true;
  }
  return at;
}

}  // namespace

Result<ConfigMap> ParseProperties(std::string_view text) {
  ConfigMap properties;
  LineReader reader(text);
  std::string line;
  std::string key;
  std::string value;
  while (reader.Next(&line)) {
    size_t key_end = EndOfKey(line);
    bool sound = Unescape(std::string_view(line).substr(0, key_end), &key) &&
                 Unescape(std::string_view(line).substr(StartOfValue(line, key_end)), &value);
    if (!sound) {
      return Error{ErrorKind::kInvalid, "line " + std::to_string(reader.first_line()) + ": \\u needs four hex digits"};
    }
    properties[key] = value;
  }
  return properties;
}

Result<std::pair<std::string, std::string>> ParseOverride(std::string_view text) {
  size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    return Error{ErrorKind::kInvalid, "--override " + std::string(text) + ": it must be key=value"};
  }
  return std::pair(std::string(text.substr(0, equals)), std::string(text.substr(equals + 1)));
}

}  // namespace kb::config
