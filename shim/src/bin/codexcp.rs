//! The admin command. Everything is in the library, so that tests can build twins of it.

fn main() -> std::process::ExitCode {
    shim::codexcp::main_impl()
}
