// Closure: a move-only void() with room for what a message usually carries, so that posting one allocates nothing.
//
// One cache line: 56 bytes for the callable, 8 for its table. A larger callable, or one whose move may throw, goes to the
// heap. Calling an empty Closure is our bug. Moves freely between threads with what it captured.
#pragma once

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

#include "base/check.h"

namespace kb::reactor {

class Closure {
 public:
  static constexpr size_t kInlineBytes = 56;

  Closure() = default;
  template <typename F>
    requires(!std::is_same_v<std::decay_t<F>, Closure> && std::is_invocable_v<std::decay_t<F>&>)
  Closure(F&& callable) {  // NOLINT: implicit on purpose
    using Callable = std::decay_t<F>;
    if constexpr (FitsInline<Callable>()) {
      ::new (storage_) Callable(std::forward<F>(callable));
      table_ = &kInlineTable<Callable>;
    } else {
      ::new (storage_) Callable*(new Callable(std::forward<F>(callable)));
      table_ = &kHeapTable<Callable>;
    }
  }
  Closure(Closure&& other) noexcept { TakeFrom(other); }
  Closure& operator=(Closure&& other) noexcept {
    if (this != &other) {
      Reset();
      TakeFrom(other);
    }
    return *this;
  }
  Closure(const Closure&) = delete;
  Closure& operator=(const Closure&) = delete;
  ~Closure() { Reset(); }

  explicit operator bool() const { return table_ != nullptr; }
  void operator()() {
    KB_CHECK(table_ != nullptr);
    table_->call(storage_);
  }
  // Destroys the callable and what it captured.
  void Reset() {
    if (table_ == nullptr) return;
    const Table* table = std::exchange(table_, nullptr);
    table->destroy(storage_);
  }

 private:
  struct Table {
    void (*call)(void* storage);
    void (*move)(void* from, void* to);  // leaves `from` destroyed
    void (*destroy)(void* storage);
  };

  template <typename Callable>
  static constexpr bool FitsInline() {
    return sizeof(Callable) <= kInlineBytes && alignof(Callable) <= alignof(void*) &&
           std::is_nothrow_move_constructible_v<Callable>;
  }

  template <typename Callable>
  static constexpr Table kInlineTable = {
      [](void* storage) { (*static_cast<Callable*>(storage))(); },
      [](void* from, void* to) {
        auto* callable = static_cast<Callable*>(from);
        ::new (to) Callable(std::move(*callable));
        callable->~Callable();
      },
      [](void* storage) { static_cast<Callable*>(storage)->~Callable(); }};

  template <typename Callable>
  static constexpr Table kHeapTable = {
      [](void* storage) { (**static_cast<Callable**>(storage))(); },
      [](void* from, void* to) { ::new (to) Callable*(*static_cast<Callable**>(from)); },
      [](void* storage) { delete *static_cast<Callable**>(storage); }};

  void TakeFrom(Closure& other) {
    table_ = std::exchange(other.table_, nullptr);
    if (table_ != nullptr) table_->move(other.storage_, storage_);
  }

  const Table* table_ = nullptr;
  alignas(void*) std::byte storage_[kInlineBytes];
};

static_assert(sizeof(Closure) == 64, "one message, one cache line");

}  // namespace kb::reactor
