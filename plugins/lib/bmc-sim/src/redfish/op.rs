//! Kinds of requests, for faults and for the log.

use super::http::Request;
use serde_json::Value;

/// What a request is about. In faults and in the log it is written as `redfish-` and its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// `redfish`: any request.
    Any,
    /// `redfish-read`: any GET.
    Read,
    /// `redfish-change`: anything that changes the BMC or the machine; logging in and out is no change.
    Change,
    /// `redfish-root`: GET of the service root.
    Root,
    /// `redfish-system`: GET of the system.
    System,
    /// `redfish-task`: GET of a task or its monitor.
    Task,
    /// `redfish-login`: POST to the sessions.
    Login,
    /// `redfish-logout`: DELETE of a session.
    Logout,
    /// `redfish-reset`: POST ComputerSystem.Reset.
    Reset,
    /// `redfish-boot`: PATCH of the boot override.
    Boot,
    /// `redfish-light`: PATCH of the light.
    Light,
    /// `redfish-insert`: an image is inserted.
    Insert,
    /// `redfish-eject`: an image is ejected.
    Eject,
    /// `redfish-bmc-reset`: POST Manager.Reset.
    BmcReset,
    /// `redfish-log-clear`: POST LogService.ClearLog.
    LogClear,
    /// `redfish-account`: POST, PATCH or DELETE of an account.
    Account,
    /// `redfish-firmware`: PATCH of BIOS settings or secure boot.
    Firmware,
}

impl Op {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::Any,
        Self::Read,
        Self::Change,
        Self::Root,
        Self::System,
        Self::Task,
        Self::Login,
        Self::Logout,
        Self::Reset,
        Self::Boot,
        Self::Light,
        Self::Insert,
        Self::Eject,
        Self::BmcReset,
        Self::LogClear,
        Self::Account,
        Self::Firmware,
    ];

    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Any => "redfish",
            Self::Read => "redfish-read",
            Self::Change => "redfish-change",
            Self::Root => "redfish-root",
            Self::System => "redfish-system",
            Self::Task => "redfish-task",
            Self::Login => "redfish-login",
            Self::Logout => "redfish-logout",
            Self::Reset => "redfish-reset",
            Self::Boot => "redfish-boot",
            Self::Light => "redfish-light",
            Self::Insert => "redfish-insert",
            Self::Eject => "redfish-eject",
            Self::BmcReset => "redfish-bmc-reset",
            Self::LogClear => "redfish-log-clear",
            Self::Account => "redfish-account",
            Self::Firmware => "redfish-firmware",
        }
    }

    /// The one of this word.
    ///
    /// # Errors
    /// The words there are.
    pub fn parse(word: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|op| op.word() == word).ok_or_else(|| {
            format!("{word:?} is no kind of Redfish request; use {}", Self::ALL.map(Self::word).join(", "))
        })
    }

    /// Whether it changes something.
    pub const fn changes(self) -> bool {
        !matches!(
            self,
            Self::Any | Self::Read | Self::Root | Self::System | Self::Task | Self::Login | Self::Logout
        )
    }

    /// Whether a rule on this one is about that one.
    pub(crate) fn covers(self, what: Self) -> bool {
        match self {
            Self::Any => true,
            Self::Read => matches!(what, Self::Read | Self::Root | Self::System | Self::Task),
            Self::Change => what.changes(),
            _ => self == what,
        }
    }

    /// Of a request.
    pub(crate) fn of(request: &Request) -> Self {
        let path = request.segments();
        let patches = |name: &str| request.json.as_ref().is_some_and(|body| body.get(name).is_some());
        match (request.method.as_str(), path.as_slice()) {
            ("GET" | "HEAD", []) => Self::Root,
            ("GET" | "HEAD", ["Systems", _]) => Self::System,
            ("GET" | "HEAD", ["TaskService", "Tasks" | "TaskMonitors", _]) => Self::Task,
            ("GET" | "HEAD", _) => Self::Read,
            ("POST", ["SessionService", "Sessions"] | ["Sessions"]) => Self::Login,
            ("DELETE", ["SessionService", "Sessions", _] | ["Sessions", _]) => Self::Logout,
            ("POST", [.., "ComputerSystem.Reset"]) => Self::Reset,
            ("POST", [.., "Manager.Reset"]) => Self::BmcReset,
            ("POST", [.., "LogService.ClearLog"]) => Self::LogClear,
            ("POST", [.., "VirtualMedia.InsertMedia"]) => Self::Insert,
            ("POST", [.., "VirtualMedia.EjectMedia"]) => Self::Eject,
            ("PATCH", [.., "VirtualMedia", _]) if patches("Image") => {
                let image = request.json.as_ref().and_then(|body| body.get("Image"));
                if image.is_some_and(Value::is_null) { Self::Eject } else { Self::Insert }
            }
            ("PATCH", [.., "VirtualMedia", _]) => Self::Boot,
            ("PATCH", ["Systems", _]) if patches("Boot") => Self::Boot,
            ("PATCH", ["Systems", _]) if patches("LocationIndicatorActive") || patches("IndicatorLED") => {
                Self::Light
            }
            (_, ["AccountService", ..]) => Self::Account,
            (_, [.., "SecureBoot"] | [.., "Bios" | "Settings"]) => Self::Firmware,
            _ => Self::Change,
        }
    }
}
