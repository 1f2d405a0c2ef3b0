//! Who is calling (wire-protocol §3.2).

use crate::{
    Claims, Fetched, Objects, Principal, Result,
    claims::check_claims,
    fault::Fault,
    memory::Row,
    password, secure,
    token::{Bearer, Payload, digest_of, now, read, sign},
    write::{Verb, hidden_name},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use drp_protocol::{Claim, Secret, User};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use std::time::Duration;

/// A million hours, the life of a plugin's token.
const PLUGIN_TTL: Duration = Duration::from_secs(3_600_000_000);
const HOUR: Duration = Duration::from_secs(3600);

/// Why somebody is not let in. The first two travel with an empty body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// 403: unknown user or wrong password.
    #[error("unknown user or wrong password")]
    Credentials,
    /// 403 with `WWW-Authenticate: dr-provision`: the token is malformed, forged or expired.
    #[error("the token is malformed or expired")]
    Token,
    /// 403 `AUTH` `Validation failed`: the token's user is gone or a secret it depends on changed.
    #[error("Validation failed")]
    Changed,
}

/// What a token is wanted for; the default is a full token for an hour.
#[derive(Debug, Clone, Default)]
pub struct TokenRequest {
    /// How long it holds: an hour when none, for ever when `Duration::MAX`.
    pub ttl: Option<Duration>,
    /// Only these roles, which must be the user's own or allow no more than they do.
    pub roles: Vec<String>,
    /// Only this scope, `*` when empty.
    pub scope: String,
    /// Only this action, `*` when empty.
    pub action: String,
    /// Only this object, `*` when empty.
    pub specific: String,
}

fn claim(scope: &str, action: &str, specific: &str) -> Claim {
    Claim { scope: scope.to_owned(), action: action.to_owned(), specific: specific.to_owned() }
}

/// What checking a token needs of a stored object. Each request does it, so the rest is passed over and not decoded.
fn part<T: DeserializeOwned>(row: &Row) -> Option<T> {
    serde_json::from_slice(&row.json).ok()
}

#[derive(Deserialize)]
struct RoleClaims {
    #[serde(rename = "Claims")]
    claims: Vec<Claim>,
}

#[derive(Deserialize)]
struct UserRoles {
    #[serde(rename = "Roles", default)]
    roles: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct OwnSecret {
    #[serde(rename = "Secret")]
    secret: String,
}

impl Objects {
    /// Checks a password. It costs some 50 ms of CPU, also for unknown users, so that their names cannot be told by
    /// the time it takes: call it in `spawn_blocking`.
    ///
    /// # Errors
    /// [`Denied::Credentials`].
    pub fn login(&self, user: &str, password: &Secret<String>) -> Result<Principal, Denied> {
        let stored = self.inner.state.hidden(&hidden_name("users", user));
        let fits = password::fits(password.expose(), stored.as_deref().unwrap_or(password::NOBODY));
        if !fits || stored.is_none() {
            return Err(Denied::Credentials);
        }
        self.user_principal(user).ok_or(Denied::Credentials)
    }

    fn user(&self, name: &str) -> Option<User> {
        self.inner.state.row("users", name).and_then(|row| serde_json::from_slice(&row.json).ok())
    }

    pub(crate) fn role_claims(&self, roles: &[String]) -> Vec<Claim> {
        let claims_of = |role: &String| part::<RoleClaims>(&*self.inner.state.row("roles", role)?);
        roles.iter().filter_map(claims_of).flat_map(|role| role.claims).collect()
    }

    /// Whether a role allows no more than the user may do anyway.
    fn contains_role(&self, user: &str, role: &str) -> bool {
        let claims = self.role_claims(&[role.to_owned()]);
        self.inner.state.exists("roles", role)
            && self.user_claims(user).is_some_and(|own| own.contain(&claims))
    }

    /// What everybody may do to themselves.
    fn self_claims(name: &str) -> [Claim; 2] {
        [claim("users", "token,password,get", name), claim("info", "get", "")]
    }

    /// What is left of it for a narrowed token. Without `password`: whoever holds it could else set one, log in, and
    /// be narrowed no more.
    fn narrowed_self_claims(name: &str) -> [Claim; 2] {
        [claim("users", "token,get", name), claim("info", "get", "")]
    }

    fn user_principal(&self, name: &str) -> Option<Principal> {
        let claims = self.user_claims(name)?;
        Some(Principal { name: format!("user:{name}"), subject: name.to_owned(), claims })
    }

    /// The claims of a user as its roles say now.
    #[must_use]
    pub fn user_claims(&self, user: &str) -> Option<Claims> {
        let row = self.inner.state.row("users", user)?;
        let mut claims = self.role_claims(&part::<UserRoles>(&row)?.roles.unwrap_or_default());
        claims.extend(Self::self_claims(&row.key));
        Some(Claims::new(claims).confined(self.inner.state.tenants_of(&row.key)))
    }

    /// The digest of the secrets that a token depends on; none when its subject is gone.
    fn digest(&self, bearer: Bearer, subject: &str) -> Option<String> {
        let grantor = self.inner.pref("systemGrantorSecret");
        let own =
            |prefix: &str| part::<OwnSecret>(&*self.inner.state.row(prefix, subject)?).map(|own| own.secret);
        Some(match bearer {
            Bearer::User => digest_of(&[&grantor, &own("users")?]),
            Bearer::Machine => digest_of(&[&grantor, &own("machines")?]),
            Bearer::Plugin => digest_of(&[&grantor]),
        })
    }

    /// A mark of the secrets that a user's credentials depend on: another one, or none, when the password or a secret
    /// changed or the user is gone. Whoever lets somebody stay for long compares it now and then.
    #[must_use]
    pub fn user_mark(&self, user: &str) -> Option<String> {
        self.digest(Bearer::User, user)
    }

    fn issue(&self, payload: Payload) -> Secret<String> {
        Secret::new(sign(&payload, &self.inner.pref("baseTokenSecret")))
    }

    /// Checks a bearer token.
    ///
    /// # Errors
    /// [`Denied::Token`] or [`Denied::Changed`].
    pub fn verify(&self, token: &str) -> Result<Principal, Denied> {
        let payload = read(token, &self.inner.pref("baseTokenSecret")).ok_or(Denied::Token)?;
        if self.digest(payload.bearer, &payload.subject) != Some(payload.digest) {
            return Err(Denied::Changed);
        }
        let subject = payload.subject;
        let (word, claims) = match payload.bearer {
            Bearer::Plugin => ("plugin", Claims::new(payload.claims)),
            Bearer::Machine => ("runner", Claims::new(payload.claims)),
            Bearer::User => {
                let mut claims = self.user_claims(&subject).ok_or(Denied::Changed)?;
                if !payload.roles.is_empty() {
                    let mut narrowed = self.role_claims(&payload.roles);
                    narrowed.extend(Self::narrowed_self_claims(&subject));
                    claims = claims.narrowed(narrowed);
                }
                if !payload.claims.is_empty() {
                    let mut narrowed = payload.claims;
                    narrowed.extend(Self::narrowed_self_claims(&subject));
                    claims = claims.narrowed(narrowed);
                }
                let claims = payload.narrowed.into_iter().fold(claims, Claims::narrowed);
                ("user", claims)
            }
        };
        Ok(Principal { name: format!("{word}:{subject}"), subject, claims })
    }

    /// Makes a token of a user for somebody: themselves, whose new token is narrowed as the one they showed was, or
    /// somebody who may do all that the user may.
    ///
    /// # Errors
    /// As [`Objects::user_token`]; 403 `AUTH` when the user may do more.
    pub fn token_for(&self, who: &Principal, user: &str, request: &TokenRequest) -> Result<Secret<String>> {
        let user = self.resolve("users", user).unwrap_or_else(|| user.to_owned());
        self.may_become(who, &user)?;
        let narrowed = match who.name == format!("user:{user}") {
            true => who.claims.narrowings().iter().map(|claims| claims.to_vec()).collect(),
            false => Vec::new(),
        };
        self.make_token(&user, request, narrowed)
    }

    /// Makes a token for a user. Narrowed tokens still let their holder get such a token, themselves and `/info`.
    ///
    /// # Errors
    /// 404 for an unknown user; 400 for roles that are not the user's, or `No such scope 'X'`, `No such action 'X'`.
    pub fn user_token(&self, user: &str, request: &TokenRequest) -> Result<Secret<String>> {
        self.make_token(user, request, Vec::new())
    }

    fn make_token(
        &self,
        user: &str,
        request: &TokenRequest,
        narrowed_already: Vec<Vec<Claim>>,
    ) -> Result<Secret<String>> {
        let known = self.user(user).ok_or_else(|| Fault::not_found("GET", "users", user))?;
        let mut messages: Vec<String> = request
            .roles
            .iter()
            .filter(|role| !known.roles.contains(role) && !self.contains_role(user, role))
            .map(|role| format!("{user} does not have the role {role}"))
            .collect();
        let or_all = |text: &String| if text.is_empty() { "*".to_owned() } else { text.clone() };
        let narrowed =
            !(request.scope.is_empty() && request.action.is_empty() && request.specific.is_empty());
        let claims = match narrowed {
            true => vec![Claim {
                scope: or_all(&request.scope),
                action: or_all(&request.action),
                specific: or_all(&request.specific),
            }],
            false => Vec::new(),
        };
        check_claims(&claims, &self.inner.state.raw_types(), &mut messages);
        if !messages.is_empty() {
            let (model, key) = ("users".to_owned(), user.to_owned());
            return Err(Fault::Refused { kind: "GET", model, key, messages, code: 400 }.into());
        }
        Ok(self.issue(Payload {
            bearer: Bearer::User,
            subject: user.to_owned(),
            claims,
            roles: request.roles.clone(),
            narrowed: narrowed_already,
            issued: now(),
            expires: expiry(request.ttl.unwrap_or(HOUR)),
            digest: self.digest(Bearer::User, user).unwrap_or_default(),
        }))
    }

    /// Makes a token for a machine's agent: it may do what an agent does to its own machine and read what tasks need.
    ///
    /// # Errors
    /// 404 for an unknown machine.
    pub fn machine_token(&self, id: &str, ttl: Option<Duration>) -> Result<Secret<String>> {
        let (_, row) = self.found("machines", id, "GET")?;
        let known = self.inner.pref("knownTokenTimeout").parse().map_or(HOUR, Duration::from_secs);
        Ok(self.runner_token(&row.key, ttl.unwrap_or(known), Vec::new()))
    }

    /// The token of a job whose task has claims of its own, for its machine or somebody who holds them anyway; none for
    /// other jobs. It holds for a day at most.
    #[must_use]
    pub fn job_token(&self, who: &Principal, job: &Fetched) -> Option<Secret<String>> {
        let job: drp_protocol::Job = job.model().ok()?;
        let itself = who.name == format!("runner:{}", job.machine);
        if !itself && !who.claims.contain(&job.extra_claims) {
            return None;
        }
        if job.extra_claims.is_empty() || !self.inner.state.exists("machines", &job.machine) {
            return None;
        }
        Some(self.runner_token(&job.machine, 24 * HOUR, job.extra_claims))
    }

    /// What an agent may do: everything to its own machine and its jobs, and read what tasks need.
    fn runner_token(&self, machine: &str, ttl: Duration, extra: Vec<Claim>) -> Secret<String> {
        let mut claims = vec![
            claim("machines", "*", machine),
            claim("stages,jobs,tasks", "get", "*"),
            claim("jobs", "create,update,actions,log", machine),
            claim("profiles,params,bootenvs,workflows,templates", "get", "*"),
            claim("info", "get", "*"),
            claim("events", "post", "*"),
            claim("reservations", "create", "*"),
        ];
        claims.extend(extra);
        self.issue(Payload {
            bearer: Bearer::Machine,
            subject: machine.to_owned(),
            claims,
            roles: Vec::new(),
            narrowed: Vec::new(),
            issued: now(),
            expires: expiry(ttl),
            digest: self.digest(Bearer::Machine, machine).unwrap_or_default(),
        })
    }

    /// The run-time token of a plugin: claim `* * *`, a million hours (wire-protocol §1.2).
    #[must_use]
    pub fn plugin_token(&self, plugin: &str) -> Secret<String> {
        self.program_token(plugin, "*", PLUGIN_TTL)
    }

    /// The token for `define`: claim `* get *`, one hour.
    #[must_use]
    pub fn define_token(&self, provider: &str) -> Secret<String> {
        self.program_token(provider, "get", HOUR)
    }

    fn program_token(&self, subject: &str, action: &str, ttl: Duration) -> Secret<String> {
        self.issue(Payload {
            bearer: Bearer::Plugin,
            subject: subject.to_owned(),
            claims: vec![claim("*", action, "*")],
            roles: Vec::new(),
            narrowed: Vec::new(),
            issued: now(),
            expires: expiry(ttl),
            digest: self.digest(Bearer::Plugin, subject).unwrap_or_default(),
        })
    }

    /// Changes a password, which kills the user's tokens, and publishes `save`. The CPU-heavy part runs on the
    /// blocking pool.
    ///
    /// # Errors
    /// 404; 400 for an empty password.
    pub async fn set_password(
        &self,
        who: &Principal,
        user: &str,
        password: &Secret<String>,
    ) -> Result<Fetched> {
        if password.expose().is_empty() {
            let (model, key) = ("users".to_owned(), user.to_owned());
            let messages = vec!["a password must not be empty".to_owned()];
            return Err(Fault::Refused { kind: "PUT", model, key, messages, code: 400 }.into());
        }
        let user = &*self.found("users", user, "PUT")?.1.key.clone();
        self.may_become(who, user)?;
        let password = password.clone();
        let hash = tokio::task::spawn_blocking(move || password::hash(password.expose()))
            .await
            .map_err(|e| Fault::Random(e.to_string()))??;
        let secret = secure::random_text(32)?;
        self.change(who, "users", user, Verb::Save, |table, row| {
            let mut object = row.map();
            object.insert("PasswordHash".to_owned(), STANDARD.encode(&hash).into());
            object.insert("Secret".to_owned(), secret.into());
            self.decode(table, &row.key, Value::Object(object), "PUT", 400).map(Some)
        })
        .await
    }

    /// What a claim's `specific` is compared with: the key of the object that `id` names, or, for a job, the key of its
    /// machine (wire-protocol §2.4). The id itself when there is no such object.
    fn claimed(&self, scope: &str, id: &str) -> String {
        let row = match id {
            "" => None,
            id => self.inner.state.table(scope).and_then(|table| table.find(id)),
        };
        row.map_or_else(|| id.to_owned(), |row| claim_key(scope, &row))
    }

    /// [`Objects::authorize_for`] a GET.
    ///
    /// # Errors
    /// See there.
    pub fn authorize(&self, who: &Principal, url: &str, scope: &str, action: &str, id: &str) -> Result<()> {
        self.authorize_for(who, "GET", url, scope, action, id)
    }

    /// Checks a claim and gives the error of wire-protocol §3.2 when it is missing: 404 for `get`, else 403 `AUTH`
    /// `Cannot access <url>`, `Requires: <scope> <action> <specific>`. An `id` that names an object by another index
    /// is resolved to its key before the comparison and shown as given. What a tenant hides is 404 like what is not
    /// there, with the word of the request as its type.
    ///
    /// # Errors
    /// See above.
    pub fn authorize_for(
        &self,
        who: &Principal,
        word: &'static str,
        url: &str,
        scope: &str,
        action: &str,
        id: &str,
    ) -> Result<()> {
        let key = self.claimed(scope, id);
        if who.claims.grant(scope, action, &key) {
            return match who.claims.hide(scope, &key) {
                false => Ok(()),
                true => Err(Fault::not_found(word, scope, id).into()),
            };
        }
        if action == "get" {
            return Err(Fault::not_found("GET", scope, id).into());
        }
        let messages = vec![format!("Cannot access {url}"), format!("Requires: {scope} {action} {id}")];
        let (model, key) = (String::new(), String::new());
        Err(Fault::Refused { kind: "AUTH", model, key, messages, code: 403 }.into())
    }
}

/// What a claim's `specific` is compared with for an object.
pub(crate) fn claim_key(scope: &str, row: &Row) -> String {
    #[derive(Deserialize)]
    struct OfMachine {
        #[serde(rename = "Machine")]
        machine: String,
    }
    let machine = (scope == "jobs").then(|| part::<OfMachine>(row)).flatten().map(|job| job.machine);
    machine.filter(|machine| !machine.is_empty()).unwrap_or_else(|| row.key.to_string())
}

fn expiry(ttl: Duration) -> Option<u64> {
    now().checked_add(ttl.as_secs()).filter(|_| ttl != Duration::MAX)
}
