// Published<T>: one immutable value that all reactors read (an image, a table), replaced as a whole now and then.
//
// Each reactor has a slot with a plain pointer, which only it reads and swaps; a new value comes as a message. So reading
// costs one load and no atomic, and within one task, up to its next wait, all reads see the same value.
//
//   const Image& image = images.Get();            // until the next co_await
//   ImageRef<Image> image = images.Hold();        // across co_awaits: counted, on this reactor only
//
// A reactor lets go of an old value when it has swapped it and nobody there holds it; it is freed when all have.
// Thread of each call: see there.
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "reactor/run_on.h"

namespace kb::reactor {

namespace internal {

// One value as one reactor holds it. Reactor-affine.
template <typename T>
struct Version {
  std::shared_ptr<const T> keep_alive;
  size_t references = 0;  // of ImageRefs, and one while it is the current one
  Reactor* home = nullptr;
  void Drop() {
    KB_CHECK(references > 0);
    if (--references == 0) delete this;
  }
};

}  // namespace internal

// Keeps one version on one reactor. Reactor-affine: copied and destroyed where it was made.
template <typename T>
class ImageRef {
 public:
  ImageRef() = default;
  ImageRef(const ImageRef& other) : version_(other.version_) {
    if (version_ != nullptr) ++version_->references;
  }
  ImageRef(ImageRef&& other) noexcept : version_(std::exchange(other.version_, nullptr)) {}
  ImageRef& operator=(ImageRef other) noexcept {
    std::swap(version_, other.version_);
    return *this;
  }
  ~ImageRef() {
    if (version_ != nullptr) version_->Drop();
  }
  const T& operator*() const { return *version_->keep_alive; }
  const T* operator->() const { return version_->keep_alive.get(); }
  explicit operator bool() const { return version_ != nullptr; }

 private:
  template <typename U>
  friend class Published;
  explicit ImageRef(internal::Version<T>* version) : version_(version) { ++version_->references; }
  internal::Version<T>* version_ = nullptr;
};

template <typename T>
class Published {
 public:
  // reactors[i]->index() == i. Before they turn.
  Published(std::vector<Reactor*> reactors, std::shared_ptr<const T> first)
      : reactors_(std::move(reactors)), slots_(reactors_.size()) {
    for (size_t i = 0; i < reactors_.size(); ++i) {
      KB_CHECK(reactors_[i]->index() == static_cast<int>(i));
      slots_[i].current = new internal::Version<T>{first, 1, reactors_[i]};
    }
  }
  // After they have stopped and let go of their references.
  ~Published() {
    for (Slot& slot : slots_) slot.current->Drop();
  }
  Published(const Published&) = delete;
  Published& operator=(const Published&) = delete;

  // On a reactor of the group. Valid until the next wait.
  const T& Get() const { return *slots_[CurrentIndex()].current->keep_alive; }
  ImageRef<T> Hold() const { return ImageRef<T>(slots_[CurrentIndex()].current); }

  // Called on each reactor right after its swap: start and stop what the change asks for there.
  using OnSwap = std::function<void(Reactor& reactor, const T& old_value, const T& new_value)>;

  // Replaces the value everywhere; goes on when every reactor has swapped and its `on_swap` has returned. From a coroutine
  // of any reactor. One at a time: whoever publishes awaits each before the next.
  Task<void> Publish(std::shared_ptr<const T> next, OnSwap on_swap = nullptr) {
    auto swaps = RunOnEach(reactors_, [this, &next, &on_swap](size_t i) { Swap(i, next, on_swap); });
    co_await swaps;
  }

 private:
  struct alignas(64) Slot {  // a line each: a swap does not disturb the neighbours' reads
    internal::Version<T>* current = nullptr;
  };

  size_t CurrentIndex() const {
    size_t index = static_cast<size_t>(CurrentReactor().index());
    KB_CHECK(index < reactors_.size() && reactors_[index] == &CurrentReactor());
    return index;
  }
  void Swap(size_t i, const std::shared_ptr<const T>& next, const OnSwap& on_swap) {
    auto* old = std::exchange(slots_[i].current, new internal::Version<T>{next, 1, reactors_[i]});
    if (on_swap) on_swap(*reactors_[i], *old->keep_alive, *next);
    old->Drop();
  }

  const std::vector<Reactor*> reactors_;
  std::vector<Slot> slots_;
};

}  // namespace kb::reactor
