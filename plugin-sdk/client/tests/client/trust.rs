//! Which certificates are believed.

use crate::daemon::Daemon;
use drp_client::{Client, ClientError, Trust};

#[tokio::test]
async fn a_pinned_certificate_and_no_other() {
    let daemon = Daemon::start().await;
    assert!(daemon.client().raw("GET", "/api/v3/machines", None).await.is_ok());
    let other = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap().cert.pem();
    for trust in [Trust::Pinned(other.clone()), Trust::Authorities(other), Trust::Nothing] {
        let client = daemon.builder().trust(trust.clone()).build().unwrap();
        let error = client.raw("GET", "/api/v3/machines", None).await.unwrap_err();
        assert!(matches!(error, ClientError::Untrusted { .. }), "{trust:?}: {error:?}");
        let error = client.events().await.unwrap_err();
        assert!(matches!(error, ClientError::Untrusted { .. }), "{trust:?}: {error:?}");
    }
    assert_eq!(daemon.shared.seen().len(), 1, "nothing was sent to a stranger");
}

#[tokio::test]
async fn any_certificate_on_request() {
    let daemon = Daemon::start().await;
    let client = daemon.builder().trust(Trust::Insecure).build().unwrap();
    assert!(client.raw("GET", "/api/v3/machines", None).await.is_ok());
    client.events().await.unwrap().close().await;
}

#[tokio::test]
async fn an_authority_vouches_for_a_name() {
    let daemon = Daemon::start().await;
    let trust = Trust::Authorities(daemon.certificate.clone());
    let at = |host: &str| {
        let url = format!("https://{host}:{}", daemon.address.port());
        Client::builder().endpoint(url).trust(trust.clone()).retry_waits([]).build().unwrap()
    };
    let wrong_name = at("127.0.0.1").raw("GET", "/api/v3/machines", None).await.unwrap_err();
    assert!(matches!(wrong_name, ClientError::Untrusted { .. }), "{wrong_name:?}");
}

#[test]
fn a_certificate_that_is_none_is_refused_at_once() {
    for text in ["", "hello", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"] {
        let trust = Trust::Pinned(text.to_owned());
        assert!(matches!(
            Client::builder().endpoint("https://x").trust(trust).build(),
            Err(ClientError::Setting(_))
        ));
    }
}
