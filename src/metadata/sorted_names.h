// SortedNames: the names of all topics in ascending order, for answers that list or page through them. Copies share what
// they have in common: pages of up to kPageMost names, changed by their edition's writer and copied by all others (see
// cow_map.h). It changes only when a topic is created or deleted.
//
// Published: immutable, any thread. While being built: its builder alone.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "metadata/cow_map.h"

namespace kb::metadata {

class SortedNames {
 public:
  using Name = std::shared_ptr<const std::string>;

  size_t size() const { return size_; }

  // The name must not be there yet.
  void Insert(Edition edition, std::string_view name);
  // The name must be there.
  void Erase(Edition edition, std::string_view name);

  // Calls visit(name) for each name that is not below `first`, in order, until visit returns false.
  template <typename Visit>
  void ForEachFrom(std::string_view first, const Visit& visit) const {
    if (pages_ == nullptr) return;
    for (size_t i = PageOf(first); i < pages_->pages.size(); ++i) {
      const Page& page = *pages_->pages[i];
      for (auto name = page.LowerBound(first); name != page.names.end(); ++name) {
        if (!visit(std::string_view(**name))) return;
      }
    }
  }

  size_t PagesNotIn(const SortedNames& other) const;  // for tests

 private:
  static constexpr size_t kPageMost = 128;

  struct Page {
    Edition edition = 0;
    std::vector<Name> names;  // ascending, never empty
    std::vector<Name>::const_iterator LowerBound(std::string_view name) const;
  };
  struct Pages {
    Edition edition = 0;
    std::vector<std::shared_ptr<Page>> pages;  // ascending
  };

  // The page that holds `name` or would.
  size_t PageOf(std::string_view name) const;
  Page& OwnPage(Edition edition, size_t index);

  std::shared_ptr<Pages> pages_;
  size_t size_ = 0;
};

}  // namespace kb::metadata
