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

#include <bit>
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
    uint64_t hash = Hash{}(key);
    const Node* node = root_.get();
    for (int level = 0; node != nullptr && !node->is_leaf; ++level) node = node->ChildAt(hash, level);
    if (node == nullptr) return nullptr;
    for (const Entry& entry : node->entries) {
      if (entry.first == key) return &entry.second;
    }
    return nullptr;
  }

  // Inserts or replaces.
  void Set(Edition edition, const Key& key, Value value) {
    SetIn(root_, edition, 0, Hash{}(key), key, std::move(value));
  }

  // False when it was not there.
  template <typename Lookup>
  bool Erase(Edition edition, const Lookup& key) {
    if (Find(key) == nullptr) return false;
    EraseIn(root_, edition, 0, Hash{}(key), key);
    --size_;
    return true;
  }

  // Calls visit(key, value) for each, in no order.
  template <typename Visit>
  void ForEach(const Visit& visit) const {
    Walk(root_.get(), visit);
  }

  // How many nodes of this map are not nodes of `other`: what a change from `other` to this has copied. For tests.
  size_t NodesNotIn(const CowMap& other) const { return CountNew(root_.get(), other.root_.get(), 0); }

 private:
  static constexpr int kBits = 5;
  static constexpr int kLevels = 12;  // 60 bits; what still collides below shares one leaf
  static constexpr size_t kLeafMost = 12;

  using Entry = std::pair<Key, Value>;
  struct Node {
    Edition edition = 0;
    bool is_leaf = true;
    uint32_t present = 0;                         // branch: bit i: there is a child for i
    std::vector<std::shared_ptr<Node>> children;  // branch: one per bit of `present`, in its order
    std::vector<Entry> entries;                   // leaf

    static uint32_t Slot(uint64_t hash, int level) { return (hash >> (kBits * level)) & ((1u << kBits) - 1); }
    size_t IndexOf(uint32_t slot) const { return std::popcount(present & ((1u << slot) - 1)); }
    const Node* ChildAt(uint64_t hash, int level) const {
      uint32_t slot = Slot(hash, level);
      return (present >> slot & 1) == 0 ? nullptr : children[IndexOf(slot)].get();
    }
  };
  using NodePtr = std::shared_ptr<Node>;

  // The node, ours to write.
  static Node& Own(NodePtr& node, Edition edition) {
    if (node == nullptr) {
      node = std::make_shared<Node>();
    } else if (node->edition != edition) {
      node = std::make_shared<Node>(*node);
    }
    node->edition = edition;
    return *node;
  }

  static NodePtr& ChildSlot(Node& branch, uint64_t hash, int level) {
    uint32_t slot = Node::Slot(hash, level);
    size_t index = branch.IndexOf(slot);
    if ((branch.present >> slot & 1) == 0) {
      branch.present |= 1u << slot;
      branch.children.insert(branch.children.begin() + static_cast<std::ptrdiff_t>(index), nullptr);
    }
    return branch.children[index];
  }

  void SetIn(NodePtr& at, Edition edition, int level, uint64_t hash, const Key& key, Value value) {
    Node& node = Own(at, edition);
    if (!node.is_leaf) {
      SetIn(ChildSlot(node, hash, level), edition, level + 1, hash, key, std::move(value));
      return;
    }
    for (Entry& entry : node.entries) {
      if (entry.first == key) {
        entry.second = std::move(value);
        return;
      }
    }
    node.entries.emplace_back(key, std::move(value));
    ++size_;
    if (node.entries.size() > kLeafMost && level < kLevels) Split(node, edition, level);
  }

  static void Split(Node& node, Edition edition, int level) {
    std::vector<Entry> entries = std::move(node.entries);
    node.entries.clear();
    node.is_leaf = false;
    for (Entry& entry : entries) {
      Node& child = Own(ChildSlot(node, Hash{}(entry.first), level), edition);
      child.entries.push_back(std::move(entry));
    }
    for (NodePtr& child : node.children) {
      if (child->entries.size() > kLeafMost && level + 1 < kLevels) Split(*child, edition, level + 1);
    }
  }

  // Empty nodes go; a branch that has become small stays a branch.
  template <typename Lookup>
  static void EraseIn(NodePtr& at, Edition edition, int level, uint64_t hash, const Lookup& key) {
    Node& node = Own(at, edition);
    if (node.is_leaf) {
      std::erase_if(node.entries, [&](const Entry& entry) { return entry.first == key; });
      if (node.entries.empty()) at = nullptr;
      return;
    }
    uint32_t slot = Node::Slot(hash, level);
    size_t index = node.IndexOf(slot);
    EraseIn(node.children[index], edition, level + 1, hash, key);
    if (node.children[index] != nullptr) return;
    node.children.erase(node.children.begin() + static_cast<std::ptrdiff_t>(index));
    node.present &= ~(1u << slot);
    if (node.children.empty()) at = nullptr;
  }

  template <typename Visit>
  static void Walk(const Node* node, const Visit& visit) {
    if (node == nullptr) return;
    for (const Entry& entry : node->entries) visit(entry.first, entry.second);
    for (const NodePtr& child : node->children) Walk(child.get(), visit);
  }

  // A node keeps its place in the tree in every copy, so the same place in `other` is the only one to look at.
  static size_t CountNew(const Node* node, const Node* other, int level) {
    if (node == nullptr || node == other) return 0;
    size_t count = 1;
    for (uint32_t slot = 0; slot < (1u << kBits); ++slot) {
      if ((node->present >> slot & 1) == 0) continue;
      const Node* twin = nullptr;
      if (other != nullptr && (other->present >> slot & 1) != 0) twin = other->children[other->IndexOf(slot)].get();
      count += CountNew(node->children[node->IndexOf(slot)].get(), twin, level + 1);
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
