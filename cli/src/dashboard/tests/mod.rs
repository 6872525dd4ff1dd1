//! What the dashboard does and shows, without a terminal and without boxes.
