// Front: HTTP on the port of the broker. Takes the connections that begin like an HTTP request, answers what is wrong
// with a request by itself, and asks Pages for the rest.
//
// One request of a connection is served at a time; those that follow wait in it, or in the socket. What a request holds
// is bounded by net::kMostTextBytes and Reply; what the pages hold is theirs to bound.
//
// Reactor-affine: one for each reactor. Outlives its connections.
#pragma once

#include <cstdint>
#include <vector>

#include "http/reply.h"
#include "http/request.h"
#include "net/connection.h"
#include "net/text.h"
#include "reactor/task.h"

namespace kb::http {

// What there is to see. One for each reactor.
class Pages {
 public:
  virtual ~Pages() = default;
  // request: GET or HEAD. `reply` is answered when this goes on; where it is not, it is a 500.
  virtual reactor::Task<void> Serve(const Request& request, Reply& reply) = 0;
};

class Front final : public net::TextHandler {
 public:
  // listeners: whether HTTP is answered there, by the acceptor's numbering.
  Front(Pages& pages, std::vector<bool> listeners) : pages_(pages), listeners_(std::move(listeners)) {}

  bool Takes(int listener, ByteView first_four) const override;
  void OnText(net::Connection& connection, uint64_t sequence, net::Frame text) override;

 private:
  reactor::Task<void> Run(net::ConnectionRef connection, uint64_t sequence, net::Frame text);

  Pages& pages_;
  const std::vector<bool> listeners_;
};

}  // namespace kb::http
