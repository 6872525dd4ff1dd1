//! What a box can say that is not meant well.

use super::*;
use agentbox_ctl::failure::Failure;

/// A text that would retitle, recolour and clear the screen, turn its direction and break its lines.
const EVIL: &str = "\u{1b}]0;title\u{7}\u{1b}[2J\u{1b}[31mred\u{9b}1;1H\u{202e}\r\n\ttext\u{7f}";

fn is_clean(model: &mut Model) {
    let screen = drawn(model);
    for cell in screen.buffer().content() {
        assert!(
            !cell.symbol().chars().any(agentbox_ctl::report::is_unwanted)
                && !cell.symbol().contains(['\n', '\t']),
            "{:?}",
            cell.symbol()
        );
    }
}

#[test]
fn no_control_reaches_the_screen_from_anywhere() {
    let mut model = model(size(120, 40));
    let mut evil = service(EVIL, ServiceState::Waiting);
    evil.blocked_on = vec![EVIL.to_owned()];
    evil.reason = Some(EVIL.to_owned());
    let mut units = report(vec![evil], Vec::new());
    units.errors = vec![EVIL.to_owned()];
    tell(&mut model, "shop", News::Units(units));
    tell(
        &mut model,
        "shop",
        News::Details(Details {
            needs: Some(Err(super::super::plain::clean(EVIL))),
            ..details()
        }),
    );
    tell(
        &mut model,
        "shop",
        News::Event(event(
            99,
            2_500,
            EventKind::ServiceState,
            EVIL,
            "pending",
            "waiting",
        )),
    );
    for tab in ["1", "2", "3", "a"] {
        let _ = effects(&mut model, tab);
        output(&mut model, EVIL, EVIL);
        is_clean(&mut model);
    }
    let subscription = model.focus().unwrap().subscription;
    feed(
        &mut model,
        Input::Logs(subscription, LogNews::Note(EVIL.to_owned())),
    );
    tell(
        &mut model,
        "shop",
        News::Trouble(Failure::failed(EVIL).cause(EVIL)),
    );
    is_clean(&mut model);
    feed(&mut model, Input::Engine(Failure::failed(EVIL)));
    feed(
        &mut model,
        Input::Outcome(1, Err(Failure::failed(EVIL).cause(EVIL).hint(EVIL))),
    );
    is_clean(&mut model);
    feed(&mut model, Input::Outcome(1, Ok(EVIL.to_owned())));
    let _ = effects(&mut model, "r");
    is_clean(&mut model);
}

#[test]
fn needs_in_a_circle_and_of_nobody_end() {
    let mut model = model(size(120, 40));
    let needs = |units: &[&str]| Needs {
        units: units.iter().map(ToString::to_string).collect(),
        looks: false,
    };
    let circle = HashMap::from([
        ("db".to_owned(), needs(&["web"])),
        ("web".to_owned(), needs(&["migrate", "nobody"])),
        ("migrate".to_owned(), needs(&["db", "db"])),
    ]);
    let mut units = units();
    for task in &mut units.tasks {
        task.state = TaskState::Waiting;
        task.blocked_on = vec!["migrate".to_owned(), "install".to_owned()];
    }
    tell(&mut model, "shop", News::Units(units));
    tell(
        &mut model,
        "shop",
        News::Details(Details {
            needs: Some(Ok(circle)),
            ..details()
        }),
    );
    let _ = effects(&mut model, "2");
    let screen = text(&mut model);
    assert!(
        screen.contains("no unit of this box") && screen.contains("as above"),
        "{screen}"
    );
}

#[test]
fn two_hundred_units_in_a_chain_stay_usable() {
    let mut model = model(size(80, 24));
    let name = |number: usize| format!("unit-{number:03}");
    let services = (0..200).map(|number| {
        let mut service = service(&name(number), ServiceState::Waiting);
        service.blocked_on = vec![name(number + 1)];
        service
    });
    tell(
        &mut model,
        "shop",
        News::Units(report(services.collect(), Vec::new())),
    );
    let needs = (0..200).map(|number| {
        let units = (number + 1..200).map(name).collect();
        (name(number), Needs { units, looks: false })
    });
    tell(
        &mut model,
        "shop",
        News::Details(Details {
            needs: Some(Ok(needs.collect())),
            ..details()
        }),
    );
    press(&mut model, "\tG");
    assert!(text(&mut model).contains("> unit-199"));
    press(&mut model, "g\u{1b}[6~");
    let _ = effects(&mut model, "2");
    let lines = super::super::model::tree(model.selected().unwrap());
    assert!(lines.len() <= 2_000, "{}", lines.len());
    assert!(lines.iter().all(|line| line.prefix.chars().count() <= 3 * 33));
    press(&mut model, "G");
    let _ = text(&mut model);
}

#[test]
fn events_without_end_are_kept_in_bounds() {
    let mut model = model(size(80, 24));
    for seq in 0..25_000 {
        let news = News::Event(event(
            seq,
            seq,
            EventKind::ServiceState,
            "db",
            "running",
            "backoff",
        ));
        tell(&mut model, "shop", news);
    }
    let _ = effects(&mut model, "3");
    let screen = text(&mut model);
    assert!(
        screen.contains("no longer kept") || screen.contains("not settled"),
        "{screen}"
    );
    assert!(model.selected().unwrap().event_count() <= 10_000);
}
