//! Making a machine: step by step, each looked for before it is done and after an answer that was lost, and undone when
//! a later one fails (plugins §1.5).

use crate::answer::Failure;
use crate::flow::{Sent, sent};
use crate::host::Host;
use drp_vbox::{Boot, Hardware, Info, Kind, Vbox, VboxError};
use std::path::Path;
use std::sync::Arc;

/// What to make.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) name: String,
    /// Chosen before anything is sent: by it a machine is found whose making was not answered.
    pub(crate) uuid: String,
    pub(crate) hardware: Hardware,
    /// Folder for machines; VirtualBox has its own when there is none.
    pub(crate) folder: Option<String>,
    /// An earlier attempt of ours may have begun it.
    pub(crate) begun: bool,
}

/// Makes it, or finishes what was begun. What this attempt made is gone again when it fails.
pub(crate) async fn make(host: &Arc<Host>, wish: &Wish) -> Result<Info, Failure> {
    let _claim = host.claim(&wish.uuid, "createVm")?;
    let vbox = &host.vbox;
    let there = match vbox.info(&wish.uuid).await {
        Ok(info) => Some(info),
        Err(error) if error.kind == Kind::NoVm => None,
        Err(error) => return Err(error.into()),
    };
    if let Some(info) = &there
        && !(wish.begun && info.name == wish.name)
    {
        let what = format!("there is a virtual machine of that id already, named {:?}", info.name);
        return Err(VboxError::new(Kind::Exists, what, "use another virtualbox/id").into());
    }
    let ours = there.is_none();
    let mut made = Made::default();
    match steps(vbox, wish, ours, &mut made).await {
        Ok(info) => Ok(info),
        Err(error) if made.machine => Err(undo(host, wish, made, error).await),
        Err(error) => Err(error.into()),
    }
}

/// What this attempt made so far. What it only may have made counts, too: it has our id.
#[derive(Default)]
struct Made {
    machine: bool,
    /// A disk that is not in the machine yet.
    disk: Option<String>,
}

async fn steps(vbox: &Vbox, wish: &Wish, new: bool, made: &mut Made) -> Result<Info, VboxError> {
    let uuid = wish.uuid.as_str();
    if new {
        let answer = vbox.create(&wish.name, uuid, wish.folder.as_deref()).await;
        // One that was refused made nothing: what has that name or id is somebody else's.
        made.machine = answer.as_ref().map_or_else(|error| error.sent, |()| true);
        once(vbox, uuid, answer, Step::Machine).await?;
    }
    let info = vbox.info(uuid).await?;
    if !Vbox::has_controller(&info) {
        once(vbox, uuid, vbox.add_controller(uuid).await, Step::Controller).await?;
    }
    let folder =
        info.get("CfgFile").and_then(|file| Path::new(file).parent()).map(|dir| dir.display().to_string());
    let folder = folder.or_else(|| wish.folder.clone()).map(|dir| format!("{dir}/")).unwrap_or_default();
    let file = format!("{folder}{uuid}.vdi");
    if !Vbox::has_attached(&info, &file) {
        made.disk = Some(file.clone());
        if new || !vbox.has_disk(&file).await? {
            let answer = vbox.create_disk(&file, wish.hardware.disk_mb).await;
            once(vbox, uuid, answer, Step::Disk(&file)).await?;
        }
        once(vbox, uuid, vbox.attach_disk(uuid, &file).await, Step::Attached(&file)).await?;
        made.disk = None;
    }
    once(vbox, uuid, vbox.equip(uuid, &wish.hardware).await, Step::Equipped).await?;
    vbox.info(uuid).await
}

/// What a step leaves behind, by which it is known afterwards.
#[derive(Debug, Clone, Copy)]
enum Step<'a> {
    Machine,
    Controller,
    Disk(&'a str),
    Attached(&'a str),
    Equipped,
}

/// The end of a step: when its answer was lost, what it should have made is looked for. It is never repeated.
async fn once(
    vbox: &Vbox,
    uuid: &str,
    answer: Result<(), VboxError>,
    step: Step<'_>,
) -> Result<(), VboxError> {
    let Sent::Lost(what) = sent(answer)? else { return Ok(()) };
    let there = match step {
        Step::Disk(file) => vbox.has_disk(file).await?,
        step => match vbox.info(uuid).await {
            Err(error) if error.kind == Kind::NoVm => false,
            Err(error) => return Err(error),
            Ok(info) => match step {
                Step::Controller => Vbox::has_controller(&info),
                Step::Attached(file) => Vbox::has_attached(&info, file),
                Step::Equipped => Boot::Net.is_order_of(&info),
                Step::Machine | Step::Disk(_) => true,
            },
        },
    };
    if there { Ok(()) } else { Err(VboxError::new(Kind::Protocol, what, "run it again")) }
}

/// Removes what was made. What cannot be removed is named.
async fn undo(host: &Arc<Host>, wish: &Wish, made: Made, mut error: VboxError) -> Failure {
    let vbox = &host.vbox;
    let mut left = Vec::new();
    match crate::destroy::unregister(host, &wish.uuid).await {
        Ok(_) => {}
        Err(failure) => left.push(format!("the virtual machine {} ({})", wish.uuid, failure.what())),
    }
    if let Some(file) = made.disk
        && vbox.has_disk(&file).await.unwrap_or(true)
        && let Err(why) = vbox.remove_disk(&file).await
    {
        left.push(format!("the disk {file} ({why})"));
    }
    error.sent = false;
    if left.is_empty() {
        error.what = format!("{}; what was made is removed again", error.what);
    } else {
        error.what = format!("{}; left behind: {}", error.what, left.join(", "));
        error.next = format!("remove what was left behind by hand; then: {}", error.next);
    }
    error.into()
}
