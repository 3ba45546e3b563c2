// List<T, Tag>: a doubly linked list whose links live in its elements: no allocation, and an element leaves the list in
// O(1) by itself, also when it is destroyed. An element is in at most one list per Tag.
//
// Not thread-safe; elements and list belong to one reactor.
#pragma once

#include <cstddef>

#include "base/check.h"

namespace kb::reactor {

template <typename Tag>
class ListNode {
 public:
  ListNode() = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;
  ~ListNode() { Unlink(); }

  bool linked() const { return next_ != nullptr; }
  void Unlink() {
    if (next_ == nullptr) return;
    previous_->next_ = next_;
    next_->previous_ = previous_;
    previous_ = next_ = nullptr;
  }

 private:
  template <typename T, typename U>
  friend class List;
  ListNode* previous_ = nullptr;
  ListNode* next_ = nullptr;
};

template <typename T, typename Tag>
class List {
 public:
  List() { Reset(); }
  List(const List&) = delete;
  List& operator=(const List&) = delete;
  // What is still in it is let go, not destroyed.
  ~List() {
    while (PopFront() != nullptr) {
    }
    head_.previous_ = head_.next_ = nullptr;
  }

  bool empty() const { return head_.next_ == &head_; }
  T* front() { return empty() ? nullptr : static_cast<T*>(head_.next_); }
  T* back() { return empty() ? nullptr : static_cast<T*>(head_.previous_); }
  // The element before `element`, or nullptr.
  T* Before(T& element) {
    ListNode<Tag>* previous = static_cast<ListNode<Tag>&>(element).previous_;
    return previous == &head_ ? nullptr : static_cast<T*>(previous);
  }
  // The element behind `element`, or nullptr.
  T* After(T& element) {
    ListNode<Tag>* next = static_cast<ListNode<Tag>&>(element).next_;
    return next == &head_ ? nullptr : static_cast<T*>(next);
  }

  void PushBack(T& element) { InsertBehind(*head_.previous_, element); }
  void PushFront(T& element) { InsertBehind(head_, element); }
  // place: an element of this list.
  void InsertAfter(T& place, T& element) { InsertBehind(place, element); }

  T* PopFront() {
    T* element = front();
    if (element != nullptr) static_cast<ListNode<Tag>*>(element)->Unlink();
    return element;
  }

  void MoveToBack(T& element) {
    static_cast<ListNode<Tag>&>(element).Unlink();
    PushBack(element);
  }

  // Takes all of `other`, behind what is here.
  void TakeAll(List& other) {
    if (other.empty()) return;
    ListNode<Tag>* first = other.head_.next_;
    ListNode<Tag>* last = other.head_.previous_;
    head_.previous_->next_ = first;
    first->previous_ = head_.previous_;
    last->next_ = &head_;
    head_.previous_ = last;
    other.Reset();
  }

 private:
  static void InsertBehind(ListNode<Tag>& place, ListNode<Tag>& node) {
    KB_CHECK(!node.linked());
    node.previous_ = &place;
    node.next_ = place.next_;
    place.next_->previous_ = &node;
    place.next_ = &node;
  }
  void Reset() { head_.previous_ = head_.next_ = &head_; }
  ListNode<Tag> head_;
};

}  // namespace kb::reactor
