//! One open session.

use super::wire::{Counters, Wait, Wire, random};
use super::{Target, Timeouts};
use crate::codec::Invalid;
use crate::codec::app::close_session_command;
use crate::codec::crypto::SessionKeys;
use crate::codec::message::{Request, Response};
use crate::codec::packet::{Packet, PayloadType, encode_sealed};
use crate::codec::window::Window;
use crate::{
    AuthCapabilities, BootDevice, BootFlags, ChassisControl, ChassisStatus, CipherSuite, Command,
    CompletionCode, DeviceId, Error, Idempotency, Identify, Privilege, SystemGuid,
};
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a closing that nobody waits for goes on, and how often it is repeated.
const CLOSE_IN_BACKGROUND: (Duration, Duration) = (Duration::from_millis(900), Duration::from_millis(300));

/// "Cannot execute duplicated request": a BMC that recognises repetitions and cannot repeat its answer (Table 5-2).
const DUPLICATED: CompletionCode = CompletionCode(0xcf);

/// The authenticated part of a session: keys, ids, sequence numbers. Dropped while open, it closes the session.
#[derive(Debug)]
pub(super) struct Channel {
    wire: Arc<Wire>,
    keys: Arc<SessionKeys>,
    console_id: u32,
    bmc_id: u32,
    /// Last session sequence number sent.
    sequence: u32,
    /// Last request sequence used.
    request: u8,
    window: Window,
    open: bool,
}

impl Channel {
    pub(super) fn new(wire: Arc<Wire>, keys: Arc<SessionKeys>, console_id: u32, bmc_id: u32) -> Self {
        Self {
            wire,
            keys,
            console_id,
            bmc_id,
            sequence: 0,
            request: 0,
            window: Window::default(),
            open: true,
        }
    }

    pub(super) fn wire(&self) -> &Wire {
        &self.wire
    }

    /// The next datagram with this message; each one, repetitions too, has its own session sequence number.
    fn seal(&mut self, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.sequence = self.sequence.checked_add(1).unwrap_or(1);
        Ok(encode_sealed(&self.keys, self.bmc_id, self.sequence, message, random()?))
    }

    /// The response in a datagram, when the datagram is of this session, genuine, and not seen before.
    fn read(&mut self, datagram: &[u8]) -> Result<Option<Response>, Invalid> {
        let Packet::V20(packet) = Packet::parse(datagram)? else { return Ok(None) };
        if packet.kind != PayloadType::Ipmi || packet.session_id != self.console_id {
            return Ok(None);
        }
        let message = packet.open(&self.keys)?;
        if !self.window.accept(packet.sequence) {
            return Ok(None);
        }
        Response::decode(&message).map(Some)
    }

    async fn call(
        &mut self,
        command: &Command,
        deadline: Instant,
        repeat: Duration,
    ) -> Result<Response, Error> {
        self.request = (self.request + 1) & 0x3f;
        let request =
            Request { netfn: command.netfn, seq: self.request, cmd: command.cmd, data: command.data.clone() };
        let message = request.encode();
        let wait = Wait {
            step: command.name,
            deadline,
            repeat: (command.idempotency == Idempotency::Idempotent).then_some(repeat),
        };
        let wire = Arc::clone(&self.wire);
        wire.exchange(
            wait,
            self,
            |channel| channel.seal(&message),
            |channel, datagram| {
                Ok(match channel.read(datagram)? {
                    Some(r) if r.answers(request.netfn, request.seq, request.cmd) => ControlFlow::Break(r),
                    _ => ControlFlow::Continue(()),
                })
            },
        )
        .await
    }

    async fn close(&mut self, deadline: Instant, repeat: Duration) -> Result<Response, Error> {
        let result = self.call(&close_session_command(self.bmc_id), deadline, repeat).await;
        // Answered or not: what can be done was done.
        self.open = false;
        result
    }
}

impl Drop for Channel {
    /// Sends Close Session now, without waiting, so that it leaves even when the runtime is about to end; and, while a
    /// runtime is there, repeats it in the background until it is answered.
    fn drop(&mut self) {
        if !self.open {
            return;
        }
        self.open = false;
        self.request = (self.request + 1) & 0x3f;
        let command = close_session_command(self.bmc_id);
        let request =
            Request { netfn: command.netfn, seq: self.request, cmd: command.cmd, data: command.data };
        if let Ok(datagram) = self.seal(&request.encode()) {
            let _ = self.wire.socket.try_send(&datagram);
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let mut again = Self { wire: Arc::clone(&self.wire), keys: Arc::clone(&self.keys), ..*self };
        runtime.spawn(async move {
            let (patience, interval) = CLOSE_IN_BACKGROUND;
            tokio::time::sleep(Duration::from_millis(50)).await;
            let _ = again.close(Instant::now() + patience, interval).await;
        });
    }
}

/// An open session with one BMC. Calls are made one after the other (`&mut self`), as BMCs want it; a call that is
/// dropped half way leaves the session usable, its late answer is thrown away. Dropping the session closes it (a
/// Close Session packet is sent at once, without waiting); [`close`](Self::close) waits for the answer.
#[derive(Debug)]
pub struct Session {
    channel: Channel,
    suite: CipherSuite,
    privilege: Privilege,
    timeouts: Timeouts,
    last_answer: Instant,
}

impl Session {
    pub(super) fn new(channel: Channel, target: &Target, timeouts: Timeouts) -> Self {
        Self {
            channel,
            suite: target.suite,
            privilege: target.privilege,
            timeouts,
            last_answer: Instant::now(),
        }
    }

    /// The BMC's address.
    pub fn peer(&self) -> SocketAddr {
        self.channel.wire.peer
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
        self.execute_until(command, Instant::now() + self.timeouts.command).await
    }

    pub(super) async fn execute_until(
        &mut self,
        command: &Command,
        deadline: Instant,
    ) -> Result<Vec<u8>, Error> {
        let peer = self.peer();
        let mut response = self.channel.call(command, deadline, self.timeouts.retransmit).await?;
        if response.code == DUPLICATED && command.idempotency == Idempotency::Idempotent {
            // It has seen our repetition and kept no answer: ask anew, under a new request sequence.
            response = self.channel.call(command, deadline, self.timeouts.retransmit).await?;
        }
        self.last_answer = Instant::now();
        let &Command { name, netfn, cmd, .. } = command;
        match response.code {
            code if code.is_ok() => Ok(response.data),
            code if code.is_busy() => Err(Error::Busy { peer, command: name, code }),
            code => Err(Error::Completion { peer, command: name, netfn, cmd, code }),
        }
    }

    /// How long ago the BMC answered last. A BMC ends a session after about 60 s of silence (IPMI 2.0 §6.12.15); a
    /// command that must not be repeated should not be the first one to find that out.
    pub fn idle(&self) -> Duration {
        self.last_answer.elapsed()
    }

    /// What was sent, repeated and thrown away so far.
    pub fn counters(&self) -> Counters {
        self.channel.wire.counters()
    }

    /// Closes the session and waits for the BMC's answer, no longer than a call may take.
    ///
    /// # Errors
    /// Any [`Error`]; the session is gone for us either way.
    pub async fn close(mut self) -> Result<(), Error> {
        let peer = self.peer();
        let deadline = Instant::now() + self.timeouts.command.min(self.timeouts.connect);
        let response = self.channel.close(deadline, self.timeouts.retransmit).await?;
        if response.code.is_ok() {
            return Ok(());
        }
        let Command { name, netfn, cmd, .. } = close_session_command(0);
        Err(Error::Completion { peer, command: name, netfn, cmd, code: response.code })
    }

    pub(super) fn read<T>(&self, step: &'static str, value: Result<T, Invalid>) -> Result<T, Error> {
        value.map_err(|e| Error::Malformed { peer: self.peer(), step, what: e.0 })
    }
}
