//! What a device boots from. The API has one switch for it, `always_pxe`, and no boot device for one time only.

use crate::answer::{Outcome, Story};
use crate::metal::Device;
use crate::names;
use crate::settings::{flag, script_url, text};
use crate::work::Work;
use drp_plugin_sdk::{Error, Params, Value, json};

impl Work {
    /// Makes sure that the next boot is from the network: switches `always_pxe` on where it is off.
    pub(crate) async fn next_boot_pxe(&self, id: &str) -> Result<Outcome, Error> {
        let _claim = self.claim(id, "nextbootpxe")?;
        let mut story = Story::new("nextbootpxe", id);
        let device = self.read(&mut story, id).await?;
        if device.always_pxe == Some(true) {
            return Ok(story.outcome(
                Some(&device),
                true,
                "Complete: the device boots from the network always; nothing was sent",
            ));
        }
        let fields = json!({ "always_pxe": true });
        let (device, story) = self.change(story, &device, &fields).await?;
        Ok(story.outcome(
            Some(&device),
            true,
            "Complete: the device boots from the network from now on; updatepxe with packet/always-pxe false ends that",
        ))
    }

    /// Says what the next boot will be. A device that always boots from the network gets its local disk from the iPXE
    /// script, as those of the daemon do; switching that off here would take the machine out of the daemon's hands.
    pub(crate) async fn next_boot_disk(&self, id: &str) -> Result<Outcome, Error> {
        let mut story = Story::new("nextbootdisk", id);
        let device = self.read(&mut story, id).await?;
        let (verified, text) = match device.always_pxe {
            Some(false) => (true, "Complete: the device boots from its disk; nothing was sent"),
            _ => (
                false,
                "Complete: nothing was sent. The device boots iPXE always, and its script decides to go on from disk; \
                 updatepxe with packet/always-pxe false makes it boot from disk by itself",
            ),
        };
        Ok(story.outcome(Some(&device), verified, text))
    }

    /// Brings the device's iPXE settings to what the params say.
    pub(crate) async fn update_pxe(&self, id: &str, params: &Params) -> Result<Outcome, Error> {
        let script = text(params, names::SCRIPT)?;
        if let Some(script) = &script {
            script_url(names::SCRIPT, script)?;
        }
        let always = flag(params, names::ALWAYS_PXE)?;
        let _claim = self.claim(id, "updatepxe")?;
        let mut story = Story::new("updatepxe", id);
        let device = self.read(&mut story, id).await?;
        let mut fields = serde_json::Map::new();
        if let Some(script) = script.filter(|script| *script != device.ipxe_script_url) {
            fields.insert("ipxe_script_url".to_owned(), json!(script));
        }
        if let Some(always) = always.filter(|always| Some(*always) != device.always_pxe) {
            fields.insert("always_pxe".to_owned(), json!(always));
        }
        if fields.is_empty() {
            return Ok(story.outcome(
                Some(&device),
                true,
                "Success: the device has these settings already; nothing was sent",
            ));
        }
        // The API wants the name with every change of a device.
        fields.insert("hostname".to_owned(), json!(device.hostname));
        let (device, story) = self.change(story, &device, &Value::Object(fields)).await?;
        self.refresh(id, &device).await;
        Ok(story.outcome(Some(&device), true, "Success: the device has these settings, read back"))
    }

    /// Sends fields once and reads them back.
    async fn change(
        &self,
        mut story: Story,
        before: &Device,
        fields: &Value,
    ) -> Result<(Device, Story), Error> {
        let id = before.id.as_str();
        let sent = self.metal.update(id, fields).await;
        story.note("PUT device", sent.as_ref().err());
        if let Err(error) = &sent
            && !error.maybe_done()
        {
            return Err(story.failed(error));
        }
        let device = match self.metal.device(id).await {
            Ok(device) => device,
            Err(error) => return Err(story.unconfirmed(None, format!("it cannot be read back: {error}"))),
        };
        story.note("GET device", None);
        let always = fields.get("always_pxe").and_then(Value::as_bool);
        let script = fields.get("ipxe_script_url").and_then(Value::as_str);
        let same = always.is_none_or(|always| device.always_pxe == Some(always))
            && script.is_none_or(|script| device.ipxe_script_url == script);
        if same {
            return Ok((device, story));
        }
        Err(story.unconfirmed(Some(&device), "the device does not have these settings".to_owned()))
    }
}
