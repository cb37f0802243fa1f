#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "esphome/components/json/json_util.h"
#include "esphome/core/component.h"
#include "esphome/core/preferences.h"

namespace esphome::offline_list {

/// What a fob is in the list: the first bytes of its HMAC with the reader's key.
using Mark = std::array<uint8_t, 6>;

/// A session that the reader had without the server; seconds since the boot.
struct Session {
  uint32_t id;
  std::string fob;
  uint64_t started, ended;
};

/// The reader's list, what the server said of its use, and the sessions that the server has not heard of.
///
/// All times are milliseconds since the boot, unless they say otherwise. The list outlives a restart, but counts then
/// only where somebody knows the time. An Oops that the server has not heard of outlives it, too.
class OfflineList : public Component {
 public:
  void setup() override;
  void dump_config() override;
  float get_setup_priority() const override { return setup_priority::DATA; }

  /// The machine's name, and what signs a text with its reader's key, as hexadecimal digits. Without a key: no list.
  void set_reader(const std::string &machine, std::function<std::string(const std::string &)> sign);
  /// Seconds since 1970, or 0 as long as nobody knows. A clock that was never set says 1970 or 2000 after each power cut,
  /// by which a list would be new again: what is before this firmware was written is no time.
  void set_unix_time(uint32_t now) { this->unix_time_ = now < 1700000000 ? 0 : now; }

  /// Tell the server which list is here, and which sessions it has not heard of.
  void add_to_report(JsonObject root);
  /// Take what the server says in an answer to a report: the rules; and if the report counted, which list is the present
  /// one, and which sessions it has.
  void take_answer(JsonObject root, bool applied);
  /// Whether a list is to be fetched.
  bool wants_list();
  /// Take a list that came, its signature being right; returns whether it is the one that was asked for.
  bool take_list(const std::string &body);

  /// Whether nobody has answered for so long that the rules count.
  bool is_lost(uint64_t last_answer) const;
  /// Whether what runs is to be switched off then.
  bool stops_on_loss() const { return this->stops_on_loss_; }
  /// Whether there is a list by which machines may start now.
  bool is_good() const;
  /// Whether this card may start the machine; it is asked without the server.
  bool allows(const std::string &code) const;

  void begin(const std::string &fob);
  void end();
  bool is_running() const { return this->running_; }
  const std::string &fob() const { return this->session_.fob; }

  /// Keep over restarts whether an Oops was pressed that the server has not heard of.
  void keep_oops(bool untold);
  bool oops_kept() const { return this->oops_kept_; }

  struct Header;

 protected:
  int64_t age_ms_() const;
  std::string sign_kept_(const Header &header) const;
  void forget_();
  void save_();
  void load_();

  std::string machine_;
  std::function<std::string(const std::string &)> sign_;
  uint32_t unix_time_{0};

  // The list.
  std::vector<Mark> marks_;  // in order
  uint64_t revision_{0};     // 0: there is none
  bool oops_{false}, lock_{false};
  uint32_t lifetime_s_{0};
  uint32_t came_unix_{0};  // seconds since 1970; 0: unknown
  int64_t came_ms_{-1};    // -1: before the boot
  bool is_kept_{false};    // also in the flash

  // What the server last said.
  uint64_t named_{0};  // the present list; 0: there is to be none
  uint32_t after_s_{0};
  bool stops_on_loss_{false};
  uint64_t asked_again_at_{0};

  std::vector<Session> untold_;
  Session session_{};
  bool running_{false};
  uint32_t last_id_{0};

  bool oops_kept_{false};
  ESPPreferenceObject oops_preference_;
};

}  // namespace esphome::offline_list
