//! Shows that a program built here runs under Wine: random bytes, a caught panic, a thread, and a file lock that is
//! given back. Says so in one line; must never succeed where one of them fails.

use std::{collections::HashMap, fs::File, io, panic, thread};

fn main() -> io::Result<()> {
    // Without the hook, which would print it.
    assert!(panic::catch_unwind(|| panic::resume_unwind(Box::new(()))).is_err());
    let squares: HashMap<u32, u32> = (1..10).map(|number| (number, number * number)).collect();
    assert_eq!(thread::spawn(move || squares[&9]).join().ok(), Some(81));

    let path = std::env::temp_dir().join(format!("codexcp-smoke-{}", std::process::id()));
    let (first, second) = (File::create(&path)?, File::open(&path)?);
    first.lock()?;
    assert!(second.try_lock().is_err());
    first.unlock()?;
    second.lock()?;
    second.unlock()?;
    drop((first, second));
    std::fs::remove_file(&path)?;

    println!("{}: all well", std::env::consts::OS);
    Ok(())
}
