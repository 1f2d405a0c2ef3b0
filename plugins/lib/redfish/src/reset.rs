//! Kinds of reset (DSP0268, Resource, `ResetType`), and which one a wish becomes on a given machine.

use std::fmt;

/// A value of `ResetType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResetType {
    /// Switch on.
    On,
    /// Switch on, whatever is in the way.
    ForceOn,
    /// Switch off at once.
    ForceOff,
    /// Ask the operating system to shut down.
    GracefulShutdown,
    /// Shut down by the operating system, then on.
    GracefulRestart,
    /// Hard reset.
    ForceRestart,
    /// Power off and on.
    PowerCycle,
    /// Non-maskable interrupt.
    Nmi,
    /// As a finger on the button: what it does depends on the state.
    PushPowerButton,
}

const NAMES: [(ResetType, &str); 9] = [
    (ResetType::On, "On"),
    (ResetType::ForceOn, "ForceOn"),
    (ResetType::ForceOff, "ForceOff"),
    (ResetType::GracefulShutdown, "GracefulShutdown"),
    (ResetType::GracefulRestart, "GracefulRestart"),
    (ResetType::ForceRestart, "ForceRestart"),
    (ResetType::PowerCycle, "PowerCycle"),
    (ResetType::Nmi, "Nmi"),
    (ResetType::PushPowerButton, "PushPowerButton"),
];

impl ResetType {
    /// The type of that name; `None` for one that no wish here becomes.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        NAMES.iter().find(|(_, n)| *n == name).map(|(reset, _)| *reset)
    }

    /// Its name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(reset, _)| *reset == self).map_or("", |(_, name)| name)
    }
}

impl fmt::Display for ResetType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is wanted of a machine whose power state is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// On, of a machine that is off.
    Up,
    /// Off at once, of a machine that is on.
    Down,
    /// Off and on, of a machine that is on.
    Cycle,
    /// Hard reset, of a machine that is on.
    Restart,
    /// A shutdown by the operating system.
    Soft,
    /// Diagnostic interrupt.
    Interrupt,
}

impl Wish {
    /// The types that fulfil it, best first. The button is a way up only: it switches a machine that is on in a
    /// way that nobody can foretell.
    #[must_use]
    pub fn types(self) -> &'static [ResetType] {
        match self {
            Self::Up => &[ResetType::On, ResetType::ForceOn, ResetType::PushPowerButton],
            Self::Down => &[ResetType::ForceOff],
            Self::Cycle => &[ResetType::PowerCycle],
            Self::Restart => &[ResetType::ForceRestart],
            Self::Soft => &[ResetType::GracefulShutdown],
            Self::Interrupt => &[ResetType::Nmi],
        }
    }

    /// In words, for texts.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Up => "power up",
            Self::Down => "power down",
            Self::Cycle => "power cycle",
            Self::Restart => "hard reset",
            Self::Soft => "soft shutdown",
            Self::Interrupt => "diagnostic interrupt",
        }
    }

    /// The first of its types that the machine offers. A machine that does not say what it offers gets the first.
    #[must_use]
    pub fn choose(self, offered: Option<&[String]>) -> Option<ResetType> {
        let Some(offered) = offered else { return self.types().first().copied() };
        self.types().iter().copied().find(|reset| offered.iter().any(|o| o == reset.name()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_becomes_what_the_machine_offers() {
        let offered: Vec<String> = ["ForceOn", "ForceOff", "PushPowerButton"].map(str::to_owned).to_vec();
        assert_eq!(Wish::Up.choose(Some(&offered)), Some(ResetType::ForceOn));
        assert_eq!(Wish::Up.choose(None), Some(ResetType::On));
        assert_eq!(Wish::Cycle.choose(Some(&offered)), None);
        assert_eq!(Wish::Up.choose(Some(&[])), None);
        for (reset, name) in NAMES {
            assert_eq!(ResetType::parse(name), Some(reset));
        }
    }

    #[test]
    fn the_button_never_switches_off() {
        for wish in [Wish::Down, Wish::Cycle, Wish::Restart, Wish::Soft, Wish::Interrupt] {
            assert!(!wish.types().contains(&ResetType::PushPowerButton), "{wish:?}");
        }
    }
}
