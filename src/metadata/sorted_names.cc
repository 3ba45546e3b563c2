#include "metadata/sorted_names.h"

#include <algorithm>

#include "base/check.h"

namespace kb::metadata {

std::vector<SortedNames::Name>::const_iterator SortedNames::Page::LowerBound(std::string_view name) const {
  return std::lower_bound(names.begin(), names.end(), name,
                          [](const Name& left, std::string_view right) { return *left < right; });
}

size_t SortedNames::PageOf(std::string_view name) const {
  // The last page whose first name is not above it; the first page for what comes before everything.
  auto above = std::upper_bound(pages_->pages.begin(), pages_->pages.end(), name,
                                [](std::string_view left, const auto& page) { return left < *page->names.front(); });
  return above == pages_->pages.begin() ? 0 : static_cast<size_t>(above - pages_->pages.begin()) - 1;
}

SortedNames::Page& SortedNames::OwnPage(Edition edition, size_t index) {
  if (pages_->edition != edition) pages_ = std::make_shared<Pages>(*pages_);
  pages_->edition = edition;
  std::shared_ptr<Page>& page = pages_->pages[index];
  if (page->edition != edition) page = std::make_shared<Page>(*page);
  page->edition = edition;
  return *page;
}

void SortedNames::Insert(Edition edition, std::string_view name) {
  if (pages_ == nullptr) pages_ = std::make_shared<Pages>();
  if (pages_->pages.empty()) {
    pages_ = std::make_shared<Pages>();
    pages_->edition = edition;
    pages_->pages.push_back(std::make_shared<Page>());
    pages_->pages.back()->edition = edition;
  }
  size_t index = size_ == 0 ? 0 : PageOf(name);
  Page& page = OwnPage(edition, index);
  auto at = page.LowerBound(name);
  KB_CHECK(at == page.names.end() || **at != name);
  page.names.insert(at, std::make_shared<const std::string>(name));
  ++size_;
  if (page.names.size() <= kPageMost) return;
  auto upper = std::make_shared<Page>();
  upper->edition = edition;
  upper->names.assign(page.names.begin() + kPageMost / 2, page.names.end());
  page.names.resize(kPageMost / 2);
  pages_->pages.insert(pages_->pages.begin() + static_cast<std::ptrdiff_t>(index) + 1, std::move(upper));
}

void SortedNames::Erase(Edition edition, std::string_view name) {
  KB_CHECK(size_ > 0);
  size_t index = PageOf(name);
  Page& page = OwnPage(edition, index);
  auto at = page.LowerBound(name);
  KB_CHECK(at != page.names.end() && **at == name);
  page.names.erase(at);
  --size_;
  if (page.names.empty()) pages_->pages.erase(pages_->pages.begin() + static_cast<std::ptrdiff_t>(index));
}

size_t SortedNames::PagesNotIn(const SortedNames& other) const {
  if (pages_ == nullptr) return 0;
  size_t count = 0;
  for (const auto& page : pages_->pages) {
    if (other.pages_ == nullptr || std::find(other.pages_->pages.begin(), other.pages_->pages.end(), page) ==
                                       other.pages_->pages.end()) {
      ++count;
    }
  }
  return count;
}

}  // namespace kb::metadata
