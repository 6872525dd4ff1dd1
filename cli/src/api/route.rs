//! The one table of what the API can do: requests are led by it, and the document is made of it.

use http::Method;
use serde::{Deserialize, Serialize};

use super::path;
use super::schema::Object;

/// What can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Operation {
    /// All service specs.
    ListServiceSpecs,
    /// A new service spec.
    CreateServiceSpec,
    /// One of them.
    GetServiceSpec,
    /// Other content for one.
    ReplaceServiceSpec,
    /// One less.
    DeleteServiceSpec,
    /// All setup scripts.
    ListSetupScripts,
    /// A new setup script.
    CreateSetupScript,
    /// One of them.
    GetSetupScript,
    /// Other content for one.
    ReplaceSetupScript,
    /// One less.
    DeleteSetupScript,
    /// All boxes.
    ListWorkspaces,
    /// A new box without a project.
    CreateWorkspace,
    /// One of them.
    GetWorkspace,
    /// One less; its work is saved.
    DeleteWorkspace,
    /// Starts a box.
    StartWorkspace,
    /// Stops a box.
    StopWorkspace,
    /// Stops and starts a box.
    RestartWorkspace,
    /// The apps of a box.
    ListApps,
    /// A new app.
    CreateApp,
    /// One less.
    DeleteApp,
    /// The checkpoints of a box.
    ListSnapshots,
    /// A new checkpoint.
    CreateSnapshot,
    /// One less.
    DeleteSnapshot,
}

/// A method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    /// `GET`
    Get,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `DELETE`
    Delete,
}

impl Verb {
    /// As a request has it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// What is sent back where it worked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Success {
    /// 201, and an object.
    Created(Object),
    /// 200, and an object.
    One(Object),
    /// 200, and a list of them.
    List(Object),
    /// 204.
    Done,
}

/// One thing that can be done, and what for.
#[derive(Debug)]
pub(super) struct Route {
    /// The method.
    pub(super) verb: Verb,
    /// The path, with `{…}` for what a client names.
    pub(super) path: &'static str,
    /// What is done.
    pub(super) operation: Operation,
    /// For people.
    pub(super) summary: &'static str,
    /// What has to be sent.
    pub(super) body: Option<Object>,
    /// What comes back.
    pub(super) success: Success,
    /// Statuses that are answered beside those of [`EVERYWHERE`] and those of a body.
    pub(super) errors: &'static [u16],
}

/// Statuses that every operation can answer.
pub(super) const EVERYWHERE: [u16; 5] = [401, 403, 500, 503, 504];
/// Statuses that every operation can answer to which something is sent.
pub(super) const WITH_BODY: [u16; 5] = [400, 408, 413, 415, 422];

const SPECS: &str = "/api/service-specs";
const SPEC: &str = "/api/service-specs/{id}";
const SCRIPTS: &str = "/api/setup-scripts";
const SCRIPT: &str = "/api/setup-scripts/{id}";
const BOXES: &str = "/api/workspaces";
const BOX: &str = "/api/workspaces/{id}";
const APPS: &str = "/api/workspaces/{id}/apps";
const SNAPSHOTS: &str = "/api/workspaces/{id}/snapshots";

const fn route(
    verb: Verb,
    path: &'static str,
    operation: Operation,
    body: Option<Object>,
    success: Success,
    errors: &'static [u16],
    summary: &'static str,
) -> Route {
    Route {
        verb,
        path,
        operation,
        summary,
        body,
        success,
        errors,
    }
}

/// Everything.
#[rustfmt::skip]
pub(super) const ROUTES: [Route; 23] = {
    use Object::*;
    use Operation::*;
    use Success::{Created, Done, List, One};
    use Verb::*;
    [
        route(Get, SPECS, ListServiceSpecs, None, List(ServiceSpec), &[], "List service specs"),
        route(Post, SPECS, CreateServiceSpec, Some(ServiceSpecDraft), Created(ServiceSpec), &[409], "Create a service spec"),
        route(Get, SPEC, GetServiceSpec, None, One(ServiceSpec), &[404], "Show a service spec"),
        route(Put, SPEC, ReplaceServiceSpec, Some(ServiceSpecDraft), One(ServiceSpec), &[404, 409], "Replace a service spec; boxes have it from their next start on"),
        route(Delete, SPEC, DeleteServiceSpec, None, Done, &[404], "Delete a service spec"),
        route(Get, SCRIPTS, ListSetupScripts, None, List(SetupScript), &[], "List setup scripts"),
        route(Post, SCRIPTS, CreateSetupScript, Some(SetupScriptDraft), Created(SetupScript), &[409], "Create a setup script"),
        route(Get, SCRIPT, GetSetupScript, None, One(SetupScript), &[404], "Show a setup script"),
        route(Put, SCRIPT, ReplaceSetupScript, Some(SetupScriptDraft), One(SetupScript), &[404, 409], "Replace a setup script; boxes have it from their next start on"),
        route(Delete, SCRIPT, DeleteSetupScript, None, Done, &[404], "Delete a setup script"),
        route(Get, BOXES, ListWorkspaces, None, List(Workspace), &[], "List boxes"),
        route(Post, BOXES, CreateWorkspace, Some(WorkspaceDraft), Created(Workspace), &[409], "Make a box without a project; answered when its supervisor answers"),
        route(Get, BOX, GetWorkspace, None, One(Workspace), &[404], "Show a box"),
        route(Delete, BOX, DeleteWorkspace, None, Done, &[404, 409], "Remove a box, after saving work that is only in it"),
        route(Post, "/api/workspaces/{id}/start", StartWorkspace, None, One(Workspace), &[404, 409, 422], "Start a box; one that is paused goes on"),
        route(Post, "/api/workspaces/{id}/stop", StopWorkspace, None, One(Workspace), &[404, 409], "Stop a box"),
        route(Post, "/api/workspaces/{id}/restart", RestartWorkspace, None, One(Workspace), &[404, 409, 422], "Stop a box and start it again"),
        route(Get, APPS, ListApps, None, List(App), &[404], "List the apps of a box"),
        route(Post, APPS, CreateApp, Some(AppDraft), Created(App), &[404, 409], "Give a port of a box a URL"),
        route(Delete, "/api/workspaces/{id}/apps/{app}", DeleteApp, None, Done, &[404, 409], "Delete an app"),
        route(Get, SNAPSHOTS, ListSnapshots, None, List(Snapshot), &[404], "List the checkpoints that were taken of a box"),
        route(Post, SNAPSHOTS, CreateSnapshot, Some(SnapshotDraft), Created(Snapshot), &[404, 409], "Take a checkpoint of a box"),
        route(Delete, "/api/workspaces/{id}/snapshots/{snapshot}", DeleteSnapshot, None, Done, &[404, 409], "Delete a checkpoint"),
    ]
};

/// Where a request leads.
#[derive(Debug)]
pub(super) enum Found {
    /// To a route, with what stands for its `{…}`.
    Route(&'static Route, Vec<String>),
    /// To a path that takes other methods.
    Methods(Vec<&'static str>),
    /// Nowhere.
    Nothing,
}

/// Finds the route of a request.
pub(super) fn find(method: &Method, path: &str) -> Found {
    let Some(words) = path::words(path) else {
        return Found::Nothing;
    };
    let mut methods = Vec::new();
    for route in &ROUTES {
        if let Some(names) = names(route.path, &words) {
            if method.as_str() == route.verb.as_str() {
                return Found::Route(route, names);
            }
            methods.push(route.verb.as_str());
        }
    }
    if methods.is_empty() {
        Found::Nothing
    } else {
        Found::Methods(methods)
    }
}

/// What stands for the `{…}` of a pattern; `None` where the words are other ones.
fn names(pattern: &str, words: &[String]) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut words = words.iter();
    for expected in pattern.trim_start_matches('/').split('/') {
        let word = words.next()?;
        if expected.starts_with('{') {
            names.push(word.clone());
        } else if word != expected {
            return None;
        }
    }
    words.next().is_none().then_some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_found_by_its_own_path() {
        for route in &ROUTES {
            let path = route.path.replace("{id}", "a%20b").replace("{app}", "c");
            let path = path.replace("{snapshot}", "c");
            let method = route.verb.as_str().parse().unwrap();
            let Found::Route(found, names) = find(&method, &path) else {
                panic!("{path}")
            };
            assert_eq!(found.operation, route.operation);
            assert_eq!(names.len(), route.path.matches('{').count());
            assert!(names.first().is_none_or(|name| name == "a b"));
        }
    }

    #[test]
    fn what_leads_nowhere() {
        for path in [
            "/api",
            "/api/",
            "/api/x",
            "/api/service-specs/",
            "/api//service-specs",
            "/api/./service-specs",
            "/api/service-specs/a/b",
            "/api/workspaces/a/start/b",
            "/API/service-specs",
            "/api/%2e%2e/api/service-specs",
        ] {
            assert!(matches!(find(&Method::GET, path), Found::Nothing), "{path}");
        }
        let Found::Methods(methods) = find(&Method::PATCH, "/api/service-specs/a") else {
            panic!()
        };
        assert_eq!(methods, ["GET", "PUT", "DELETE"]);
        // A slash that is part of a name is no slash.
        assert!(matches!(
            find(&Method::GET, "/api/service-specs/a%2Fb"),
            Found::Route(..)
        ));
    }
}
