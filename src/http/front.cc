#include "http/front.h"

#include <algorithm>
#include <array>
#include <string>

namespace kb::http {

bool Front::Takes(int listener, ByteView first_four) const {
  constexpr std::array<std::string_view, 9> kBegins = {"GET ", "HEAD", "POST", "PUT ", "DELE",
                                                       "OPTI", "PATC", "TRAC", "CONN"};
  if (!listeners_.at(static_cast<size_t>(listener))) return false;
  return std::find(kBegins.begin(), kBegins.end(), AsText(first_four)) != kBegins.end();
}

void Front::OnText(net::Connection& connection, uint64_t sequence, net::Frame text) {
  connection.PauseDelivery();
  connection.home().Spawn(Run(net::ConnectionRef(connection), sequence, std::move(text)));
}

reactor::Task<void> Front::Run(net::ConnectionRef connection, uint64_t sequence, net::Frame text) {
  const Parsed parsed = ParseRequest(AsText(text.bytes()));
  Reply reply(connection, sequence, parsed.request);
  if (parsed.refusal != 0) {
    const std::string_view allow = parsed.refusal == 405 ? "Allow: GET, HEAD\r\n" : "";
    reply.Send(parsed.refusal, kPlainText, std::string(parsed.reason) + "\n", allow);
  } else {
    auto serve = pages_.Serve(parsed.request, reply);
    co_await serve;
    reply.Abandon();
  }
  connection->ResumeDelivery();
}

}  // namespace kb::http
