#include "reactor/mailbox.h"

#if defined(__GNUC__) && !defined(__clang__)
// g++ warns that ThreadSanitizer does not understand the fences of this header. Its users do not rely on them alone: an
// element's bytes are published by release stores and acquire loads, which TSan does understand.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wtsan"
#endif
#include <concurrentqueue/concurrentqueue.h>

namespace kb::reactor {
namespace {

struct QueueTraits : moodycamel::ConcurrentQueueDefaultTraits {
  static constexpr size_t kElementsPerBlock = 32;  // 2 KiB of messages
  static const size_t BLOCK_SIZE = kElementsPerBlock;
};

}  // namespace

struct Mailbox::Queue {
  using Messages = moodycamel::ConcurrentQueue<Closure, QueueTraits>;
  Messages messages{2 * QueueTraits::kElementsPerBlock};
  moodycamel::ConsumerToken reader{messages};  // goes from writer to writer, so that none is starved
};

Mailbox::Mailbox() : queue_(std::make_unique<Queue>()) {}
Mailbox::~Mailbox() = default;

bool Mailbox::Put(Closure message) {
  KB_CHECK(queue_->messages.enqueue(std::move(message)));
  return asleep_.exchange(false, std::memory_order_acq_rel);
}

size_t Mailbox::Take(std::span<Closure> into) {
  return queue_->messages.try_dequeue_bulk(queue_->reader, into.begin(), into.size());
}

bool Mailbox::PrepareToSleep() {
  asleep_.exchange(true, std::memory_order_acq_rel);
  if (empty()) return true;
  Awake();
  return false;
}

void Mailbox::Awake() { asleep_.store(false, std::memory_order_relaxed); }

bool Mailbox::empty() const { return queue_->messages.size_approx() == 0; }

}  // namespace kb::reactor
