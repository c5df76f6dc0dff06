// Linked into llama-perplexity: its logger runs in a thread of its own that nobody waits for at exit, so on a busy
// machine the last lines, the result among them, are lost. This waits for them.
#include "log.h"

namespace {
struct flush_log_at_exit {
    ~flush_log_at_exit() { common_log_pause(common_log_main()); }
} flush_log;
}  // namespace
