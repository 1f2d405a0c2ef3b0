//! Exit codes, the documented ones of `docs/reference/exit-codes.md`.

/// What the exit code of `drp` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Ok = 0,
    /// Failed for a reason without a code of its own; also when a plugin, the hardware or the daemon failed.
    General = 1,
    /// The command line is wrong, or an input is not JSON or YAML.
    Usage = 2,
    /// The object, param, action or file does not exist.
    NotFound = 3,
    /// Refused: it exists already, is not valid, is in use, locked, or was changed meanwhile.
    Refused = 4,
    /// Not allowed: no credentials, wrong ones, or a claim is missing.
    Denied = 5,
    /// The daemon cannot be reached or its certificate is not trusted.
    Unreachable = 6,
    /// Some of several things failed, or were not begun.
    Partial = 7,
    /// Time ran out.
    Timeout = 8,
    /// Interrupted from the keyboard (Ctrl-C).
    Interrupted = 130,
}

impl Exit {
    /// All of them, for the reference.
    pub const ALL: &'static [(Self, &'static str)] = &[
        (Self::Ok, "done"),
        (
            Self::General,
            "failed for a reason without a code of its own: a plugin, the hardware or the daemon failed; also \
             whatever a plugin refuses in an action, whose own code is in the text of the error",
        ),
        (Self::Usage, "the command line is wrong, or an input is not JSON or YAML"),
        (Self::NotFound, "the object, param, action or file does not exist"),
        (
            Self::Refused,
            "refused: it exists already, is not valid, is in use, locked, or was changed meanwhile",
        ),
        (Self::Denied, "not allowed: no credentials, wrong ones, or a claim is missing"),
        (Self::Unreachable, "the daemon cannot be reached, or its certificate is not trusted"),
        (Self::Partial, "some of several things failed, or were not begun"),
        (Self::Timeout, "time ran out; also an object that did not change (`show --wait`, `show --etag`)"),
        (Self::Interrupted, "interrupted from the keyboard"),
    ];

    /// The number the process exits with.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }
}
