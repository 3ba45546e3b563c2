// What the head of an HTTP request asks, and what is wrong with it.
#include "http/request.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"
#include "net/text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace kb::http {
namespace {

constexpr std::string_view kHost = "Host: broker\r\n";

std::string Head(std::string_view first_line, std::string_view fields = kHost) {
  return std::string(first_line) + "\r\n" + std::string(fields) + "\r\n";
}
int RefusalOf(std::string_view first_line, std::string_view fields = kHost) {
  return ParseRequest(Head(first_line, fields)).refusal;
}
bool KeepsAlive(std::string_view version, std::string_view fields) {
  const std::string head = Head("GET / " + std::string(version), std::string(kHost) + std::string(fields));
  const Parsed parsed = ParseRequest(head);
  EXPECT_EQ(parsed.refusal, 0);
  return parsed.request.keep_alive;
}

TEST(Request, IsPathAndQuery) {
  const std::string head = Head("GET /metrics?lag=0&x HTTP/1.1");
  const Parsed parsed = ParseRequest(head);
  EXPECT_EQ(parsed.refusal, 0);
  EXPECT_EQ(parsed.request.path, "/metrics");
  EXPECT_EQ(parsed.request.query, "lag=0&x");
  EXPECT_FALSE(parsed.request.is_head);
  EXPECT_FALSE(parsed.request.is_1_0);
  EXPECT_TRUE(parsed.request.keep_alive);
  EXPECT_EQ(QueryValue(parsed.request.query, "lag"), "0");
  EXPECT_EQ(QueryValue(parsed.request.query, "x"), "");
  EXPECT_EQ(QueryValue(parsed.request.query, "y"), std::nullopt);
}

TEST(Request, MayBeWrittenAsForAProxyOrWithAFragment) {
  std::string head = Head("HEAD http://broker:9092/readyz?a HTTP/1.1");
  EXPECT_EQ(ParseRequest(head).request.path, "/readyz");
  EXPECT_TRUE(ParseRequest(head).request.is_head);
  head = Head("GET http://broker HTTP/1.1");
  EXPECT_EQ(ParseRequest(head).request.path, "/");
  head = Head("GET /healthz#here HTTP/1.1");
  EXPECT_EQ(ParseRequest(head).request.path, "/healthz");
}

TEST(Request, MayHaveBareLineEndsAndAnEmptyLineInFront) {
  EXPECT_EQ(ParseRequest("GET / HTTP/1.1\nHost: x\n\n").refusal, 0);
  EXPECT_EQ(ParseRequest("\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n").refusal, 0);
  EXPECT_EQ(ParseRequest("GET / HTTP/1.0\r\n\r\n").refusal, 0);
  EXPECT_EQ(ParseRequest("GET / HTTP/1.0\n\n").refusal, 0);
}

TEST(Request, OfAnotherMethodIsRefusedAndTheConnectionMayGoOn) {
  for (const char* line : {"POST / HTTP/1.1", "OPTIONS * HTTP/1.1", "CONNECT a:1 HTTP/1.1", "DELETE /x HTTP/1.1"}) {
    EXPECT_EQ(RefusalOf(line), 405) << line;
  }
  EXPECT_EQ(RefusalOf("BREW /pot HTTP/1.1"), 501);
  EXPECT_TRUE(ParseRequest(Head("POST / HTTP/1.1")).request.keep_alive);
  EXPECT_FALSE(ParseRequest(Head("POST / HTTP/1.1", "Host: x\r\nContent-Length: 3\r\n")).request.keep_alive);
}

TEST(Request, ThatIsNoneIsRefused) {
  for (const char* line :
       {"", "GET", "GET /", "GET / HTTP/1", "GET / HTTP/1.1 ", "GET  / HTTP/1.1", "GET / http/1.1", "GET x HTTP/1.1",
        "GET /\x01 HTTP/1.1", "GET /\x7f HTTP/1.1", "G(T / HTTP/1.1", "GET / HTTP/1.1\r", "GET /a b HTTP/1.1"}) {
    EXPECT_EQ(RefusalOf(line), 400) << line;
  }
  EXPECT_EQ(RefusalOf("GET / HTTP/2.0"), 505);
  EXPECT_EQ(RefusalOf("GET / HTTP/0.9"), 505);
}

TEST(Request, WithAFieldThatTwoReadersCouldReadDifferentlyIsRefused) {
  for (const char* fields :
       {"Host : x\r\n", " Host: x\r\n", "Host: x\r\n folded\r\n", "Host: x\r\n: y\r\n", "Host: x\r\nno colon\r\n",
        "Host: a\r\nHost: a\r\n", "", "Host: x\x01\r\n", "Host: x\ry\r\n"}) {
    EXPECT_EQ(RefusalOf("GET / HTTP/1.1", fields), 400) << fields;
  }
  EXPECT_EQ(RefusalOf("GET / HTTP/1.0", ""), 0) << "which did not know Host yet";
}

TEST(Request, SaysWhetherTheConnectionGoesOn) {
  EXPECT_TRUE(KeepsAlive("HTTP/1.1", ""));
  EXPECT_FALSE(KeepsAlive("HTTP/1.1", "connection: foo, Close\r\n"));
  EXPECT_FALSE(KeepsAlive("HTTP/1.0", ""));
  EXPECT_TRUE(KeepsAlive("HTTP/1.0", "Connection: Keep-Alive\r\n"));
  // What follows may be a body.
  EXPECT_FALSE(KeepsAlive("HTTP/1.1", "Content-Length: 5\r\n"));
  EXPECT_FALSE(KeepsAlive("HTTP/1.1", "Content-Length: -0\r\n"));
  EXPECT_FALSE(KeepsAlive("HTTP/1.1", "Transfer-Encoding: chunked\r\n"));
  EXPECT_TRUE(KeepsAlive("HTTP/1.1", "Content-Length: 0\r\n"));
}

TEST(Request, WithoutItsEmptyLineIsTooLong) {
  EXPECT_EQ(ParseRequest("").refusal, 431);
  EXPECT_EQ(ParseRequest("GET /" + std::string(9000, 'x')).refusal, 431);
  EXPECT_EQ(ParseRequest("GET / HTTP/1.1\r\nHost: " + std::string(9000, 'x')).refusal, 431);
  EXPECT_EQ(ParseRequest("GET / HTTP/1.1\r\nHost: x\r\n").refusal, 431);
}

TEST(EmptyLine, IsFoundWhereverTheBytesAreCut) {
  for (std::string_view end : {"\r\n\r\n", "\n\n", "\n\r\n", "\r\n\n"}) {
    const std::string head = "GET / HTTP/1.1\r\nA: b" + std::string(end);
    const std::string all = head + "GET /next";
    for (size_t cut = 0; cut <= head.size(); ++cut) {
      net::EmptyLine line;
      const ByteView bytes = AsBytes(all);
      std::optional<size_t> found = line.Find(bytes.first(cut));
      if (cut < head.size()) {
        EXPECT_EQ(found, std::nullopt);
        found = line.Find(bytes.subspan(cut));
        ASSERT_TRUE(found);
        EXPECT_EQ(cut + *found, head.size());
      } else {
        EXPECT_EQ(found, head.size());
      }
    }
  }
  net::EmptyLine line;
  EXPECT_EQ(line.Find(AsBytes("\r\nGET\r\r\n")), std::nullopt) << "in front of a text, and a return too many";
}

// The fuzz target's function over requests that were damaged: as test/fuzz/http_request_fuzz.cc, in every build.
TEST(Request, OfAnyBytesIsReadWithoutHarm) {
  const std::vector<std::string> heads = {
      Head("GET /metrics?lag=0&lag=1 HTTP/1.1", "Host: a\r\nConnection: close, keep-alive\r\nContent-Length: 12\r\n"),
      Head("HEAD http://x/y?z#w HTTP/1.0", "Connection: keep-alive\r\n"), "\r\n" + Head("OPTIONS * HTTP/1.1"),
      Head("GET / HTTP/1.1", "Host:\t \r\nTransfer-Encoding: chunked\r\n")};
  Random random(7);
  for (int round = 0; round < 20'000; ++round) {
    std::string head = heads[random.Below(heads.size())];
    for (uint64_t changes = random.Below(6); changes > 0; --changes) {
      const size_t at = random.Below(head.size() + 1);
      const uint64_t how = random.Below(3);
      if (how == 0)
        head.insert(at, 1,
                    "\r\n :/?#,=\0\xff"
                    "A"[random.Below(12)]);
      if (how == 1 && at < head.size()) head.erase(at, 1 + random.Below(4));
      if (how == 2 && at < head.size()) head[at] = static_cast<char>(random.Below(256));
    }
    LLVMFuzzerTestOneInput(AsBytes(head).data(), head.size());
  }
}

}  // namespace
}  // namespace kb::http
