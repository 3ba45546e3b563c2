#include "net/connection.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>

#include "net/acceptor.h"
#include "net/connection_set.h"

namespace kb::net {
namespace {

constexpr size_t kSlotsKept = 4;         // of an idle connection: 400 bytes
constexpr size_t kMostParts = 48;        // pieces of memory in one write
constexpr size_t kMostSlicesAsParts = 12;  // a small response of more is copied together
constexpr uint64_t kGatherBytes = 256 << 10;

int64_t ReadFileRange(const FileRange& range, uint64_t position, MutableByteView into) {
  if (range.read != nullptr) return range.read(range.file, position, into);
  for (;;) {
    ssize_t count = pread(range.descriptor, into.data(), into.size(), static_cast<off_t>(position));
    if (count >= 0) return count;
    if (errno != EINTR) return -errno;
  }
}

// Fills all of `into`, or says false: the file is shorter, or cannot be read.
bool ReadWhole(const FileRange& range, uint64_t position, MutableByteView into) {
  while (!into.empty()) {
    int64_t count = ReadFileRange(range, position, into);
    if (count <= 0) return false;
    position += static_cast<uint64_t>(count);
    into = into.subspan(static_cast<size_t>(count));
  }
  return true;
}

}  // namespace

Connection::Connection(ConnectionSet& set, uint64_t id, int listener, std::unique_ptr<Socket> socket,
                       std::unique_ptr<Admission> admission)
    : set_(set),
      id_(id),
      listener_(listener),
      peer_(socket->peer()),
      socket_(std::move(socket)),
      admission_(std::move(admission)),
      step_(*this) {}

Connection::~Connection() { KB_CHECK(closed()); }

reactor::Reactor& Connection::home() const { return set_.home_; }

// ------------------------------------------------------------------------------------------------ Reading

void Connection::OnIo(uint32_t readiness) {
  ConnectionRef stay(*this);
  if ((readiness & reactor::kWritable) != 0 && write_blocked_) {
    write_blocked_ = false;
    RunStep();
  }
  if (closed()) return;
  if (phase_ == Phase::kLingering) return Forget();
  if ((readiness & (reactor::kReadable | reactor::kBroken)) != 0) OnReadable();
  // Nobody is there to take an answer. Unless bytes are still to be read, there is nothing left to do for it.
  if ((readiness & reactor::kBroken) != 0 && (end_of_stream_ || read_blocked_)) CloseNow();
  if (!closed()) UpdateInterest();
}

void Connection::OnReadable() {
  size_t bytes_left = ConnectionSet::kReadBytesPerTurn;
  for (;;) {
    if (!MayRead()) {
      read_blocked_ = true;
      return;
    }
    if (!ReadOnce(bytes_left) || bytes_left == 0) return;
  }
}

// As far as order and answers are concerned. A frame that has begun may always be read to its end.
bool Connection::MayReadMore() {
  if (phase_ != Phase::kOpen || end_of_stream_ || !kept_.empty() || FrameComplete()) return false;
  return FrameStarted() || CanDeliver();
}

bool Connection::MayRead() {
  if (!MayReadMore() || waiting_ != Waiting::kNothing) return false;
  if (frame_reserved_) return true;
  if (FrameStarted() && frame_size_ > kLargeFrameBytes && frame_filled_ >= kFreeBytes) {
    if (set_.ReserveLarge(*this)) return true;
    set_.WaitForMemory(*this, Waiting::kLargeMemory);
    return false;
  }
  if (!set_.small_.full() || overdraft_) return true;
  set_.WaitForMemory(*this, Waiting::kSmallMemory);
  return waiting_ == Waiting::kNothing;  // it may have been given the overdraft at once
}

bool Connection::ReadOnce(size_t& bytes_left) {
  Buffer& scratch = set_.read_scratch();
  std::array<MutableByteView, 2> parts;
  size_t count = 0;
  size_t room = frame_.size() - frame_filled_;
  if (room > 0) parts[count++] = frame_.bytes().subspan(frame_filled_);
  parts[count++] = scratch.bytes();
  int64_t result = socket_->Read({parts.data(), count});
  if (result == -EAGAIN) return false;
  if (result < 0) {
    CloseNow();
    return false;
  }
  if (result == 0) {
    OnEndOfStream();
    return false;
  }
  read_ns_ = home().StampNs();
  read_just_now_ = true;
  auto bytes = static_cast<size_t>(result);
  size_t direct = std::min(bytes, room);
  frame_filled_ += static_cast<uint32_t>(direct);
  NoteProgress(bytes);
  ByteView rest = scratch.view().first(bytes - direct);
  Consume(rest);
  read_just_now_ = false;
  if (phase_ != Phase::kOpen) return false;
  if (!rest.empty()) KeepForLater(rest);
  bytes_left -= std::min(bytes_left, bytes);
  return bytes == room + scratch.size();  // less: it had no more
}

void Connection::OnEndOfStream() {
  end_of_stream_ = true;
  DropFrame();
  FinishIfDone();
}

// Takes what can be delivered now; leaves the rest in `bytes`.
void Connection::Consume(ByteView& bytes) {
  while (phase_ == Phase::kOpen) {
    if (FrameComplete()) {
      if (!CanDeliver()) return;
      DeliverFrame();
    } else if (bytes.empty() || (!FrameStarted() && !CanDeliver())) {
      return;
    } else if (texts_ != nullptr) {
      TakeText(bytes);
    } else if (header_bytes_ < sizeof header_) {
      TakeHeader(bytes);
    } else {
      TakeBody(bytes);
    }
  }
}

void Connection::TakeHeader(ByteView& bytes) {
  if (!FrameStarted()) set_.NoteFrameStart(*this);
  size_t count = std::min(bytes.size(), sizeof header_ - header_bytes_);
  std::copy_n(bytes.data(), count, header_ + header_bytes_);
  header_bytes_ = static_cast<uint8_t>(header_bytes_ + count);
  bytes = bytes.subspan(count);
  if (header_bytes_ < sizeof header_) return;
  int32_t size = LoadBigEndian<int32_t>(header_);
  if (size <= 0 || static_cast<uint32_t>(size) > set_.options_.most_frame_bytes) {
    if (BeginTexts()) return;
    set_.metrics_.closed_oversized->Add();
    return CloseBecause("a request whose size is not allowed",
                        std::to_string(size) + " bytes announced, 1 to " +
                            std::to_string(set_.options_.most_frame_bytes) + " are (socket.request.max.bytes)");
  }
  frame_size_ = static_cast<uint32_t>(size);
}

void Connection::TakeBody(ByteView& bytes) {
  size_t count = std::min<size_t>(bytes.size(), frame_size_ - frame_filled_);
  size_t needed = frame_filled_ + count;
  // Twice what is here, so that most of a large frame is read into its place; exactly, when all of it is here.
  if (needed > frame_.size()) GrowFrame(needed == frame_size_ ? needed : std::min<size_t>(frame_size_, 2 * needed));
  std::copy_n(bytes.data(), count, frame_.data() + frame_filled_);
  frame_filled_ += static_cast<uint32_t>(count);
  bytes = bytes.subspan(count);
}

bool Connection::BeginTexts() {
  if (next_sequence_ > 0 || set_.texts_ == nullptr || !set_.texts_->Takes(listener_, header_)) return false;
  texts_ = set_.texts_;
  ByteView first(header_);
  TakeText(first);
  return true;
}

// All that has arrived of a text is in frame_, which is no larger; until it ends there is a byte more to come.
void Connection::TakeText(ByteView& bytes) {
  if (!FrameStarted()) {
    set_.NoteFrameStart(*this);
    header_bytes_ = sizeof header_;
    empty_line_ = EmptyLine();
  }
  const ByteView fitting = bytes.first(std::min(bytes.size(), kMostTextBytes - frame_filled_));
  const std::optional<size_t> end = empty_line_.Find(fitting);
  const size_t count = end.value_or(fitting.size());
  GrowFrame(frame_filled_ + count);
  std::copy_n(bytes.data(), count, frame_.data() + frame_filled_);
  frame_filled_ += static_cast<uint32_t>(count);
  frame_size_ = end || frame_filled_ == kMostTextBytes ? frame_filled_ : frame_filled_ + 1;
  bytes = bytes.subspan(count);
}

void Connection::GrowFrame(size_t capacity) {
  if (!frame_reserved_) {
    set_.arriving_bytes_ += capacity - frame_.size();
    if (frame_lease_) {
      frame_lease_.Resize(capacity);
    } else {
      frame_lease_ = MemoryLease(set_.small_, capacity);
    }
  }
  frame_.Resize(capacity);
}

bool Connection::CanDeliver() const {
  const ConnectionOptions& options = set_.options_;
  return phase_ == Phase::kOpen && !delivery_paused_ && slots_.size() - first_slot_ < options.most_in_flight &&
         in_work_bytes_ < options.most_in_work_bytes && queued_bytes_ < options.most_queued_response_bytes;
}

void Connection::DeliverFrame() {
  if (!frame_reserved_) set_.arriving_bytes_ -= frame_lease_.bytes();
  const int64_t delivered_ns = std::exchange(read_just_now_, false) ? read_ns_ : home().StampNs();
  Frame frame(std::move(frame_), std::move(frame_lease_), read_ns_, delivered_ns);
  DropFrame();
  slots_.emplace_back().request_bytes = static_cast<uint32_t>(frame.bytes().size());
  in_work_bytes_ += frame.bytes().size();
  ++unanswered_;
  if (texts_ != nullptr) {
    set_.Touch(*this);
    return texts_->OnText(*this, next_sequence_++, std::move(frame));
  }
  set_.metrics_.frames->Add();
  set_.handler_.OnFrame(*this, next_sequence_++, std::move(frame));
}

// Ends the arriving frame's part in everything, whether it was handed up or is given up.
void Connection::DropFrame() {
  if (!frame_reserved_) set_.arriving_bytes_ -= frame_lease_.bytes();
  frame_lease_.Clear();
  frame_ = Buffer();
  header_bytes_ = 0;
  frame_size_ = frame_filled_ = 0;
  frame_reserved_ = false;
  set_.NoteFrameEnd(*this);
}

void Connection::KeepForLater(ByteView bytes) {
  KB_CHECK(kept_.empty());
  kept_ = Buffer::CopyOf(bytes);
  kept_offset_ = 0;
  kept_lease_ = MemoryLease(set_.small_, bytes.size());
  set_.arriving_bytes_ += bytes.size();
}

void Connection::DeliverKept() {
  if (kept_.empty() && !FrameComplete()) return;
  ByteView rest = kept_.view().subspan(kept_offset_);
  Consume(rest);
  if (phase_ != Phase::kOpen) return;  // and kept_ is gone
  kept_offset_ = kept_.size() - rest.size();
  if (rest.empty() && !kept_.empty()) {
    set_.arriving_bytes_ -= kept_lease_.bytes();
    kept_lease_.Clear();
    kept_ = Buffer();
    kept_offset_ = 0;
  }
}

void Connection::NoteProgress(size_t bytes) {
  set_.metrics_.bytes_in->Add(bytes);
  if (texts_ == nullptr) set_.Touch(*this);
  progress_bytes_ += static_cast<uint32_t>(bytes);
  if (FrameStarted() && progress_bytes_ >= ConnectionSet::kProgressBytes) set_.NoteFrameStart(*this);
}

void Connection::DropInput() {
  DropFrame();
  set_.arriving_bytes_ -= kept_lease_.bytes();
  kept_lease_.Clear();
  kept_ = Buffer();
  kept_offset_ = 0;
}

void Connection::Forget() {
  std::array<MutableByteView, 1> parts = {set_.read_scratch().bytes()};
  int64_t result = socket_->Read(parts);
  if (result <= 0 && result != -EAGAIN) CloseNow();
}

void Connection::ResumeDelivery() {
  if (!delivery_paused_ || closed()) return;
  delivery_paused_ = false;
  home().Schedule(step_);
}

// ---------------------------------------------------------------------------------------------- Answering

void Connection::Respond(uint64_t sequence, Response response, Then then, std::unique_ptr<Receipt> receipt) {
  if (phase_ == Phase::kLingering || closed()) return;
  KB_CHECK(prefix_bytes() + response.size() > 0);
  Slot& slot = SlotOf(sequence);
  StoreBigEndian(slot.size_prefix, static_cast<int32_t>(response.size()));
  queued_bytes_ += response.memory_bytes();
  slot.response = std::move(response);
  slot.receipt = std::move(receipt);
  slot.close_behind = then == Then::kClose;
  Settle(slot, Slot::State::kReady);
  if (then == Then::kClose) StopDelivering();
}

void Connection::NoResponse(uint64_t sequence) {
  if (phase_ == Phase::kLingering || closed()) return;
  Settle(SlotOf(sequence), Slot::State::kNone);
}

void Connection::CloseAfter(uint64_t sequence) {
  if (phase_ == Phase::kLingering || closed()) return;
  Settle(SlotOf(sequence), Slot::State::kCloseHere);
  StopDelivering();
}

uint64_t Connection::AddAnswer() {
  if (phase_ == Phase::kLingering || closed()) return next_sequence_;
  KB_CHECK(unanswered_ > 0);
  slots_.emplace_back();
  ++unanswered_;
  return next_sequence_++;
}

Connection::Slot& Connection::SlotOf(uint64_t sequence) {
  KB_CHECK(sequence >= first_sequence_ && sequence < next_sequence_);
  Slot& slot = slots_[first_slot_ + static_cast<size_t>(sequence - first_sequence_)];
  KB_CHECK(slot.state == Slot::State::kPending);
  return slot;
}

void Connection::Settle(Slot& slot, Slot::State state) {
  home().AssertCurrent();
  slot.state = state;
  --unanswered_;
  in_work_bytes_ -= slot.request_bytes;
  // Through the run queue: answers that become ready in the same turn leave in one write.
  if (slots_[first_slot_].state != Slot::State::kPending) home().Schedule(step_);
}

uint64_t Connection::first_unanswered() const {
  for (size_t i = first_slot_; i < slots_.size(); ++i) {
    if (slots_[i].state == Slot::State::kPending) return first_sequence_ + (i - first_slot_);
  }
  return next_sequence_;
}

void Connection::RunStep() {
  ConnectionRef stay(*this);
  if (closed()) return;
  Flush();
  if (phase_ == Phase::kOpen) DeliverKept();
  if (read_blocked_ && waiting_ == Waiting::kNothing && MayReadMore()) read_blocked_ = false;
  FinishIfDone();
  if (!closed()) UpdateInterest();
}

void Connection::Flush() {
  uint64_t sent_before = sent_bytes_;
  while (!write_blocked_) {
    if (ReachedEnd()) return FinishLast();
    Sent sent = SendSome();
    if (sent == Sent::kBlocked) write_blocked_ = true;
    if (sent != Sent::kSome) return;
    if (sent_bytes_ - sent_before >= ConnectionSet::kWriteBytesPerTurn) return home().Schedule(step_);
  }
}

bool Connection::ReachedEnd() {
  while (first_slot_ < slots_.size()) {
    Slot::State state = slots_[first_slot_].state;
    if (state == Slot::State::kCloseHere) return true;
    if (state != Slot::State::kNone) return false;
    PopSlot();
  }
  return close_reached_;
}

struct Connection::Batch {
  std::array<ByteView, kMostParts> parts;
  size_t count = 0;
  uint64_t bytes = 0;
  MutableByteView scratch;          // what is left of it, for copies
  bool full = false;                // nothing may be added
  const FileRange* file = nullptr;  // comes next, by itself
  uint64_t file_offset = 0;

  void Add(ByteView part) {
    bytes += part.size();
    // Copies lie one behind the other: together they are one part.
    bool follows = count > 0 && parts[count - 1].data() + parts[count - 1].size() == part.data();
    if (follows) {
      parts[count - 1] = {parts[count - 1].data(), parts[count - 1].size() + part.size()};
    } else {
      parts[count++] = part;
    }
    full = count == kMostParts || bytes >= kGatherBytes;
  }
  MutableByteView TakeScratch(size_t size) {
    MutableByteView taken = scratch.first(size);
    scratch = scratch.subspan(size);
    return taken;
  }
};

Connection::Sent Connection::SendSome() {
  Batch batch;
  batch.scratch = set_.write_scratch().bytes();
  if (!Gather(batch)) {
    CloseBecause("a file became shorter while it was being sent", {});
    return Sent::kClosed;
  }
  if (batch.count > 0) {
    bool more = batch.file != nullptr;
    return OnSent(socket_->Write({batch.parts.data(), batch.count}, more), batch.bytes);
  }
  if (batch.file != nullptr) return SendFilePart(*batch.file, batch.file_offset);
  return Sent::kNothing;
}

bool Connection::Gather(Batch& batch) {
  uint64_t skip = sent_of_first_;
  for (size_t i = first_slot_; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    if (slot.state == Slot::State::kNone) continue;
    if (slot.state != Slot::State::kReady || batch.full) return true;
    if (!GatherSlot(slot, skip, batch)) return false;
    if (batch.file != nullptr || slot.close_behind) return true;
    skip = 0;
  }
  return true;
}

// Adds the slot without its first `skip` bytes: a small one as a whole or not at all (then the batch is full), a large one
// as far as it goes.
bool Connection::GatherSlot(const Slot& slot, uint64_t skip, Batch& batch) {
  const Response& response = slot.response;
  bool small = prefix_bytes() + response.size() <= kOneWriteBytes;
  bool copies_all = small && response.slices().size() > kMostSlicesAsParts;
  if (small && batch.count > 0) {
    size_t copied = copies_all ? response.size() : response.size() - response.memory_bytes();
    if (copied > batch.scratch.size() || batch.count + kMostSlicesAsParts + 1 > kMostParts) {
      batch.full = true;
      return true;
    }
  }
  if (skip < prefix_bytes()) {
    batch.Add(ByteView(slot.size_prefix).subspan(skip));
    skip = 0;
  } else {
    skip -= prefix_bytes();
  }
  for (const Slice& slice : response.slices()) {
    if (skip >= slice.size) {
      skip -= slice.size;
      continue;
    }
    if (batch.full) return true;
    if (slice.file != nullptr && !small) {
      batch.file = slice.file.get();
      batch.file_offset = skip;
      return true;
    }
    if (!GatherSlice(slice, skip, copies_all, batch)) return false;
    skip = 0;
  }
  return true;
}

bool Connection::GatherSlice(const Slice& slice, uint64_t skip, bool copies, Batch& batch) {
  size_t size = slice.size - skip;
  if (slice.file != nullptr) {
    MutableByteView copy = batch.TakeScratch(size);
    if (!ReadWhole(*slice.file, slice.file->position + skip, copy)) return false;
    batch.Add(copy);
  } else if (copies) {
    MutableByteView copy = batch.TakeScratch(size);
    std::copy_n(slice.data + skip, size, copy.data());
    batch.Add(copy);
  } else {
    batch.Add({slice.data + skip, size});
  }
  return true;
}

Connection::Sent Connection::SendFilePart(const FileRange& range, uint64_t offset) {
  uint64_t size = std::min<uint64_t>(range.size - offset, ConnectionSet::kWriteBytesPerTurn);
  if (range.descriptor >= 0) {
    int64_t sent = socket_->SendFile(range, range.position + offset, size);
    if (sent != -EINVAL && sent != -ENOSYS && sent != 0) return OnSent(sent, 1);
    if (sent == 0) {
      CloseBecause("a file became shorter while it was being sent", {});
      return Sent::kClosed;
    }
  }
  // No descriptor, or one that sendfile does not take: by way of memory.
  Buffer& scratch = set_.write_scratch();
  MutableByteView into = scratch.bytes().first(std::min<uint64_t>(size, scratch.size()));
  if (!ReadWhole(range, range.position + offset, into)) {
    CloseBecause("a file became shorter while it was being sent", {});
    return Sent::kClosed;
  }
  std::array<ByteView, 1> parts = {into};
  return OnSent(socket_->Write(parts, false), into.size());
}

Connection::Sent Connection::OnSent(int64_t result, uint64_t wanted) {
  if (result == -EAGAIN || result == 0) return Sent::kBlocked;
  if (result < 0) {
    CloseNow();
    return Sent::kClosed;
  }
  Advance(static_cast<uint64_t>(result));
  return static_cast<uint64_t>(result) < wanted ? Sent::kBlocked : Sent::kSome;
}

void Connection::Advance(uint64_t bytes) {
  set_.metrics_.bytes_out->Add(bytes);
  set_.Touch(*this);
  sent_bytes_ += bytes;
  sent_of_first_ += bytes;
  int64_t sent_ns = 0;  // asked for once, if anybody wants to know
  while (first_slot_ < slots_.size()) {
    Slot& slot = slots_[first_slot_];
    if (slot.state == Slot::State::kNone) {
      PopSlot();
      continue;
    }
    uint64_t total = prefix_bytes() + slot.response.size();
    if (slot.state != Slot::State::kReady || sent_of_first_ < total) break;
    sent_of_first_ -= total;
    if (slot.receipt != nullptr) TellSent(slot, sent_ns);
    bool close_behind = slot.close_behind;
    PopSlot();
    if (close_behind) {
      close_reached_ = true;
      slots_.clear();  // nobody gets the answers to what came behind
      first_slot_ = 0;
    }
  }
  in_turn_ns_ = std::max(in_turn_ns_, sent_ns);
}

// Of answers that left together, each was in the way of those behind it until it was ready, and not until it had left.
void Connection::TellSent(Slot& slot, int64_t& sent_ns) {
  if (sent_ns == 0) sent_ns = home().StampNs();
  in_turn_ns_ = std::max(in_turn_ns_, slot.receipt->ready_ns());
  slot.receipt->OnSent(*this, in_turn_ns_, sent_ns);
}

void Connection::PopSlot() {
  Slot& slot = slots_[first_slot_];
  queued_bytes_ -= slot.response.memory_bytes();
  slot.response = Response();
  slot.receipt.reset();
  ++first_slot_;
  ++first_sequence_;
  if (first_slot_ == slots_.size()) {
    slots_.clear();
    first_slot_ = 0;
    if (slots_.capacity() > kSlotsKept) slots_.shrink_to_fit();
  } else if (first_slot_ >= 32) {
    slots_.erase(slots_.begin(), slots_.begin() + static_cast<ptrdiff_t>(first_slot_));
    first_slot_ = 0;
  }
}

// From now on no frame is delivered. What is answered still leaves.
void Connection::StopDelivering() {
  if (phase_ != Phase::kOpen) return;
  phase_ = Phase::kLastAnswers;
  DropInput();
}

void Connection::FinishIfDone() {
  if (closed() || !slots_.empty()) return;
  if (phase_ == Phase::kLastAnswers) return FinishLast();
  if (phase_ == Phase::kOpen && end_of_stream_ && kept_.empty() && !FrameComplete()) CloseNow();
}

void Connection::FinishLast() {
  if (end_of_stream_) return CloseNow();
  Linger();
}

// Closing a socket that has unread bytes resets it, and the reset may overtake our last answer. So we end our stream, and
// read and forget until the client has ended its own, or kLingerNs have passed.
void Connection::Linger() {
  if (phase_ == Phase::kLingering) return;
  phase_ = Phase::kLingering;
  slots_.clear();
  first_slot_ = 0;
  queued_bytes_ = unanswered_ = in_work_bytes_ = 0;
  DropInput();
  read_blocked_ = write_blocked_ = false;
  socket_->ShutdownWrite();
  home().After(ConnectionSet::kLingerNs, [self = ConnectionRef(*this)] { self->CloseNow(); });
}

void Connection::UpdateInterest() {
  bool reads = phase_ == Phase::kLingering || (phase_ == Phase::kOpen && !end_of_stream_ && !read_blocked_);
  uint32_t interest = (reads ? reactor::kReadable : 0) | (write_blocked_ ? reactor::kWritable : 0);
  if (interest != interest_) socket_->SetInterest(interest);
  interest_ = interest;
}

// ------------------------------------------------------------------------------------------------- Closing

void Connection::Close(std::string_view reason) {
  if (reason.empty()) return CloseNow();
  CloseBecause(reason, {});
}

// `reason` is of a small fixed set: lines are limited for each.
void Connection::CloseBecause(std::string_view reason, std::string_view detail) {
  if (closed()) return;
  std::string line = "connection of " + peer_.ToString() + " closed: " + std::string(reason);
  if (!detail.empty()) line += ": " + std::string(detail);
  set_.log_.Write(Severity::kWarning, reason, line);
  CloseNow();
}

void Connection::CloseNow() {
  if (closed()) return;
  home().AssertCurrent();
  ConnectionRef stay(*this);
  DropInput();
  phase_ = Phase::kClosed;
  step_.Unlink();
  slots_.clear();
  first_slot_ = 0;
  queued_bytes_ = unanswered_ = in_work_bytes_ = 0;
  socket_.reset();
  set_.Remove(*this);
  admission_.reset();
  set_.handler_.OnClose(*this);
  Release();
}

void Connection::Release() {
  if (--references_ == 0) delete this;
}

}  // namespace kb::net
