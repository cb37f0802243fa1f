#include "async_post.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <strings.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "esphome/components/hmac_sha256/hmac_sha256.h"
#include "esphome/core/hal.h"
#include "esphome/core/helpers.h"
#include "esphome/core/log.h"

namespace esphome::async_post {

static const char *const TAG = "async_post";

void AsyncPost::set_url(const std::string &url) {
  std::string rest = url.substr(strlen("http://"));
  size_t slash = rest.find('/');
  this->path_ = slash == std::string::npos ? "/" : rest.substr(slash);
  this->host_ = rest.substr(0, slash);
  this->port_ = 80;
  size_t colon = this->host_.find(':');
  if (colon != std::string::npos) {
    this->port_ = static_cast<uint16_t>(atoi(this->host_.c_str() + colon + 1));
    this->host_.resize(colon);
  }
  this->address_ = 0;
}

void AsyncPost::set_key(const std::string &digits) {
  this->key_.resize(digits.size() / 2);
  parse_hex(digits, reinterpret_cast<uint8_t *>(&this->key_[0]), this->key_.size());
}

std::string AsyncPost::sign(const std::string &text) const {
  hmac_sha256::HmacSHA256 hmac;
  char digits[65] = {};
  hmac.init(this->key_);
  hmac.add(text.data(), text.size());
  hmac.calculate();
  hmac.get_hex(digits);
  return std::string(digits, 64);
}

/// Whether two texts are the same; how long that takes does not tell where they differ.
static bool same(const std::string &one, const std::string &other) {
  uint8_t different = one.size() != other.size();
  for (size_t i = 0; i < one.size() && i < other.size(); i++)
    different |= one[i] ^ other[i];
  return different == 0;
}

void AsyncPost::begin_(const std::string &method, const std::string &path, const std::string &body,
                       size_t longest_answer) {
  // HTTP/1.0, because its answers come in one piece. It has no Host, but proxies want one.
  this->request_ = method + " " + path + " HTTP/1.0\r\nHost: " + this->host_ + ":" + std::to_string(this->port_) +
                   "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  if (!this->authorization_.empty())
    this->request_ += "Authorization: " + this->authorization_ + "\r\n";
  if (this->has_key()) {
    this->signature_ = this->sign(body);
    this->request_ += "X-MAC-Signature: " + this->signature_ + "\r\n";
  }
  this->request_ += "\r\n" + body;
  this->answer_.clear();
  this->longest_answer_ = longest_answer;
  this->started_ = millis();
  this->state_ = LOOKING_UP;
  this->loop();
}

void AsyncPost::loop() {
  if (this->state_ == IDLE)
    return;
  if (millis() - this->started_ >= this->timeout_) {
    this->fail_("no answer in time");
    return;
  }
  if (this->state_ == LOOKING_UP)
    this->look_up_();
  if (this->state_ == SENDING)
    this->send_();
  if (this->state_ == RECEIVING)
    this->receive_();
}

static void *look_up(void *argument) {
  auto *lookup = static_cast<std::shared_ptr<Lookup> *>(argument);
  struct addrinfo hints {}, *found = nullptr;
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  if (getaddrinfo((*lookup)->host.c_str(), nullptr, &hints, &found) == 0 && found != nullptr) {
    (*lookup)->address = reinterpret_cast<struct sockaddr_in *>(found->ai_addr)->sin_addr.s_addr;
    freeaddrinfo(found);
  }
  (*lookup)->done = true;
  delete lookup;
  return nullptr;
}

void AsyncPost::look_up_() {
  struct in_addr literal;
  if (this->address_ == 0 && inet_pton(AF_INET, this->host_.c_str(), &literal) == 1)
    this->address_ = literal.s_addr;
  if (this->address_ == 0) {
    // One that is late is not given up: the next request finds its answer. There is never more than one.
    if (this->lookup_ == nullptr) {
      this->lookup_ = std::make_shared<Lookup>();
      this->lookup_->host = this->host_;
      auto *argument = new std::shared_ptr<Lookup>(this->lookup_);
      pthread_attr_t attributes;
      pthread_attr_init(&attributes);
      pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
      pthread_attr_setstacksize(&attributes, 4096);  // enough on the board; a computer refuses it and takes its own
      pthread_t thread;
      int error = pthread_create(&thread, &attributes, look_up, argument);
      pthread_attr_destroy(&attributes);
      if (error != 0) {
        delete argument;
        this->lookup_.reset();
        this->fail_("no thread to look the name up");
        return;
      }
    }
    if (!this->lookup_->done)
      return;
    this->address_ = this->lookup_->address;
    this->lookup_.reset();
    if (this->address_ == 0) {
      this->fail_("no such host: " + this->host_);
      return;
    }
  }
  this->connect_();
}

void AsyncPost::connect_() {
  this->socket_ = socket::socket(AF_INET, SOCK_STREAM, 0);
  if (this->socket_ == nullptr) {
    this->fail_("no socket");
    return;
  }
  this->socket_->setblocking(false);
  struct sockaddr_in server {};
  server.sin_family = AF_INET;
  server.sin_port = htons(this->port_);
  server.sin_addr.s_addr = this->address_;
  if (this->socket_->connect(reinterpret_cast<struct sockaddr *>(&server), sizeof(server)) != 0 &&
      errno != EINPROGRESS) {
    this->fail_(std::string("no connection: ") + strerror(errno));
    return;
  }
  this->state_ = SENDING;
}

/// Whether a call could only not be done at once; a connection that is still being made says so in three ways.
static bool not_yet() {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINPROGRESS || errno == ENOTCONN || errno == EALREADY;
}

void AsyncPost::send_() {
  while (!this->request_.empty()) {
    ssize_t sent = this->socket_->send(this->request_.data(), this->request_.size(), MSG_NOSIGNAL);
    if (sent < 0) {
      if (!not_yet())
        this->fail_(std::string("no connection: ") + strerror(errno));
      return;
    }
    this->request_.erase(0, sent);
  }
  this->state_ = RECEIVING;
}

void AsyncPost::receive_() {
  char piece[512];
  // At most as often as the longest answer needs: whoever sends without end must not keep the loop.
  for (size_t i = 0; i <= this->longest_answer_ / sizeof(piece); i++) {
    ssize_t got = this->socket_->read(piece, sizeof(piece));
    if (got < 0) {
      if (!not_yet())
        this->fail_(std::string("connection lost: ") + strerror(errno));
      return;
    }
    this->answer_.append(piece, got);
    if (this->is_whole_(got == 0))
      return;
    if (got == 0 || this->answer_.size() > this->longest_answer_) {
      this->fail_(got == 0 ? "half an answer" : "an answer that is too long");
      return;
    }
  }
}

/// Finish if what has come is a whole answer.
bool AsyncPost::is_whole_(bool closed) {
  size_t end = this->answer_.find("\r\n\r\n");
  if (end == std::string::npos || this->answer_.compare(0, 7, "HTTP/1.") != 0)
    return false;
  int status = atoi(this->answer_.c_str() + strlen("HTTP/1.x "));
  std::string length = this->header_("content-length", end), body = this->answer_.substr(end + 4);
  if (!length.empty()) {
    size_t whole = strtoul(length.c_str(), nullptr, 10);
    if (body.size() < whole)
      return false;
    body.resize(whole);
  } else if (!closed) {
    return false;
  }
  if (this->has_key() && status >= 200 && status <= 299 &&
      !same(this->header_("x-mac-signature", end), this->sign(this->signature_ + body))) {
    this->finish_(NOT_SIGNED, "an answer that is not signed with this reader's key");
  } else {
    this->finish_(status, body);
  }
  return true;
}

/// The value of a header of the answer, whose head ends there; empty: it has none.
std::string AsyncPost::header_(const char *name, size_t end) const {
  for (size_t line = this->answer_.find("\r\n"); line < end; line = this->answer_.find("\r\n", line + 2)) {
    size_t colon = line + 2 + strlen(name), value = colon + 1;
    if (colon < end && this->answer_[colon] == ':' &&
        strncasecmp(this->answer_.c_str() + line + 2, name, strlen(name)) == 0) {
      while (this->answer_[value] == ' ')
        value++;
      return this->answer_.substr(value, this->answer_.find("\r\n", value) - value);
    }
  }
  return "";
}

void AsyncPost::finish_(int status, const std::string &body) {
  this->socket_.reset();
  this->state_ = IDLE;
  if (status < 200 || status > 299)
    this->address_ = 0;  // the name may mean another computer now
  if (status <= 0)
    ESP_LOGW(TAG, "No answer from %s:%u: %s", this->host_.c_str(), this->port_, body.c_str());
  this->answer_trigger_.trigger(status, body);
}

void AsyncPost::dump_config() {
  ESP_LOGCONFIG(TAG, "POST to http://%s:%u%s, %s, answers within %u ms", this->host_.c_str(), this->port_,
                this->path_.c_str(), this->has_key() ? "signed" : "unsigned", static_cast<unsigned>(this->timeout_));
}

}  // namespace esphome::async_post
