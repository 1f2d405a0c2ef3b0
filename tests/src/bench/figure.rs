//! A measured figure and how it is shown.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::json;

/// An amount with its unit.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Amount {
    Time(Duration),
    /// Times a second.
    Rate(f64),
    Bytes(u64),
    Count(usize),
}

impl Amount {
    fn number(self) -> f64 {
        match self {
            Amount::Time(time) => time.as_secs_f64(),
            Amount::Rate(rate) => rate,
            #[allow(clippy::cast_precision_loss)]
            Amount::Bytes(bytes) => bytes as f64,
            #[allow(clippy::cast_precision_loss)]
            Amount::Count(count) => count as f64,
        }
    }

    fn unit(self) -> &'static str {
        match self {
            Amount::Time(_) => "s",
            Amount::Rate(_) => "1/s",
            Amount::Bytes(_) => "B",
            Amount::Count(_) => "",
        }
    }

    fn shown(self) -> String {
        let number = self.number();
        match self {
            Amount::Time(_) if number < 1e-3 => format!("{:.1} µs", number * 1e6),
            Amount::Time(_) if number < 1.0 => format!("{:.2} ms", number * 1e3),
            Amount::Time(_) => format!("{number:.2} s"),
            Amount::Rate(_) if number >= 10_000.0 => format!("{:.1} k/s", number / 1e3),
            Amount::Rate(_) => format!("{number:.0} /s"),
            Amount::Bytes(_) if number >= 1024.0 * 1024.0 => format!("{:.1} MB", number / (1024.0 * 1024.0)),
            Amount::Bytes(_) => format!("{:.1} kB", number / 1024.0),
            Amount::Count(count) => count.to_string(),
        }
    }
}

/// How a figure stands to its target.
#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    /// The target is met.
    Ok,
    /// The target is missed.
    Over,
    /// There is no target: for comparison.
    Shown,
    /// It was not measured because something is absent on this machine.
    Skipped(String),
    /// It could not be measured.
    Failed(String),
}

/// One line of the report.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    what: String,
    value: Option<Amount>,
    floor: Option<(String, Amount)>,
    target: String,
    outcome: Outcome,
}

impl Figure {
    /// A figure without target.
    pub(crate) fn new(what: impl Into<String>, value: Amount) -> Figure {
        Figure {
            what: what.into(),
            value: Some(value),
            floor: None,
            target: String::new(),
            outcome: Outcome::Shown,
        }
    }

    /// Only an outcome.
    pub(crate) fn outcome(outcome: Outcome) -> Figure {
        Figure { what: String::new(), value: None, floor: None, target: String::new(), outcome }
    }

    /// The floor measured in the same run.
    pub(crate) fn over(mut self, floor: impl Into<String>, amount: Amount) -> Figure {
        self.floor = Some((floor.into(), amount));
        self
    }

    /// The target in words, and whether the figure meets it.
    pub(crate) fn target(mut self, text: impl Into<String>, met: bool) -> Figure {
        self.target = text.into();
        self.outcome = if met { Outcome::Ok } else { Outcome::Over };
        self
    }

    /// A target that is a limit of the value itself.
    pub(crate) fn at_most(self, limit: Amount) -> Figure {
        let met = self.value.is_some_and(|value| value.number() <= limit.number());
        self.target(format!("≤ {}", limit.shown()), met)
    }

    /// A target that the value must reach.
    pub(crate) fn at_least(self, limit: Amount) -> Figure {
        let met = self.value.is_some_and(|value| value.number() >= limit.number());
        self.target(format!("≥ {}", limit.shown()), met)
    }

    /// A target in multiples of the floor.
    pub(crate) fn ratio_at_most(self, limit: f64) -> Figure {
        let met = self.ratio().is_some_and(|ratio| ratio <= limit);
        self.target(format!("≤ {limit:.1} ×"), met)
    }

    fn ratio(&self) -> Option<f64> {
        let (_, floor) = self.floor.as_ref()?;
        Some(self.value?.number() / floor.number())
    }
}

/// Writes figures as text for people, or as JSON lines.
pub(crate) struct Printer {
    json: bool,
    colour: bool,
    out: io::Stdout,
}

impl Printer {
    pub(crate) fn new(json: bool, colour: bool) -> Printer {
        Printer { json, colour: colour && std::env::var_os("NO_COLOR").is_none(), out: io::stdout() }
    }

    pub(crate) fn begin(&mut self, debug: bool, quick: bool) -> io::Result<()> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        if self.json {
            return writeln!(self.out, "{}", json!({"cores": cores, "debug": debug, "quick": quick}));
        }
        writeln!(self.out, "{cores} cores; floors are measured in the same run, the ratio is what counts")?;
        if debug {
            writeln!(self.out, "This is a debug build: its figures say nothing. Use `make bench`.")?;
        }
        Ok(())
    }

    pub(crate) fn title(&mut self, number: u8, title: &str) -> io::Result<()> {
        if self.json {
            return Ok(());
        }
        writeln!(self.out, "\n{number:2}  {title}")?;
        self.out.flush()
    }

    pub(crate) fn figure(&mut self, promise: u8, figure: &Figure) -> io::Result<()> {
        let (mark, colour, why) = match &figure.outcome {
            Outcome::Ok => ("ok", "32", ""),
            Outcome::Over => ("over", "31", ""),
            Outcome::Shown => ("", "0", ""),
            Outcome::Skipped(why) => ("SKIPPED", "33", why.as_str()),
            Outcome::Failed(why) => ("FAILED", "31", why.as_str()),
        };
        if self.json {
            let floor =
                figure.floor.as_ref().map(|(what, amount)| json!({"what": what, "value": amount.number()}));
            let line = json!({
                "promise": promise, "what": figure.what, "value": figure.value.map(Amount::number),
                "unit": figure.value.map(Amount::unit), "floor": floor, "ratio": figure.ratio(),
                "target": figure.target, "outcome": mark.to_lowercase(), "why": why,
            });
            return writeln!(self.out, "{line}");
        }
        let value = figure.value.map(Amount::shown).unwrap_or_default();
        let floor = match &figure.floor {
            Some((what, amount)) => format!("{} {what}", amount.shown()),
            None => String::new(),
        };
        let ratio = figure.ratio().map(|ratio| format!("{ratio:.2} ×")).unwrap_or_default();
        let mark = if self.colour { format!("\u{1b}[{colour}m{mark}\u{1b}[0m") } else { mark.to_owned() };
        let line = format!(
            "    {:<34} {value:>10}  {ratio:>8}  {mark:<4} {:<22} {floor}",
            figure.what,
            if figure.target.is_empty() { String::new() } else { format!("(target {})", figure.target) },
        );
        if why.is_empty() {
            writeln!(self.out, "{}", line.trim_end())
        } else {
            writeln!(self.out, "    {mark}: {why}")
        }
    }

    pub(crate) fn end(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
