//! Showing the output of units.

pub mod live;
mod printer;

pub use printer::{Marks, Printer};
