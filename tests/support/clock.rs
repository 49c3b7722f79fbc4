//! A wall clock that a test sets while a server runs: a preloaded library adds to the system's
//! time. The monotonic clocks stay as they are.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::process::Command;

use tempfile::TempDir;

use super::preload;

/// Ten years, in seconds.
pub const DECADE: i64 = 10 * 365 * 24 * 3_600;

/// The clock of the servers that use it.
pub struct Clock {
    folder: TempDir,
    ahead: File,
}

impl Clock {
    /// A correct clock. `None` if it cannot be made; the test then says why.
    pub fn new() -> Option<Self> {
        let folder = TempDir::new().expect("a temporary folder");
        preload::library(folder.path(), AHEAD)?;
        let ahead = File::create_new(folder.path().join("ahead")).expect("a file");
        let clock = Self { folder, ahead };
        clock.set(0);
        Some(clock)
    }

    /// Sets it so many seconds ahead of the right time.
    pub fn set(&self, seconds: i64) {
        self.ahead.write_all_at(&seconds.to_ne_bytes(), 0).expect("the clock is set");
    }

    /// Makes the process of this command use it.
    pub fn give(&self, command: &mut Command) {
        command.env("LD_PRELOAD", self.folder.path().join("preload.so"));
        command.env("CHAT_TEST_CLOCK", self.folder.path().join("ahead"));
    }
}

/// The file is mapped, so a server sees a change at once.
const AHEAD: &str = r#"
    #define _GNU_SOURCE
    #include <fcntl.h>
    #include <stdlib.h>
    #include <sys/mman.h>
    #include <sys/syscall.h>
    #include <sys/time.h>
    #include <time.h>
    #include <unistd.h>

    static volatile long long *ahead;
    __attribute__((constructor)) static void begin(void) {
        int file = open(getenv("CHAT_TEST_CLOCK"), O_RDONLY | O_CLOEXEC);
        void *mapped = mmap(0, sizeof *ahead, PROT_READ, MAP_SHARED, file, 0);
        if (mapped == MAP_FAILED) abort();
        close(file);
        ahead = mapped;
    }
    int clock_gettime(clockid_t clock, struct timespec *now) {
        int failed = (int)syscall(SYS_clock_gettime, clock, now);
        int on_the_wall = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
        if (!failed && on_the_wall && ahead) now->tv_sec += *ahead;
        return failed;
    }
    int gettimeofday(struct timeval *restrict now, void *restrict zone) {
        struct timespec wall;
        (void)zone;
        clock_gettime(CLOCK_REALTIME, &wall);
        now->tv_sec = wall.tv_sec;
        now->tv_usec = wall.tv_nsec / 1000;
        return 0;
    }
    time_t time(time_t *now) {
        struct timespec wall;
        clock_gettime(CLOCK_REALTIME, &wall);
        if (now) *now = wall.tv_sec;
        return wall.tv_sec;
    }
"#;
