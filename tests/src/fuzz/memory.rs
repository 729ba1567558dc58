//! Counts what the program holds, so that an input can be charged with what it made the program hold. Only for the
//! program that declares it as its allocator; elsewhere every count is zero. SQLite allocates by itself and is not seen.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

/// Above this an allocation fails and the process ends: a runaway input must not take the machine with it.
const HELD_BYTES_MAX: usize = 8 * 1024 * 1024 * 1024;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, counted.
pub struct Counting;

/// Bytes held now.
pub fn held() -> usize {
    HELD.load(Relaxed)
}

/// The most bytes held at once since `reset_peak`.
pub fn peak() -> usize {
    PEAK.load(Relaxed)
}

pub fn reset_peak() {
    PEAK.store(held(), Relaxed);
}

fn grew(bytes: usize) -> bool {
    let now = HELD.fetch_add(bytes, Relaxed) + bytes;
    if now > PEAK.load(Relaxed) {
        PEAK.fetch_max(now, Relaxed);
    }
    now <= HELD_BYTES_MAX
}

fn shrank(bytes: usize) {
    HELD.fetch_sub(bytes, Relaxed);
}

#[expect(unsafe_code, reason = "an allocator is unsafe by its nature; this one adds numbers around the system's")]
// SAFETY: every call is handed on to the system's allocator as it came; nothing but counters is touched besides.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !grew(layout.size()) {
            return std::ptr::null_mut();
        }
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if !grew(layout.size()) {
            return std::ptr::null_mut();
        }
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        shrank(layout.size());
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both may be there for a moment while the bytes are moved.
        if !grew(size) {
            return std::ptr::null_mut();
        }
        shrank(layout.size());
        unsafe { System.realloc(at, layout, size) }
    }
}
