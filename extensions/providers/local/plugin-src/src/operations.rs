//! What is done to servers.

use crate::config::Wish;
use crate::failure::Failure;
use crate::firewall::{Rule, wanted};
use crate::folder::{Folder, new_id};
use crate::image::{Format, Image, Ready};
use crate::launch::{self, TALK_LIMIT, disk, forward, launch, monitor};
use crate::probe::{self, Probe, last_line};
use crate::process;
use crate::qmp::Qmp;
use crate::record::{Phase, Record};
use crate::seed;
use crate::server::{State, access, shown, ssh_greets, state};
use crate::settings::Settings;
use drp_plugin_sdk::protocol::Time;
use drp_plugin_sdk::{Value, json, tracing};
use std::path::Path;
use std::time::Duration;
use tokio::sync::OnceCell;

/// How long one operation waits for another that holds the same server.
const LOCK_LIMIT: Duration = Duration::from_secs(20);
/// How long a QEMU that was told to quit may take.
const QUIT_LIMIT: Duration = Duration::from_secs(10);

/// The servers of this host.
#[derive(Debug)]
pub(crate) struct Servers {
    pub(crate) settings: Settings,
    folder: Folder,
    probe: OnceCell<Probe>,
}

fn now() -> String {
    Time::now().as_str().to_owned()
}

impl Servers {
    pub(crate) fn new(settings: Settings) -> Result<Self, Failure> {
        let folder = settings.folder().map_err(|problem| Failure::Setting { field: "state_dir", problem })?;
        Ok(Self { settings, folder: Folder::new(folder), probe: OnceCell::new() })
    }

    /// What QEMU can do here, found out at the first call.
    pub(crate) async fn probe(&self) -> Result<&Probe, Failure> {
        self.probe.get_or_try_init(|| probe::probe(&self.settings.qemu, self.settings.accel)).await
    }

    /// Removes what a crash left half, and carries deletions on. Servers that another process is at work on are left
    /// alone.
    pub(crate) async fn reconcile(&self) -> Result<(), Failure> {
        if self.folder.ids()?.is_empty() {
            return Ok(());
        }
        let _all = self.folder.lock_all(LOCK_LIMIT).await?;
        for id in self.folder.ids()? {
            let Ok(_lock) = self.folder.lock(&id, Duration::ZERO).await else { continue };
            match self.folder.read(&id) {
                Ok(record) if record.phase == Phase::Ready => {}
                Err(failure) if !matches!(failure, Failure::NoServer(_)) => {
                    tracing::error!("server {id} is left as it is: {failure}");
                }
                _ => {
                    tracing::warn!("server {id} was half made or half deleted: the rest of it is removed");
                    self.wipe(&id).await?;
                }
            }
        }
        Ok(())
    }

    /// Ends its processes and removes its folder.
    async fn wipe(&self, id: &str) -> Result<(), Failure> {
        let dir = self.folder.server(id)?;
        if !process::kill_all(&dir).await {
            return Err(Failure::State(format!("server {id}: its QEMU process does not end")));
        }
        self.folder.remove(id)
    }

    /// A server's record, of those that are not half.
    fn ready(&self, id: &str) -> Result<Record, Failure> {
        self.folder.read(id)
    }

    pub(crate) async fn create(
        &self,
        wish: Wish,
        warnings: Vec<String>,
        wait: bool,
    ) -> Result<Value, Failure> {
        let probe = self.probe().await?;
        self.folder.make()?;
        let all = self.folder.lock_all(LOCK_LIMIT).await?;
        self.has_room(wish.plan.memory_mb)?;
        let id = new_id();
        let dir = self.folder.add(&id)?;
        let lock = self.folder.lock(&id, LOCK_LIMIT).await?;
        let mut record = record(&id, wish);
        if let Err(failure) = self.folder.write(&record) {
            self.folder.remove(&id)?;
            return Err(failure);
        }
        drop(all);
        let made = async {
            self.disk(&mut record, &dir).await?;
            let (seeded, at) = (record.clone(), dir.clone());
            blocking(move || seed::write(&seeded, &at)).await?;
            self.folder.write(&record)?;
            launch(&mut record, &dir, probe, now()).await?;
            record.phase = Phase::Ready;
            self.folder.write(&record)
        };
        if let Err(failure) = made.await {
            self.wipe(&id).await?;
            return Err(failure);
        }
        drop(lock);
        if wait && record.image.ready == Ready::Ssh {
            ssh_greets(&record, &dir, self.settings.ready_deadline()).await?;
        }
        let state = state(&record, &dir).await;
        let mut result = shown(&record, &dir, &state);
        result["success"] = json!(true);
        if !warnings.is_empty() {
            result["warnings"] = json!(warnings);
        }
        Ok(result)
    }

    /// Refuses what would be over a bound of the settings.
    pub(crate) fn has_room(&self, memory_mb: u64) -> Result<(), Failure> {
        let ids = self.folder.ids()?;
        let most = self.settings.max_servers;
        if ids.len() >= usize::try_from(most).unwrap_or(usize::MAX) {
            return Err(Failure::Full(format!(
                "there are {} servers, and setting max_servers is {most}",
                ids.len()
            )));
        }
        let taken: u64 =
            ids.iter().filter_map(|id| self.folder.read(id).ok()).map(|r| r.plan.memory_mb).sum();
        let most = self.settings.max_memory_mb;
        if taken + memory_mb > most {
            return Err(Failure::Full(format!(
                "servers have {taken} MiB of memory and this one would have {memory_mb}; setting max_memory_mb is {most}"
            )));
        }
        Ok(())
    }

    /// Makes its disk: an overlay of the image's, which stays as it is, or an empty one.
    async fn disk(&self, record: &mut Record, dir: &Path) -> Result<(), Failure> {
        let (image, target) = (record.image.clone(), disk(dir));
        let Some(base) = image.disk.as_deref() else {
            if let Some(size) = record.disk_gb {
                record.disk = Some(Format::Raw);
                let file = std::fs::File::create(&target).map_err(Failure::io("make", &target))?;
                // Without holes filled: it takes what is written to it.
                file.set_len(size << 30).map_err(Failure::io("make", &target))?;
            }
            return Ok(());
        };
        let Some(program) = probe::find(&self.settings.qemu_img) else {
            return self.copied(record, &image, base, &target).await;
        };
        let failed = |said: String| Failure::Program { program: self.settings.qemu_img.clone(), said };
        let format = image.format.name();
        let info = probe::run(&program, &["info", "--output=json", "-f", format, base], "").await;
        let (good, said) = info.map_err(failed)?;
        let size = serde_json::from_str::<Value>(&said).ok().and_then(|info| info["virtual-size"].as_u64());
        let Some(size) = size.filter(|_| good) else {
            return Err(failed(last_line(&said, "it does not know the image's size")));
        };
        let asked = record.disk_gb.map(|gb| gb << 30);
        if asked.is_some_and(|asked| asked < size) {
            return Err(Failure::Invalid(format!(
                "storage.size: image {} has {} GiB, and a disk cannot be smaller than its image",
                record.os,
                size.div_ceil(1 << 30)
            )));
        }
        let size = asked.unwrap_or_else(|| (record.plan.disk_gb << 30).max(size)).to_string();
        let target = target.to_string_lossy();
        let made = ["create", "-q", "-f", "qcow2", "-b", base, "-F", format, &target, &size];
        let (good, said) = probe::run(&program, &made, "").await.map_err(failed)?;
        if !good {
            return Err(failed(last_line(&said, "it made no disk")));
        }
        record.disk = Some(Format::Qcow2);
        Ok(())
    }

    /// A copy, where there is no qemu-img to make an overlay.
    async fn copied(
        &self,
        record: &mut Record,
        image: &Image,
        base: &str,
        target: &Path,
    ) -> Result<(), Failure> {
        if record.disk_gb.is_some() {
            return Err(Failure::Program {
                program: self.settings.qemu_img.clone(),
                said: "it is not there, and storage.size needs it (Debian: qemu-utils)".into(),
            });
        }
        let (from, to) = (std::path::PathBuf::from(base), target.to_owned());
        blocking(move || std::fs::copy(&from, &to).map(drop).map_err(Failure::io("copy", &from))).await?;
        record.disk = Some(image.format);
        Ok(())
    }

    pub(crate) async fn delete(&self, id: &str) -> Result<Value, Failure> {
        let _lock = self.folder.lock(id, LOCK_LIMIT).await?;
        let mut record = self.ready(id)?;
        record.phase = Phase::Deleting;
        self.folder.write(&record)?;
        self.wipe(id).await?;
        Ok(json!({"success": true, "server_id": id, "status": "deleted"}))
    }

    pub(crate) async fn list(&self) -> Result<Value, Failure> {
        let mut all = Vec::new();
        for id in self.folder.ids()? {
            match self.info(&id).await {
                Ok(info) => all.push(info),
                // Deleted in between, or not yet there.
                Err(Failure::NoServer(_)) => {}
                Err(failure) => {
                    all.push(json!({"server_id": id, "status": "error", "message": failure.to_string()}));
                }
            }
        }
        Ok(Value::Array(all))
    }

    pub(crate) async fn info(&self, id: &str) -> Result<Value, Failure> {
        let (record, dir) = (self.ready(id)?, self.folder.server(id)?);
        let state = match record.phase {
            Phase::Creating => State { status: "creating", message: None },
            Phase::Deleting => State { status: "deleting", message: None },
            Phase::Ready => state(&record, &dir).await,
        };
        Ok(shown(&record, &dir, &state))
    }

    pub(crate) async fn start(&self, id: &str) -> Result<Value, Failure> {
        let _lock = self.folder.lock(id, LOCK_LIMIT).await?;
        let (mut record, dir) = (self.ready(id)?, self.folder.server(id)?);
        let probe = self.probe().await?;
        if state(&record, &dir).await.runs() {
            return Ok(json!({"success": true, "server_id": id, "status": "running", "changed": false}));
        }
        // One that switched itself off is still a process.
        process::kill_all(&dir).await;
        let started = launch(&mut record, &dir, probe, now()).await;
        if let Err(failure) = &started {
            record.ended = Some(format!("it did not start: {failure}"));
        }
        self.folder.write(&record)?;
        started?;
        Ok(json!({"success": true, "server_id": id, "status": "running", "changed": true}))
    }

    pub(crate) async fn stop(&self, id: &str) -> Result<Value, Failure> {
        let _lock = self.folder.lock(id, LOCK_LIMIT).await?;
        let (mut record, dir) = (self.ready(id)?, self.folder.server(id)?);
        let before = state(&record, &dir).await;
        let how = if before.runs() {
            self.shut_down(&record, &dir).await?
        } else {
            process::kill_all(&dir).await;
            record.ended.clone().or(before.message.clone()).unwrap_or_else(|| "it did not run".into())
        };
        record.run = None;
        record.ended = Some(how.clone());
        self.folder.write(&record)?;
        Ok(
            json!({"success": true, "server_id": id, "status": "stopped", "changed": before.runs(), "message": how}),
        )
    }

    /// Presses the power button, and after the deadline pulls the plug. Says which of them it was.
    async fn shut_down(&self, record: &Record, dir: &Path) -> Result<String, Failure> {
        let limit = self.settings.stop_deadline();
        let end = tokio::time::Instant::now() + limit;
        let mut pressed = self.tell(record, dir, "system_powerdown").await.is_ok();
        while pressed && tokio::time::Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let state = state(record, dir).await;
            if !state.runs() {
                self.quit(record, dir).await?;
                return Ok("it shut down".into());
            }
            // A guest that waits in its boot loader does not see the button: one press is no order to wait for.
            pressed = state.status == "running";
        }
        self.quit(record, dir).await?;
        Ok(format!("it did not shut down within {} s and was switched off", limit.as_secs()))
    }

    /// Ends a QEMU: by its monitor, and by force when that does not help.
    async fn quit(&self, record: &Record, dir: &Path) -> Result<(), Failure> {
        if self.tell(record, dir, "quit").await.is_ok() {
            let end = tokio::time::Instant::now() + QUIT_LIMIT;
            while tokio::time::Instant::now() < end {
                if process::all(dir).is_empty() {
                    return Ok(());
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        if process::kill_all(dir).await {
            return Ok(());
        }
        Err(Failure::State(format!("server {}: its QEMU process does not end", record.server_id)))
    }

    async fn tell(&self, record: &Record, dir: &Path, command: &str) -> Result<(), Failure> {
        let told = async { Qmp::open(&monitor(dir), TALK_LIMIT).await?.call(command, json!({})).await }.await;
        told.map(drop).map_err(|error| launch::failed(record, error))
    }

    /// A record and folder of a server that runs; the lock is the caller's.
    async fn running(&self, id: &str, what: &str) -> Result<(Record, std::path::PathBuf), Failure> {
        let (record, dir) = (self.ready(id)?, self.folder.server(id)?);
        let state = state(&record, &dir).await;
        if state.runs() {
            return Ok((record, dir));
        }
        let why = state.message.map_or(String::new(), |m| format!(" ({m})"));
        Err(Failure::State(format!(
            "server {id} is {}{why}: {what} is for servers that run; start it",
            state.status
        )))
    }

    pub(crate) async fn reboot(&self, id: &str) -> Result<Value, Failure> {
        let _lock = self.folder.lock(id, LOCK_LIMIT).await?;
        let (record, dir) = self.running(id, "reboot-server").await?;
        self.tell(&record, &dir, "system_reset").await?;
        Ok(json!({"success": true, "server_id": id, "status": "running"}))
    }

    pub(crate) async fn ssh_access(&self, id: &str) -> Result<Value, Failure> {
        let (record, dir) = self.running(id, "get-ssh-access").await?;
        access(&record, &dir).ok_or_else(|| {
            Failure::State(format!(
                "server {id}: port 22 is not forwarded; allow it with configure-firewall, or use the console at {}",
                launch::console(&dir).display()
            ))
        })
    }

    pub(crate) async fn firewall(&self, id: &str, rules: Vec<Rule>) -> Result<Value, Failure> {
        let want = wanted(&rules).map_err(|problems| Failure::Invalid(problems.join("; ")))?;
        let _lock = self.folder.lock(id, LOCK_LIMIT).await?;
        let (mut record, dir) = (self.ready(id)?, self.folder.server(id)?);
        let runs = state(&record, &dir).await.runs();
        let before = wanted(&record.firewall_rules).unwrap_or_default();
        if runs {
            if before.closed_outwards != want.closed_outwards {
                return Err(Failure::State(format!(
                    "server {id} runs, and user-mode networking decides about egress when a server starts: stop it first"
                )));
            }
            let talk =
                async { forward(&mut Qmp::open(&monitor(&dir), TALK_LIMIT).await?, &want.ports).await }.await;
            record.forwards = talk.map_err(|error| launch::failed(&record, error))?;
        }
        record.firewall_rules = rules;
        self.folder.write(&record)?;
        let forwards = if runs { json!(record.forwards) } else { json!([]) };
        Ok(json!({"success": true, "server_id": id, "forwards": forwards}))
    }

    /// Where servers are kept.
    pub(crate) fn place(&self) -> &Path {
        self.folder.root()
    }
}

fn record(id: &str, wish: Wish) -> Record {
    let Wish { hostname, plan, os, image, ssh_keys, tags, rules, storage } = wish;
    Record {
        server_id: id.to_owned(),
        hostname,
        mac: mac(id),
        plan,
        os,
        image,
        ssh_keys,
        tags,
        firewall_rules: rules,
        disk: None,
        disk_gb: storage.size,
        created: now(),
        phase: Phase::Creating,
        run: None,
        forwards: Vec::new(),
        ended: None,
    }
}

/// QEMU's prefix and the last six digits of the id.
fn mac(id: &str) -> String {
    let digits = id.get(9..15).unwrap_or("000001");
    let part = |at: usize| digits.get(at..at + 2).unwrap_or("00");
    format!("52:54:00:{}:{}:{}", part(0), part(2), part(4))
}

/// Work that waits for disks, away from the hooks' thread.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|e| Err(Failure::State(format!("the work on its files ended early: {e}"))))
}
