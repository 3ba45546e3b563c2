// Connection: one client. Cuts its bytes into frames, hands them up in order, and sends the answers back in that order.
//
//   bytes:   size: int32 | body ...           size: int32 | body ...                     (both directions, Kafka's framing)
//
//   socket -> scratch (64 KiB, one per reactor) -> frame buffer (as large as what has arrived) -> FrameHandler::OnFrame
//   Respond(sequence, ...) -> slots, one per unanswered request, in request order -> one write for all that are ready
//
// A frame's buffer grows with the bytes that arrive, never to the announced size; a connection without a started frame has none.
// Not read from the socket while any of these holds (then TCP slows the client down):
//   - delivery is paused by the handler, or ConnectionOptions::most_in_flight requests are unanswered or unsent, or
//     unanswered ones hold most_in_work_bytes, or most_queued_response_bytes wait to be sent. What was read already is kept,
//     at most one scratch full.
//   - the reactor's memory account for small frames is full; or a frame above kLargeFrameBytes waits for room for all of it
//     in the account for large ones. (It asks once its first kFreeBytes are here: announcing costs nothing.)
//
// A connection may be one of texts instead of frames: see net/text.h.
//
// A client that has shut down its sending side still gets its answers; then the connection closes.
// A file range that turns out shorter than promised closes the connection: padding it would be inventing records.
//
// Reactor-affine. A handler that waits holds a ConnectionRef; after the connection has closed, calls on it do nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "base/pool.h"
#include "net/frame.h"
#include "net/memory.h"
#include "net/response.h"
#include "net/socket.h"
#include "net/text.h"
#include "reactor/intrusive_list.h"
#include "reactor/poller.h"
#include "reactor/reactor.h"

namespace kb::net {

class Admission;
class Connection;
class ConnectionSet;

struct ActivityTag;
struct ReadingTag;

// What the owner of requests implements; the broker. One per reactor or one for all, as it likes.
class FrameHandler {
 public:
  virtual ~FrameHandler() = default;
  virtual void OnOpen(Connection& connection) { (void)connection; }
  // `sequence` counts a connection's frames from 0. Each is answered exactly once, by Respond, NoResponse or CloseAfter, now
  // or later, in any order. Runs inside the connection's reading: do not delete anything it needs; Close() is fine.
  virtual void OnFrame(Connection& connection, uint64_t sequence, Frame frame) = 0;
  // The last call about this connection. Requests that are still in work may go on; their answers go nowhere.
  virtual void OnClose(Connection& connection) { (void)connection; }
};

// What the handler wants to remember about a connection (client id, principal). Ends with it.
class ConnectionState {
 public:
  virtual ~ConnectionState() = default;
};

enum class Then { kGoOn, kClose };

// Hears that the last byte of an answer has left, once; destroyed without that when it never does. Reactor-affine.
class Receipt {
 public:
  virtual ~Receipt() = default;
  // Stamps (Clock). in_turn_ns: since when no answer before it was in the way. Runs inside the connection's writing: do
  // nothing to the connection.
  virtual void OnSent(const Connection& connection, int64_t in_turn_ns, int64_t sent_ns) = 0;
  int64_t ready_ns() const { return ready_ns_; }

 protected:
  int64_t ready_ns_ = 0;  // the stamp of its answer
};

class Connection final : private reactor::IoHandler,
                         public reactor::ListNode<ActivityTag>,
                         public reactor::ListNode<ReadingTag> {
 public:
  static constexpr size_t kLargeFrameBytes = 1 << 20;
  static constexpr size_t kFreeBytes = 64 << 10;
  // A response below this leaves in one write, file ranges included (they are copied, which at this size is as cheap).
  static constexpr size_t kOneWriteBytes = 64 << 10;

  Connection(ConnectionSet& set, uint64_t id, int listener, std::unique_ptr<Socket> socket,
             std::unique_ptr<Admission> admission);
  ~Connection();

  uint64_t id() const { return id_; }          // never used twice in a process
  int listener() const { return listener_; }   // which of the acceptor's listeners, from 0
  const Address& peer() const { return peer_; }
  reactor::Reactor& home() const;
  bool closed() const { return phase_ == Phase::kClosed; }

  // The answer to request `sequence`. It leaves when those before it have left. Then::kClose: afterwards the connection
  // closes, and frames that come behind that request are not delivered.
  void Respond(uint64_t sequence, Response response, Then then = Then::kGoOn,
               std::unique_ptr<Receipt> receipt = nullptr);
  // There is no answer (acks=0); those behind it need not wait.
  void NoResponse(uint64_t sequence);
  // No answer either: what precedes is answered, then the connection closes.
  void CloseAfter(uint64_t sequence);
  // Room for one more answer behind all others, for one that comes in pieces: its sequence, answered as a frame's. Only
  // while an answer is owed.
  uint64_t AddAnswer();
  // At once; unsent answers are dropped. The reason goes to the log, rate-limited; empty: nothing is logged.
  void Close(std::string_view reason = {});

  // Between Pause and Resume no frame is handed up: for requests that must have taken effect before the next one starts.
  // Calls do not nest.
  void PauseDelivery() { delivery_paused_ = true; }
  void ResumeDelivery();
  bool delivery_paused() const { return delivery_paused_; }
  // Requests handed up that have not been given an answer.
  size_t unanswered() const { return unanswered_; }
  // The sequence of the oldest of those; next_sequence() when there is none.
  uint64_t first_unanswered() const;
  uint64_t next_sequence() const { return next_sequence_; }

  void set_state(std::unique_ptr<ConnectionState> state) { state_ = std::move(state); }
  ConnectionState* state() const { return state_.get(); }

  size_t queued_response_bytes() const { return queued_bytes_; }

 private:
  friend class ConnectionRef;
  friend class ConnectionSet;

  enum class Phase : uint8_t {
    kOpen,
    kLastAnswers,  // no more frames are delivered; closes when the answers under way have left
    kLingering,    // all is sent and our side shut; reads and forgets until the client closes (see Linger())
    kClosed
  };
  enum class Waiting : uint8_t { kNothing, kSmallMemory, kLargeMemory };  // not read until there is room
  struct Slot {
    enum class State : uint8_t { kPending, kReady, kNone, kCloseHere } state = State::kPending;
    bool close_behind = false;
    uint8_t size_prefix[4] = {};
    uint32_t request_bytes = 0;
    Response response;
    std::unique_ptr<Receipt> receipt;  // nullptr: nobody wants to hear
  };
  class Step : public reactor::Runnable {  // our place in the run queue: flush, then deliver
   public:
    explicit Step(Connection& connection)
        : Runnable([](Runnable& self) { static_cast<Step&>(self).connection_.RunStep(); }), connection_(connection) {}

   private:
    Connection& connection_;
  };

  // Reading.
  void OnIo(uint32_t readiness) override;
  void OnReadable();
  bool MayRead();  // also takes memory, or gets in line for it
  bool MayReadMore();
  bool ReadOnce(size_t& bytes_left);  // false: the socket has no more for now, or we are closed
  void OnEndOfStream();
  void Consume(ByteView& bytes);
  void TakeHeader(ByteView& bytes);
  void TakeBody(ByteView& bytes);
  bool BeginTexts();
  void TakeText(ByteView& bytes);
  void GrowFrame(size_t capacity);
  void DeliverFrame();
  bool CanDeliver() const;
  bool FrameStarted() const { return header_bytes_ > 0; }
  bool FrameComplete() const { return header_bytes_ == sizeof header_ && frame_filled_ == frame_size_; }
  void KeepForLater(ByteView bytes);
  void DeliverKept();
  void NoteProgress(size_t bytes);
  void DropFrame();
  void DropInput();
  void Forget();  // what comes while lingering

  // Answering.
  size_t prefix_bytes() const { return texts_ == nullptr ? sizeof Slot::size_prefix : 0; }
  Slot& SlotOf(uint64_t sequence);
  void Settle(Slot& slot, Slot::State state);
  void RunStep();
  void Flush();
  // What may leave next: bytes of one write, or a file range.
  struct Batch;
  enum class Sent { kSome, kBlocked, kNothing, kClosed };
  bool Gather(Batch& batch);  // false: a file has shrunk
  bool GatherSlot(const Slot& slot, uint64_t skip, Batch& batch);
  bool GatherSlice(const Slice& slice, uint64_t skip, bool copies, Batch& batch);
  Sent SendSome();
  Sent SendFilePart(const FileRange& range, uint64_t offset);
  Sent OnSent(int64_t result, uint64_t wanted);
  void Advance(uint64_t bytes);
  void TellSent(Slot& slot, int64_t& sent_ns);
  void PopSlot();
  bool ReachedEnd();  // drops what was answered with nothing; true: the place to close is reached
  void StopDelivering();
  void FinishIfDone();
  void FinishLast();
  void Linger();

  void UpdateInterest();
  void CloseBecause(std::string_view reason, std::string_view detail);
  void CloseNow();
  void Retain() { ++references_; }
  void Release();

  ConnectionSet& set_;
  const uint64_t id_;
  const int listener_;
  const Address peer_;
  std::unique_ptr<Socket> socket_;
  std::unique_ptr<Admission> admission_;
  std::unique_ptr<ConnectionState> state_;
  Step step_;
  uint32_t references_ = 1;  // the set's one while not closed
  uint32_t interest_ = 0;

  Phase phase_ = Phase::kOpen;
  Waiting waiting_ = Waiting::kNothing;
  bool end_of_stream_ = false;
  bool delivery_paused_ = false;
  bool write_blocked_ = false;
  bool read_blocked_ = false;  // was readable and may not be read: not even asked for
  bool overdraft_ = false;     // may finish its frame though the account is full
  bool read_just_now_ = false;  // since the last frame was handed up

  TextHandler* texts_ = nullptr;  // set: this is a connection of texts
  EmptyLine empty_line_;          // of the text that is arriving

  // The frame, or text, that is arriving.
  uint8_t header_[4];
  uint8_t header_bytes_ = 0;
  uint32_t frame_size_ = 0;
  uint32_t frame_filled_ = 0;
  Buffer frame_;             // its size is the capacity
  MemoryLease frame_lease_;  // small account; the large one once room for the whole frame is reserved
  bool frame_reserved_ = false;
  // Bytes behind it that were read and cannot be delivered yet.
  Buffer kept_;
  size_t kept_offset_ = 0;
  MemoryLease kept_lease_;

  int64_t read_ns_ = 0;     // stamp of the last read
  int64_t in_turn_ns_ = 0;  // stamp from which on the first slot's answer could have left

  int64_t last_activity_ns_ = 0;
  int64_t progress_ns_ = 0;
  uint32_t progress_bytes_ = 0;

  PoolVector<Slot> slots_;  // [first_slot_, end): of sequences [first_sequence_, next_sequence_)
  size_t first_slot_ = 0;
  uint64_t first_sequence_ = 0;
  uint64_t next_sequence_ = 0;
  size_t unanswered_ = 0;
  size_t in_work_bytes_ = 0;    // of unanswered requests
  uint64_t sent_of_first_ = 0;  // bytes of the first slot's answer that have left, its length prefix included
  uint64_t sent_bytes_ = 0;     // ever
  bool close_reached_ = false;  // the answer behind which we close has left
  size_t queued_bytes_ = 0;     // in memory, of answers that have not left
};

// Keeps a Connection's object (not the connection) across waits. Reactor-affine.
class ConnectionRef {
 public:
  ConnectionRef() = default;
  explicit ConnectionRef(Connection& connection) : connection_(&connection) { connection.Retain(); }
  ConnectionRef(const ConnectionRef& other) : connection_(other.connection_) {
    if (connection_ != nullptr) connection_->Retain();
  }
  ConnectionRef(ConnectionRef&& other) noexcept : connection_(std::exchange(other.connection_, nullptr)) {}
  ConnectionRef& operator=(ConnectionRef other) noexcept {
    std::swap(connection_, other.connection_);
    return *this;
  }
  ~ConnectionRef() {
    if (connection_ != nullptr) connection_->Release();
  }
  Connection& operator*() const { return *connection_; }
  Connection* operator->() const { return connection_; }

 private:
  Connection* connection_ = nullptr;
};

}  // namespace kb::net
