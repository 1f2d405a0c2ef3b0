//! The Redfish client against sushy-tools, a service that somebody else wrote.

use drp_protocol::Secret;
use drp_redfish::{
    Client, Error, Fault, Fingerprint, Override, Part, PowerState, Source, Target, Trust, Wish,
};
use drp_tests::peers::{Access, PASSWORD, SYSTEMS, Sushy, USER};
use std::time::{Duration, Instant};

fn target(sushy: &Sushy, trust: Trust) -> Target {
    let mut target = Target::new("127.0.0.1", USER, Secret::new(PASSWORD.to_owned()));
    target.port = sushy.address().port();
    target.trust = trust;
    target
}

/// Reads until power is as wanted; sushy shows a change after 1 to 11 s.
async fn wait_for(client: &mut Client, path: &str, want: PowerState) {
    let end = Instant::now() + Duration::from_secs(25);
    while client.system(path).await.unwrap().power() != want {
        assert!(Instant::now() < end, "power did not become {want:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn power_boot_and_light_over_plain_http_with_basic() {
    let Some(sushy) = Sushy::start(Access::Basic, 1) else { return };
    let mut client = Client::connect(&target(&sushy, Trust::Plain)).await.unwrap();
    assert_eq!(client.login_words(), "basic", "it has no session service");
    let system = client.find_system().await.unwrap();
    assert_eq!(system.power(), PowerState::Off);

    let boot = Override { source: Source::Pxe, enabled: true, persistent: true, uefi: None };
    client.set_boot(&system, &boot).await.unwrap();
    let kept = client.system(&system.resource.path).await.unwrap().boot();
    assert_eq!((kept.source, kept.persistent), (Source::Pxe, true));

    client.identify(&system, true).await.unwrap();
    assert_eq!(client.system(&system.resource.path).await.unwrap().identifies(), Some(true));

    let reset = client.reset_type(&system, Wish::Up).await.unwrap();
    client.reset(&system, reset).await.unwrap();
    wait_for(&mut client, &system.resource.path, PowerState::On).await;
    let reset = client.reset_type(&system, Wish::Down).await.unwrap();
    client.reset(&system, reset).await.unwrap();
    wait_for(&mut client, &system.resource.path, PowerState::Off).await;

    let interfaces = client.part(&system, Part::EthernetInterfaces).await.unwrap();
    assert_eq!(
        interfaces[0]["MACAddress"].as_str().map(str::to_lowercase).as_deref(),
        Some("00:5c:52:31:3a:90")
    );
    // What it cannot do is said as such: 501, whatever it advertises.
    let refused = client.part(&system, Part::Bios).await.unwrap_err();
    assert!(matches!(refused, Error::Unsupported { .. }), "{refused}");
    client.close().await.unwrap();
    assert!(!sushy.output().contains(PASSWORD));
}

#[tokio::test]
async fn tls_is_verified_pinned_or_refused() {
    let Some(sushy) = Sushy::start(Access::TlsBasic, 1) else { return };
    let untrusted = Client::connect(&target(&sushy, Trust::Verified)).await.unwrap_err();
    let Error::Untrusted { fingerprint: Some(seen), .. } = untrusted else { panic!("{untrusted}") };
    assert!(untrusted.to_string().contains(&seen.to_string()) && untrusted.fault() == Fault::User);

    for trust in [Trust::Pinned(seen), Trust::Authorities(sushy.certificate().to_owned()), Trust::Insecure] {
        let mut client = Client::connect(&target(&sushy, trust.clone()))
            .await
            .unwrap_or_else(|e| panic!("{trust:?}: {e}"));
        assert_eq!(client.find_system().await.unwrap().power(), PowerState::Off);
        assert_eq!(client.fingerprint(), Some(seen));
        client.close().await.unwrap();
    }

    let other = Client::connect(&target(&sushy, Trust::Pinned(Fingerprint([7; 32])))).await.unwrap_err();
    assert!(
        matches!(other, Error::Untrusted { .. }) && other.to_string().contains("not the pinned one"),
        "{other}"
    );
    // Plain text to a TLS port: nothing of the credentials may leave before a login answers.
    assert!(Client::connect(&target(&sushy, Trust::Plain)).await.is_err());
}

#[tokio::test]
async fn wrong_credentials_are_told_apart_and_never_shown() {
    let Some(sushy) = Sushy::start(Access::Basic, 1) else { return };
    let mut wrong = target(&sushy, Trust::Plain);
    wrong.password = Secret::new("wrong-canary".to_owned());
    let mut error = None;
    match Client::connect(&wrong).await {
        Err(refused) => error = Some(refused),
        // Its root is readable by anybody and it has no sessions, so the refusal comes with the first resource.
        Ok(mut client) => {
            if let Err(refused) = client.find_system().await {
                error = Some(refused);
            }
        }
    }
    let error = error.expect("a wrong password is refused");
    assert!(matches!(error, Error::Credentials { status: 401, .. }), "{error}");
    assert!(!format!("{error} {error:?}").contains("canary"));
}

#[tokio::test]
async fn of_several_systems_the_one_with_the_uuid_is_taken() {
    let Some(sushy) = Sushy::start(Access::Open, 2) else { return };
    let mut client = Client::connect(&target(&sushy, Trust::Plain)).await.unwrap();
    let unclear = client.find_system().await.unwrap_err();
    assert!(
        matches!(unclear, Error::Setting { .. }) && unclear.to_string().contains("2 systems"),
        "{unclear}"
    );

    let mut with_uuid = target(&sushy, Trust::Plain);
    with_uuid.system_uuid = Some(SYSTEMS[1].to_uppercase());
    let mut client = Client::connect(&with_uuid).await.unwrap();
    assert_eq!(client.find_system().await.unwrap().resource.text("/UUID"), Some(SYSTEMS[1]));

    with_uuid.system_uuid = Some("00000000-0000-0000-0000-000000000000".to_owned());
    let mut client = Client::connect(&with_uuid).await.unwrap();
    assert!(client.find_system().await.unwrap_err().to_string().contains("no system with UUID"));
}

#[tokio::test]
async fn nobody_there_and_somebody_silent() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut target = Target::new("127.0.0.1", USER, Secret::new(PASSWORD.to_owned()));
    target.port = nobody.local_addr().unwrap().port();
    target.timeout = Duration::from_secs(1);
    // It listens and never answers.
    let silent = Client::connect(&target).await.unwrap_err();
    assert!(matches!(silent, Error::Silent { maybe_done: false, .. }), "{silent}");
    drop(nobody);
    let closed = Client::connect(&target).await.unwrap_err();
    assert!(matches!(closed, Error::Unreachable { .. }) && closed.fault() == Fault::Network, "{closed}");
}
