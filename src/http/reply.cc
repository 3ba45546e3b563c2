#include "http/reply.h"

#include <cstdio>
#include <memory>

#include "base/check.h"
#include "reactor/completion.h"

namespace kb::http {
namespace {

std::string_view ReasonOf(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 431:
      return "Request Header Fields Too Large";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Internal Server Error";
  }
}

net::Response ResponseOf(std::string_view bytes) {
  net::Response response;
  response.AddCopy(bytes);
  return response;
}

// Says so when the answer that keeps it has left, or never will.
class Departure {
 public:
  explicit Departure(std::shared_ptr<reactor::Completion<>> done) : done_(std::move(done)) {}
  Departure(Departure&&) noexcept = default;
  Departure& operator=(Departure&&) noexcept = default;
  ~Departure() {
    if (done_ != nullptr) done_->TrySet();
  }

 private:
  std::shared_ptr<reactor::Completion<>> done_;
};

}  // namespace

std::string Reply::Head(int status, std::string_view type, std::string_view more) const {
  std::string head = "HTTP/1.1 " + std::to_string(status) + ' ' + std::string(ReasonOf(status)) + "\r\n";
  head += "Content-Type: " + std::string(type) + "\r\nCache-Control: no-store\r\n";
  const bool streams_to_the_end = has_begun_ && request_.is_1_0;
  if (!request_.keep_alive || streams_to_the_end) {
    head += "Connection: close\r\n";
  } else if (request_.is_1_0) {
    head += "Connection: keep-alive\r\n";
  }
  return head + std::string(more) + "\r\n";
}

void Reply::Respond(std::string bytes) {
  KB_CHECK(!is_answered_);
  is_answered_ = true;
  const bool closes = !request_.keep_alive || (has_begun_ && request_.is_1_0);
  if (bytes.empty()) {  // the end of the connection says that it was all
    return closes ? connection_->CloseAfter(sequence_) : connection_->NoResponse(sequence_);
  }
  connection_->Respond(sequence_, ResponseOf(bytes), closes ? net::Then::kClose : net::Then::kGoOn);
}

void Reply::Send(int status, std::string_view type, std::string_view body, std::string_view more) {
  std::string fields = "Content-Length: " + std::to_string(body.size()) + "\r\n" + std::string(more);
  std::string bytes = Head(status, type, fields);
  if (!request_.is_head) bytes += body;
  Respond(std::move(bytes));
}

reactor::Task<bool> Reply::Write(std::string text) {
  piece_ += text;
  if (is_moot()) piece_.clear();
  bool goes_on = !is_moot();
  if (piece_.size() >= kPieceBytes) {
    auto send = SendPiece();
    goes_on = co_await send;
  }
  co_return goes_on;
}

void Reply::End() {
  if (is_answered_) return;
  if (!has_begun_ && !request_.is_head) return Send(200, type_, piece_);
  std::string bytes;
  if (!has_begun_) {  // HEAD: how long it would be is not known
    bytes = Head(200, type_, request_.is_1_0 ? "" : "Transfer-Encoding: chunked\r\n");
  } else {
    AddChunk(bytes);
    if (!request_.is_1_0) bytes += "0\r\n\r\n";
  }
  Respond(std::move(bytes));
}

void Reply::Abandon() {
  if (is_answered_) return;
  if (!has_begun_) return Send(500, kPlainText, "nothing came of it\n");
  is_answered_ = true;
  connection_->Close("an HTTP answer could not be made to its end");
}

void Reply::AddChunk(std::string& bytes) const {
  if (piece_.empty()) return;
  if (request_.is_1_0) {
    bytes += piece_;
    return;
  }
  char size[24];
  std::snprintf(size, sizeof size, "%zx\r\n", piece_.size());
  bytes += size + piece_ + "\r\n";
}

reactor::Task<bool> Reply::SendPiece() {
  std::string bytes;
  if (!std::exchange(has_begun_, true)) {
    bytes = Head(200, type_, request_.is_1_0 ? "" : "Transfer-Encoding: chunked\r\n");
  }
  AddChunk(bytes);
  piece_.clear();
  auto left = std::make_shared<reactor::Completion<>>();
  net::Response response = ResponseOf(bytes);
  response.Keep(Departure(left));
  const uint64_t next = connection_->AddAnswer();
  connection_->Respond(sequence_, std::move(response));
  sequence_ = next;
  auto wait = left->WaitFor(kLongestWriteNs);
  std::optional<std::monostate> done = co_await wait;
  if (!done) connection_->Close("it does not take the answer to an HTTP request");
  co_return !connection_->closed();
}

}  // namespace kb::http
