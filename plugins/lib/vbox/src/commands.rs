//! The commands of `VBoxManage` that are used, with what they answer.

use crate::text::{self, Listed};
use crate::{Info, Kind, Vbox, VboxError};

pub use crate::text::is_uuid;

/// Name of the storage controller of machines that are made here.
const CONTROLLER: &str = "SATA Controller";

/// Oldest VirtualBox with `createmedium` and headless starts as they are used here.
const OLDEST: u32 = 5;

/// What comes first in the boot order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boot {
    /// The network, then the disk.
    Net,
    /// The disk, then the network.
    Disk,
}

impl Boot {
    fn order(self) -> [&'static str; 2] {
        match self {
            Self::Net => ["net", "disk"],
            Self::Disk => ["disk", "net"],
        }
    }

    /// Whether a machine has this order.
    #[must_use]
    pub fn is_order_of(self, info: &Info) -> bool {
        info.boot_order() == self.order()
    }
}

/// What a new machine gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hardware {
    /// Processors.
    pub cpus: u32,
    /// Memory in MB.
    pub memory_mb: u32,
    /// Disk in MB.
    pub disk_mb: u32,
    /// Video memory in MB.
    pub vram_mb: u32,
    /// Host-only network that its first card is on.
    pub hostonly: String,
}

impl Vbox {
    /// Version of VirtualBox, as `(major, minor)`.
    ///
    /// # Errors
    /// [`Kind::NoProgram`], [`Kind::Unsupported`] for one before 5, [`Kind::Protocol`] when it prints something else.
    pub async fn version(&self) -> Result<(u32, u32), VboxError> {
        let output = self.done(&["--version"]).await?;
        let Some(version) = text::version(&output.stdout) else {
            return Err(self.nonsense("--version"));
        };
        if version.0 < OLDEST {
            let what = format!("VirtualBox {}.{} of {} is too old", version.0, version.1, self.place());
            return Err(VboxError::new(Kind::Unsupported, what, "install VirtualBox 5 or newer"));
        }
        Ok(version)
    }

    /// All machines.
    ///
    /// # Errors
    /// Every [`Kind`].
    pub async fn list(&self) -> Result<Vec<Listed>, VboxError> {
        let output = self.done(&["list", "vms"]).await?;
        let vms = text::list(&output.stdout);
        if vms.is_empty() && output.stdout.iter().any(|byte| *byte == b'{' || *byte == b'<') {
            return Err(self.nonsense("list vms"));
        }
        Ok(vms)
    }

    /// One machine, by UUID.
    ///
    /// # Errors
    /// [`Kind::NoVm`] and every other.
    pub async fn info(&self, uuid: &str) -> Result<Info, VboxError> {
        let output = self.done(&["showvminfo", uuid, "--machinereadable"]).await?;
        let info = Info::parse(&output.stdout).filter(|info| info.uuid.eq_ignore_ascii_case(uuid));
        info.ok_or_else(|| self.nonsense("showvminfo"))
    }

    /// One machine, by UUID or name. A name is looked up in the list, so that it is never taken for an option.
    ///
    /// # Errors
    /// [`Kind::NoVm`] and every other.
    pub async fn find(&self, id_or_name: &str) -> Result<Info, VboxError> {
        if is_uuid(id_or_name) {
            return self.info(&id_or_name.to_ascii_lowercase()).await;
        }
        let Some(found) = self.list().await?.into_iter().find(|vm| vm.name == id_or_name) else {
            let what = format!("there is no virtual machine named {id_or_name:?} at {}", self.place());
            return Err(VboxError::new(
                Kind::NoVm,
                what,
                "compare it with `VBoxManage list vms` of that host and user",
            ));
        };
        self.info(&found.uuid).await
    }

    /// Starts it without a window.
    ///
    /// # Errors
    /// [`Kind::SessionLocked`] when it runs already.
    pub async fn start(&self, uuid: &str) -> Result<(), VboxError> {
        self.done(&["startvm", uuid, "--type", "headless"]).await.map(drop)
    }

    /// Pulls the plug.
    ///
    /// # Errors
    /// [`Kind::State`] when it does not run.
    pub async fn power_off(&self, uuid: &str) -> Result<(), VboxError> {
        self.done(&["controlvm", uuid, "poweroff"]).await.map(drop)
    }

    /// Presses the reset button.
    ///
    /// # Errors
    /// [`Kind::State`] when it does not run.
    pub async fn reset(&self, uuid: &str) -> Result<(), VboxError> {
        self.done(&["controlvm", uuid, "reset"]).await.map(drop)
    }

    /// Presses the power button; the guest decides what that means.
    ///
    /// # Errors
    /// [`Kind::State`] when it does not run.
    pub async fn press_power(&self, uuid: &str) -> Result<(), VboxError> {
        self.done(&["controlvm", uuid, "acpipowerbutton"]).await.map(drop)
    }

    /// Lets a paused machine go on.
    ///
    /// # Errors
    /// [`Kind::State`] when it does not run.
    pub async fn resume(&self, uuid: &str) -> Result<(), VboxError> {
        self.done(&["controlvm", uuid, "resume"]).await.map(drop)
    }

    /// Sets the boot order. It holds until it is set again.
    ///
    /// # Errors
    /// [`Kind::SessionLocked`] when it runs.
    pub async fn set_boot(&self, uuid: &str, boot: Boot) -> Result<(), VboxError> {
        let [first, second] = boot.order();
        let args =
            ["modifyvm", uuid, "--boot1", first, "--boot2", second, "--boot3", "none", "--boot4", "none"];
        self.done(&args).await.map(drop)
    }

    /// Makes and registers an empty machine, and gives the path of its settings file.
    ///
    /// # Errors
    /// [`Kind::Exists`] and every other.
    pub async fn create(&self, name: &str, uuid: &str, folder: Option<&str>) -> Result<(), VboxError> {
        let mut args = vec!["createvm", "--name", name, "--register", "--uuid", uuid];
        args.extend(folder.into_iter().flat_map(|folder| ["--basefolder", folder]));
        self.done(&args).await.map(drop)
    }

    /// Adds the storage controller.
    ///
    /// # Errors
    /// [`Kind::Exists`] and every other.
    pub async fn add_controller(&self, uuid: &str) -> Result<(), VboxError> {
        let args = ["storagectl", uuid, "--name", CONTROLLER, "--add", "sata", "--controller", "IntelAHCI"];
        self.done(&args).await.map(drop)
    }

    /// Whether it has the storage controller of [`add_controller`](Self::add_controller).
    #[must_use]
    pub fn has_controller(info: &Info) -> bool {
        info.has_controller(CONTROLLER)
    }

    /// Makes a disk.
    ///
    /// # Errors
    /// [`Kind::Exists`] and every other.
    pub async fn create_disk(&self, file: &str, mb: u32) -> Result<(), VboxError> {
        let size = mb.to_string();
        self.done_slowly(&["createmedium", "disk", "--filename", file, "--size", &size]).await.map(drop)
    }

    /// Whether there is a disk of that file.
    ///
    /// # Errors
    /// Every [`Kind`] but [`Kind::Refused`], which is how VirtualBox says no.
    pub async fn has_disk(&self, file: &str) -> Result<bool, VboxError> {
        let output = self.run(&["showmediuminfo", "disk", file]).await?;
        Ok(output.status == Some(0))
    }

    /// Removes a disk that no machine has.
    ///
    /// # Errors
    /// Every [`Kind`].
    pub async fn remove_disk(&self, file: &str) -> Result<(), VboxError> {
        self.done_slowly(&["closemedium", "disk", file, "--delete"]).await.map(drop)
    }

    /// Puts the disk into the machine.
    ///
    /// # Errors
    /// Every [`Kind`].
    pub async fn attach_disk(&self, uuid: &str, file: &str) -> Result<(), VboxError> {
        let args = [
            "storageattach",
            uuid,
            "--storagectl",
            CONTROLLER,
            "--port",
            "0",
            "--device",
            "0",
            "--type",
            "hdd",
            "--medium",
            file,
        ];
        self.done(&args).await.map(drop)
    }

    /// Whether the machine has that disk.
    #[must_use]
    pub fn has_attached(info: &Info, file: &str) -> bool {
        info.get(&format!("{CONTROLLER}-0-0")) == Some(file)
    }

    /// Sets processors, memory, cards and the boot order network, disk (plugins §1.5).
    ///
    /// # Errors
    /// Every [`Kind`].
    pub async fn equip(&self, uuid: &str, hardware: &Hardware) -> Result<(), VboxError> {
        let (cpus, memory, vram) =
            (hardware.cpus.to_string(), hardware.memory_mb.to_string(), hardware.vram_mb.to_string());
        let args = [
            "modifyvm",
            uuid,
            "--ioapic",
            "on",
            "--cpus",
            &cpus,
            "--boot1",
            "net",
            "--boot2",
            "disk",
            "--boot3",
            "none",
            "--boot4",
            "none",
            "--memory",
            &memory,
            "--vram",
            &vram,
            "--nic1",
            "hostonly",
            "--hostonlyadapter1",
            &hardware.hostonly,
            "--nictype1",
            "82545EM",
            "--nic2",
            "nat",
            "--nictype2",
            "82545EM",
        ];
        self.done(&args).await.map(drop)
    }

    /// Removes the machine with its disks.
    ///
    /// # Errors
    /// [`Kind::SessionLocked`] while somebody holds it, [`Kind::NoVm`].
    pub async fn unregister(&self, uuid: &str) -> Result<(), VboxError> {
        self.done_slowly(&["unregistervm", uuid, "--delete"]).await.map(drop)
    }

    fn nonsense(&self, words: &str) -> VboxError {
        let what = format!("VBoxManage {words} of {} printed something that makes no sense", self.place());
        VboxError::new(
            Kind::Protocol,
            what,
            "run it there by hand and see whether virtualbox/program is really VBoxManage",
        )
    }
}
