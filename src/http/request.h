// What an HTTP/1.x request without a body asks (RFC 9112): a function of its head, which is text up to an empty line.
//
//   GET /metrics?lag=0 HTTP/1.1
//   Host: broker:9092
//
// Strict where leniency would let two readers of the same bytes see different requests (a space before the colon of a
// field, a folded line, a missing or second Host), lenient in what is only style ("\n" for "\r\n", an empty line in
// front).
//
// Pure, any thread.
#pragma once

#include <optional>
#include <string_view>

namespace kb::http {

// Views of the head that was parsed.
struct Request {
  std::string_view method;
  std::string_view path;    // "/metrics"
  std::string_view query;   // "lag=0", without the "?"
  bool is_head = false;     // HEAD: as GET, without the body
  bool is_1_0 = false;      // HTTP/1.0: no chunks
  bool keep_alive = false;  // after the answer the next request may come
};

struct Parsed {
  int refusal = 0;          // a status; 0: none, it is GET or HEAD
  std::string_view reason;  // of the refusal, for the client
  Request request;          // as far as it was read; of a refused one: never kept alive, but for a method not served
};

Parsed ParseRequest(std::string_view head);

// What a query says about `name`; empty when it stands there without a value.
std::optional<std::string_view> QueryValue(std::string_view query, std::string_view name);

}  // namespace kb::http
