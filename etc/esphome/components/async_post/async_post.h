#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "esphome/components/socket/socket.h"
#include "esphome/core/automation.h"
#include "esphome/core/component.h"

namespace esphome::async_post {

/// A name that is being looked up, in a thread of its own: the system's resolver blocks, for as long as it likes.
struct Lookup {
  std::string host;
  uint32_t address{0};  // in network order; 0: there is none
  std::atomic<bool> done{false};
};

/// Posts JSON to one URL and never waits: each loop does what can be done at once. One request at a time, and one
/// deadline for all of it: looking the name up, connecting, sending, and the whole answer.
///
/// With a key each request is signed (X-MAC-Signature: HMAC-SHA256 of its body), and an answer with 2xx counts only if it
/// is signed as the answer to this very request: HMAC-SHA256 of the request's signature and the answer's body.
class AsyncPost : public Component {
 public:
  /// The URL, as it was checked: http://HOST[:PORT][/PATH].
  void set_url(const std::string &url);
  /// The header Authorization; empty: none.
  void set_authorization(const std::string &authorization) { this->authorization_ = authorization; }
  /// The key, 64 hexadecimal digits; empty: none.
  void set_key(const std::string &digits);
  /// Milliseconds for a request in all.
  void set_timeout(uint32_t timeout) { this->timeout_ = timeout; }
  /// What is told as the status of an answer that is not signed with our key.
  static constexpr int NOT_SIGNED = -1;
  /// Told at the end of each request: the HTTP status and the body of a whole answer, or 0 and why there is none.
  Trigger<int, std::string> *get_answer_trigger() { return &this->answer_trigger_; }

  /// Whether a request is under way.
  bool busy() const { return this->state_ != IDLE; }
  bool has_key() const { return !this->key_.empty(); }
  /// HMAC-SHA256 of the text, as 64 small hexadecimal digits.
  std::string sign(const std::string &text) const;
  /// Begin a request; not while another is under way.
  void post(const std::string &body) { this->begin_("POST", this->path_, body, 4096); }
  /// Begin a request for what is at this path of the same server; its answer may be longer.
  void get(const std::string &path) { this->begin_("GET", path, "", 10240); }

  void loop() override;
  void dump_config() override;

 protected:
  enum State { IDLE, LOOKING_UP, SENDING, RECEIVING };

  void begin_(const std::string &method, const std::string &path, const std::string &body, size_t longest_answer);
  void look_up_();
  void connect_();
  void send_();
  void receive_();
  bool is_whole_(bool closed);
  std::string header_(const char *name, size_t end) const;
  void finish_(int status, const std::string &body);
  void fail_(const std::string &why) { this->finish_(0, why); }

  std::string host_, path_, authorization_;
  std::string key_;        // its bytes; empty: none
  std::string signature_;  // of the request
  uint16_t port_{80};
  uint32_t timeout_{3000};

  State state_{IDLE};
  uint32_t started_{0};
  uint32_t address_{0};  // of the host, in network order; 0: to be looked up
  std::shared_ptr<Lookup> lookup_;
  std::unique_ptr<socket::Socket> socket_;
  std::string request_;  // what is still to be sent
  std::string answer_;   // what has come so far
  size_t longest_answer_{0};  // bytes, head and body; a report's have 300

  Trigger<int, std::string> answer_trigger_;
};

}  // namespace esphome::async_post
