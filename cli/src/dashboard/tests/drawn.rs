//! Screens.

use insta::assert_snapshot;
use ratatui::style::Modifier;

use super::*;
use agentbox_ctl::failure::Failure;

#[test]
fn all_panes_at_the_customary_size() {
    let mut model = model(size(80, 24));
    assert_snapshot!("logs_80x24", text(&mut model));
    let _ = effects(&mut model, "2");
    assert_snapshot!("needs_80x24", text(&mut model));
    let _ = effects(&mut model, "3");
    assert_snapshot!("timeline_80x24", text(&mut model));
}

#[test]
fn all_panes_on_a_wide_screen() {
    let mut model = model(size(160, 40));
    let _ = effects(&mut model, "3");
    assert_snapshot!("timeline_160x40", text(&mut model));
}

#[test]
fn one_pane_where_there_is_no_room_for_more() {
    let mut model = model(size(20, 5));
    assert_snapshot!("boxes_20x5", text(&mut model));
    press(&mut model, "\t");
    assert_snapshot!("units_20x5", text(&mut model));
    press(&mut model, "\t");
    assert_snapshot!("logs_20x5", text(&mut model));
    feed(&mut model, Input::Resize(size(50, 12)));
    assert_snapshot!("logs_50x12", text(&mut model));
}

#[test]
fn no_size_breaks_it() {
    let mut model = model(size(80, 24));
    for tab in ["1", "2", "3", "?"] {
        let _ = effects(&mut model, tab);
        for (columns, rows) in [
            (0, 0),
            (1, 1),
            (2, 3),
            (5, 2),
            (10, 4),
            (29, 9),
            (60, 16),
            (61, 15),
            (500, 3),
        ] {
            feed(&mut model, Input::Resize(size(columns, rows)));
            let _ = drawn(&mut model);
        }
    }
}

#[test]
fn the_keys_and_a_question() {
    let mut model = model(size(80, 24));
    press(&mut model, "?");
    assert_snapshot!("help_80x24", text(&mut model));
    press(&mut model, "xR");
    let screen = text(&mut model);
    assert!(
        screen.contains("restart box `shop` with all its units? [y/N]"),
        "{screen}"
    );
}

#[test]
fn a_long_failure_has_room_for_its_hint() {
    let mut model = model(size(60, 16));
    let jobs = effects(&mut model, "\tr");
    let [Effect::Act(job)] = jobs.as_slice() else {
        panic!("{jobs:?}");
    };
    let failure = Failure::failed("unit `db` of box `shop` cannot be restarted right now")
        .cause("its former processes are still there after ten seconds")
        .hint("agentbox logs shop db");
    feed(&mut model, Input::Outcome(job.number, Err(failure)));
    assert_snapshot!("failure_60x16", text(&mut model));
}

#[test]
fn boxes_that_do_not_run_or_cannot_be_asked_say_so() {
    let mut model = model(size(80, 24));
    press(&mut model, "j");
    let screen = text(&mut model);
    assert!(
        screen.contains("units of shop-2 (stopped, units as last recorded)"),
        "{screen}"
    );
    let broken = Failure::failed("the supervisor of box `shop` does not answer");
    tell(&mut model, "shop", News::Trouble(broken));
    feed(
        &mut model,
        Input::Engine(Failure::failed("cannot reach the Docker engine")),
    );
    press(&mut model, "k");
    let screen = text(&mut model);
    assert!(
        screen.contains(" the supervisor of box `shop` does not answer "),
        "{screen}"
    );
    assert!(
        screen.contains("cannot reach the Docker engine, trying again"),
        "{screen}"
    );
    assert!(screen.contains(" db "), "what was known stays: {screen}");
}

#[test]
fn an_engine_without_boxes_says_what_makes_one() {
    let mut model = Model::new(Scope::All, None, size(80, 24), at(0));
    assert!(text(&mut model).contains("asking the engine"));
    feed(&mut model, Input::Boxes(Vec::new()));
    assert!(text(&mut model).contains("no boxes: agentbox"));
}

#[test]
fn states_have_colours_unless_there_are_none() {
    let mut model = model(size(80, 24));
    let screen = drawn(&mut model);
    let colored =
        |screen: &TestBackend| {
            screen.buffer().content().iter().any(|cell| {
                cell.fg != ratatui::style::Color::Reset || cell.bg != ratatui::style::Color::Reset
            })
        };
    assert!(colored(&screen));
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
    for keys in ["1", "2", "3"] {
        let _ = effects(&mut model, keys);
        model.prepare(at(3_000));
        terminal
            .draw(|frame| view::draw(frame, &model, Theme::new(false)))
            .unwrap();
        assert!(!colored(terminal.backend()), "{}", terminal.backend());
        let marks = terminal.backend().buffer().content().iter();
        assert!(marks.clone().any(|cell| cell.modifier.contains(Modifier::BOLD)));
    }
}
