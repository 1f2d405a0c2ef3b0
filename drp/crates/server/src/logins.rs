//! Password logins. A password costs 50 ms of CPU to check, so a good one is remembered for a moment.

use crate::app::App;
use drp_objects::{Denied, Principal};
use drp_protocol::Secret;
use ring::hmac;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// How long a checked password is remembered.
const REMEMBERED: Duration = Duration::from_secs(60);
/// How many are remembered.
const MOST: usize = 1_000;
/// Passwords that are checked at the same time; more wait.
const AT_ONCE: usize = 4;

/// Remembers which passwords were right, under a key that dies with the process.
pub(crate) struct Logins {
    key: hmac::Key,
    known: Mutex<HashMap<Vec<u8>, Known>>,
    checks: Arc<Semaphore>,
}

struct Known {
    /// Revision of the user object: any change of it, a new password above all, ends the memory.
    revision: u64,
    until: Instant,
}

impl Logins {
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        Ok(Self { key, known: Mutex::default(), checks: Arc::new(Semaphore::new(AT_ONCE)) })
    }

    /// Checks a user's password.
    pub(crate) async fn login(
        &self,
        app: &Arc<App>,
        user: String,
        password: Secret<String>,
    ) -> Result<Principal, Denied> {
        let tag = self.tag(&user, &password);
        let Ok(stored) = app.objects.get("users", &user) else { return Err(Denied::Credentials) };
        if self.knows(&tag, stored.revision)
            && let Some(claims) = app.objects.user_claims(&user)
        {
            return Ok(Principal { name: format!("user:{user}"), subject: user, claims });
        }
        let _permit = Arc::clone(&self.checks).acquire_owned().await.map_err(|_| Denied::Credentials)?;
        let objects = app.objects.clone();
        let checked = tokio::task::spawn_blocking(move || objects.login(&user, &password)).await;
        let who = checked.map_err(|_| Denied::Credentials)??;
        self.remember(tag, stored.revision);
        Ok(who)
    }

    fn tag(&self, user: &str, password: &Secret<String>) -> Vec<u8> {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&(user.len() as u64).to_be_bytes());
        context.update(user.as_bytes());
        context.update(password.expose().as_bytes());
        context.sign().as_ref().to_vec()
    }

    fn knows(&self, tag: &[u8], revision: u64) -> bool {
        let known = self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        known.get(tag).is_some_and(|k| k.revision == revision && k.until > Instant::now())
    }

    fn remember(&self, tag: Vec<u8>, revision: u64) {
        let mut known = self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if known.len() >= MOST {
            known.retain(|_, k| k.until > Instant::now());
            if known.len() >= MOST {
                known.clear();
            }
        }
        known.insert(tag, Known { revision, until: Instant::now() + REMEMBERED });
    }
}
