//! The daemon's binary. Everything is in the library, so that tests can build twins of it.

fn main() -> std::process::ExitCode {
    daemon::main_impl()
}
