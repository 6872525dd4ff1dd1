//! Frameworks of JavaScript projects: how each is known, and where it listens.

use serde_json::Value;

use super::super::proposal::PortSetting;

/// A framework.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Framework {
    /// Its name, for the user.
    pub(crate) name: &'static str,
    /// The package that makes a project one of it.
    package: &'static str,
    /// A command that a script has which starts its server.
    program: &'static str,
    /// Where it listens when nothing else is said.
    pub(crate) port: u16,
    /// How another port is said.
    pub(crate) setting: PortSetting,
    /// What makes it listen on 127.0.0.1: its own `localhost` may be ::1, which many containers have no route to.
    pub(crate) loopback: Option<&'static str>,
    /// How likely it is the web service.
    pub(crate) web: u8,
}

const fn framework(
    name: &'static str,
    package: &'static str,
    program: &'static str,
    port: u16,
    setting: PortSetting,
    loopback: Option<&'static str>,
    web: u8,
) -> Framework {
    Framework {
        name,
        package,
        program,
        port,
        setting,
        loopback,
        web,
    }
}

const HOST: Option<&str> = Some("--host 127.0.0.1");
const PORT_OPTION: PortSetting = PortSetting::Option("--port");
const PORT_VARIABLE: PortSetting = PortSetting::Variable("PORT");

/// The more particular first: Remix brings Vite, Nest brings Express.
const FRAMEWORKS: &[Framework] = &[
    framework("Next.js", "next", "next", 3000, PORT_VARIABLE, None, 90),
    framework("Nuxt", "nuxt", "nuxt", 3000, PORT_OPTION, HOST, 90),
    framework("Astro", "astro", "astro", 4321, PORT_OPTION, HOST, 85),
    framework(
        "Remix",
        "@remix-run/dev",
        "remix vite:dev",
        5173,
        PORT_OPTION,
        HOST,
        90,
    ),
    framework("Remix", "@remix-run/dev", "remix", 3000, PORT_VARIABLE, None, 90),
    framework(
        "React Router",
        "@react-router/dev",
        "react-router",
        5173,
        PORT_OPTION,
        HOST,
        90,
    ),
    framework("SvelteKit", "@sveltejs/kit", "vite", 5173, PORT_OPTION, HOST, 90),
    framework("Angular", "@angular/cli", "ng serve", 4200, PORT_OPTION, HOST, 85),
    framework(
        "Create React App",
        "react-scripts",
        "react-scripts",
        3000,
        PORT_VARIABLE,
        None,
        85,
    ),
    framework("Gatsby", "gatsby", "gatsby", 8000, PORT_OPTION, None, 85),
    framework(
        "Vue CLI",
        "@vue/cli-service",
        "vue-cli-service",
        8080,
        PORT_OPTION,
        None,
        85,
    ),
    framework("Vite", "vite", "vite", 5173, PORT_OPTION, HOST, 85),
    framework(
        "webpack",
        "webpack-dev-server",
        "webpack",
        8080,
        PORT_OPTION,
        None,
        80,
    ),
    framework("Parcel", "parcel", "parcel", 1234, PORT_OPTION, None, 80),
    framework(
        "Eleventy",
        "@11ty/eleventy",
        "eleventy",
        8080,
        PORT_OPTION,
        None,
        80,
    ),
    framework("Nest", "@nestjs/core", "", 3000, PORT_VARIABLE, None, 60),
    framework("Fastify", "fastify", "", 3000, PORT_VARIABLE, None, 60),
    framework("Koa", "koa", "", 3000, PORT_VARIABLE, None, 60),
    framework("Hono", "hono", "", 3000, PORT_VARIABLE, None, 60),
    framework("Hapi", "@hapi/hapi", "", 3000, PORT_VARIABLE, None, 60),
    framework("Express", "express", "", 3000, PORT_VARIABLE, None, 60),
];

/// The framework that a script starts.
pub(crate) fn of(manifest: &Value, script: &str) -> Option<&'static Framework> {
    FRAMEWORKS
        .iter()
        .find(|candidate| depends_on(manifest, candidate.package) && starts(script, candidate.program))
}

/// Whether a manifest names a package among its dependencies.
pub(crate) fn depends_on(manifest: &Value, package: &str) -> bool {
    ["dependencies", "devDependencies"]
        .iter()
        .any(|kind| manifest[*kind].get(package).is_some())
}

/// Whether the words of `program` stand in a script, one after the other. No program is any one.
fn starts(script: &str, program: &str) -> bool {
    let wanted: Vec<&str> = program.split_whitespace().collect();
    let words: Vec<&str> = script
        .split(|character: char| character.is_whitespace() || "&;|\"'".contains(character))
        .filter(|word| !word.is_empty())
        .collect();
    wanted.is_empty() || words.windows(wanted.len()).any(|window| window == wanted)
}
