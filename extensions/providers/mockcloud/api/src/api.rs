//! The cloud over HTTP.

use crate::cloud::{Cloud, Refusal};
use crate::fault::Faults;
use crate::server::Wish;
use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Longest body.
const BODY: usize = 256 << 10;

/// What every request can reach.
#[derive(Clone)]
pub(crate) struct Service {
    cloud: Arc<Mutex<Cloud>>,
    key: Arc<Zeroizing<String>>,
}

impl Service {
    pub(crate) fn new(cloud: Cloud, key: Zeroizing<String>) -> Self {
        Self { cloud: Arc::new(Mutex::new(cloud)), key: Arc::new(key) }
    }

    fn cloud(&self) -> MutexGuard<'_, Cloud> {
        self.cloud.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All routes.
pub(crate) fn router(service: Service) -> Router {
    let cloud = Router::new()
        .route("/account", get(async |State(s): State<Service>| Json(s.cloud().account())))
        .route("/plans", get(async || Json(Cloud::plans())))
        .route("/zones", get(async || Json(Cloud::zones())))
        .route("/pricing", get(async || Json(Cloud::pricing())))
        .route("/servers", get(list).post(create))
        .route("/servers/{id}", get(show).delete(delete))
        .route("/servers/{id}/firewall", put(firewall))
        .route("/servers/{id}/{verb}", post(turn))
        .layer(from_fn_with_state(service.clone(), faults));
    Router::new()
        .merge(cloud)
        .route("/mock/faults", get(shown_faults).put(set_faults))
        .layer(from_fn_with_state(service.clone(), login))
        .route("/health", get(async || Json(json!({"status": "ok"}))))
        .fallback(async || Refusal(404, "absent", "there is nothing here".to_owned()))
        .layer(DefaultBodyLimit::max(BODY))
        .with_state(service)
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(json!({"error": {"code": self.1, "message": self.2}}))).into_response()
    }
}

async fn login(State(service): State<Service>, request: Request, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|text| text.strip_prefix("Bearer ")).unwrap_or_default();
    if bool::from(given.as_bytes().ct_eq(service.key.as_bytes())) {
        return next.run(request).await;
    }
    Refusal(401, "key", "the key is wrong, or there is none".to_owned()).into_response()
}

async fn faults(State(service): State<Service>, request: Request, next: Next) -> Response {
    let (limited, unavailable, lost) = {
        let due = &mut service.cloud().faults;
        let limited = Faults::strikes(&mut due.rate_limited);
        let unavailable = !limited && Faults::strikes(&mut due.unavailable);
        (limited, unavailable, !limited && !unavailable && Faults::strikes(&mut due.lost_answer))
    };
    if limited {
        let mut answer = Refusal(429, "rate", "too many requests".to_owned()).into_response();
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("0"));
        return answer;
    }
    if unavailable {
        return Refusal(503, "unavailable", "come back later".to_owned()).into_response();
    }
    let answer = next.run(request).await;
    if lost { Refusal(502, "gateway", "the answer was lost".to_owned()).into_response() } else { answer }
}

async fn shown_faults(State(service): State<Service>) -> Json<Faults> {
    Json(service.cloud().faults.clone())
}

async fn set_faults(
    State(service): State<Service>,
    faults: Result<Json<Faults>, JsonRejection>,
) -> Result<Json<Faults>, Refusal> {
    let Json(faults) = faults.map_err(|e| unreadable(&e))?;
    service.cloud().faults = faults.clone();
    Ok(Json(faults))
}

async fn list(State(service): State<Service>) -> Json<Value> {
    Json(service.cloud().list(Instant::now()))
}

async fn show(State(service): State<Service>, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    service.cloud().show(&id, Instant::now()).map(Json)
}

async fn create(
    State(service): State<Service>,
    headers: HeaderMap,
    wish: Result<Json<Wish>, JsonRejection>,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let Json(wish) = wish.map_err(|e| unreadable(&e))?;
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok()).map(str::to_owned);
    let server = service.cloud().create(wish, key, Instant::now())?;
    Ok((StatusCode::ACCEPTED, Json(server)))
}

async fn delete(State(service): State<Service>, Path(id): Path<String>) -> Result<StatusCode, Refusal> {
    service.cloud().delete(&id).map(|()| StatusCode::NO_CONTENT)
}

async fn turn(
    State(service): State<Service>,
    Path((id, verb)): Path<(String, String)>,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    service.cloud().turn(&id, &verb, Instant::now()).map(|server| (StatusCode::ACCEPTED, Json(server)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    rules: Vec<Value>,
}

async fn firewall(
    State(service): State<Service>,
    Path(id): Path<String>,
    rules: Result<Json<Rules>, JsonRejection>,
) -> Result<StatusCode, Refusal> {
    let Json(Rules { rules }) = rules.map_err(|e| unreadable(&e))?;
    service.cloud().set_firewall(&id, rules).map(|()| StatusCode::NO_CONTENT)
}

fn unreadable(error: &JsonRejection) -> Refusal {
    Refusal(422, "invalid", error.body_text())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use axum::body::Body;
    use http_body_util::BodyExt;
    use std::time::Duration;
    use tower::ServiceExt;

    async fn ask(app: &Router, method: &str, path: &str, body: Value) -> (u16, Value) {
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", "Bearer key")
            .header("idempotency-key", path)
            .header("content-type", "application/json")
            .body(Body::from(body.to_string()))
            .unwrap();
        let answer = app.clone().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    fn app(delay: u64, quota: usize) -> Router {
        let key = Zeroizing::new("key".to_owned());
        router(Service::new(Cloud::new(Duration::from_millis(delay), quota), key))
    }

    #[tokio::test]
    async fn a_server_lives() {
        let app = app(0, 2);
        let wish = json!({"hostname": "web", "plan": "1xCPU-1GB", "zone": "us-east-1"});
        let (status, made) = ask(&app, "POST", "/servers", wish.clone()).await;
        assert_eq!((status, made["id"].as_str()), (202, Some("srv-0001")));
        // Asked again with the same key: the same server, not a second one.
        assert_eq!(ask(&app, "POST", "/servers", wish).await.1["id"], "srv-0001");
        let (_, shown) = ask(&app, "GET", "/servers/srv-0001", Value::Null).await;
        assert_eq!((&shown["status"], &shown["ip_addresses"]), (&json!("running"), &json!(["192.0.2.2"])));
        assert_eq!(ask(&app, "POST", "/servers/srv-0001/stop", Value::Null).await.0, 202);
        assert_eq!(ask(&app, "POST", "/servers/srv-0001/reboot", Value::Null).await.0, 409);
        assert_eq!(ask(&app, "POST", "/servers/srv-0001/explode", Value::Null).await.0, 404);
        assert_eq!(ask(&app, "DELETE", "/servers/srv-0001", Value::Null).await.0, 204);
        assert_eq!(ask(&app, "GET", "/servers/srv-0001", Value::Null).await.0, 404);
    }

    #[tokio::test]
    async fn wishes_are_checked_and_faults_strike_as_often_as_they_are_due() {
        let app = app(0, 2);
        let bad = json!({"hostname": "web", "plan": "huge", "zone": "us-east-1"});
        assert_eq!(ask(&app, "POST", "/servers", bad).await.0, 422);
        assert_eq!(ask(&app, "POST", "/servers", json!({"hostname": 1})).await.0, 422);
        assert_eq!(ask(&app, "PUT", "/mock/faults", json!({"typo": 1})).await.0, 422);
        ask(&app, "PUT", "/mock/faults", json!({"rate_limited": 1, "unavailable": 1, "lost_answer": 1}))
            .await;
        let mut seen = Vec::new();
        for _ in 0..4 {
            seen.push(ask(&app, "GET", "/plans", Value::Null).await.0);
        }
        assert_eq!(seen, [429, 503, 502, 200]);
    }

    #[tokio::test]
    async fn nothing_but_health_without_the_key() {
        for (path, status) in [("/health", 200), ("/servers", 401), ("/mock/faults", 401)] {
            let request =
                http::Request::get(path).header("authorization", "Bearer kez").body(Body::empty()).unwrap();
            assert_eq!(app(0, 1).oneshot(request).await.unwrap().status().as_u16(), status, "{path}");
        }
    }
}
