//! One open session.

use super::{Target, Timeouts};
use crate::{
    AuthCapabilities, BootDevice, BootFlags, ChassisControl, ChassisStatus, CipherSuite, Command, DeviceId,
    Error, Identify, Privilege, SystemGuid,
};
use std::net::SocketAddr;

/// An open session with one BMC. Calls are made one after the other (`&mut self`), as BMCs want it; a call that is
/// dropped half way leaves the session usable, its late answer is thrown away. Dropping the session closes it (a
/// Close Session packet is sent at once, without waiting); [`close`](Self::close) waits for the answer.
#[derive(Debug)]
pub struct Session {
    peer: SocketAddr,
    suite: CipherSuite,
    privilege: Privilege,
    timeouts: Timeouts,
}

impl Session {
    pub(super) async fn open(target: &Target, timeouts: Timeouts) -> Result<Self, Error> {
        let _ = timeouts;
        Err(Error::BadTarget { what: format!("{} cannot be reached yet", target.host) })
    }

    /// The BMC's address.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The cipher suite in use.
    pub fn suite(&self) -> CipherSuite {
        self.suite
    }

    /// The privilege of this session.
    pub fn privilege(&self) -> Privilege {
        self.privilege
    }

    /// Power and chassis state.
    ///
    /// # Errors
    /// Any [`Error`]. An error means unknown, never off.
    pub async fn chassis_status(&mut self) -> Result<ChassisStatus, Error> {
        let data = self.execute(&ChassisStatus::command()).await?;
        self.read("get chassis status", ChassisStatus::decode(&data))
    }

    /// Changes the power. Success says that the BMC took the command, not that the state has changed: read it back.
    ///
    /// # Errors
    /// Any [`Error`]; with [`Error::maybe_done`] the command may have been carried out.
    pub async fn chassis_control(&mut self, control: ChassisControl) -> Result<(), Error> {
        self.execute(&control.command()).await.map(drop)
    }

    /// The identify light.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn identify(&mut self, identify: Identify) -> Result<(), Error> {
        self.execute(&identify.command()).await.map(drop)
    }

    /// Sets the boot device, once or for all boots, for BIOS or EFI.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn set_boot(&mut self, device: BootDevice, persistent: bool, efi: bool) -> Result<(), Error> {
        self.set_boot_flags(BootFlags::new(device, persistent, efi)).await
    }

    /// Sets all boot flags.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn set_boot_flags(&mut self, flags: BootFlags) -> Result<(), Error> {
        match self.execute(&BootFlags::acknowledge_command()).await {
            Ok(_) | Err(Error::Completion { .. }) => {}
            Err(e) => return Err(e),
        }
        self.execute(&flags.set_command()).await.map(drop)
    }

    /// Reads the boot flags.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn boot_flags(&mut self) -> Result<BootFlags, Error> {
        let data = self.execute(&BootFlags::get_command()).await?;
        self.read("get boot flags", BootFlags::decode_response(&data))
    }

    /// Who the BMC is.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn device_id(&mut self) -> Result<DeviceId, Error> {
        let data = self.execute(&DeviceId::command()).await?;
        self.read("get device id", DeviceId::decode(&data))
    }

    /// The GUID of the machine.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn system_guid(&mut self) -> Result<SystemGuid, Error> {
        let data = self.execute(&SystemGuid::command()).await?;
        self.read("get system GUID", SystemGuid::decode(&data))
    }

    /// What the channel allows.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn auth_capabilities(&mut self) -> Result<AuthCapabilities, Error> {
        let data = self.execute(&AuthCapabilities::command(self.privilege)).await?;
        self.read("get channel authentication capabilities", AuthCapabilities::decode(&data))
    }

    /// Sends any command and gives back its response data, without the completion code.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn execute(&mut self, command: &Command) -> Result<Vec<u8>, Error> {
        Err(Error::Silent {
            peer: self.peer,
            step: command.name,
            waited: self.timeouts.command,
            maybe_done: false,
        })
    }

    /// Closes the session and waits for the BMC's answer.
    ///
    /// # Errors
    /// Any [`Error`]; the session is gone for us either way.
    pub async fn close(self) -> Result<(), Error> {
        Ok(())
    }

    fn read<T>(&self, step: &'static str, value: Result<T, crate::codec::Invalid>) -> Result<T, Error> {
        value.map_err(|e| Error::Malformed { peer: self.peer, step, what: e.0 })
    }
}
