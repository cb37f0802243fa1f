#include "offline_list.h"

#include <algorithm>
#include <cctype>

#include "esphome/core/hal.h"
#include "esphome/core/helpers.h"
#include "esphome/core/log.h"

namespace esphome::offline_list {

static const char *const TAG = "offline_list";

/// Fobs in a list, as the server has it; and how many of them one preference holds, which has 255 bytes at the most.
static constexpr size_t MOST_FOBS = 500, BLOCK = 39;
/// Sessions that wait to be told. With so many nothing starts any more: none is to get lost.
static constexpr size_t MOST_UNTOLD = 100;
/// Of these so many are told in one report.
static constexpr size_t AT_ONCE = 20;
/// A list that was asked for in vain is asked for again after this.
static constexpr uint64_t AGAIN_MS = 10000;

static constexpr uint32_t PREFERENCE = 0x6D61636C;  // and the following ones

/// What is kept of a list beside the fobs. The reader signs both, for itself: a list that was tampered with, half
/// written, or of another machine or key, is none.
struct OfflineList::Header {
  struct {
    uint64_t revision;
    uint32_t lifetime_s, came_unix, after_s;
    uint16_t count;
    bool oops, lock;
  } content;
  char signature[64];
};

using Block = std::array<Mark, BLOCK>;

static ESPPreferenceObject header_preference() { return global_preferences->make_preference<OfflineList::Header>(PREFERENCE, true); }

static uint64_t seconds() { return millis_64() / 1000; }

static bool at_end(unsigned char c) { return std::isspace(c) != 0 || std::iscntrl(c) != 0; }

/// A code without the separators between groups of hexadecimal digits, as many in each.
static std::string joined(const std::string &code) {
  std::string digits;
  size_t first = code.find_first_of("-: "), length = 0;
  if (first == std::string::npos)
    return code;
  for (char c : code) {
    if (c == '-' || c == ':' || c == ' ') {
      if (length != first)
        return code;
      length = 0;
    } else if (std::isxdigit(static_cast<unsigned char>(c)) == 0) {
      return code;
    } else {
      digits += c;
      length++;
    }
  }
  return length == first ? digits : code;
}

/// A code in the form in which the server compares it (mac_actors.core.config.normalize_fob).
static std::string normal_form(std::string code) {
  while (!code.empty() && at_end(code.back()))
    code.pop_back();
  while (!code.empty() && at_end(code.front()))
    code.erase(0, 1);
  std::transform(code.begin(), code.end(), code.begin(), [](unsigned char c) { return std::toupper(c); });
  code = joined(code);
  while (!code.empty() && (code.front() == '0' || at_end(code.front())))
    code.erase(0, 1);
  code = joined(code);
  return code.size() < 10 ? std::string(10 - code.size(), '0') + code : code;
}

void OfflineList::set_reader(const std::string &machine, std::function<std::string(const std::string &)> sign) {
  this->machine_ = machine;
  this->sign_ = std::move(sign);
  this->load_();
}

void OfflineList::setup() {
  this->oops_preference_ = global_preferences->make_preference<bool>(PREFERENCE - 1, true);
  this->oops_preference_.load(&this->oops_kept_);
}

void OfflineList::dump_config() {
  ESP_LOGCONFIG(TAG, "List for when the server is away: %u fobs", static_cast<unsigned>(this->marks_.size()));
}

void OfflineList::keep_oops(bool untold) {
  if (untold == this->oops_kept_)
    return;
  this->oops_kept_ = untold;
  this->oops_preference_.save(&untold);
  global_preferences->sync();
}

// With the server

void OfflineList::add_to_report(JsonObject root) {
  if (this->revision_ != 0)
    root["list"] = this->revision_;
  if (this->untold_.empty())
    return;
  JsonArray sessions = root["offline"].to<JsonArray>();
  for (size_t i = 0; i < std::min(this->untold_.size(), AT_ONCE); i++) {
    JsonObject session = sessions.add<JsonObject>();
    session["id"] = this->untold_[i].id;
    session["fob"] = this->untold_[i].fob;
    session["started"] = this->untold_[i].started;
    session["ended"] = this->untold_[i].ended;
  }
}

void OfflineList::take_answer(JsonObject root, bool applied) {
  JsonObject rules = root["offline"];
  this->after_s_ = rules["after_seconds"] | 0.0f;
  this->stops_on_loss_ = rules["on_loss"] == "off";
  if (!applied)
    return;
  uint64_t named = root["list"].is<uint64_t>() ? root["list"].as<uint64_t>() : 0;
  if (named != this->named_)
    this->asked_again_at_ = 0;
  this->named_ = named;
  if (named != this->revision_)
    this->forget_();  // also in the flash: it may be out of date in a way that matters
  for (JsonVariant id : rules["taken"].as<JsonArray>())
    std::erase_if(this->untold_, [&id](const Session &session) { return id == session.id; });
}

bool OfflineList::wants_list() {
  bool old = this->age_ms_() < 0 || this->age_ms_() / 500 > this->lifetime_s_;  // half of its time is over
  if (this->named_ == 0 || !this->sign_ || (this->named_ == this->revision_ && !old) ||
      millis_64() < this->asked_again_at_)
    return false;
  this->asked_again_at_ = millis_64() + AGAIN_MS;
  return true;
}

bool OfflineList::take_list(const std::string &body) {
  std::vector<Mark> marks;
  uint64_t revision = 0;
  uint32_t lifetime_s = 0;
  bool oops = true, lock = true;
  bool whole = json::parse_json(body, [&](JsonObject root) -> bool {
    if (root["machine"] != this->machine_ || !root["revision"].is<uint64_t>() || !root["oops"].is<bool>() ||
        !root["lock"].is<bool>() || !root["lifetime_seconds"].is<float>() || !root["fobs"].is<JsonArray>())
      return false;
    revision = root["revision"];
    lifetime_s = root["lifetime_seconds"].as<float>();
    oops = root["oops"];
    lock = root["lock"];
    for (JsonVariant fob : root["fobs"].as<JsonArray>()) {
      Mark mark;
      std::string text = fob.as<std::string>();
      if (text.size() != 2 * mark.size() || parse_hex(text, mark.data(), mark.size()) == 0)
        return false;
      marks.push_back(mark);
    }
    return marks.size() <= MOST_FOBS;
  });
  if (!whole || revision == 0 || revision != this->named_) {
    ESP_LOGW(TAG, "A list that is none, or not the one that was asked for");
    return false;
  }
  std::sort(marks.begin(), marks.end());
  this->marks_ = std::move(marks);
  this->revision_ = revision;
  this->lifetime_s_ = lifetime_s;
  this->oops_ = oops;
  this->lock_ = lock;
  this->came_ms_ = millis_64();
  this->came_unix_ = this->unix_time_;
  this->save_();
  return true;
}

// Without it

bool OfflineList::is_lost(uint64_t last_answer) const {
  return this->after_s_ != 0 && millis_64() - last_answer >= this->after_s_ * 1000ULL;
}

int64_t OfflineList::age_ms_() const {
  if (this->came_ms_ >= 0)
    return millis_64() - this->came_ms_;
  if (this->came_unix_ == 0 || this->unix_time_ < this->came_unix_)
    return -1;  // nobody knows
  return (this->unix_time_ - this->came_unix_) * 1000LL;
}

bool OfflineList::is_good() const {
  int64_t age = this->age_ms_();
  return this->revision_ != 0 && this->revision_ == this->named_ && !this->oops_ && !this->lock_ && age >= 0 &&
         age < this->lifetime_s_ * 1000LL;
}

bool OfflineList::allows(const std::string &code) const {
  if (!this->is_good() || this->untold_.size() >= MOST_UNTOLD)
    return false;
  Mark mark;
  parse_hex(this->sign_(normal_form(code)).substr(0, 2 * mark.size()), mark.data(), mark.size());
  return std::binary_search(this->marks_.begin(), this->marks_.end(), mark);
}

void OfflineList::begin(const std::string &fob) {
  this->session_ = {++this->last_id_, fob, seconds(), 0};
  this->running_ = true;
}

void OfflineList::end() {
  this->running_ = false;
  this->session_.ended = seconds();
  this->untold_.push_back(this->session_);
}

// What outlives a restart

std::string OfflineList::sign_kept_(const Header &header) const {
  std::string data = this->machine_;
  data.append(reinterpret_cast<const char *>(&header.content), sizeof header.content);
  for (const Mark &mark : this->marks_)
    data.append(mark.begin(), mark.end());
  return this->sign_(data);
}

static ESPPreferenceObject block(size_t number) { return global_preferences->make_preference<Block>(PREFERENCE + 1 + number, true); }

void OfflineList::save_() {
  if (this->unix_time_ == 0)
    return;  // after a restart it would not count: the flash is spared
  for (size_t i = 0; i * BLOCK < this->marks_.size(); i++) {
    Block part{};
    std::copy_n(this->marks_.begin() + i * BLOCK, std::min(BLOCK, this->marks_.size() - i * BLOCK), part.begin());
    block(i).save(&part);
  }
  Header header{};
  header.content = {this->revision_, this->lifetime_s_, this->came_unix_, this->after_s_,
                    static_cast<uint16_t>(this->marks_.size()), this->oops_, this->lock_};
  this->sign_kept_(header).copy(header.signature, sizeof header.signature);
  header_preference().save(&header);
  global_preferences->sync();
  this->is_kept_ = true;
}

void OfflineList::load_() {
  Header header{};
  if (!header_preference().load(&header) || header.content.count > MOST_FOBS)
    return;
  for (size_t i = 0; i * BLOCK < header.content.count; i++) {
    Block part{};
    if (!block(i).load(&part))
      break;
    this->marks_.insert(this->marks_.end(), part.begin(), part.begin() + std::min(BLOCK, header.content.count - i * BLOCK));
  }
  if (this->sign_kept_(header) != std::string(header.signature, sizeof header.signature)) {
    this->marks_.clear();
    return;
  }
  this->is_kept_ = true;
  this->revision_ = this->named_ = header.content.revision;
  this->lifetime_s_ = header.content.lifetime_s;
  this->came_unix_ = header.content.came_unix;
  this->after_s_ = header.content.after_s;
  this->oops_ = header.content.oops;
  this->lock_ = header.content.lock;
}

void OfflineList::forget_() {
  this->revision_ = 0;
  this->marks_.clear();
  if (this->is_kept_) {
    Header none{};
    header_preference().save(&none);
    global_preferences->sync();
    this->is_kept_ = false;
  }
}

}  // namespace esphome::offline_list
