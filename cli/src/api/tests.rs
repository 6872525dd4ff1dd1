//! Tests of the door, with a worker that only says what it was asked.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{Method, Request, Response};
use http_body_util::Full;
use serde_json::{Value, json};

use super::error::{Error, Reply};
use super::gate::{Gate, Job, LARGEST_BODY, Worker, is_below};
use super::openapi;
use super::route::{Operation, ROUTES, Success};
use super::schema::Object;
use super::token::Access;

/// Keeps its jobs, and answers each with what was sent.
#[derive(Debug, Clone, Default)]
struct Fake(Arc<Mutex<Vec<Job>>>);

impl Worker for Fake {
    fn work(&self, job: Job) -> BoxFuture<'_, Reply> {
        self.0.lock().unwrap().push(job);
        std::future::ready(Reply::of(200, json!({"done": true}))).boxed()
    }
}

struct Door {
    gate: Gate,
    jobs: Fake,
    token: String,
    access: Access,
    _directory: tempfile::TempDir,
}

fn door() -> Door {
    let directory = tempfile::tempdir().unwrap();
    let access = Access::new(directory.path());
    let token = access.renew(Some("unix:///e".to_owned())).unwrap().token;
    let jobs = Fake::default();
    Door {
        gate: Gate::new(access.clone(), jobs.clone()).unwrap(),
        jobs,
        token,
        access,
        _directory: directory,
    }
}

impl Door {
    fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
        is_foreign: bool,
    ) -> Option<Response<Bytes>> {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(self.gate.answer(request, is_foreign, 7080))
    }

    /// With the token and a body of JSON.
    fn ask(&self, method: &str, path: &str, body: &str) -> Response<Bytes> {
        let bearer = format!("Bearer {}", self.token);
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
        ];
        self.send(method, path, &headers, body, false).unwrap()
    }

    fn status(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> u16 {
        self.send(method, path, headers, "", false)
            .unwrap()
            .status()
            .as_u16()
    }
}

fn error(response: &Response<Bytes>) -> Value {
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.headers()["cache-control"], "no-store");
    let error: Value = serde_json::from_slice(response.body()).unwrap();
    assert!(error["error"]["message"].is_string());
    error["error"]["code"].clone()
}

#[test]
fn what_is_below_the_api() {
    for (path, expected) in [
        ("/api", true),
        ("/api/", true),
        ("/api/x", true),
        ("/apis", false),
        ("/", false),
        ("//api", false),
        ("api", false),
    ] {
        assert_eq!(is_below(path), expected, "{path}");
    }
}

#[test]
fn without_the_token_there_is_nothing_but_401() {
    let door = door();
    let token = door.token.clone();
    let wrong = [
        vec![],
        vec![("authorization", "Bearer")],
        vec![("authorization", "Bearer ")],
        vec![("authorization", "Bearer x")],
        vec![("authorization", "")],
    ];
    let bearer = format!("Bearer {token}");
    let basic = format!("Basic {token}");
    let more = format!("Bearer {token}x");
    let less = format!("Bearer {}", &token[..token.len() - 1]);
    let odd = [
        vec![("authorization", basic.as_str())],
        vec![("authorization", token.as_str())],
        vec![("authorization", more.as_str())],
        vec![("authorization", less.as_str())],
        vec![
            ("authorization", bearer.as_str()),
            ("authorization", bearer.as_str()),
        ],
        vec![("authorization", bearer.as_str()), ("authorization", "Bearer x")],
        vec![("proxy-authorization", bearer.as_str())],
        vec![("cookie", token.as_str())],
    ];
    let query = format!("/api/workspaces?access_token={token}&token={token}");
    for headers in wrong.iter().chain(&odd) {
        for path in [
            "/api",
            "/api/",
            "/api/x",
            "/api/workspaces",
            "/api/openapi.json/",
            "/api/../x",
            &query,
        ] {
            for method in ["GET", "POST", "OPTIONS", "HEAD", "BREW"] {
                let status = door.status(method, path, headers);
                assert_eq!(status, 401, "{method} {path} {headers:?}");
            }
        }
    }
    let refused = door.send("GET", "/api/workspaces", &[], "", false).unwrap();
    assert_eq!(refused.headers()["www-authenticate"], "Bearer realm=\"agentbox\"");
    assert_eq!(error(&refused), "unauthorized");
    assert!(door.jobs.0.lock().unwrap().is_empty());
    for scheme in ["bearer", "BEARER"] {
        let value = format!("{scheme}  {token}");
        assert_eq!(
            door.status("GET", "/api/workspaces", &[("authorization", &value)]),
            200
        );
    }
}

#[test]
fn a_token_counts_until_it_is_changed_or_taken_away() {
    let door = door();
    let old = format!("Bearer {}", door.token);
    let new = format!("Bearer {}", door.access.renew(None).unwrap().token);
    assert_eq!(
        door.status("GET", "/api/workspaces", &[("authorization", &old)]),
        401
    );
    assert_eq!(
        door.status("GET", "/api/workspaces", &[("authorization", &new)]),
        200
    );
    door.access.remove().unwrap();
    let answer = door.send("GET", "/api/workspaces", &[("authorization", &new)], "", false);
    assert!(answer.is_none() && !door.gate.is_open());
    assert!(door.gate.refuse(http::StatusCode::FORBIDDEN, "x").is_none());
}

#[test]
fn pages_of_other_origins_get_nothing() {
    let door = door();
    let bearer = format!("Bearer {}", door.token);
    for path in ["/api/workspaces", "/api/openapi.json", "/api"] {
        let answer = door
            .send("GET", path, &[("authorization", &bearer)], "", true)
            .unwrap();
        assert_eq!(
            (answer.status().as_u16(), error(&answer)),
            (403, json!("forbidden"))
        );
        assert!(!answer.headers().contains_key("access-control-allow-origin"));
    }
}

#[test]
fn a_request_becomes_a_job() {
    let door = door();
    let answer = door.ask("PUT", "/api/service-specs/a%2Fb?x=y", "{\"name\":1}");
    assert_eq!(answer.status(), 200);
    let expected = Job {
        operation: Operation::ReplaceServiceSpec,
        names: vec!["a/b".to_owned()],
        body: Bytes::from("{\"name\":1}"),
        port: 7080,
        engine: Some("unix:///e".to_owned()),
    };
    assert_eq!(*door.jobs.0.lock().unwrap(), [expected]);
    // What is not asked for is not read.
    assert_eq!(door.ask("POST", "/api/workspaces/a/start", "{").status(), 200);
    assert!(door.jobs.0.lock().unwrap()[1].body.is_empty());
}

#[test]
fn what_is_refused_at_the_door() {
    let door = door();
    let bearer = format!("Bearer {}", door.token);
    let post = |kind: &[(&str, &str)], body: &str| {
        let mut headers = vec![("authorization", bearer.as_str())];
        headers.extend(kind);
        door.send("POST", "/api/service-specs", &headers, body, false)
            .unwrap()
    };
    for kind in [
        &[][..],
        &[("content-type", "text/plain")],
        &[("content-type", "application/x-www-form-urlencoded")],
        &[("content-type", "application/jsonp")],
        &[
            ("content-type", "application/json"),
            ("content-type", "application/json"),
        ],
    ] {
        let answer = post(kind, "{}");
        assert_eq!(
            (answer.status().as_u16(), error(&answer)),
            (415, json!("unsupported_media_type"))
        );
    }
    assert_eq!(
        post(&[("content-type", "Application/JSON; charset=utf-8")], "{}").status(),
        200
    );
    let large = "x".repeat(LARGEST_BODY + 1);
    let answer = post(&[("content-type", "application/json")], &large);
    assert_eq!(
        (answer.status().as_u16(), error(&answer)),
        (413, json!("too_large"))
    );
    assert_eq!(
        post(&[("content-type", "application/json")], &large[1..]).status(),
        200
    );

    let answer = door.ask("PATCH", "/api/service-specs/x", "{}");
    assert_eq!(
        (answer.status().as_u16(), error(&answer)),
        (405, json!("method_not_allowed"))
    );
    assert_eq!(answer.headers()["allow"], "GET, PUT, DELETE");
    assert_eq!(
        door.ask("POST", "/api/openapi.json", "{}").headers()["allow"],
        "GET"
    );
    for path in [
        "/api",
        "/api/",
        "/api//workspaces",
        "/api/workspaces/..",
        "/api/workspaces/%2e%2e/apps",
    ] {
        let answer = door.ask("GET", path, "");
        assert_eq!(
            (answer.status().as_u16(), error(&answer)),
            (404, json!("not_found")),
            "{path}"
        );
    }
    let long = format!("/api/workspaces/{}", "a".repeat(20_000));
    assert_eq!(door.ask("GET", &long, "").status(), 404);
}

#[test]
fn the_document_is_there_for_everybody_and_has_every_route() {
    let door = door();
    let answer = door.send("GET", "/api/openapi.json", &[], "", false).unwrap();
    let document: Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(document, openapi::document());
    let mut ids = std::collections::HashSet::new();
    for route in &ROUTES {
        let verb = route.verb.as_str().to_lowercase();
        let operation = &document["paths"][route.path][&verb];
        assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()));
        let has = |status: &str| operation["responses"][status].is_object();
        let success = match route.success {
            Success::Created(_) => "201",
            Success::One(_) | Success::List(_) => "200",
            Success::Done => "204",
        };
        assert!(
            has(success) && has("401") && has("403") && has("503"),
            "{route:?}"
        );
        assert_eq!(has("415"), route.body.is_some(), "{route:?}");
        assert!(!route.path.contains('{') || has("404"), "{route:?}");
    }
    let text = document.to_string();
    for object in Object::ALL {
        assert!(document["components"]["schemas"][object.name()]["properties"].is_object());
        assert!(
            text.contains(&format!("schemas/{}\"", object.name())),
            "{object:?}"
        );
    }
}

/// Every field of what is kept is in its schema, and what is required there is always written.
#[test]
fn the_schemas_are_those_of_the_types() {
    use crate::spec::Kept;
    use agentbox_ctl::spec::{ServiceSpec, ServiceSpecFields, SetupScript, SetupScriptFields};
    use agentbox_ctl::time::Timestamp;

    let full = ServiceSpecFields {
        environment_file: Some("/x".to_owned()),
        ..ServiceSpecFields::default()
    };
    let spec =
        |fields| serde_json::to_value(ServiceSpec::new("svc_1".into(), fields, Timestamp::now())).unwrap();
    let script = SetupScript::new("ss_1".into(), SetupScriptFields::default(), Timestamp::now());
    for (object, value) in [
        (Object::ServiceSpec, spec(full)),
        (Object::ServiceSpec, spec(ServiceSpecFields::default())),
        (Object::SetupScript, serde_json::to_value(script).unwrap()),
        (Object::Error, Error::wrong("a", "b").reply().body.unwrap()),
    ] {
        let schema = object.schema();
        for field in value.as_object().unwrap().keys() {
            assert!(schema["properties"][field].is_object(), "{object:?} {field}");
        }
        for field in schema["required"].as_array().unwrap() {
            assert!(!value[field.as_str().unwrap()].is_null(), "{object:?} {field}");
        }
    }
}

#[test]
fn methods_are_those_of_http() {
    for route in &ROUTES {
        assert!(Method::from_bytes(route.verb.as_str().as_bytes()).is_ok());
    }
}
