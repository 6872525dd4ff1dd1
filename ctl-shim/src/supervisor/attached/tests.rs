use super::*;
use crate::config::{LoadOptions, load};
use crate::spec::attached::Copy;
use crate::spec::{Origin, ServiceSpecFields, SetupScript, SetupScriptFields};
use crate::time::Timestamp;

fn copy<T>(content: T) -> Copy<T> {
    let origin = Origin {
        host: "h".to_owned(),
        home: "/home/me".to_owned(),
    };
    Copy { origin, content }
}

fn spec(name: &str) -> Copy<ServiceSpec> {
    copy(ServiceSpec {
        id: format!("svc_{name}"),
        fields: ServiceSpecFields {
            name: name.to_owned(),
            exec_start: "/bin/true".to_owned(),
            ..ServiceSpecFields::default()
        },
        created_at: Timestamp::from_millis(1),
        updated_at: Timestamp::from_millis(2),
    })
}

fn script(name: &str) -> Copy<SetupScript> {
    copy(SetupScript {
        id: format!("ss_{name}"),
        fields: SetupScriptFields {
            name: name.to_owned(),
            content: "true\n".to_owned(),
            ..SetupScriptFields::default()
        },
        created_at: Timestamp::from_millis(1),
        updated_at: Timestamp::from_millis(2),
    })
}

/// A state directory.
struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("private")).unwrap();
        Self { directory }
    }

    fn options(&self, resume: bool) -> Options {
        Options {
            state_directory: self.directory.path().to_owned(),
            resume,
            ..Options::default()
        }
    }

    fn file(&self) -> PathBuf {
        self.options(false).private().join(paths::ATTACHED_NAME)
    }

    fn attach(&self, attachments: &Attachments) {
        settings::replace(&self.file(), &serde_json::to_vec(attachments).unwrap()).unwrap();
    }
}

fn names(marks: &[Mark]) -> String {
    marks
        .iter()
        .map(|mark| mark.name.as_str())
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn everything_waits_for_the_last_script() {
    let attached = Attached::of(Attachments {
        service_specs: vec![spec("q"), spec("api")],
        setup_scripts: vec![script("one"), script("two")],
        ..Attachments::default()
    });
    let yaml = "services: {web: {command: x, needs: [rigbox-svc-q]}}\ntasks: {t: {command: x}}\n";
    let mut config = load(yaml, &LoadOptions::default()).config.unwrap();
    attached.add_to(&mut config);
    let shown: Vec<String> = config
        .units
        .iter()
        .map(|unit| format!("{}: {}", unit.name, unit.needs.join(" ")))
        .collect();
    assert_eq!(
        shown,
        [
            "setup-one: ",
            "setup-two: setup-one",
            "rigbox-svc-q: setup-two",
            "rigbox-svc-api: setup-two",
            "web: rigbox-svc-q setup-two",
            "t: setup-two",
        ]
    );
    assert!(crate::graph::Graph::new(&config).cycles().is_empty());
}

#[test]
fn what_is_damaged_is_left_out_and_named() {
    let mut bad_command = spec("bad");
    bad_command.content.fields.exec_start = "'x".to_owned();
    let mut bad_id = script("id");
    bad_id.content.id = "../../etc/passwd".to_owned();
    let attached = Attached::of(Attachments {
        service_specs: vec![bad_command, spec("good"), spec("good")],
        setup_scripts: vec![bad_id],
        ..Attachments::default()
    });
    let units: Vec<&str> = attached.units.iter().map(|unit| unit.name.as_str()).collect();
    assert_eq!(units, ["rigbox-svc-good"]);
    insta::assert_snapshot!(attached.errors.join("\n"), @r#"
    the setup script "id" is damaged, and left out
    the service spec "bad" is left out: exec_start: the ' at character 1 is never closed
    two things are attached as rigbox-svc-good; the first one counts
    "#);
}

#[test]
fn a_file_that_cannot_be_read_attaches_nothing() {
    let place = Place::new();
    fs::write(place.file(), "{\"serviceSpecs\": [{").unwrap();
    let attached = Attached::begin(&place.options(false));
    assert!(attached.units.is_empty());
    let errors = attached.errors();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(
        errors[0].contains("attached.json") && errors[0].contains("nothing is attached"),
        "{errors:?}"
    );
    fs::remove_file(place.file()).unwrap();
    assert!(Attached::begin(&place.options(false)).errors().is_empty());
}

#[test]
fn a_crash_changes_nothing_and_a_start_does() {
    let place = Place::new();
    let with = |name: &str| Attachments {
        service_specs: vec![spec(name)],
        ..Attachments::default()
    };
    place.attach(&with("old"));
    let attached = Attached::begin(&place.options(false));
    place.attach(&with("new"));
    let marks = attached.marks();
    assert_eq!(
        (names(&marks.now), names(&marks.next)),
        ("old".to_owned(), "new".to_owned())
    );
    fs::write(place.file(), "no").unwrap();
    assert!(attached.marks().next.is_empty());
    assert_eq!(attached.errors().len(), 1);

    assert_eq!(names(&Attached::begin(&place.options(true)).marks().now), "old");
    place.attach(&with("new"));
    assert_eq!(names(&Attached::begin(&place.options(false)).marks().now), "new");
    fs::remove_file(place.file()).unwrap();
    assert!(Attached::begin(&place.options(false)).marks().is_empty());
    assert!(Attached::begin(&place.options(true)).marks().is_empty());
}

#[test]
fn scripts_are_told_to_run_again_once() {
    let place = Place::new();
    let markers = place.options(false).run_once();
    fs::create_dir(&markers).unwrap();
    let put = || {
        fs::write(markers.join("setup-ss_one"), "").unwrap();
        fs::write(markers.join("install"), "").unwrap();
    };
    put();
    place.attach(&Attachments {
        setup_scripts: vec![script("one")],
        rerun_setup: true,
        ..Attachments::default()
    });
    let attached = Attached::begin(&place.options(false));
    assert!(!markers.join("setup-ss_one").exists() && markers.join("install").exists());
    assert!(attached.errors().is_empty());
    put();
    Attached::begin(&place.options(true));
    Attached::begin(&place.options(false));
    assert!(markers.join("setup-ss_one").exists());
    assert_eq!(fs::metadata(place.file()).unwrap().mode() & 0o777, 0o600);
}
