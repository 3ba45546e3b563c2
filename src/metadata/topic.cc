#include "metadata/topic.h"

namespace kb::metadata {

Uuid Partition::DirectoryOf(BrokerId broker) const {
  for (size_t i = 0; i < replicas.size() && i < directories.size(); ++i) {
    if (replicas[i] == broker) return directories[i];
  }
  return kUnassignedDirectory;
}

void Topic::SetPartition(Edition edition, int32_t index, Partition partition) {
  KB_CHECK(edition == edition_);
  KB_CHECK(index >= 0 && index < kMostPartitions);
  size_t page_index = static_cast<size_t>(index / kPageSize);
  while (pages_.size() <= page_index) pages_.push_back(std::make_shared<Page>());
  std::shared_ptr<Page>& page = pages_[page_index];
  if (page->edition != edition) page = std::make_shared<Page>(*page);
  page->edition = edition;
  size_t slot = static_cast<size_t>(index % kPageSize);
  if (page->partitions.size() <= slot) page->partitions.resize(slot + 1);
  page->partitions[slot] = std::make_shared<const Partition>(std::move(partition));
  partition_count_ = std::max(partition_count_, index + 1);
}

size_t Topic::PagesNotIn(const Topic& other) const {
  size_t count = 0;
  for (size_t i = 0; i < pages_.size(); ++i) {
    if (i >= other.pages_.size() || pages_[i] != other.pages_[i]) ++count;
  }
  return count;
}

}  // namespace kb::metadata
