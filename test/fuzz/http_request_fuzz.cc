// Any bytes as what a client sends behind its first four: cut at empty lines as a connection does, and each piece read
// as the head of a request. What must hold: no crash, no read outside, what is read lies in the head, and what is
// served is a path.
//
// libFuzzer's entry point; test/http/request_test.cc runs damaged requests through it.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "base/check.h"
#include "http/request.h"
#include "net/text.h"

namespace {

using namespace kb;  // NOLINT

bool LiesIn(std::string_view part, std::string_view whole) {
  return part.empty() || part == "/" ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void Read(std::string_view head) {
  const http::Parsed parsed = http::ParseRequest(head);
  const http::Request& request = parsed.request;
  KB_CHECK(LiesIn(request.method, head) && LiesIn(request.path, head) && LiesIn(request.query, head));
  http::QueryValue(request.query, "lag");
  if (parsed.refusal != 0) {
    KB_CHECK(parsed.refusal >= 400 && parsed.refusal < 600 && !parsed.reason.empty());
    return;
  }
  KB_CHECK(request.method == "GET" || request.method == "HEAD");
  KB_CHECK(request.path.starts_with("/") && request.path.find_first_of("?# \r\n") == std::string_view::npos);
  KB_CHECK(head.ends_with("\n\n") || head.ends_with("\n\r\n"));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ByteView bytes(data, size);
  Read(AsText(bytes));
  while (!bytes.empty()) {
    net::EmptyLine line;
    const ByteView fitting = bytes.first(std::min(bytes.size(), net::kMostTextBytes));
    const size_t count = line.Find(fitting).value_or(fitting.size());
    Read(AsText(bytes.first(count)));
    bytes = bytes.subspan(count);
  }
  return 0;
}
