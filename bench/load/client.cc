#include "load/client.h"

#include <sys/epoll.h>

#include "load/usage.h"
#include "stress/raw_client.h"

namespace kb::load {

Client::Client(Loop* loop, uint16_t port) : loop_(loop), wire_(port) {
  wire_.AwaitConnected();
  loop_->Add(wire_.descriptor(), this, /*writable=*/false);
}

void Client::Ask(std::string_view head, std::string_view body, int64_t since_ns) {
  wire_.Queue(head);
  if (!body.empty()) wire_.Queue(body);
  since_ns_.push_back(since_ns);
}

void Client::Flush() {
  const bool blocked = !wire_.Flush();
  if (blocked != blocked_) loop_->Change(wire_.descriptor(), this, blocked);
  blocked_ = blocked;
}

void Client::OnEvents(uint32_t events) {
  if ((events & EPOLLOUT) != 0) Flush();
  if ((events & ~static_cast<uint32_t>(EPOLLOUT)) == 0) return;
  wire_.Receive();
  const int64_t now_ns = NowNs();
  bool answered = false;
  for (std::string_view frame; wire_.NextFrame(&frame);) {
    if (since_ns_.empty()) raw::Die("an answer to nothing");
    const int64_t since_ns = since_ns_.front();
    since_ns_.pop_front();
    OnAnswer(frame, since_ns, now_ns);
    answered = true;
  }
  if (answered) OnAnswered();
}

}  // namespace kb::load
