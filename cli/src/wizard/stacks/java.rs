//! Java and Kotlin: Maven or Gradle; Spring Boot, Quarkus, Micronaut, or Gradle's `application`.

use std::sync::LazyLock;

use regex::Regex;

use super::super::look::Part;
use super::super::proposal::{PortSetting, Proposal, Role, Tool, Unit};

const MAVEN: Tool = Tool {
    check: "command -v mvn",
    packages: &["maven", "default-jdk-headless"],
    then: None,
};
const GRADLE: Tool = Tool {
    check: "command -v gradle",
    packages: &["gradle", "default-jdk-headless"],
    then: None,
};
const JAVA: Tool = Tool {
    check: "command -v javac",
    packages: &["default-jdk-headless"],
    then: None,
};

/// What a build file implies.
pub(crate) fn propose(part: Part<'_>) -> Option<Proposal> {
    if part.has("pom.xml") {
        return maven(part);
    }
    let file = part.first_of(&["build.gradle.kts", "build.gradle"])?;
    gradle(part, file)
}

fn maven(part: Part<'_>) -> Option<Proposal> {
    let build = part.text("pom.xml")?;
    let (program, tool) = if part.has("mvnw") {
        ("./mvnw", JAVA)
    } else {
        ("mvn", MAVEN)
    };
    let (framework, goal) = if build.contains("spring-boot") {
        (Some("Spring Boot"), "spring-boot:run")
    } else if build.contains("quarkus") {
        (Some("Quarkus"), "quarkus:dev")
    } else if build.contains("micronaut") {
        (Some("Micronaut"), "mn:run")
    } else {
        (None, "")
    };
    let install = Unit::task(
        "build",
        Role::Install,
        format!("{program} --batch-mode -DskipTests compile"),
    )
    .once(vec!["pom.xml".to_owned()], vec!["target".to_owned()]);
    let service = format!("{program} --batch-mode {goal}");
    Some(together(
        part,
        "Maven",
        framework,
        install,
        tool,
        &service,
        &["mvn", "mvnw"],
    ))
}

fn gradle(part: Part<'_>, file: &str) -> Option<Proposal> {
    let build = part.text(file)?;
    let (program, tool) = if part.has("gradlew") {
        ("./gradlew", JAVA)
    } else {
        ("gradle", GRADLE)
    };
    let (framework, task) = if build.contains("org.springframework.boot") {
        (Some("Spring Boot"), "bootRun")
    } else if build.contains("io.quarkus") {
        (Some("Quarkus"), "quarkusDev")
    } else if build.contains("io.micronaut") {
        (Some("Micronaut"), "run")
    } else if build.contains("io.ktor") {
        (Some("Ktor"), "run")
    } else {
        (None, "")
    };
    let install = Unit::task("build", Role::Install, format!("{program} --no-daemon classes"))
        .once(vec![file.to_owned()], vec!["build".to_owned()]);
    // The daemon would outlive the service.
    let service = format!("{program} --no-daemon {task}");
    Some(together(
        part,
        "Gradle",
        framework,
        install,
        tool,
        &service,
        &["gradle", "gradlew"],
    ))
}

fn together(
    part: Part<'_>,
    builder: &'static str,
    framework: Option<&'static str>,
    install: Unit,
    tool: Tool,
    command: &str,
    known_by: &[&str],
) -> Proposal {
    let details: Vec<&str> = [builder].into_iter().chain(framework).collect();
    let mut proposal = Proposal::new(format!("Java ({})", details.join(", ")), part.path);
    proposal.tools = vec![tool];
    proposal.units.push(install);
    if framework.is_some() {
        let port = configured_port(part);
        proposal.units.push(
            Unit::service("web", command)
                .needs(&["build"])
                .port(port.unwrap_or(8080), PortSetting::Fixed, true)
                .slow()
                .web(65)
                .known_by(known_by),
        );
    }
    proposal
}

/// `server.port` of Spring and Micronaut, `quarkus.http.port`.
fn configured_port(part: Part<'_>) -> Option<u16> {
    static PORT: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(
            r"(?m)^\s*(?:(?:server|quarkus\.http|micronaut\.server)\.)?port\s*[=:]\s*(?:\$\{\w+:)?(\d{2,5})",
        )
        .ok()
    });
    ["application.properties", "application.yml", "application.yaml"]
        .iter()
        .filter_map(|name| part.text(&format!("src/main/resources/{name}")))
        .find_map(|text| super::first_port(PORT.as_ref(), text))
}
