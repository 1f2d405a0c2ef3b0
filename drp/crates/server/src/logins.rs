//! Password logins. A password costs 50 ms of CPU to check, so a good one is remembered for a moment; wrong ones are
//! counted.

mod elsewhere;
mod limit;

pub use limit::LoginLimits;
pub(crate) use limit::{Left, WINDOW, too_many};

use crate::app::App;
use drp_objects::{Denied, Objects, Principal};
use drp_protocol::{Error, Secret};
use elsewhere::No;
use limit::Limiter;
use ring::hmac;
use std::collections::HashMap;
use std::net::IpAddr;
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
/// Passwords that plugins check at the same time; more wait.
const ELSEWHERE_AT_ONCE: usize = 32;

/// Remembers which passwords were right, under a key that dies with the process.
pub(crate) struct Logins {
    key: hmac::Key,
    known: Mutex<HashMap<Vec<u8>, Known>>,
    checks: Arc<Semaphore>,
    elsewhere: Semaphore,
    limiter: Limiter,
    /// How many passwords were hashed.
    hashed: AtomicU64,
}

struct Known {
    /// Revision of the user object: any change of it, a new password above all, ends the memory.
    revision: u64,
    /// The user that logged in, which a plugin may call otherwise than it was asked for.
    user: String,
    until: Instant,
}

/// Somebody who is in.
pub(crate) struct LoggedIn {
    pub(crate) who: Principal,
    /// The password was looked at, and not just remembered.
    pub(crate) checked: bool,
}

/// Why somebody is not let in.
pub(crate) enum Refusal {
    /// Unknown or wrong; what tries are left.
    Wrong(Left),
    /// Not looked at: there were too many.
    Limited(Left),
    /// The plugin that knows does not answer.
    Unknown(Box<Error>),
}

impl Logins {
    pub(crate) fn new(limits: LoginLimits) -> Result<Self, getrandom::Error> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        Ok(Self {
            key,
            known: Mutex::default(),
            checks: Arc::new(Semaphore::new(AT_ONCE)),
            elsewhere: Semaphore::new(ELSEWHERE_AT_ONCE),
            limiter: Limiter::new(limits),
            hashed: AtomicU64::new(0),
        })
    }

    /// Checks a user's password, here or by the plugin that does. Without such a plugin unknown users cost as much as
    /// wrong passwords, so that nobody learns names from the time an answer takes.
    pub(crate) async fn login(
        &self,
        app: &App,
        user: String,
        password: Secret<String>,
        from: IpAddr,
    ) -> Result<LoggedIn, Refusal> {
        let objects = &app.objects;
        let tag = self.tag(&user, &password);
        if let Some(who) = self.remembered(objects, &tag) {
            return Ok(LoggedIn { who, checked: false });
        }
        let left = self.limiter.take(&user, from, Instant::now()).map_err(Refusal::Limited)?;
        // Before the check: a change meanwhile ends the memory, never prolongs it.
        let before = objects.get("users", &user).ok().map(|stored| stored.revision);
        let elsewhere = elsewhere::is_elsewhere(app, &user);
        let who = match elsewhere.then(|| elsewhere::checker(app)).flatten() {
            Some(checker) => {
                let _permit = self.elsewhere.acquire().await.map_err(|_| Refusal::Wrong(left))?;
                match elsewhere::check(app, checker, &user, &password).await {
                    Ok(who) => Some(who),
                    Err(No::Refused) => None,
                    Err(No::Unknown(error)) => {
                        // That is not the caller's fault.
                        self.limiter.right(&user, from);
                        return Err(Refusal::Unknown(error));
                    }
                }
            }
            // Without its plugin a password that is kept elsewhere fits nobody.
            None => self.check_here(objects, &user, password).await.filter(|_| !elsewhere),
        };
        let who = who.ok_or(Refusal::Wrong(left))?;
        self.limiter.right(&user, from);
        let before = before.filter(|_| who.subject == user);
        self.remember(objects, tag, &who, before);
        Ok(LoggedIn { who, checked: true })
    }

    async fn check_here(&self, objects: &Objects, user: &str, password: Secret<String>) -> Option<Principal> {
        let _permit = Arc::clone(&self.checks).acquire_owned().await.ok()?;
        self.hashed.fetch_add(1, Ordering::Relaxed);
        let (objects, user) = (objects.clone(), user.to_owned());
        let checked = tokio::task::spawn_blocking(move || objects.login(&user, &password)).await;
        checked.unwrap_or(Err(Denied::Credentials)).ok()
    }

    fn tag(&self, user: &str, password: &Secret<String>) -> Vec<u8> {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&(user.len() as u64).to_be_bytes());
        context.update(user.as_bytes());
        context.update(password.expose().as_bytes());
        context.sign().as_ref().to_vec()
    }

    fn remembered(&self, objects: &Objects, tag: &[u8]) -> Option<Principal> {
        let known = self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let known = known.get(tag).filter(|known| known.until > Instant::now())?;
        let same = objects.get("users", &known.user).is_ok_and(|user| user.revision == known.revision);
        let claims = objects.user_claims(&known.user).filter(|_| same)?;
        Some(Principal { name: format!("user:{}", known.user), subject: known.user.clone(), claims })
    }

    /// `revision` is that of the user before its password was checked, none when it was made by the check.
    fn remember(&self, objects: &Objects, tag: Vec<u8>, who: &Principal, revision: Option<u64>) {
        let now = || objects.get("users", &who.subject).ok().map(|user| user.revision);
        let Some(revision) = revision.or_else(now) else { return };
        let mut known = self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if known.len() >= MOST {
            known.retain(|_, k| k.until > Instant::now());
            if known.len() >= MOST {
                known.clear();
            }
        }
        let until = Instant::now() + REMEMBERED;
        known.insert(tag, Known { revision, user: who.subject.clone(), until });
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
        let logins = Logins::new(LoginLimits::default()).unwrap();
        let cases =
            [("ann", "wrong", false), ("nobody", "wrong", false), ("", "", false), ("ann", "right", true)];
        for (at, (user, text, let_in)) in cases.into_iter().enumerate() {
            let got = logins.check_here(&objects, user, password(text)).await;
            assert_eq!(got.is_some(), let_in, "{user} {text}");
            assert_eq!(logins.hashed.load(Ordering::Relaxed), at as u64 + 1, "{user} {text}");
        }
        // A good one is remembered until its user changes.
        let who = logins.check_here(&objects, "ann", password("right")).await.unwrap();
        let tag = logins.tag("ann", &password("right"));
        logins.remember(&objects, tag.clone(), &who, None);
        assert_eq!(logins.remembered(&objects, &tag).unwrap().name, "user:ann");
        assert!(logins.remembered(&objects, &logins.tag("ann", &password("wrong"))).is_none());
        objects.set_password(&Principal::system(), "ann", &password("new")).await.unwrap();
        assert!(logins.remembered(&objects, &tag).is_none());
    }
}
