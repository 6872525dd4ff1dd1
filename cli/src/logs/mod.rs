//! Showing the output of units.

pub mod live;
mod printer;
pub mod recorded;

pub use printer::{Marks, Printer};
