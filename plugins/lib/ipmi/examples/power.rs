//! `IPMI_PASSWORD=secret cargo run -p drp-ipmi --example power -- 127.0.0.1:9623 admin 3 [on|off|reset|pxe]`
#![allow(clippy::print_stdout)]

use drp_ipmi::{BootDevice, ChassisControl, CipherSuite, Client, Target, Timeouts};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [address, user, suite, rest @ ..] = args.as_slice() else {
        return Err("usage: power HOST:PORT USER SUITE [on|off|reset|pxe], password in IPMI_PASSWORD".into());
    };
    let (host, port) = address.rsplit_once(':').ok_or("HOST:PORT")?;
    let mut target = Target::new(host, user, std::env::var("IPMI_PASSWORD")?);
    target.port = port.parse()?;
    target.suite = suite.parse().ok().and_then(CipherSuite::from_id).ok_or("suite 3 or 17")?;

    let mut bmc = Client::connect(&target, Timeouts::default()).await?;
    println!("{:?}", bmc.device_id().await?);
    match rest.first().map(String::as_str) {
        Some("on") => bmc.chassis_control(ChassisControl::PowerUp).await?,
        Some("off") => bmc.chassis_control(ChassisControl::PowerDown).await?,
        Some("reset") => bmc.chassis_control(ChassisControl::HardReset).await?,
        Some("pxe") => bmc.set_boot(BootDevice::Pxe, false, true).await?,
        _ => {}
    }
    println!("power on: {}, {:?}", bmc.chassis_status().await?.power_on, bmc.boot_flags().await?);
    bmc.close().await?;
    Ok(())
}
