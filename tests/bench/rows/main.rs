//! The rows of `docs/performance.md`, each measured over the real programs and printed beside its goal and its floor,
//! on an empty state and with 100 000 finished operations. `cargo bench -- WORD…` measures the rows whose names hold a
//! word; `--empty` leaves out the second state, `--now` does not wait for a quiet machine, `--in=DIR` measures on
//! another disk. It never fails because something is slow.

#[cfg(target_os = "linux")]
mod daemon_idle;
#[cfg(target_os = "linux")]
mod growth;
#[cfg(target_os = "linux")]
mod measure;
#[cfg(target_os = "linux")]
mod polls;
#[cfg(target_os = "linux")]
mod programs;
#[cfg(target_os = "linux")]
mod schedule;
#[cfg(target_os = "linux")]
mod shim_memory;
#[cfg(target_os = "linux")]
mod shim_start;
#[cfg(target_os = "linux")]
mod status;
#[cfg(target_os = "linux")]
mod submit;
#[cfg(target_os = "linux")]
mod submits;
#[cfg(target_os = "linux")]
mod wire;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    measure::main()
}

/// The figures are read from /proc.
#[cfg(not(target_os = "linux"))]
fn main() {}
