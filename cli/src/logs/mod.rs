//! Showing the output of units.

mod printer;

pub use printer::{Marks, Printer};
