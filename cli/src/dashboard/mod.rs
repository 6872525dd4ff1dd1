//! `agentbox dashboard`: boxes, their units, output, needs and boots on one screen.
//!
//! ```text
//! keyboard ─┐                                              ┌─► view ─► the terminal (at most 20 times a second)
//! observer ─┼─► Input ─► Model::update ─► Model + Effects ─┤
//! watchers ─┘  one task per box, its channel and logs      └─► driver ─► act: start, stop, restart, pause, open
//! ```
//!
//! The [`model`] is pure and so is the [`view`]; the [`driver`] does everything else, on one thread, and never waits for
//! a box while there is something to draw. What a box says is hostile: it is stripped of controls where it enters the
//! model, and bounded.

pub mod driver;
pub mod keyboard;
pub mod layout;
pub mod model;
pub mod plain;
pub mod screen;
pub mod view;

#[cfg(test)]
mod tests;
