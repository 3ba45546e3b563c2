#include "http/request.h"

#include <algorithm>
#include <array>

namespace kb::http {
namespace {

constexpr std::array<std::string_view, 9> kMethods = {"GET",     "HEAD",  "POST",  "PUT",    "DELETE",
                                                      "OPTIONS", "PATCH", "TRACE", "CONNECT"};

Parsed Refused(Parsed parsed, int status, std::string_view reason) {
  parsed.refusal = status;
  parsed.reason = reason;
  parsed.request.keep_alive = false;
  return parsed;
}

bool IsTokenByte(char c) {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
  return std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool IsToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), IsTokenByte);
}

// A byte of a request target or a field's value; beyond ASCII all are let through, they mean nothing here.
bool IsTargetByte(char c) {
  return static_cast<unsigned char>(c) > ' ' && c != 0x7f;
}
bool IsFieldByte(char c) {
  return IsTargetByte(c) || c == ' ' || c == '\t';
}

char Lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return Lower(x) == Lower(y); });
}

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// The next line without its end; nullopt: there is none that ends.
std::optional<std::string_view> TakeLine(std::string_view& text) {
  const size_t end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

std::string_view TakeUpTo(std::string_view& text, char separator) {
  const size_t end = std::min(text.find(separator), text.size());
  std::string_view taken = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return taken;
}

// "/path?query" or, as one asks a proxy, "http://host/path?query".
bool TakeTarget(std::string_view target, Request& request) {
  if (!std::all_of(target.begin(), target.end(), IsTargetByte)) return false;
  constexpr std::string_view kScheme = "http://";
  if (target.size() > kScheme.size() && EqualsIgnoringCase(target.substr(0, kScheme.size()), kScheme)) {
    const size_t path = target.find('/', kScheme.size());
    target = path == std::string_view::npos ? "/" : target.substr(path);
  }
  if (target.empty() || target.front() != '/') return false;
  target = target.substr(0, target.find('#'));
  request.path = TakeUpTo(target, '?');
  request.query = target;
  return true;
}

// What the fields say, as far as it matters.
struct Fields {
  size_t hosts = 0;
  bool closes = false;
  bool keeps_alive = false;
  bool has_body = false;
};

void TakeConnection(std::string_view value, Fields& fields) {
  while (!value.empty()) {
    const std::string_view option = Trimmed(TakeUpTo(value, ','));
    fields.closes |= EqualsIgnoringCase(option, "close");
    fields.keeps_alive |= EqualsIgnoringCase(option, "keep-alive");
  }
}

bool TakeField(std::string_view line, Fields& fields) {
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos || !IsToken(line.substr(0, colon))) return false;
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = Trimmed(line.substr(colon + 1));
  if (!std::all_of(value.begin(), value.end(), IsFieldByte)) return false;
  if (EqualsIgnoringCase(name, "host")) ++fields.hosts;
  if (EqualsIgnoringCase(name, "connection")) TakeConnection(value, fields);
  if (EqualsIgnoringCase(name, "transfer-encoding")) fields.has_body = true;
  if (EqualsIgnoringCase(name, "content-length"))
    fields.has_body |= value.find_first_not_of('0') != std::string_view::npos;
  return true;
}

bool TakeFields(std::string_view& head, Fields& fields) {
  while (std::optional<std::string_view> line = TakeLine(head)) {
    if (line->empty()) return head.empty();
    if (!TakeField(*line, fields)) return false;
  }
  return false;
}

// Sets the version; 0, or the status that refuses the request line.
int TakeRequestLine(std::string_view line, Request& request) {
  request.method = TakeUpTo(line, ' ');
  const std::string_view target = TakeUpTo(line, ' ');
  const std::string_view version = line;
  request.is_head = request.method == "HEAD";
  if (!IsToken(request.method)) return 400;
  if (!version.starts_with("HTTP/") || version.size() != 8 || version[6] != '.') return 400;
  if (version[5] != '1' || version[7] < '0' || version[7] > '9') return 505;
  request.is_1_0 = version[7] == '0';
  // "OPTIONS *" and "CONNECT host:port" are refused for their method.
  const bool is_served = request.method == "GET" || request.is_head;
  return TakeTarget(target, request) || !is_served ? 0 : 400;
}

}  // namespace

Parsed ParseRequest(std::string_view head) {
  Parsed parsed;
  Request& request = parsed.request;
  std::optional<std::string_view> line = TakeLine(head);
  if (line && line->empty()) line = TakeLine(head);
  if (!line) return Refused(parsed, 431, "the head of the request is too long");
  if (int status = TakeRequestLine(*line, request)) {
    return Refused(parsed, status, status == 505 ? "HTTP/1.0 and HTTP/1.1 are served" : "not an HTTP request");
  }
  if (!head.ends_with("\n\n") && !head.ends_with("\n\r\n") && head != "\n" && head != "\r\n") {
    return Refused(parsed, 431, "the head of the request is too long");
  }
  Fields fields;
  if (!TakeFields(head, fields)) return Refused(parsed, 400, "a header field that cannot be read");
  if (fields.hosts > 1 || (fields.hosts == 0 && !request.is_1_0)) return Refused(parsed, 400, "one Host is needed");
  request.keep_alive = !fields.closes && (!request.is_1_0 || fields.keeps_alive) && !fields.has_body;
  if (request.method == "GET" || request.is_head) return parsed;
  const bool is_known = std::find(kMethods.begin(), kMethods.end(), request.method) != kMethods.end();
  const bool keep_alive = request.keep_alive;
  parsed = Refused(parsed, is_known ? 405 : 501, "GET and HEAD are served");
  parsed.request.keep_alive = keep_alive;
  return parsed;
}

std::optional<std::string_view> QueryValue(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    std::string_view value = TakeUpTo(query, '&');
    if (TakeUpTo(value, '=') == name) return value;
  }
  return std::nullopt;
}

}  // namespace kb::http
