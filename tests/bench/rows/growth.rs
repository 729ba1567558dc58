//! What one finished operation with a report of 2 kB adds to the database: over many that went the whole way, after
//! the daemon has ended and the log of SQLite is in the file.

use bench::{Figure, Goal, Ground, Unit, client::Client, fill, home::Home};

const WARM: usize = 200;
const COUNTED: usize = 800;

pub(crate) fn run(ground: &Ground) -> anyhow::Result<Vec<Figure>> {
    let mut home = Home::new(ground)?;
    let before = after(&mut home, "warm", WARM)?;
    let end = after(&mut home, "counted", COUNTED)?;
    let filled = ground.folder.join("growth.sqlite3");
    fill::fill(&filled, WARM)?;
    let small = std::fs::metadata(&filled)?.len();
    std::fs::remove_file(&filled)?;
    fill::fill(&filled, WARM + COUNTED)?;
    let large = std::fs::metadata(&filled)?.len();
    #[expect(clippy::cast_precision_loss, reason = "far below the limit")]
    let each = |from: u64, to: u64| to.saturating_sub(from) as f64 / COUNTED as f64 / 1_000.0;
    let note = format!("in the database that is filled for the second state: {:.1} kB", each(small, large));
    Ok(vec![Figure::new("a finished operation", each(before, end), Unit::Kb, Goal::AtMost(8.0)).floor(2.0).note(note)])
}

/// Bytes of the database when so many more have ended.
fn after(home: &mut Home, name: &str, count: usize) -> anyhow::Result<u64> {
    home.start_daemon()?;
    let mut client = Client::connected(home)?;
    let ids = (0..count)
        .map(|n| home.submit(&mut client, &format!("{name}-{n}"), &format!("{name} task {n}")))
        .collect::<anyhow::Result<Vec<_>>>()?;
    home.completed(&mut client, &ids)?;
    client.close()?;
    home.stop_daemon()?;
    Ok(std::fs::metadata(home.place.state_file())?.len())
}
