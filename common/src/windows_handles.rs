//! Keeps the three handles that this process speaks through to itself. A process on Windows inherits every handle that may
//! be inherited, ours included: a daemon that we start would hold our stdout open, and whoever reads it to its end would wait
//! for as long as the daemon lives. One call without a safe wrapper; it changes nothing else.

#![expect(unsafe_code, reason = "no kept library changes whether a handle is inherited")]

use std::{
    io,
    os::windows::io::{AsRawHandle, RawHandle},
};
use windows_sys::Win32::Foundation::{HANDLE_FLAG_INHERIT, SetHandleInformation};

/// Before the first start of a process that outlives us. What is handed on by name (`Stdio::inherit`) still is.
pub fn keep() {
    let all: [RawHandle; 3] = [io::stdin().as_raw_handle(), io::stdout().as_raw_handle(), io::stderr().as_raw_handle()];
    for handle in all {
        // SAFETY: only a flag of a handle of this process is changed; one that is not there or not open is refused, and
        // then there is nothing to inherit.
        unsafe { SetHandleInformation(handle, HANDLE_FLAG_INHERIT, 0) };
    }
}
