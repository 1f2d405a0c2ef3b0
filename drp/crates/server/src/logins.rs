//! Password logins. A password costs 50 ms of CPU to check, so a good one is remembered for a moment.

use drp_objects::{Denied, Objects, Principal};
use drp_protocol::Secret;
use ring::hmac;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
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
    /// How many passwords were hashed.
    hashed: AtomicU64,
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
        Ok(Self {
            key,
            known: Mutex::default(),
            checks: Arc::new(Semaphore::new(AT_ONCE)),
            hashed: AtomicU64::new(0),
        })
    }

    /// Checks a user's password. Unknown users cost as much as wrong passwords, so that nobody learns names from the
    /// time an answer takes.
    pub(crate) async fn login(
        &self,
        objects: &Objects,
        user: String,
        password: Secret<String>,
    ) -> Result<Principal, Denied> {
        let tag = self.tag(&user, &password);
        let revision = objects.get("users", &user).ok().map(|stored| stored.revision);
        if self.knows(&tag, revision)
            && let Some(claims) = objects.user_claims(&user)
        {
            return Ok(Principal { name: format!("user:{user}"), subject: user, claims });
        }
        let _permit = Arc::clone(&self.checks).acquire_owned().await.map_err(|_| Denied::Credentials)?;
        self.hashed.fetch_add(1, Ordering::Relaxed);
        let objects = objects.clone();
        let checked = tokio::task::spawn_blocking(move || objects.login(&user, &password)).await;
        let who = checked.map_err(|_| Denied::Credentials)??;
        if let Some(revision) = revision {
            self.remember(tag, revision);
        }
        Ok(who)
    }

    fn tag(&self, user: &str, password: &Secret<String>) -> Vec<u8> {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&(user.len() as u64).to_be_bytes());
        context.update(user.as_bytes());
        context.update(password.expose().as_bytes());
        context.sign().as_ref().to_vec()
    }

    fn knows(&self, tag: &[u8], revision: Option<u64>) -> bool {
        let known = self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        known.get(tag).is_some_and(|k| Some(k.revision) == revision && k.until > Instant::now())
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

#[cfg(test)]
mod tests {
    use super::*;
    use drp_objects::{FirstUser, Options};

    #[tokio::test]
    async fn unknown_users_cost_what_wrong_passwords_cost() {
        let store = drp_store::open("memory:///", drp_store::Options::default()).unwrap();
        let password = |text: &str| Secret::new(text.to_owned());
        let first = FirstUser { name: "ann".to_owned(), password: password("right") };
        let options = Options { first_user: Some(first), ..Options::default() };
        let objects = Objects::open(store, options).await.unwrap();
        let logins = Logins::new().unwrap();
        for (user, text, let_in, hashed) in [
            ("ann", "wrong", false, 1),
            ("nobody", "wrong", false, 2),
            ("nobody", "wrong", false, 3),
            ("", "", false, 4),
            ("ann", "right", true, 5),
            // A good one is remembered.
            ("ann", "right", true, 5),
        ] {
            let got = logins.login(&objects, user.to_owned(), password(text)).await;
            assert_eq!(got.is_ok(), let_in, "{user} {text}");
            assert_eq!(logins.hashed.load(Ordering::Relaxed), hashed, "{user} {text}");
        }
    }
}
