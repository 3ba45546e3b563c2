// CowMap: a hash map whose copies share what they have in common, so that an image with 100,000 topics is copied by
// copying a pointer, and changing one key copies a handful of nodes.
//
//   root ─ branch ─┬─ branch ─┬─ leaf: up to kLeafMost entries
//                  │          └─ leaf
//                  └─ leaf                5 bits of the hash choose the child at each level
//
// Every node carries the edition that made it. A writer changes nodes of its own edition in place and copies all others,
// so a batch of changes copies each node at most once. An edition belongs to one writer (metadata::ImageBuilder) until it
// publishes; from then on nobody writes nodes of that edition again.
//
// Published: immutable, any thread. While being built: its builder alone.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace kb::metadata {

// Numbers the writers. Higher than that of every image the writer started from.
using Edition = uint64_t;

template <typename Key, typename Value, typename Hash = std::hash<Key>>
class CowMap {
 public:
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // Lookup: anything that Hash accepts and Key compares with. nullptr when absent; valid as long as this copy of the map.
  template <typename Lookup>
  const Value* Find(const Lookup& key) const {
    uint64_t hash = Mixed(key);
    const Node* node = root_.get();
    for (int level = 0; node != nullptr && !node->is_leaf; ++level) node = AsBranch(node)->children[Slot(hash, level)].get();
    if (node == nullptr) return nullptr;
    for (const Entry& entry : AsLeaf(node)->entries) {
      if (entry.hash == hash && entry.key == key) return &entry.value;
    }
    return nullptr;
  }

  // Inserts or replaces.
  void Set(Edition edition, const Key& key, Value value) { SetIn(root_, edition, 0, {Mixed(key), key, std::move(value)}); }

  // False when it was not there.
  template <typename Lookup>
  bool Erase(Edition edition, const Lookup& key) {
    if (Find(key) == nullptr) return false;
    EraseIn(root_, edition, 0, Mixed(key), key);
    --size_;
    return true;
  }

  // Calls visit(key, value) for each, in no order.
  template <typename Visit>
  void ForEach(const Visit& visit) const {
    Walk(root_.get(), visit);
  }

  // How many nodes of this map are not nodes of `other`: what a change from `other` to this has copied. For tests.
  size_t NodesNotIn(const CowMap& other) const { return CountNew(root_.get(), other.root_.get()); }

 private:
  static constexpr int kBits = 5;
  static constexpr size_t kFanOut = 1 << kBits;
  static constexpr int kLevels = 12;  // 60 bits; what still collides below shares one leaf
  static constexpr size_t kLeafMost = 12;

  struct Entry {
    uint64_t hash;  // compared first: a key may be far away in memory
    Key key;
    Value value;
  };
  struct Node {
    Edition edition = 0;
    bool is_leaf = true;
  };
  using NodePtr = std::shared_ptr<Node>;
  struct Leaf : Node {
    std::vector<Entry> entries;
  };
  struct Branch : Node {
    std::array<NodePtr, kFanOut> children;  // by 5 bits of the hash; null where there is nothing
  };

  static const Leaf* AsLeaf(const Node* node) { return static_cast<const Leaf*>(node); }
  static const Branch* AsBranch(const Node* node) { return static_cast<const Branch*>(node); }
  static size_t Slot(uint64_t hash, int level) { return (hash >> (kBits * level)) & (kFanOut - 1); }

  // All bits of a hash are spread over the levels, whatever it is good at.
  template <typename Lookup>
  static uint64_t Mixed(const Lookup& key) {
    uint64_t hash = Hash{}(key);
    hash = (hash ^ (hash >> 32)) * 0x9e3779b97f4a7c15;
    return hash ^ (hash >> 29);
  }

  // The node as a T, ours to write.
  template <typename T>
  static T& Own(NodePtr& node, Edition edition) {
    if (node == nullptr) {
      node = std::make_shared<T>();
    } else if (node->edition != edition) {
      node = std::make_shared<T>(static_cast<const T&>(*node));
    }
    node->edition = edition;
    return static_cast<T&>(*node);
  }

  void SetIn(NodePtr& at, Edition edition, int level, Entry entry) {
    if (at != nullptr && !at->is_leaf) {
      NodePtr& child = Own<Branch>(at, edition).children[Slot(entry.hash, level)];
      SetIn(child, edition, level + 1, std::move(entry));
      return;
    }
    Leaf& leaf = Own<Leaf>(at, edition);
    for (Entry& old : leaf.entries) {
      if (old.hash == entry.hash && old.key == entry.key) {
        old.value = std::move(entry.value);
        return;
      }
    }
    leaf.entries.push_back(std::move(entry));
    ++size_;
    if (leaf.entries.size() > kLeafMost && level < kLevels) Split(at, edition, level);
  }

  // Turns a leaf of ours into a branch of leaves.
  static void Split(NodePtr& at, Edition edition, int level) {
    auto branch = std::make_shared<Branch>();
    branch->edition = edition;
    branch->is_leaf = false;
    for (Entry& entry : static_cast<Leaf&>(*at).entries) {
      Own<Leaf>(branch->children[Slot(entry.hash, level)], edition).entries.push_back(std::move(entry));
    }
    at = std::move(branch);
    for (NodePtr& child : static_cast<Branch&>(*at).children) {
      bool is_full = child != nullptr && AsLeaf(child.get())->entries.size() > kLeafMost;
      if (is_full && level + 1 < kLevels) Split(child, edition, level + 1);
    }
  }

  // Empty nodes go; a branch that has become small stays a branch.
  template <typename Lookup>
  static void EraseIn(NodePtr& at, Edition edition, int level, uint64_t hash, const Lookup& key) {
    if (at->is_leaf) {
      Leaf& leaf = Own<Leaf>(at, edition);
      std::erase_if(leaf.entries, [&](const Entry& entry) { return entry.hash == hash && entry.key == key; });
      if (leaf.entries.empty()) at = nullptr;
      return;
    }
    Branch& branch = Own<Branch>(at, edition);
    NodePtr& child = branch.children[Slot(hash, level)];
    EraseIn(child, edition, level + 1, hash, key);
    if (child != nullptr) return;
    bool is_empty = std::none_of(branch.children.begin(), branch.children.end(), [](const NodePtr& c) { return c != nullptr; });
    if (is_empty) at = nullptr;
  }

  template <typename Visit>
  static void Walk(const Node* node, const Visit& visit) {
    if (node == nullptr) return;
    if (node->is_leaf) {
      for (const Entry& entry : AsLeaf(node)->entries) visit(entry.key, entry.value);
    } else {
      for (const NodePtr& child : AsBranch(node)->children) Walk(child.get(), visit);
    }
  }

  // A node keeps its place in the tree in every copy, so the same place in `other` is the only one to look at.
  static size_t CountNew(const Node* node, const Node* other) {
    if (node == nullptr || node == other) return 0;
    size_t count = 1;
    for (size_t i = 0; !node->is_leaf && i < kFanOut; ++i) {
      const Node* twin = other == nullptr || other->is_leaf ? nullptr : AsBranch(other)->children[i].get();
      count += CountNew(AsBranch(node)->children[i].get(), twin);
    }
    return count;
  }

  NodePtr root_;
  size_t size_ = 0;
};

// One value, shared between copies until its edition's writer changes it. For parts of an image that are small or seldom
// change. The same rules as above.
template <typename T>
class Cow {
 public:
  const T& get() const { return *value_; }
  const T* operator->() const { return value_.get(); }
  T& Own(Edition edition) {
    if (edition_ != edition) value_ = std::make_shared<T>(*value_);
    edition_ = edition;
    return *value_;
  }

 private:
  std::shared_ptr<T> value_ = std::make_shared<T>();
  Edition edition_ = 0;
};

}  // namespace kb::metadata
