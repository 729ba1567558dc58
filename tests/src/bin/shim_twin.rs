//! A twin of the program under test, so that tests find it on every system. Nothing of its own.

fn main() -> std::process::ExitCode {
    shim::shim_main()
}
