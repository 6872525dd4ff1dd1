//! Python: uv, Poetry, Pipenv or pip; Django, FastAPI, Flask.

use serde_json::Value;

use super::super::look::Part;
use super::super::names::ROOT_INSTALL;
use super::super::proposal::{PortSetting, Proposal, Role, Tool, Unit};
use super::{port_in_files, shell_word};

/// Modules that an application may lie in, by their files.
const MODULES: &[(&str, &str)] = &[
    ("app.py", "app"),
    ("main.py", "main"),
    ("wsgi.py", "wsgi"),
    ("asgi.py", "asgi"),
    ("server.py", "server"),
    ("api.py", "api"),
    ("application.py", "application"),
    ("run.py", "run"),
    ("app/main.py", "app.main"),
    ("app/__init__.py", "app"),
    ("app/app.py", "app.app"),
    ("src/main.py", "src.main"),
    ("src/app.py", "src.app"),
    ("src/app/main.py", "src.app.main"),
    ("api/main.py", "api.main"),
    ("backend/main.py", "backend.main"),
];

const VENV: Tool = Tool {
    check: "python3 -m ensurepip --version",
    packages: &["python3-venv"],
    then: None,
};

/// How a project's environment is made and entered.
struct Environment {
    name: &'static str,
    /// The task, unless there is nothing to install.
    install: Option<Unit>,
    /// Comes before a program of the environment: `uv run `.
    prefix: String,
    tools: Vec<Tool>,
    /// All text that says what is depended on, in lower case.
    requirements: String,
    /// Whether anything says that this directory is a project.
    is_described: bool,
}

/// What Python's manifests imply.
pub(crate) fn propose(part: Part<'_>) -> Option<Proposal> {
    let own = environment(part);
    let is_python = own.is_some() || part.has("manage.py");
    let shared = own.is_none().then(|| of_the_root(part)).flatten();
    let is_shared = shared.is_some();
    let environment = own.or(shared).unwrap_or_else(|| Environment {
        name: "no requirements",
        install: None,
        prefix: String::new(),
        tools: Vec::new(),
        requirements: String::new(),
        is_described: false,
    });
    let service = django(part, &environment)
        .or_else(|| asgi(part, &environment))
        .or_else(|| flask(part, &environment))
        .or_else(|| plain(part, &environment));
    if !is_python && service.is_none() {
        return None;
    }
    let framework = service.as_ref().map(|(framework, _)| *framework);
    let details: Vec<&str> = [environment.name].into_iter().chain(framework).collect();
    let mut proposal = Proposal::new(format!("Python ({})", details.join(", ")), part.path);
    let migrate = format!("{} manage.py migrate", interpreter(&environment));
    let installs = environment.install.is_some();
    proposal.units.extend(environment.install);
    proposal.tools = environment.tools;
    proposal.enter = installs.then_some(". .venv/bin/activate && ");
    let install: &[&str] = match (installs, is_shared) {
        (true, _) => &["install"],
        (false, true) => &[ROOT_INSTALL],
        (false, false) => &[],
    };
    if let Some((framework, service)) = service {
        if framework == "Django" {
            proposal.units.push(
                Unit::task("migrate", Role::Prepare, migrate)
                    .known_by(&["manage.py migrate"])
                    .needs(install),
            );
            proposal.units.push(service.needs(&["migrate"]));
        } else {
            proposal.units.push(service.needs(install));
        }
    }
    (!proposal.units.is_empty()).then_some(proposal)
}

/// The root's environment for a Django project in a directory that has none: `requirements.txt` beside `src/manage.py`.
fn of_the_root(part: Part<'_>) -> Option<Environment> {
    if part.is_root() || !part.has("manage.py") {
        return None;
    }
    let mut environment = environment(part.project())?;
    environment.install.take()?;
    if environment.prefix.starts_with(".venv") {
        let up = "../".repeat(part.path.split('/').count());
        environment.prefix.insert_str(0, &up);
    }
    Some(environment)
}

fn environment(part: Part<'_>) -> Option<Environment> {
    let project = part.toml("pyproject.toml");
    let empty = Value::Null;
    let tool = project.as_ref().map_or(&empty, |project| &project["tool"]);
    let requirements = [
        part.text("pyproject.toml"),
        part.text("requirements.txt"),
        part.text("Pipfile"),
    ]
    .into_iter()
    .flatten()
    .collect::<String>()
    .to_lowercase();
    let make = |name, install, prefix: &str, tools| {
        Some(Environment {
            name,
            install,
            prefix: prefix.to_owned(),
            tools,
            requirements: requirements.clone(),
            is_described: true,
        })
    };
    let task = |command: &str, input: &str| {
        Unit::task("install", Role::Install, command).once(vec![input.to_owned()], vec![".venv".to_owned()])
    };
    if part.has("uv.lock") || tool.get("uv").is_some() {
        let (command, input) = if part.has("uv.lock") {
            ("uv sync --locked", "uv.lock")
        } else {
            ("uv sync", "pyproject.toml")
        };
        let uv = Tool {
            check: "command -v uv",
            packages: &["python3-pip"],
            then: Some("sudo pip install --break-system-packages uv"),
        };
        return make("uv", Some(task(command, input)), "uv run ", vec![uv]);
    }
    if part.has("poetry.lock") || tool.get("poetry").is_some() {
        let input = if part.has("poetry.lock") {
            "poetry.lock"
        } else {
            "pyproject.toml"
        };
        let install = task("poetry install --no-interaction", input)
            .comment("In the workspace, so that a checkpoint and `run_once` see it.")
            .env("POETRY_VIRTUALENVS_IN_PROJECT", "true");
        let poetry = Tool {
            check: "command -v poetry",
            packages: &["python3-poetry"],
            then: None,
        };
        return make("Poetry", Some(install), "poetry run ", vec![poetry]);
    }
    if part.has("Pipfile") {
        let (command, input) = if part.has("Pipfile.lock") {
            ("pipenv sync", "Pipfile.lock")
        } else {
            ("pipenv install", "Pipfile")
        };
        let pipenv = Tool {
            check: "command -v pipenv",
            packages: &["pipenv"],
            then: None,
        };
        let install = task(command, input).env("PIPENV_VENV_IN_PROJECT", "1");
        return make("Pipenv", Some(install), "pipenv run ", vec![pipenv]);
    }
    if let Some(text) = part.text("requirements.txt") {
        let has_any = text
            .lines()
            .map(str::trim)
            .any(|line| !line.is_empty() && !line.starts_with('#'));
        if !has_any {
            return make("pip", None, "", Vec::new());
        }
        let command = "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt";
        return make(
            "pip",
            Some(task(command, "requirements.txt")),
            ".venv/bin/",
            vec![VENV],
        );
    }
    let is_project = project
        .as_ref()
        .is_some_and(|project| project.get("project").is_some());
    if !is_project {
        return None;
    }
    let command = "python3 -m venv .venv && .venv/bin/pip install -e .";
    make(
        "pip",
        Some(task(command, "pyproject.toml")),
        ".venv/bin/",
        vec![VENV],
    )
}

fn django(part: Part<'_>, environment: &Environment) -> Option<(&'static str, Unit)> {
    if !part.has("manage.py") {
        return None;
    }
    let command = format!("{} manage.py runserver 127.0.0.1:8000", interpreter(environment));
    let service = Unit::service("web", command)
        .port(8000, PortSetting::Fixed, true)
        .web(70)
        .known_by(&["manage.py runserver", "gunicorn", "uvicorn", "daphne"]);
    Some(("Django", service))
}

/// The interpreter of an environment; outside of one, Debian's, which has a number at its end.
fn interpreter(environment: &Environment) -> String {
    if environment.prefix.is_empty() {
        "python3".to_owned()
    } else {
        format!("{}python", environment.prefix)
    }
}

fn asgi(part: Part<'_>, environment: &Environment) -> Option<(&'static str, Unit)> {
    let found = application(part, environment, &["FastAPI(", "Starlette(", "Litestar("])?;
    let (module, variable) = (&found.module, &found.variable);
    let uses = |name: &str| environment.requirements.contains(name);
    let prefix = if environment.prefix.is_empty() {
        "python3 -m ".to_owned()
    } else {
        environment.prefix.clone()
    };
    let name = if uses("litestar") {
        "Litestar"
    } else if uses("fastapi") {
        "FastAPI"
    } else {
        "ASGI"
    };
    let factory = if variable == "create_app" {
        " --factory"
    } else {
        ""
    };
    let place = if found.is_in_source { " --app-dir src" } else { "" };
    let command =
        format!("{prefix}uvicorn {module}:{variable}{factory}{place} --reload --host 127.0.0.1 --port 8000");
    let service = Unit::service("web", command)
        .port(8000, PortSetting::Fixed, true)
        .web(60)
        .known_by(&["uvicorn", "fastapi dev", "fastapi run", "gunicorn"]);
    Some((name, service))
}

fn flask(part: Part<'_>, environment: &Environment) -> Option<(&'static str, Unit)> {
    let mut constructors = vec!["Flask(", "Quart("];
    if environment.requirements.contains("flask") {
        // `app = create_app()`, with the function in another file.
        constructors.push("create_app(");
    }
    let Application {
        module,
        variable,
        is_in_source,
    } = application(part, environment, &constructors)?;
    // Flask takes a path, too, and imports from where the package lies.
    let module = if is_in_source {
        format!("src/{}", module.replace('.', "/"))
    } else {
        module
    };
    let prefix = if environment.prefix.is_empty() {
        "python3 -m ".to_owned()
    } else {
        environment.prefix.clone()
    };
    // A function that makes the application is found by the module's name alone.
    let target = if variable == "create_app" {
        module.clone()
    } else {
        format!("{module}:{variable}")
    };
    let command = format!(
        "{prefix}flask --app {} run --debug --host 127.0.0.1 --port 5000",
        shell_word(&target)
    );
    let service = Unit::service("web", command)
        .port(5000, PortSetting::Fixed, true)
        .web(60)
        .known_by(&["flask run", "flask --app", "gunicorn"]);
    Some(("Flask", service))
}

/// A program that listens without a framework that is known here.
fn plain(part: Part<'_>, environment: &Environment) -> Option<(&'static str, Unit)> {
    const SERVERS: &[&str] = &[
        "http.server",
        "HTTPServer(",
        "socketserver",
        "aiohttp",
        "tornado",
        "bottle",
        "Sanic(",
    ];
    let file = ["app.py", "main.py", "server.py", "run.py"]
        .into_iter()
        .find(|file| {
            part.text(file)
                .is_some_and(|text| SERVERS.iter().any(|server| text.contains(server)))
        })?;
    let mut service = Unit::service("web", format!("{} {file}", interpreter(environment)))
        .comment("Unbuffered, so that its log is there when it is wanted.")
        .env("PYTHONUNBUFFERED", "1")
        .known_by(&[file])
        .web(50);
    if let Some(port) = port_in_files(part, &[file]) {
        service = service.port(port, PortSetting::Fixed, true);
    }
    Some(("a server of its own", service))
}

/// Modules of the packages in a directory, or in its `src`, by their files.
fn packages<'look>(part: Part<'look>) -> impl Iterator<Item = (String, String)> + use<'look> {
    let in_source = part.children().filter(|child| child.name() == "src");
    let all = part
        .children()
        .chain(in_source.flat_map(|source| source.children()));
    let is_source =
        move |package: &Part<'_>| package.path == part.path_of(&format!("src/{}", package.name()));
    let is_name = |name: &str| {
        name.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    // What lies in `src` is a package with that file or without.
    all.filter(move |package| is_name(package.name()) && (package.has("__init__.py") || is_source(package)))
        .flat_map(move |package| {
            let below = package
                .path
                .strip_prefix(part.path)
                .unwrap_or(package.path)
                .trim_start_matches('/');
            // An installed package is found by its own name, wherever its source lies.
            let name = package.name();
            [
                ("__init__", name.to_owned()),
                ("app", format!("{name}.app")),
                ("main", format!("{name}.main")),
                ("api", format!("{name}.api")),
            ]
            .map(|(file, module)| (format!("{below}/{file}.py"), module))
        })
}

/// Where an application is made.
struct Application {
    module: String,
    variable: String,
    /// Whether its package lies in `src` and nothing installs it, so that Python has to be told.
    is_in_source: bool,
}

/// The module and variable where one of these constructors is called.
fn application(part: Part<'_>, environment: &Environment, constructors: &[&str]) -> Option<Application> {
    let is_package = environment.is_described;
    let fixed = MODULES
        .iter()
        // What lies below a directory that says nothing of Python is a project of its own.
        .filter(|(file, _)| is_package || !file.contains('/'))
        .map(|(file, module)| ((*file).to_owned(), (*module).to_owned()));
    let named = packages(part).filter(|_| is_package);
    fixed.chain(named).find_map(|(file, module)| {
        let text = part.text(&file)?;
        let line = text
            .lines()
            .find(|line| constructors.iter().any(|constructor| line.contains(constructor)))?;
        let variable = line
            .split_once('=')
            .map(|(left, _)| left.split(':').next().unwrap_or_default().trim())
            .filter(|name| !name.is_empty() && !line.starts_with(char::is_whitespace))
            .filter(|name| {
                name.bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            });
        let variable = match variable {
            Some(variable) => variable,
            None if text.contains("def create_app(") => "create_app",
            None => return None,
        };
        let is_in_source = file.starts_with("src/")
            && !module.starts_with("src.")
            && !environment.requirements.contains("[build-system]");
        Some(Application {
            module,
            variable: variable.to_owned(),
            is_in_source,
        })
    })
}
