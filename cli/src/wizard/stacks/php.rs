//! PHP: Composer, Laravel, Symfony, or just files.

use super::super::look::Part;
use super::super::proposal::{PortSetting, Proposal, Role, Tool, Unit};

const PHP: Tool = Tool {
    check: "command -v php",
    packages: &[
        "php-cli",
        "php-curl",
        "php-mbstring",
        "php-sqlite3",
        "php-xml",
        "php-zip",
    ],
    then: None,
};
const COMPOSER: Tool = Tool {
    check: "command -v composer",
    packages: &["composer"],
    then: None,
};

/// What `composer.json`, or an `index.php`, implies.
pub(crate) fn propose(part: Part<'_>) -> Option<Proposal> {
    let manifest = part.json("composer.json");
    let index = part.first_of(&["public/index.php", "index.php", "web/index.php"]);
    if manifest.is_none() && index.is_none() {
        return None;
    }
    let laravel = part.has("artisan");
    let requires = manifest
        .as_ref()
        .and_then(|manifest| manifest["require"].as_object());
    let packages = requires.is_some_and(|packages| {
        packages
            .keys()
            .any(|name| name != "php" && !name.starts_with("ext-"))
    });
    let mut details = Vec::new();
    if packages {
        details.push("Composer");
    }
    if laravel {
        details.push("Laravel");
    } else if requires.is_some_and(|packages| packages.contains_key("symfony/framework-bundle")) {
        details.push("Symfony");
    }
    let found = if details.is_empty() {
        "PHP".to_owned()
    } else {
        format!("PHP ({})", details.join(", "))
    };
    let mut proposal = Proposal::new(found, part.path);
    proposal.tools = vec![PHP];
    let mut needs: &[&str] = &[];
    if packages {
        proposal.tools.push(COMPOSER);
        let lock = if part.has("composer.lock") {
            "composer.lock"
        } else {
            "composer.json"
        };
        proposal.units.push(
            Unit::task("install", Role::Install, "composer install --no-interaction")
                .once(vec![lock.to_owned()], vec!["vendor".to_owned()]),
        );
        needs = &["install"];
    }
    if laravel {
        if part.has(".env.example") {
            proposal.units.push(
                Unit::task(
                    "configure",
                    Role::Prepare,
                    "cp .env.example .env && php artisan key:generate",
                )
                .comment("Only where no .env came along.")
                .needs(needs)
                .once_checked("test -e .env"),
            );
            needs = &["configure"];
        }
        proposal.units.push(
            Unit::task("migrate", Role::Prepare, "php artisan migrate --force")
                .known_by(&["artisan migrate"])
                .needs(needs),
        );
        proposal.units.push(
            Unit::service("web", "php artisan serve --host=127.0.0.1 --port=8000")
                .needs(&["migrate"])
                .port(8000, PortSetting::Fixed, true)
                // Above the Vite server that hands out its assets.
                .web(95)
                .known_by(&["artisan serve"]),
        );
    } else if let Some(index) = index {
        let root = index.strip_suffix("/index.php");
        let directory = root.map_or(String::new(), |root| format!(" -t {root}"));
        proposal.units.push(
            Unit::service("web", format!("php -S 127.0.0.1:8000{directory}"))
                .needs(needs)
                .port(8000, PortSetting::Fixed, true)
                .web(60)
                .known_by(&["php -S"]),
        );
    }
    (!proposal.units.is_empty()).then_some(proposal)
}
