// MemoryAccount, MemoryLease: how much of what came from the network a reactor may hold at a time.
//
// Bytes are counted when memory is taken for them, which is when they arrive, never when they are announced. An account
// never refuses what is already here (Take); who reads asks full() first and does not read when it is. So an account is
// exceeded by at most one read. The process is bounded by the sum over its reactors.
//
// Reactor-affine, leases too: a lease is given back on its account's reactor, before the account ends.
#pragma once

#include <cstddef>
#include <utility>

#include "base/check.h"
#include "reactor/reactor.h"

namespace kb::net {

class MemoryAccount {
 public:
  // on_returned runs, at most once per turn of the run queue, after bytes were given back while somebody waits.
  MemoryAccount(size_t capacity_bytes, reactor::Reactor& home, reactor::Closure on_returned);

  size_t capacity_bytes() const { return capacity_bytes_; }
  size_t used_bytes() const { return used_bytes_; }
  bool full() const { return used_bytes_ >= capacity_bytes_; }
  // As much as it takes, or nothing. More than the capacity can be had when nothing else is taken.
  bool TryTake(size_t bytes);
  void Take(size_t bytes) { used_bytes_ += bytes; }
  void Return(size_t bytes);

  // Runs on_returned as if bytes had been given back.
  void Nudge() { home_.Schedule(on_returned_); }
  void set_awaited(bool awaited) { awaited_ = awaited; }

 private:
  class Notice : public reactor::Runnable {
   public:
    explicit Notice(reactor::Closure closure)
        : Runnable([](Runnable& self) { static_cast<Notice&>(self).closure_(); }), closure_(std::move(closure)) {}

   private:
    reactor::Closure closure_;
  };

  const size_t capacity_bytes_;
  reactor::Reactor& home_;
  Notice on_returned_;
  size_t used_bytes_ = 0;
  bool awaited_ = false;
};

// Bytes taken from an account, given back when destroyed. Movable.
class MemoryLease {
 public:
  MemoryLease() = default;
  // Takes them, whether the account is full or not.
  MemoryLease(MemoryAccount& account, size_t bytes) : account_(&account), bytes_(bytes) { account.Take(bytes); }
  MemoryLease(MemoryLease&& other) noexcept
      : account_(std::exchange(other.account_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  MemoryLease& operator=(MemoryLease&& other) noexcept {
    std::swap(account_, other.account_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~MemoryLease() { Clear(); }

  // Takes or gives back the difference.
  void Resize(size_t bytes) {
    KB_CHECK(account_ != nullptr);
    if (bytes >= bytes_) account_->Take(bytes - bytes_);
    if (bytes < bytes_) account_->Return(bytes_ - bytes);
    bytes_ = bytes;
  }
  void Clear() {
    if (account_ != nullptr) std::exchange(account_, nullptr)->Return(std::exchange(bytes_, 0));
  }
  size_t bytes() const { return bytes_; }
  explicit operator bool() const { return account_ != nullptr; }

  // Wraps bytes that TryTake() has taken.
  static MemoryLease OfTaken(MemoryAccount& account, size_t bytes) {
    MemoryLease lease;
    lease.account_ = &account;
    lease.bytes_ = bytes;
    return lease;
  }

 private:
  MemoryAccount* account_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace kb::net
