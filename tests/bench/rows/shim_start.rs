//! Shim: from its start to the answer to `initialize`, with a daemon that is up.

use bench::{
    Figure, Goal, Ground, Sample, Unit,
    client::{Client, initialize},
    floor,
    home::Home,
};

const TIMES: usize = 500;

pub(crate) fn run(ground: &Ground) -> anyhow::Result<Vec<Figure>> {
    let home = Home::started(ground)?;
    let hello = initialize();
    let mut sample = Sample::with_capacity(TIMES);
    // The first few bring the files into memory.
    for _ in 0..20 {
        Client::connected(&home)?.close()?;
    }
    for _ in 0..TIMES {
        let client = sample.time(|| -> anyhow::Result<_> {
            let mut client = Client::start(&home)?;
            client.ask(hello.as_bytes())?;
            Ok(client)
        })?;
        client.close()?;
    }
    let floor = floor::spawn(TIMES)?;
    Ok(vec![
        Figure::new("initialize answered, p50", sample.p50(), Unit::Ms, Goal::AtMost(3.0)).floor(floor.p50()),
        Figure::new("initialize answered, p99", sample.p99(), Unit::Ms, Goal::None).floor(floor.p99()),
    ])
}
