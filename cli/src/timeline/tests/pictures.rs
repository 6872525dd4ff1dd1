//! Text, SVG and trace.

use proptest::prelude::*;

use super::{Story, chain, event, trouble};
use crate::timeline::{svg, text, trace};
use crate::ui::{self, Style};

fn shown(story: &Story, width: usize) -> String {
    text(&story.timeline(), "demo", width, Style::new(false))
}

#[test]
fn the_text_of_a_good_boot() {
    insta::assert_snapshot!(shown(&chain(), 80));
}

#[test]
fn the_text_of_a_bad_one() {
    insta::assert_snapshot!(shown(&trouble(), 100));
}

#[test]
fn the_text_of_one_that_goes_on_and_of_one_without_its_beginning() {
    let mut story = chain();
    story.events.truncate(8);
    story.until = Some(2_800);
    let going = shown(&story, 80);
    story.events.drain(..3);
    insta::assert_snapshot!(format!("{going}\n{}", shown(&story, 80)));
}

#[test]
fn no_line_of_it_wraps_and_names_stay_on_theirs() {
    let mut story = chain();
    story
        .events
        .push(event(10, 3_400, "evil\nfake  ready\u{1b}[2J", "pending running"));
    for width in [72, 80, 200] {
        let text = shown(&story, width);
        let table: Vec<&str> = text.lines().skip_while(|line| !line.contains("UNIT")).collect();
        let rows = table.iter().take_while(|line| !line.is_empty());
        assert!(rows.clone().all(|line| line.chars().count() <= width), "{text}");
        assert_eq!(rows.count(), 1 + 5 + 1, "{text}");
        assert!(!text.contains('\u{1b}'));
    }
}

#[test]
fn colours_change_nothing_else() {
    let timeline = trouble().timeline();
    let plain = text(&timeline, "demo", 100, Style::new(false));
    let coloured = text(&timeline, "demo", 100, Style::new(true));
    assert_ne!(plain, coloured);
    assert_eq!(ui::strip_controls(&coloured), plain);
}

#[test]
fn the_pictures_of_a_good_boot_and_of_a_bad_one() {
    insta::assert_snapshot!("picture_good", svg(&chain().timeline(), "demo"));
    insta::assert_snapshot!("picture_bad", svg(&trouble().timeline(), "demo"));
}

#[test]
fn the_trace() {
    let trace = trace(&chain().timeline(), "demo");
    insta::assert_snapshot!(serde_json::to_string_pretty(&trace).unwrap());
}

proptest! {
    #[test]
    fn no_name_breaks_a_picture(name in any::<String>(), unit in any::<String>()) {
        let mut story = trouble();
        story.events.push(event(16, 4_100, &unit, "pending running"));
        story.units.tasks[0].reason = Some(unit.clone());
        let timeline = story.timeline();
        let picture = svg(&timeline, &name);
        prop_assert!(roxmltree::Document::parse(&picture).is_ok(), "{picture}");
        let json = ui::json(&trace(&timeline, &name)).unwrap();
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(&read["otherData"]["box"], &name);
        let text = text(&timeline, &name, 80, Style::new(false));
        prop_assert!(!text.contains(agentbox_ctl::report::is_unwanted));
    }
}
