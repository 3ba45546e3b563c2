// Reply: the answer to one HTTP request, whole or in pieces, in the form that its client understands.
//
//   reply.Send(200, kPlainText, "ok\n");            // known as a whole
//
//   reply.Begin(kMetricsText);                      // of unknown length: 200
//   auto write = reply.Write(text);                 // goes on when the client has taken what was written before
//   bool goes_on = co_await write;                  // false: it is gone; there is no use in making more
//   reply.End();
//
// In pieces it holds kPieceBytes and what was last written, whatever the length of the whole: a piece leaves when it is
// full and the one before has left. What ends below that leaves as a whole. A client that does not take a piece within
// kLongestWriteNs is closed. HTTP/1.1 gets chunks, HTTP/1.0 the end of the connection; HEAD gets the head.
//
// Reactor-affine: of its connection's reactor.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "http/request.h"
#include "net/connection.h"
#include "reactor/task.h"

namespace kb::http {

inline constexpr std::string_view kPlainText = "text/plain; charset=utf-8";

class Reply {
 public:
  static constexpr size_t kPieceBytes = 64 << 10;
  static constexpr int64_t kLongestWriteNs = 60'000'000'000;

  // request: its keep_alive says what happens behind the answer.
  Reply(net::ConnectionRef connection, uint64_t sequence, const Request& request)
      : connection_(std::move(connection)), sequence_(sequence), request_(request) {}

  // more: further fields, each with its "\r\n".
  void Send(int status, std::string_view type, std::string_view body, std::string_view more = {});

  void Begin(std::string_view type) { type_ = type; }
  reactor::Task<bool> Write(std::string text);
  void End();
  // Nothing more comes of it: 500, or the end of the connection in the middle of the answer.
  void Abandon();

  bool is_answered() const { return is_answered_; }
  // Nobody gets what would be written now: a HEAD, or the client is gone.
  bool is_moot() const { return request_.is_head || connection_->closed(); }

 private:
  std::string Head(int status, std::string_view type, std::string_view more) const;
  void Respond(std::string bytes);
  void AddChunk(std::string& bytes) const;
  reactor::Task<bool> SendPiece();

  const net::ConnectionRef connection_;
  uint64_t sequence_;
  const Request& request_;
  std::string_view type_;
  std::string piece_;       // not sent yet
  bool has_begun_ = false;  // the head and some pieces are sent
  bool is_answered_ = false;
};

}  // namespace kb::http
