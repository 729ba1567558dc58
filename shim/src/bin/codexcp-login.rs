//! The program that Windows starts at login, without a window. Everything is in the library.

#![cfg_attr(windows, windows_subsystem = "windows")]

fn main() -> std::process::ExitCode {
    shim::login_main()
}
