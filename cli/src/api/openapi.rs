//! The document of the API, in OpenAPI 3.1, made of the table and the schemas.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::error::CODES;
use super::route::{EVERYWHERE, ROUTES, Route, Success, WITH_BODY};
use super::schema::Object;
use crate::supervisor_binary;

/// The document.
pub(super) fn document() -> Value {
    let mut paths: BTreeMap<&str, Value> = BTreeMap::new();
    for route in &ROUTES {
        let verb = route.verb.as_str().to_ascii_lowercase();
        paths.entry(route.path).or_insert_with(|| json!({}))[verb] = operation(route);
    }
    let schemas: BTreeMap<String, Value> = Object::ALL
        .iter()
        .map(|object| (object.name(), object.schema()))
        .collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "agentbox",
            "version": supervisor_binary::VERSION,
            "description": "Service specs, setup scripts and boxes of one person on one machine.",
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {
                "type": "http",
                "scheme": "bearer",
                "description": "What `agentbox api enable` printed.",
            }},
        },
    })
}

fn operation(route: &Route) -> Value {
    let mut responses = BTreeMap::new();
    let with_body = route.body.map(|_| WITH_BODY.as_slice()).unwrap_or_default();
    let errors = EVERYWHERE.iter().chain(with_body).chain(route.errors);
    for status in errors {
        responses.insert(status.to_string(), failed(*status));
    }
    let (status, response) = succeeded(route.success);
    responses.insert(status.to_owned(), response);
    let id = serde_json::to_value(route.operation).unwrap_or_default();
    let mut operation = json!({
        "operationId": id,
        "summary": route.summary,
        "responses": responses,
    });
    let parameters: Vec<Value> = route
        .path
        .split('/')
        .filter_map(|word| word.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| {
            json!({
                "name": name,
                "in": "path",
                "required": true,
                "description": "An id or a name.",
                "schema": {"type": "string", "minLength": 1},
            })
        })
        .collect();
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if let Some(body) = route.body {
        operation["requestBody"] = json!({"required": true, "content": content(body.reference())});
    }
    operation
}

fn content(schema: Value) -> Value {
    json!({"application/json": {"schema": schema}})
}

fn succeeded(success: Success) -> (&'static str, Value) {
    match success {
        Success::Created(object) => (
            "201",
            json!({"description": "Made.", "content": content(object.reference())}),
        ),
        Success::One(object) => (
            "200",
            json!({"description": "As it is now.", "content": content(object.reference())}),
        ),
        Success::List(object) => (
            "200",
            json!({
                "description": "All of them.",
                "content": content(json!({"type": "array", "items": object.reference()})),
            }),
        ),
        Success::Done => ("204", json!({"description": "Done."})),
    }
}

fn failed(status: u16) -> Value {
    let known = CODES.iter().find(|(known, ..)| *known == status);
    let mut response = json!({
        "description": known.map_or("", |(.., description)| description),
        "content": content(Object::Error.reference()),
    });
    if status == 401 {
        response["headers"] = json!({"WWW-Authenticate": {"schema": {"type": "string"}}});
    }
    response
}
