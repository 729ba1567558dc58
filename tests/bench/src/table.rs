//! The table: what was measured, beside its goal and its floor. As markdown, so that it can be kept in
//! `docs/performance.md`.

use std::io::Write;

#[derive(Debug, Clone, Copy)]
pub enum Unit {
    Ms,
    Kb,
    PerSecond,
    Count,
}

#[derive(Debug, Clone, Copy)]
pub enum Goal {
    AtMost(f64),
    AtLeast(f64),
    /// For knowing only.
    None,
}

#[derive(Debug, Clone)]
pub struct Figure {
    pub what: String,
    pub value: f64,
    pub unit: Unit,
    pub goal: Goal,
    /// The same on this machine without any of us.
    pub floor: Option<f64>,
    pub note: String,
}

impl Figure {
    pub fn new(what: impl Into<String>, value: f64, unit: Unit, goal: Goal) -> Figure {
        Figure { what: what.into(), value, unit, goal, floor: None, note: String::new() }
    }

    #[must_use]
    pub fn floor(mut self, floor: f64) -> Figure {
        self.floor = Some(floor);
        self
    }

    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Figure {
        self.note = note.into();
        self
    }

    fn meets(&self, value: f64) -> &'static str {
        let met = match self.goal {
            Goal::AtMost(most) => value <= most,
            Goal::AtLeast(least) => value >= least,
            Goal::None => return "",
        };
        if met { "" } else { " **missed**" }
    }
}

fn shown(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Ms if value < 1.0 => format!("{value:.3} ms"),
        Unit::Ms if value < 10.0 => format!("{value:.2} ms"),
        Unit::Ms => format!("{value:.1} ms"),
        Unit::Kb if value < 10.0 => format!("{value:.1} kB"),
        Unit::Kb => format!("{value:.0} kB"),
        Unit::PerSecond => format!("{value:.0}/s"),
        Unit::Count => format!("{value:.0}"),
    }
}

fn goal(figure: &Figure) -> String {
    match figure.goal {
        Goal::AtMost(most) => format!("≤ {}", shown(most, figure.unit)),
        Goal::AtLeast(least) => format!("≥ {}", shown(least, figure.unit)),
        Goal::None => String::new(),
    }
}

pub fn say(words: &str) {
    let mut out = std::io::stdout();
    // Nobody may be listening; that is fine.
    drop(writeln!(out, "{words}").and_then(|()| out.flush()));
}

pub fn head(filled: bool) {
    let more = if filled { " 100 000 finished | × |" } else { "" };
    let rule = if filled { "---|---|" } else { "" };
    say(&format!("| what | goal | floor | measured |{more} |\n|---|---|---|---|{rule}---|"));
}

/// `filled`: the same figures with many finished operations in the database.
pub fn row(name: &str, figures: &[Figure], filled: Option<&[Figure]>) {
    for figure in figures {
        let floor = figure.floor.map(|floor| shown(floor, figure.unit)).unwrap_or_default();
        let mut line = format!("| {name}: {} | {} | {floor} | ", figure.what, goal(figure));
        line += &format!("{}{} |", shown(figure.value, figure.unit), figure.meets(figure.value));
        if let Some(all) = filled {
            let same = all.iter().find(|one| one.what == figure.what);
            line += &same.map_or(" | |".to_owned(), |one| {
                format!(
                    " {}{} | {:.2} |",
                    shown(one.value, one.unit),
                    one.meets(one.value),
                    one.value / figure.value.max(f64::MIN_POSITIVE)
                )
            });
        }
        say(&format!("{line} {} |", figure.note));
    }
}
