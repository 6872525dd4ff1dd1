//! What keys do.

use super::super::model::{Action, BoxVerb, Pane, Tab, UnitVerb};
use super::*;
use agentbox_ctl::failure::Failure;

fn actions(model: &mut Model, keys: &str) -> Vec<(String, Action)> {
    let jobs = effects(model, keys).into_iter().map(|effect| match effect {
        Effect::Act(job) => (job.info.name, job.action),
        other => panic!("{other:?}"),
    });
    jobs.collect()
}

fn job(model: &mut Model, keys: &str) -> (String, Action) {
    let mut all = actions(model, keys);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

fn told(model: &Model) -> String {
    model.notice_lines().join(" ")
}

#[test]
fn a_unit_is_restarted_stopped_and_started() {
    let mut model = model(size(80, 24));
    let shop = "shop".to_owned();
    let unit = |verb, name: &str| Action::Unit(verb, name.to_owned());
    assert_eq!(
        job(&mut model, "r"),
        (shop.clone(), unit(UnitVerb::Restart, "db"))
    );
    assert_eq!(job(&mut model, "s"), (shop.clone(), unit(UnitVerb::Stop, "db")));
    // A task that has failed can only be started.
    assert_eq!(job(&mut model, "\tGs"), (shop, unit(UnitVerb::Start, "install")));
    press(&mut model, "s");
    assert_eq!(told(&model), "already starting install of box `shop` …");
}

#[test]
fn what_ends_a_box_is_asked_about_and_only_yes_is_yes() {
    let mut model = model(size(80, 24));
    press(&mut model, "Rn");
    press(&mut model, "S\r");
    press(&mut model, "p\u{1b}");
    press(&mut model, "R");
    assert_eq!(told(&model), "restart box `shop` with all its units? [y/N]");
    assert_eq!(
        job(&mut model, "y"),
        ("shop".to_owned(), Action::Box(BoxVerb::Restart))
    );
    assert_eq!(
        job(&mut model, "py"),
        ("shop".to_owned(), Action::Box(BoxVerb::Pause))
    );
    // One that is stopped is started without a question.
    assert_eq!(
        job(&mut model, "jS"),
        ("shop-2".to_owned(), Action::Box(BoxVerb::Start))
    );
    press(&mut model, "s");
    assert_eq!(told(&model), "box `shop-2` is stopped: S starts it");
}

#[test]
fn a_yes_is_for_the_box_that_was_asked_about() {
    let mut model = model(size(80, 24));
    press(&mut model, "S");
    feed(&mut model, Input::Boxes(vec![info("shop-2", BoxState::Running)]));
    assert_eq!(
        model.selected().map(|view| view.info.name.as_str()),
        Some("shop-2")
    );
    press(&mut model, "y");
    assert_eq!(told(&model), "box `shop` is no longer selected");
}

#[test]
fn what_was_done_is_told_once_it_is_true() {
    let mut model = model(size(80, 24));
    let effects = effects(&mut model, "r");
    assert_eq!(told(&model), "restarting db of box `shop` …");
    let [Effect::Act(job)] = effects.as_slice() else {
        panic!("{effects:?}");
    };
    feed(
        &mut model,
        Input::Outcome(job.number, Ok("db is ready again".to_owned())),
    );
    assert_eq!(told(&model), "db is ready again");
    press(&mut model, "j");
    assert_eq!(told(&model), "");
    let second = super::effects(&mut model, "kr");
    let [Effect::Act(job)] = second.as_slice() else {
        panic!("{second:?}");
    };
    let failure = Failure::failed("no")
        .cause("because")
        .hint("agentbox doctor")
        .hint("x");
    feed(&mut model, Input::Outcome(job.number, Err(failure)));
    assert_eq!(told(&model), "error: no: because; hint: agentbox doctor, or x");
}

#[test]
fn quitting_waits_for_a_second_word_while_something_is_under_way() {
    let mut model = model(size(80, 24));
    assert_eq!(effects(&mut model, "q"), [Effect::Quit]);
    assert_eq!(effects(&mut model, "\u{3}"), [Effect::Quit]);
    let job = effects(&mut model, "Ry");
    press(&mut model, "q");
    assert!(
        told(&model).starts_with("still restarting box `shop`"),
        "{}",
        told(&model)
    );
    assert_eq!(effects(&mut model, "q"), [Effect::Quit]);
    let [Effect::Act(job)] = job.as_slice() else {
        panic!("{job:?}");
    };
    feed(&mut model, Input::Outcome(job.number, Ok(String::new())));
    assert_eq!(effects(&mut model, "q"), [Effect::Quit]);
}

#[test]
fn panes_and_tabs() {
    let mut model = model(size(80, 24));
    let mut panes = Vec::new();
    for key in ["\t", "\t", "\t", "\u{1b}[Z", "h", "h", "l", "l", "h"] {
        press(&mut model, key);
        panes.push(model.pane);
    }
    assert_eq!(
        panes,
        [
            Pane::Units,
            Pane::Lower,
            Pane::Boxes,
            Pane::Lower,
            Pane::Units,
            Pane::Boxes,
            Pane::Units,
            Pane::Lower,
            Pane::Units
        ]
    );
    for (key, tab) in [("2", Tab::Needs), ("3", Tab::Timeline), ("1", Tab::Logs)] {
        assert_eq!(effects(&mut model, key), [Effect::Refresh]);
        assert_eq!(model.tab, tab);
    }
    assert_eq!(effects(&mut model, "\u{1a}"), [Effect::Suspend]);
    assert_eq!(effects(&mut model, "\u{c}"), [Effect::Redraw, Effect::Refresh]);
}

#[test]
fn the_focus_follows_the_selection_and_old_output_is_dropped() {
    let mut model = model(size(80, 24));
    let first = model.focus().cloned().unwrap();
    assert_eq!(
        (first.id.as_str(), first.unit.as_deref()),
        ("id-of-shop", Some("db"))
    );
    press(&mut model, "\tj");
    let second = model.focus().cloned().unwrap();
    assert_eq!(second.unit.as_deref(), Some("web"));
    assert!(second.subscription > first.subscription && model.logs.is_empty());
    let late = LogNews::Output {
        unit: "db".to_owned(),
        bytes: b"late\n".to_vec(),
    };
    feed(&mut model, Input::Logs(first.subscription, late));
    assert!(model.logs.is_empty());
    press(&mut model, "a");
    assert_eq!(model.focus().unwrap().unit, None);
    output(&mut model, "web", "GET /\n");
    press(&mut model, "j");
    assert!(
        !model.logs.is_empty(),
        "all output stays whichever unit is selected"
    );
}

#[test]
fn a_filter_is_typed_kept_and_taken_back() {
    let mut model = model(size(80, 24));
    press(&mut model, "/LISTEN");
    assert_eq!(told(&model), "/LISTEN");
    assert_eq!(model.logs.counts(), (1, 4));
    press(&mut model, "\u{7f}\u{7f}\r");
    assert_eq!(model.logs.view.filter, "LIST");
    press(&mut model, "/x\u{1b}");
    assert_eq!(model.logs.view.filter, "LIST");
    press(&mut model, "\u{1b}");
    assert_eq!(model.logs.view.filter, "");
    // No command, while it is typed.
    press(&mut model, "/q");
    assert_eq!(model.logs.view.filter, "q");
}

#[test]
fn a_box_that_goes_leaves_its_place_to_the_next() {
    let mut model = model(size(80, 24));
    feed(&mut model, Input::Boxes(vec![info("shop-2", BoxState::Stopped)]));
    assert_eq!(told(&model), "box `shop` is gone");
    assert_eq!(model.focus().unwrap().id, "id-of-shop-2");
    feed(&mut model, Input::Boxes(Vec::new()));
    assert_eq!((model.selected().is_none(), model.focus()), (true, None));
    assert_eq!(effects(&mut model, "rsRSpo"), []);
    assert_eq!(told(&model), "there is no box");
}

#[test]
fn nothing_is_drawn_where_nothing_is_new() {
    let mut model = model(size(80, 24));
    assert!(model.take_changed() && !model.take_changed());
    let same = vec![info("shop", BoxState::Running), info("shop-2", BoxState::Stopped)];
    feed(&mut model, Input::Boxes(same));
    tell(&mut model, "shop", News::Units(units()));
    tell(&mut model, "shop", News::Details(details()));
    feed(&mut model, Input::Tick(at(5_000)));
    assert!(!model.take_changed());
    tell(&mut model, "shop", News::Units(UnitsReport::default()));
    assert!(model.take_changed());
    // A boot that goes on is drawn anew as time passes.
    let _ = effects(&mut model, "3");
    model.prepare(at(5_000));
    assert!(model.take_changed());
    tell(&mut model, "shop", News::Units(units()));
    model.prepare(at(5_000));
    assert!(model.take_changed());
    feed(&mut model, Input::Tick(at(6_000)));
    assert!(model.take_changed());
}

#[test]
fn scrolling_ends_where_the_text_does() {
    let mut model = model(size(80, 24));
    let _ = effects(&mut model, "3");
    press(&mut model, "\u{1b}[6~\u{1b}[6~\u{1b}[6~");
    let last = model.offset.0;
    assert!(last > 0);
    press(&mut model, "k");
    assert_eq!(model.offset.0, last - 1);
    press(&mut model, "G");
    assert_eq!(model.offset.0, last);
    press(&mut model, "gk");
    assert_eq!(model.offset.0, 0);
}
