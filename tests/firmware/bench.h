// The bench on which a reader's firmware is tried: what the test does comes as lines "PART VALUE" in the file $BENCH,
// what happens goes out as lines "> SECONDS PART VALUE". The seconds are the computer's, whatever the reader's clock is.
#pragma once

#include <fcntl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace bench {

inline const char *variable(const char *name, const char *otherwise) {
  const char *value = getenv(name);
  return value != nullptr ? value : otherwise;
}

/// Seconds since 1970, on a board that has a clock: $UNIX_TIME is when it started. 0: it has none.
inline uint32_t unix_time(uint64_t since_boot) {
  static const uint32_t began = atoi(variable("UNIX_TIME", "0"));
  return began == 0 ? 0 : began + since_boot;
}

inline bool line(std::string &part, std::string &value) {
  static const int file = open(variable("BENCH", "/dev/null"), O_RDONLY | O_CLOEXEC);
  static const pid_t test = getppid();
  static std::string written;
  char piece[256];
  if (getppid() != test)
    _exit(0);  // the test is over
  ssize_t got = read(file, piece, sizeof piece);
  if (got > 0)
    written.append(piece, got);
  size_t end = written.find('\n'), space = written.find(' ');
  if (end == std::string::npos)
    return false;
  part = written.substr(0, space);
  value = written.substr(space + 1, end - space - 1);
  written.erase(0, end + 1);
  return true;
}

inline void say(const std::string &part, std::string value) {
  for (char &c : value)
    if (c == '\n')
      c = '|';
  struct timespec now;
  syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
  printf("> %ld.%06ld %s %s\n", now.tv_sec, now.tv_nsec / 1000, part.c_str(), value.c_str());
  fflush(stdout);
}

}  // namespace bench
