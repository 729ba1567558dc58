//! How programs are started on Windows: bits of `CreateProcess`, by the names that Windows gives them.

/// A console program without a window of its own.
pub const NO_WINDOW: u32 = 0x0800_0000;
/// Ctrl-C in our console does not reach it.
pub const NEW_PROCESS_GROUP: u32 = 0x0000_0200;
/// Out of the job of whoever started us. Refused where that job does not allow it.
pub const BREAKAWAY_FROM_JOB: u32 = 0x0100_0000;
